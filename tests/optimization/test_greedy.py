"""The first answer: greedy from nothing, or from a flow that was cut short or breaks sizes."""

import sys
from dataclasses import replace

import numpy as np

from optimization import Deadline, Weights, scalarize, solve, verify, warm_up
from optimization.solvers.flow import FlowSolver
from optimization.solvers.greedy import greedy_columns, within_sizes


def test_a_flow_cut_short_is_completed_by_greedy(random_problem, brute_force, monkeypatch):
    """One order at a time and no grace: sound plans, honest bounds, also where sizes bind."""
    warm_up()
    monkeypatch.setattr("optimization.network.flow.CHUNK", 1)
    monkeypatch.setattr(sys.modules["optimization.solve"], "GRACE_S", 0.0)
    weights, engines = Weights({"a": 1.0, "c": 1.0}), set()
    for seed in range(60):
        problem = random_problem(np.random.default_rng(seed), sizes=seed % 2 > 0)
        found = solve(problem, weights, deadline=Deadline.after(0.0))
        scalar = scalarize(problem, weights)
        coverage, objective = brute_force(scalar)
        least = objective + scalar.dominance * coverage
        assert found.bound + scalar.dominance * found.coverage <= least
        assert scalar.value(found.columns) >= least
        engines.add(found.engine)
    assert "greedy" in engines


def test_greedy_keeps_what_it_is_given(random_problem):
    """And what is kept of a selection beyond the sizes fits."""
    dropped = 0
    for seed in range(100):
        problem = random_problem(np.random.default_rng(seed), sizes=True)
        scalar = scalarize(problem, Weights({"a": 1.0, "c": 1.0}))
        relaxed = FlowSolver().columns(scalar)
        start = within_sizes(problem, relaxed)
        dropped += start.size < relaxed.size
        assert verify(problem, start).ok
        columns = greedy_columns(scalar, start)
        assert set(start.tolist()) <= set(columns.tolist())
        assert verify(problem, columns).ok
        assert scalar.value(columns) <= scalar.value(start)
    assert dropped > 5


def _by_hand(scalar):
    """Take the cheapest pair per order that pays and fits, first by cost, then by id."""
    problem, chosen = scalar.problem, []
    held = np.zeros(problem.n_couriers, int)
    load = np.zeros(problem.n_couriers, int)
    open_order = np.ones(problem.n_orders, bool)
    while True:
        best = None
        for c in range(problem.n_columns):
            i, j = problem.column_order[c], problem.column_courier[c]
            fits = held[j] < problem.max_orders[j]
            fits = fits and load[j] + problem.order_size[i] <= problem.max_size[j]
            if not (open_order[i] and fits):
                continue
            cost = scalar.column_cost[c] + scalar.marginal[problem.slot_ptr[j] + held[j]]
            cost -= scalar.leave_cost[i]
            if cost < 0 and (best is None or (cost, c) < best):
                best = (cost, c)
        if best is None:
            return sorted(chosen)
        c = best[1]
        i, j = problem.column_order[c], problem.column_courier[c]
        chosen.append(c)
        open_order[i] = False
        held[j] += 1
        load[j] += problem.order_size[i]


def test_rounds_take_what_one_after_another_would(random_problem):
    """Where marginals do not rise, so that nothing gets dearer in between."""
    for seed in range(200):
        problem = random_problem(np.random.default_rng(seed), sizes=seed % 2 > 0)
        flat = tuple(replace(t, marginal=np.zeros_like(t.marginal)) for t in problem.terms)
        scalar = scalarize(problem.replace(terms=flat), Weights({"a": 1.0, "b": 1.0}))
        assert greedy_columns(scalar).tolist() == _by_hand(scalar), seed
