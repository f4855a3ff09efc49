"""A session after any change is where a cold solve of the changed problem would be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from optimization import (
    AssignmentProblem,
    ProblemError,
    SolverError,
    SolverSession,
    Status,
    Term,
    Weights,
    scalarize,
)
from optimization.scalar import dominance_of
from optimization.solvers.flow import FlowSolver

WEIGHTS = Weights({"cost": 1.0, "spread": 0.5})


def _problem(rng, n=25, m=12):
    near = np.argsort(rng.random((n, m)), axis=1)[:, :5]
    most = rng.integers(0, 4, m)
    past = rng.integers(0, 4, m)
    rank = np.arange(most.sum()) - np.repeat(np.cumsum(most) - most, most)
    return AssignmentProblem.from_pairs(
        np.repeat(np.arange(n), 5),
        near.ravel(),
        order_size=np.ones(n, np.int64),
        max_orders=most,
        max_size=most,
        leave=rng.choice([700, 1000], n),
        terms=[
            Term.linear("cost", "u", 100, rng.integers(-300, 300, 5 * n), most),
            Term.separable("spread", "v", 1, 2 * (np.repeat(past, most) + rank) + 1, 5 * n),
        ],
    )


def _cold(problem, present, column_cost):
    """Coverage and objective by OR-Tools, absent orders gone."""
    scalar = scalarize(problem.replace(leave=np.where(present, problem.leave, 0)), WEIGHTS)
    gone = ~present[problem.column_order]
    cost = np.where(gone, 10**9, column_cost)
    scalar = replace(scalar, column_cost=cost, dominance=10**8)
    columns = FlowSolver().columns(scalar)
    assert not gone[columns].any()
    return scalar.problem.coverage(columns), scalar.objective(columns)


def test_cancelling_and_inserting_restore_the_optimum_of_a_cold_solve():
    """Checked against OR-Tools after every one of 600 changes, certificate included."""
    rng = np.random.default_rng(1)
    for _ in range(10):
        problem = _problem(rng)
        session = SolverSession(problem, WEIGHTS, present=rng.random(25) < 0.7)
        cost = scalarize(problem, WEIGHTS).column_cost
        for order in rng.integers(0, 25, 60).tolist():
            change = session.cancel if session.present[order] else session.insert
            change(order)
            solution = session.solution()
            expected = _cold(problem, session.present, cost)
            assert (solution.coverage, solution.objective) == expected
            assert solution.status is Status.OPTIMAL


def test_rescored_columns_give_the_optimum_of_a_cold_solve():
    """And leaving stays dear enough, whether or not the costs outgrow the headroom."""
    rng, seen = np.random.default_rng(2), []
    for spread in (1.0, 3.0, 50.0):
        problem = _problem(rng)
        session = SolverSession(problem, WEIGHTS)
        scalar = scalarize(problem, WEIGHTS)
        cost = scalar.column_cost.copy()
        for _ in range(20):
            some = rng.choice(problem.n_columns, 9, replace=False)
            new = rng.normal(0.0, spread, 9)
            cost[some] = np.rint(new * scalar.scale).astype(np.int64)
            session.reprice(some, new)
            solution = session.solution()
            assert (solution.coverage, solution.objective) == _cold(problem, session.present, cost)
            needed = dominance_of(problem, cost, scalar.marginal)
            assert session._scalar.dominance >= needed
            seen.append(session._scalar.dominance > 4 * scalar.dominance)
    assert any(seen)
    assert not all(seen)


def test_a_courier_who_logs_off_loses_his_orders_and_may_come_back(paper):
    session = SolverSession(paper, Weights({"acceptance": 1.0}))
    assert session.columns.tolist() == [0, 3, 4, 6]
    assert session.column_of(2) == 4
    session.limit(0, 0)
    assert not np.isin(paper.column_courier[session.columns], [0]).any()
    session.solution()
    session.limit(0, 2)
    assert session.columns.tolist() == [0, 3, 4, 6]
    assert session.solution().objective == -2_500_000


def test_the_price_of_a_courier_is_in_the_weighted_unit(paper):
    """One more place at A would let order 1 move there from B: .8 instead of .6."""
    session = SolverSession(paper, Weights({"acceptance": 1.0}))
    price = session.courier_price
    assert price.shape == (3,)
    assert price[0] == pytest.approx(0.2, abs=0.11)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.insert(0), "takes part already"),
        (lambda s: s.cancel(9), "no order 9"),
        (lambda s: s.limit(5, 1), "no courier 5"),
        (lambda s: s.limit(0, 3), "expected room"),
        (lambda s: s.reprice([0, 0], [1.0, 2.0]), "repeated ids"),
        (lambda s: s.reprice([99], [1.0]), "outside"),
        (lambda s: s.reprice([0], [np.nan]), "not finite"),
        (lambda s: s.reprice([0], [1.0, 2.0]), "as many"),
    ],
)
def test_a_meaningless_change_is_refused(paper, call, message):
    session = SolverSession(paper, Weights({"acceptance": 1.0}))
    with pytest.raises(ProblemError, match=message):
        call(session)
    assert session.columns.tolist() == [0, 3, 4, 6]


def test_what_is_no_flow_is_refused(paper_with_sizes):
    with pytest.raises(SolverError, match="flows only"):
        SolverSession(paper_with_sizes, Weights({"acceptance": 1.0}))
