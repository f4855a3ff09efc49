"""Reasons and changes agree with solving again."""

import numpy as np
import pytest

from optimization import AssignmentProblem, Deadline, ProblemError, Term, Weights, scalarize, solve
from optimization.diagnose import Reason, Remedy, diagnose
from optimization.solvers import SOLVERS

COST = Weights({"cost": 1.0})
FAR = 10**6


def _problem(rng, n=9, m=4, d=3):
    """More orders than places; convex marginals; sizes that never bind."""
    order = np.repeat(np.arange(n), d)
    courier = np.argsort(rng.random((n, m)), axis=1)[:, :d].ravel()
    most = rng.integers(0, 3, m)
    slots = np.concatenate([np.sort(rng.integers(0, 30, q)) for q in most])
    term = Term("cost", "u", 10, 0, rng.integers(0, 200, n * d), slots)
    return AssignmentProblem.from_pairs(
        order, courier, order_size=np.ones(n, int), max_orders=most, max_size=np.full(m, 99),
        leave=rng.choice([500, 1000, 1500], n), terms=[term],
    )  # fmt: skip


def _insisting(problem, columns, order, dropped=-1):
    """The problem in which exactly the orders served, this one and not the dropped one count."""
    leave = np.where(problem.left(columns), 0, FAR)
    leave[order] = FAR
    if dropped >= 0:
        leave[dropped] = 0
    return problem.replace(leave=leave)


def _one_more_place(problem, courier):
    most, term = problem.max_orders.copy(), problem.terms[0]
    end = int(problem.slot_ptr[courier + 1])
    last = term.marginal[end - 1] if most[courier] else 0
    most[courier] += 1
    marginal = np.insert(term.marginal, end, last)
    more = Term(term.name, term.unit, term.scale, 0, term.column, marginal)
    return problem.replace(max_orders=most, terms=(more,))


def test_a_place_or_a_drop_costs_what_solving_again_says():
    """60 tight problems: with the change applied the optimum is the predicted one, exactly."""
    checked = {Remedy.PLACE: 0, Remedy.DROP: 0}
    for seed in range(60):
        problem = _problem(np.random.default_rng(seed))
        best = solve(problem, COST)
        scalar = scalarize(problem, COST)
        for case in diagnose(scalar, best.columns):
            assert case.reason is Reason.CAPACITY
            for change in case.changes:
                checked[change.remedy] += 1
                wanted = _insisting(problem, best.columns, case.order, change.order)
                if change.remedy is Remedy.PLACE:
                    wanted = _one_more_place(wanted, change.courier)
                again = solve(wanted, COST)
                assert again.coverage == 0
                assert again.objective == best.objective + change.cost
    assert min(checked.values()) > 100


def test_the_cheapest_place_is_the_cheapest_of_all_couriers():
    for seed in range(20):
        problem = _problem(np.random.default_rng(seed))
        best = solve(problem, COST)
        for case in diagnose(scalarize(problem, COST), best.columns)[:2]:
            costs = []
            for courier in range(problem.n_couriers):
                wanted = _insisting(problem, best.columns, case.order)
                again = solve(_one_more_place(wanted, courier), COST)
                if again.coverage == 0:
                    costs.append(again.objective - best.objective)
            predicted = [c.cost for c in case.changes if c.remedy is Remedy.PLACE]
            assert predicted == ([min(costs)] if costs else [])


def test_reasons_are_told_apart(paper):
    """Order 3 without columns, order 2 too large, order 1 not worth serving."""
    keep = problem = paper.replace(
        order_size=np.array([1, 1, 50, 1]),
        leave=np.array([1000, 0, 1000, 1000]),
        terms=(Term.linear("cost", "u", 10, np.array([1, 1, 9, 9, 1, 1, 1, 1]), paper.max_orders),),
    )
    mask = problem.column_order != 3
    keep = AssignmentProblem.from_pairs(
        problem.column_order[mask], problem.column_courier[mask], order_size=problem.order_size,
        max_orders=problem.max_orders, max_size=problem.max_size, leave=problem.leave,
        terms=[Term.linear("cost", "u", 10, problem.terms[0].column[mask], problem.max_orders)],
    )  # fmt: skip
    best = solve(keep, COST)
    found = {case.order: case for case in diagnose(scalarize(keep, COST), best.columns)}
    assert {order: case.reason for order, case in found.items()} == {
        1: Reason.PRICED_OUT, 2: Reason.TOO_LARGE, 3: Reason.NO_COLUMN,
    }  # fmt: skip
    (raise_price,) = (c for c in found[1].changes if c.remedy is Remedy.PRICE)
    again = solve(_insisting(keep, best.columns, 1), COST)
    assert again.objective - best.objective == raise_price.cost
    with pytest.raises(ProblemError, match="orders 0 are not left"):
        diagnose(scalarize(keep, COST), best.columns, [0])


def test_with_work_and_bundles_the_changes_stay_feasible(random_problem):
    """Where nothing may be passed on: adding the column at the told cost is feasible and exact."""
    told = 0
    for seed in range(300):
        problem = random_problem(np.random.default_rng(seed), work=True, bundles=seed % 2 > 0)
        scalar = scalarize(problem, Weights({"a": 1.0, "b": 1.0, "d": 1.0}))
        columns = SOLVERS["greedy"].solve(scalar, Deadline.after(None)).columns
        for case in diagnose(scalar, columns):
            for change in case.changes:
                if change.remedy is not Remedy.PRICE:
                    continue
                told += 1
                able = (problem.column_courier == change.courier) & (problem.orders_per_column == 1)
                able &= problem.column_order[problem.column_ptr[:-1]] == case.order
                more = np.append(columns, np.flatnonzero(able))
                assert scalar.objective(more) - scalar.objective(columns) == change.cost
    assert told > 20
