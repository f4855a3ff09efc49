"""Without a deadline work is limited: every call ends, and says with which gap."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from optimization import StopReason, Weights, scalarize, solve
from optimization.solvers import MilpSolver
from optimization.solvers.lagrangian import LagrangianSolver
from optimization.solvers.pool import WorkerPool

WEIGHTS = Weights({"a": 1.0, "b": 0.5, "c": 1.0})
FEW = 5


@pytest.fixture
def _few(monkeypatch):
    """More than five columns count as many, as 20,000 and 100,000 do outside tests."""
    module = sys.modules["optimization.solve"]
    monkeypatch.setattr(module, "MANY_PAIRS", FEW)
    monkeypatch.setattr(module, "LARGEST_PROGRAM", FEW)
    # Prices alone, without the core that proves every small problem.
    monkeypatch.setattr(module, "_prices", lambda: LagrangianSolver(steps=3, core_rows=0))


KINDS = ({"sizes": True}, {"work": True}, {"bundles": True, "work": True})


@pytest.mark.usefixtures("_few")
@pytest.mark.parametrize("kind", KINDS)
def test_many_columns_get_no_program_that_nothing_would_end(
    kind, random_problem, brute_force, monkeypatch
):
    """The answer is proven, or WORK_LIMIT with a bound that no plan undercuts."""

    def refuse(self, scalar, *_, **__):
        assert scalar.problem.n_columns <= FEW

    monkeypatch.setattr(MilpSolver, "solve", refuse)
    limited = 0
    for seed in range(80):
        problem = random_problem(np.random.default_rng(seed), **kind)
        if problem.n_columns <= FEW:
            continue
        found, scalar = solve(problem, WEIGHTS), scalarize(problem, WEIGHTS)
        coverage, objective = brute_force(scalar)
        least = objective + scalar.dominance * coverage
        assert found.bound + scalar.dominance * found.coverage <= least
        assert scalar.value(found.columns) >= least
        assert found.stop_reason in (StopReason.PROVEN, StopReason.WORK_LIMIT)
        assert not found.proven or scalar.value(found.columns) == least
        limited += found.stop_reason is StopReason.WORK_LIMIT
    assert limited > 0


@pytest.mark.usefixtures("_few")
def test_bounds_on_many_columns_end_as_well(random_problem, brute_force, monkeypatch):
    """With the best plan known inside them, or none: UNKNOWN, and what to do."""
    monkeypatch.setattr(MilpSolver, "solve", lambda *_, **__: pytest.fail("asked for a program"))
    reasons = set()
    for seed in range(150):
        problem = random_problem(np.random.default_rng(seed), sizes=seed % 2 > 0)
        if problem.n_columns <= FEW:
            continue
        free = solve(problem, WEIGHTS)
        value = problem.term_values(free.columns)["b"]
        bounds = {"b": problem.term("b").in_unit(value - 5)}
        found = solve(problem, WEIGHTS, bounds=bounds)
        expected = brute_force(scalarize(problem, WEIGHTS, bounds))
        reasons.add((found.usable, found.stop_reason))
        if found.usable:
            assert expected is not None
            assert (found.coverage, found.objective) >= expected
            assert found.proven or found.bound <= found.objective
    assert (True, StopReason.WORK_LIMIT) in reasons


def test_prices_leave_no_worker_behind(random_problem, monkeypatch):
    """Call after call they solve their cores by one pool of workers."""
    monkeypatch.setattr(sys.modules["optimization.solve"], "MANY_PAIRS", 0)
    pools, plain = [], WorkerPool.__init__
    monkeypatch.setattr(
        WorkerPool, "__init__", lambda self, *rest: pools.append(self) or plain(self, *rest)
    )
    for seed in range(12):
        solve(random_problem(np.random.default_rng(seed), sizes=True), WEIGHTS)
    assert len(pools) <= 1
