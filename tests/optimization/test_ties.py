"""Of plans of exactly the same least cost every engine returns the one that the rule names."""

from __future__ import annotations

import numpy as np
import pytest

from optimization import AssignmentProblem, SolverSession, Term, Weights, scalarize, solve, warm_up
from optimization.errors import SolverError
from optimization.network.build import flow_of
from optimization.network.flow import NetworkFlow
from optimization.network.tied import open_moves as tied_moves
from optimization.solvers.base import named_by_ties
from optimization.solvers.flow import FlowSolver
from optimization.solvers.greedy import greedy_columns
from optimization.solvers.milp import MilpSolver
from optimization.solvers.network import NetworkSolver
from optimization.solvers.pulp_cbc import PulpSolver
from optimization.stop import NEVER, Deadline
from optimization.ties import LEAVING, courier_prices, open_moves, settle_ties, tie_number

WEIGHTS = Weights({"cost": 1.0, "spread": 1.0})
ENGINES = (FlowSolver(), NetworkSolver())


def tied(rng, n, m, k, values=2):
    """Pairs whose costs are mostly equal: couriers look alike, orders may be free to leave."""
    key = rng.choice(n * m, min(k, n * m), replace=False)
    most = rng.integers(0, 4, m)
    marginal = [np.sort(rng.integers(0, values, q)) for q in most]
    column = rng.integers(0, values, key.size)
    return AssignmentProblem.from_pairs(
        key // m,
        key % m,
        order_size=np.ones(n, np.int64),
        max_orders=most,
        max_size=np.full(m, 100),
        leave=1000 * rng.integers(0, 2, n),
        terms=(
            Term.linear("cost", "1", 1, column, most),
            Term.separable("spread", "1", 1, np.concatenate(marginal), key.size),
        ),
    )


def permuted(problem, ranking):
    """The same problem with its columns in another order."""
    return problem.replace(
        column_order=problem.column_order[ranking],
        column_courier=problem.column_courier[ranking],
        terms=tuple(
            Term(t.name, t.unit, t.scale, t.constant, t.column[ranking], t.marginal)
            for t in problem.terms
        ),
    )


def numbers(problem, columns):
    """What the rule minimises: each pair's number, and more for each order left."""
    each = tie_number(problem.column_order[columns], problem.column_courier[columns])
    return int(each.sum()) + LEAVING * (problem.n_orders - len(columns))


def test_both_flows_find_the_best_of_all_optimal_plans(every):
    """600 problems of up to 12 pairs, enumerated; most have several optimal plans."""
    with_ties = 0
    for seed in range(600):
        rng = np.random.default_rng(seed)
        problem = tied(rng, int(rng.integers(2, 5)), int(rng.integers(2, 5)), 11)
        scalar, plans = scalarize(problem, WEIGHTS), every(problem)
        value = plans.priced(0, scalar.column_cost, scalar.marginal)
        value = value + scalar.dominance * plans.coverage
        best = [np.flatnonzero(s) for s in plans.sets[value == value.min()]]
        with_ties += len(best) > 1
        want = min(best, key=lambda columns: numbers(problem, columns))
        for engine in ENGINES:
            assert engine.columns(scalar).tolist() == want.tolist(), (seed, engine.name)
    assert with_ties > 300


@pytest.mark.parametrize("values", [1, 2, 5])
def test_neither_the_engine_nor_the_order_of_the_columns_decides(values):
    """60 orders, 40 couriers, one to five different costs, columns in four orders."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        problem = tied(rng, 60, 40, 500, values)
        plans = set()
        for _ in range(4):
            ranking = rng.permutation(problem.n_columns)
            scalar = scalarize(permuted(problem, ranking), WEIGHTS)
            plans |= {tuple(np.sort(ranking[e.columns(scalar)]).tolist()) for e in ENGINES}
        assert len(plans) == 1, seed


@pytest.mark.parametrize("values", [1, 2, 5])
def test_programs_give_the_plan_that_flows_give(values):
    """CBC, HiGHS and PuLP, where the problem is a flow."""
    programs = MilpSolver(), MilpSolver(program="highs"), PulpSolver()
    for seed in range(4):
        scalar = scalarize(tied(np.random.default_rng(seed), 30, 20, 200, values), WEIGHTS)
        want = FlowSolver().columns(scalar).tolist()
        for engine in programs:
            found = engine.solve(scalar, NEVER)
            assert found.proven
            assert found.columns.tolist() == want, (seed, engine.name)
    for engine in programs[:2]:
        engine.pool.close()


def test_cold_and_warm_solve_give_the_same_plan():
    for seed in range(20):
        problem = tied(np.random.default_rng(seed), 30, 20, 200)
        cold = solve(problem, WEIGHTS)
        warm_up()
        warm = solve(problem, WEIGHTS)
        assert cold.columns.tolist() == warm.columns.tolist()
        assert warm.engine == "courier-dispatch:network-flow"
        assert warm.proven


def test_a_session_is_where_a_cold_solve_would_be():
    """After orders came and went and columns were re-scored, whatever the way there."""
    for seed in range(15):
        rng = np.random.default_rng(seed)
        problem = tied(rng, 30, 20, 200)
        session = SolverSession(problem, WEIGHTS)
        for _ in range(40):
            order = int(rng.integers(problem.n_orders))
            (session.cancel if session.present[order] else session.insert)(order)
        some = rng.choice(problem.n_columns, 20, replace=False)
        cost = rng.integers(0, 2, some.size)
        session.reprice(some, cost)
        column = problem.terms[0].column.copy()
        column[some] = cost
        terms = (Term.linear("cost", "1", 1, column, problem.max_orders), problem.terms[1])
        after = problem.replace(terms=terms)
        cold = SolverSession(after, WEIGHTS, session.present)
        assert session.columns.tolist() == cold.columns.tolist()
        of_order = [session.column_of(i) for i in range(problem.n_orders)]
        assert sorted(c for c in of_order if c is not None) == session.columns.tolist()
        for order in np.flatnonzero(~session.present).tolist():
            session.insert(order)
        assert session.columns.tolist() == FlowSolver().columns(scalarize(after, WEIGHTS)).tolist()


def test_prices_found_from_a_plan_prove_it():
    """The flow's own certificate accepts them."""
    for seed in range(100):
        scalar = scalarize(tied(np.random.default_rng(seed), 30, 20, 150, 6), WEIGHTS)
        plan, _, _ = FlowSolver().optimum(scalar, NEVER)
        flow = NetworkFlow(
            plan.order,
            plan.courier,
            pair=plan.cost,
            marginal=plan.marginal,
            leave=plan.leave,
            slots=scalar.problem.max_orders,
            room=plan.room,
        )
        flow.state.pair[:] = plan.on
        flow.state.held[:] = plan.held
        flow.state.price[:] = courier_prices(plan)
        flow.certify()


