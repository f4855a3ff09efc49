"""Prices on orders: bounds never above the optimum, plans never below it, and proofs that hold."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from optimization import AssignmentProblem, Deadline, SolverError, Term, Weights, Work, scalarize
from optimization.pricing.blocks import blocks_of
from optimization.pricing.core import core_of
from optimization.pricing.subsets import desk_of, evaluate, load_price, search
from optimization.solvers.flow import flow_columns
from optimization.solvers.lagrangian import LagrangianSolver
from optimization.work import WorkPrice

NEVER = Deadline.after(None)
ROOT = Path(__file__).parents[2]


def _scalar(seed, random_problem):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, work=seed % 3 > 0, sizes=seed % 2 > 0)
    names = [term.name for term in problem.terms]
    weights = rng.choice([0.1, 1.0, 2.5], len(names)).tolist()
    return scalarize(problem, Weights(dict(zip(names, weights, strict=True))))


@pytest.mark.parametrize("part", range(2))
def test_bounds_and_plans_enclose_the_optimum_of_2000_random_problems(
    part, random_problem, brute_force
):
    """Without the core: certified bound <= brute force <= plan, proofs exact."""
    engine, proven = LagrangianSolver(steps=20, core_rows=0), 0
    for seed in range(1000 * part, 1000 * (part + 1)):
        scalar = _scalar(seed, random_problem)
        coverage, objective = brute_force(scalar)
        best = objective + scalar.dominance * coverage
        found = engine.solve(scalar, NEVER)
        bound = found.bound + scalar.dominance * found.coverage
        assert bound <= best <= scalar.value(found.columns), seed
        if found.proven:
            proven += 1
            assert scalar.value(found.columns) == best, seed
    assert proven > 900


def test_the_core_proves_every_small_problem(random_problem, brute_force):
    engine = LagrangianSolver(steps=20)
    for seed in range(5000, 5250):
        scalar = _scalar(seed, random_problem)
        found = engine.solve(scalar, NEVER)
        assert found.proven, seed
        assert (found.coverage, found.objective) == brute_force(scalar), seed


@pytest.fixture
def crowded():
    """14 orders, 5 couriers, minutes priced convexly, sizes and earnings limited."""
    rng = np.random.default_rng(5)
    n, m = 14, 5
    order, courier = np.repeat(np.arange(n), m), np.tile(np.arange(m), n)
    most = rng.integers(1, 5, m)
    minutes = Work.unlimited("minutes", "s", rng.integers(300, 2400, n * m), m)
    earnings = Work("earnings", "cent", rng.integers(300, 900, n * m), np.full(m, 2000))
    pieces, knots = np.arange(0, 8 * m + 1, 8), np.tile(900 * np.arange(8), m)
    price = WorkPrice("minutes", pieces, knots, np.tile(np.arange(8), m) * 3)
    none = np.zeros(n * m, np.int64), np.zeros(int(most.sum()), np.int64)
    return scalarize(
        AssignmentProblem.from_pairs(
            order, courier, order_size=rng.integers(1, 4, n), max_orders=most,
            max_size=rng.integers(3, 8, m), leave=np.full(n, 1000), works=[minutes, earnings],
            terms=[
                Term.linear("cost", "u", 1000, rng.integers(0, 5000, n * m), most),
                Term("fairness", "u", 1000, 0, *none, price),
            ],
        ),
        Weights({"cost": 1.0, "fairness": 1.0}),
    )  # fmt: skip


def test_a_couriers_best_set_is_the_best_of_all_sets(crowded):
    """Every set of up to four of 14 pairs, for three couriers and three price vectors."""
    b = blocks_of(crowded)
    desk, rng = desk_of(b), np.random.default_rng(1)
    sets, sizes, values = (np.zeros(shape, np.int64) for shape in ((1, 4), (1,), (1,)))
    for trial, j in itertools.product(range(3), range(3)):
        price = rng.integers(-2, 12, b.leave.size) * 10**9 // (1 + trial)
        best = 0
        pairs = range(b.ptr[j], b.ptr[j + 1])
        for size in range(1, int(b.most[j]) + 1):
            for chosen in map(list, itertools.combinations(pairs, size)):
                load = b.load[:, chosen].sum(axis=1)
                if (load > b.limit[:, j]).any():
                    continue
                value = (b.cost[chosen] - price[b.order[chosen]]).sum()
                value += b.slots[b.slot_ptr[j] + size]
                value += sum(load_price(b, k, j, int(x)) for k, x in enumerate(load))
                best = min(best, int(value))
        sizes[0] = values[0] = 0
        assert search(b, desk, j, price, -1, False, 10**6, sets, sizes, values, 0)[1]
        assert values[0] == best, (trial, j)


def test_a_crowded_problem_is_proven_and_agrees_with_cbc(crowded):
    from optimization.solvers import SOLVERS

    found = LagrangianSolver().solve(crowded, NEVER)
    other = SOLVERS["milp"].solve(crowded, NEVER)
    assert found.proven
    assert other.proven
    assert (found.coverage, found.objective) == (other.coverage, other.objective)
    assert found.coverage > 0


def test_the_core_holds_every_set_that_a_better_plan_uses(crowded):
    """The optimum's sets all lie within the gap of any bound."""
    from optimization.solvers import SOLVERS

    b = blocks_of(crowded)
    best = SOLVERS["milp"].solve(crowded, NEVER)
    price = np.minimum(b.leave, np.random.default_rng(2).integers(0, 4, b.leave.size) * 10**9)
    sets, sizes, values = np.zeros((5, 4), np.int64), np.zeros(5, int), np.zeros(5, int)
    bound = evaluate(b, price, sets, sizes, values, np.zeros(b.leave.size, int))
    gap = crowded.value(best.columns) - crowded.constant - bound
    core = core_of(b, price, values, bound, gap, 200_000)
    assert core is not None
    held = {
        tuple(sorted(b.column[s[:k]].tolist())) for s, k in zip(core.sets, core.size, strict=True)
    }
    courier = crowded.problem.column_courier[best.columns]
    for j in np.unique(courier):
        assert tuple(best.columns[courier == j].tolist()) in held
    assert core_of(b, price, values, bound, gap, 3) is None