def test_without_ties_nothing_moves():
    """Costs drawn from a million: the plan is the engine's own, its array untouched."""
    scalar = scalarize(tied(np.random.default_rng(0), 60, 40, 600, 10**6), WEIGHTS)
    plan, _, price = NetworkSolver().optimum(scalar, NEVER)
    assert settle_ties(plan, price)[0] is plan.on


def test_numbers_of_pairs_differ():
    order, courier = np.divmod(np.arange(10**6, dtype=np.int32), 1000)
    drawn = tie_number(order.astype(np.int32), courier.astype(np.int32))
    assert np.unique(drawn).size == drawn.size
    assert 0 <= drawn.min() < drawn.max() < LEAVING // 2
    assert abs(drawn.mean() / (LEAVING / 2) - 0.5) < 0.002


def test_what_cannot_be_settled_in_time_says_so():
    """All costs equal and no time: the plan is as good, and not called settled."""
    scalar = scalarize(tied(np.random.default_rng(0), 3000, 60, 60_000, 1), WEIGHTS)
    late = NetworkSolver().answer(scalar, Deadline.after(1e9))
    assert late.settled
    plan, _, price = NetworkSolver().optimum(scalar, NEVER)
    on, settled = settle_ties(plan, price, Deadline.after(0.0))
    assert not settled
    assert on is plan.on


def test_a_flow_cut_short_is_the_optimum_of_the_orders_it_took_in():
    """Where there is room for all, orders come in one by one."""
    scalar = scalarize(tied(np.random.default_rng(1), 3000, 4000, 60_000, 50), WEIGHTS)
    plan, _, _ = NetworkSolver().optimum(scalar, Deadline.after(0.0))
    taken = plan.on > -2
    assert 0 < taken.sum() < 3000
    assert not NetworkSolver().answer(scalar, Deadline.after(0.0)).proven
    flow = NetworkFlow(
        plan.order,
        plan.courier,
        pair=plan.cost,
        marginal=plan.marginal,
        leave=plan.leave,
        slots=scalar.problem.max_orders,
        room=plan.room,
    )
    flow.solve(taken)
    flow.certify()

    def value(on):
        used = on[on >= 0]
        held = np.bincount(plan.courier[used], minlength=plan.room.size)
        rank = np.arange(plan.marginal.size) - np.repeat(plan.first, plan.room)
        units = plan.marginal[rank < np.repeat(held, plan.room)].sum()
        return plan.cost[used].sum() + units + plan.leave[on == -1].sum()

    assert value(flow.state.pair) == value(plan.on)


@pytest.mark.parametrize("values", [1, 2, 5, 10**6])
def test_the_compiled_pass_lists_what_the_arrays_list(values):
    for seed in range(60):
        rng = np.random.default_rng(seed)
        scalar = scalarize(tied(rng, 40, 30, 300, values), WEIGHTS)
        plan, _, price = NetworkSolver().optimum(scalar, NEVER)
        if seed % 3 == 0:
            away = rng.choice(40, 5, replace=False)
            flow, _ = flow_of(scalar)
            flow.solve(~np.isin(np.arange(40), away))
            plan, price = flow.plan, flow.courier_price
        for mine, others in zip(tied_moves(*plan, price), open_moves(plan, price), strict=True):
            assert mine.tolist() == others.tolist(), seed


def test_a_plan_that_is_not_of_least_cost_is_told():
    """Its moves have no prices, however little it costs too much; a plan of least cost has some."""
    dearer = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        scalar = scalarize(tied(rng, 8, 6, 30, 4), WEIGHTS)
        columns = greedy_columns(scalar)
        least = scalar.value(NetworkSolver().columns(scalar))
        if scalar.value(columns) == least:
            assert scalar.value(named_by_ties(scalar, columns)) == least
            continue
        dearer += 1
        with pytest.raises(SolverError, match="not of least cost"):
            named_by_ties(scalar, columns)
    assert 50 < dearer < 250