def test_a_false_proof_of_the_core_is_caught(crowded, monkeypatch):
    from optimization.solvers.cbc import MilpAnswer, Outcome

    class Liar:
        def run(self, model, deadline, engine):  # noqa: ARG002
            return MilpAnswer(Outcome.OPTIMAL, np.zeros(model.cost.size), -1e13, -1e13)

    with pytest.raises(SolverError, match="the core claims"):
        LagrangianSolver(Liar(), steps=5).solve(crowded, NEVER)


def test_the_same_answer_twice_and_never_worse_than_the_incumbent(crowded):
    engine = LagrangianSolver(steps=30, core_rows=0)
    first, again = engine.solve(crowded, NEVER), engine.solve(crowded, NEVER)
    assert first.columns.tolist() == again.columns.tolist()
    assert first.bound == again.bound
    best = LagrangianSolver().solve(crowded, NEVER)
    kept = LagrangianSolver(steps=1, core_rows=0).solve(crowded, NEVER, best)
    assert crowded.value(kept.columns) == crowded.value(best.columns)


def test_bundles_and_bounds_are_refused(paper, random_problem):
    engine = LagrangianSolver()
    bounded = scalarize(paper, Weights({"acceptance": 1.0}), {"fairness": 1.0})
    assert not engine.can_solve(bounded)
    with pytest.raises(SolverError, match="single pairs without bounds"):
        engine.solve(bounded, NEVER)


def test_binding_size_caps_at_300_by_400_are_proven_in_a_moment():
    """What the flow cannot keep, and CBC takes long for: the plan and the proof by prices."""
    rng = np.random.default_rng(3)
    n, m, d = 300, 400, 20
    order = np.repeat(np.arange(n), d)
    courier = np.argsort(rng.random((n, m)), axis=1)[:, :d].ravel()
    most = rng.integers(1, 4, m)
    problem = AssignmentProblem.from_pairs(
        order, courier, order_size=rng.integers(1, 6, n), max_orders=most,
        max_size=rng.integers(4, 7, m), leave=np.full(n, 1000),
        terms=[Term.linear("cost", "u", 10**6, rng.integers(0, 10**6, n * d), most)],
    )  # fmt: skip
    scalar = scalarize(problem, Weights({"cost": 1.0}))
    relaxed = scalar.value(flow_columns(scalar))
    found = LagrangianSolver().solve(scalar, NEVER)
    assert found.proven
    assert scalar.value(found.columns) >= relaxed


def test_without_numba_the_loops_give_the_same_answer(tmp_path):
    """The same small problem in a process where numba cannot be imported."""
    code = """
import sys
if sys.argv[1] == "no":
    sys.modules["numba"] = None
import numpy as np
from optimization import AssignmentProblem, Deadline, Term, Weights, Work, WorkPrice, scalarize
from optimization.solvers.lagrangian import LagrangianSolver
rng = np.random.default_rng(0)
n, m = 6, 4
work = Work.unlimited("minutes", "s", rng.integers(5, 30, n * m), m)
price = WorkPrice("minutes", 2 * np.arange(m + 1), np.tile([0, 20], m), np.tile([1, 4], m))
most = np.full(m, 3)
term = Term("t", "u", 1, 0, rng.integers(0, 90, n * m), np.zeros(12, int), price)
problem = AssignmentProblem.from_pairs(
    np.repeat(np.arange(n), m), np.tile(np.arange(m), n), order_size=np.ones(n, int),
    max_orders=most, max_size=most, leave=np.full(n, 1000), terms=[term], works=[work])
found = LagrangianSolver(steps=30, core_rows=0).solve(
    scalarize(problem, Weights({"t": 1.0})), Deadline.after(None))
print(found.columns.tolist(), found.objective, found.bound, bool(sys.modules.get("numba")))
"""
    lines = [
        subprocess.run(
            [sys.executable, "-c", code, flag], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ).stdout.split()
        for flag in ("no", "yes")
    ]  # fmt: skip
    assert lines[0][:-1] == lines[1][:-1]
    assert (lines[0][-1], lines[1][-1]) == ("False", "True")
