"""The flow of our own against brute force, OR-Tools, and faults planted in its certificate."""

from __future__ import annotations

import numpy as np
import pytest

from optimization import Deadline, SolverError, Weights, recognise, scalarize, solve
from optimization.network import is_ready, warm_up
from optimization.network.build import flow_of
from optimization.network.flow import NetworkFlow
from optimization.network.kernels import empty
from optimization.solvers import SOLVERS
from optimization.solvers.flow import FlowSolver
from optimization.solvers.network import NetworkSolver

NEVER = Deadline.after(None)


def _scalar(rng, random_problem):
    a, b, c = rng.choice([0.0, 0.1, 1.0, 2.5], 3).tolist()
    return scalarize(random_problem(rng), Weights({"a": a + 0.1, "b": b, "c": c}))


@pytest.mark.parametrize("part", range(4))
def test_flows_and_brute_force_agree_on_10000_random_problems(part, random_problem, brute_force):
    """Ours and OR-Tools', convex costs of either sign, couriers without room, free leaving."""
    rng = np.random.default_rng(part)
    for _ in range(2500):
        scalar = _scalar(rng, random_problem)
        expected = brute_force(scalar)
        for columns in (engine.columns(scalar) for engine in (NetworkSolver(), FlowSolver())):
            assert (scalar.problem.coverage(columns), scalar.objective(columns)) == expected


def _large(rng, n=60, m=40, k=800):
    """Many ties, crowded couriers, orders without candidates, columns in no order."""
    key = np.sort(rng.choice((n - 3) * m, k, replace=False))
    slots = rng.integers(0, 4, m)
    marginal = np.concatenate([np.sort(rng.integers(-20, 60, q)) for q in slots])
    return {
        "order": (key // m).astype(np.int32),
        "courier": (key % m).astype(np.int32),
        "pair": rng.integers(-30, 30, k),
        "marginal": marginal.astype(np.int64),
        "leave": rng.integers(0, 80, n),
        "slots": slots,
        "room": slots,
    }


def _value(flow):
    held = flow.state.held
    rank = np.arange(flow.prices.marginal.size) - np.repeat(flow.graph.slot_ptr[:-1], _slots(flow))
    used = rank < np.repeat(held, _slots(flow))
    pairs = flow.prices.pair[flow.chosen].sum()
    return int(pairs + flow.prices.marginal[used].sum() + flow.prices.leave[flow.left].sum())


def _slots(flow):
    return np.diff(flow.graph.slot_ptr)


def test_a_warm_restart_ends_where_a_cold_start_does():
    """After changes of pairs, marginals, room and leave prices, certificate included."""
    rng = np.random.default_rng(5)
    for _ in range(60):
        data = _large(rng)
        flow = NetworkFlow(**data)
        flow.solve()
        for _ in range(8):
            some = rng.random(data["pair"].size) < 0.2
            flow.prices.pair[some] += rng.integers(-9, 9, int(some.sum()))
            flow.prices.marginal[:] += np.repeat(
                rng.integers(-9, 9, data["slots"].size), _slots(flow)
            )
            flow.prices.leave[rng.integers(0, 60, 5)] = rng.integers(0, 80, 5)
            flow.prices.room[:] = np.minimum(data["slots"], rng.integers(0, 5, data["slots"].size))
            flow.resume(pairs_changed=True)
            flow.certify()
            cold = NetworkFlow(**{**data, **flow.prices._asdict()})
            cold.solve()
            cold.certify()
            assert _value(flow) == _value(cold)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("price", "price is wrong"),
        ("pair", "rather move"),
        ("count", "count is wrong"),
        ("room", "over their room"),
    ],
)
def test_the_certificate_refuses_a_planted_fault(fault, message):
    flow = NetworkFlow(**_large(np.random.default_rng(6)))
    flow.solve()
    flow.certify()
    busy = int(np.argmax(flow.state.held))
    if fault == "price":
        flow.state.price[busy] = -1000
    elif fault == "pair":
        flow.prices.pair[flow.chosen[0]] += 1000
    elif fault == "count":
        flow.state.held[busy] -= 1
    else:
        flow.prices.room[busy] = 0
    with pytest.raises(SolverError, match=message):
        flow.certify()


def test_prices_that_could_overflow_are_refused():
    data = _large(np.random.default_rng(7))
    with pytest.raises(ValueError, match="overflow"):
        NetworkFlow(**{**data, "pair": data["pair"] + 2**60})


def test_pairs_out_of_order_are_refused():
    data = _large(np.random.default_rng(8))
    with pytest.raises(ValueError, match="sorted by order"):
        NetworkFlow(**{**data, "order": data["order"][::-1].copy()})


def test_columns_in_any_order_give_the_same_optimum(paper):
    scalar = scalarize(paper, Weights({"acceptance": 1.0}))
    shuffled = np.random.default_rng(0).permutation(8)
    mixed = paper.replace(
        column_order=paper.column_order[shuffled],
        column_courier=paper.column_courier[shuffled],
        terms=tuple(
            type(t)(t.name, t.unit, t.scale, t.constant, t.column[shuffled], t.marginal)
            for t in paper.terms
        ),
    )
    columns = NetworkSolver().columns(scalarize(mixed, Weights({"acceptance": 1.0})))
    assert (
        sorted(shuffled[columns].tolist())
        == NetworkSolver().columns(scalar).tolist()
        == [0, 3, 4, 6]
    )


def test_a_command_line_never_waits_for_the_compiler(paper):
    """Until `warm_up` is called OR-Tools answers; from then on our flow does, the same optimum."""
    weights = Weights({"acceptance": 1.0})
    first = solve(paper, weights)
    assert first.engine == "or-tools:min-cost-flow"
    assert not is_ready()
    assert warm_up() < float("inf")
    second = solve(paper, weights)
    assert second.engine == "courier-dispatch:network-flow"
    assert (first.objective, first.bound) == (second.objective, second.bound)


def test_without_numba_or_tools_answers(paper, monkeypatch):
    monkeypatch.setattr("optimization.network.ready.compiler_present", lambda: False)
    assert warm_up() == float("inf")
    assert solve(paper, Weights({"acceptance": 1.0})).engine == "or-tools:min-cost-flow"


def test_the_engine_refuses_what_is_no_flow(paper_with_sizes):
    scalar = scalarize(paper_with_sizes, Weights({"acceptance": 1.0}))
    assert not SOLVERS["network"].can_solve(scalar)
    with pytest.raises(SolverError, match="flows only"):
        SOLVERS["network"].solve(scalar, NEVER)


def test_a_place_less_costs_at_least_what_the_courier_price_says():
    """The prices stay dual feasible, so the rise is at least price - last marginal."""
    rng = np.random.default_rng(9)
    for _ in range(20):
        data = _large(rng)
        flow = NetworkFlow(**data)
        flow.solve()
        before, price = _value(flow), flow.courier_price.copy()
        for j in np.flatnonzero(data["slots"] > 0)[:5].tolist():
            flow.limit(j, int(data["slots"][j]) - 1)
            flow.certify()
            last = data["marginal"][flow.graph.slot_ptr[j + 1] - 1]
            assert _value(flow) - before >= max(0, price[j] - last)
            flow.limit(j, int(data["slots"][j]))
            assert _value(flow) == before


def test_flow_structure_is_what_the_engine_asks_for(paper):
    scalar = scalarize(paper, Weights({"acceptance": 1.0, "fairness": 0.1}))
    flow, column = flow_of(scalar)
    flow.solve()
    assert recognise(scalar).kind.value == "min-cost flow"
    assert column[flow.chosen].tolist() == [0, 3, 4, 7]


@pytest.mark.parametrize("share", [0.6, 0.8, 1.0])
def test_both_ways_of_starting_end_at_the_same_value(share):
    """Orders looking for units, and units for orders where these outnumber them."""
    rng = np.random.default_rng(11)
    ways = set()
    for _ in range(40):
        data = _large(rng)
        data["room"] = rng.binomial(data["slots"], share / 2)
        flow = NetworkFlow(**data)
        flow.solve()
        flow.certify()
        room = np.minimum(data["room"], np.diff(flow.graph.courier_ptr)).sum()
        for present in (rng.random(60) < 0.4, np.ones(60, np.bool_)):
            ways.add(bool(present.sum() > room))
            flow.solve(present)
            flow.certify()
            value = _value(flow)
            empty(flow.graph, flow.prices, flow.state)
            for i in np.flatnonzero(present).tolist():
                flow.insert(i)
            flow.certify()
            assert _value(flow) == value
    assert ways == {False, True}


def test_units_that_are_cut_short_leave_a_part_of_a_plan():
    """Nobody is said to be left who was not looked at, and every courier has room."""
    rng = np.random.default_rng(3)
    n, m = 2000, 1500
    key = np.sort(rng.choice(n * m, 40_000, replace=False))
    flow = NetworkFlow(
        (key // m).astype(np.int32),
        (key % m).astype(np.int32),
        pair=rng.integers(0, 99, key.size),
        marginal=np.zeros(m, np.int64),
        leave=np.full(n, 10**6),
        slots=np.ones(m, np.int64),
        room=np.ones(m, np.int64),
    )
    assert not flow.solve(deadline=Deadline.after(0.0))
    assert flow.left.size == 0
    held = np.bincount(flow.graph.courier[flow.chosen], minlength=m)
    assert 0 < held.sum() < m
    assert held.max() == 1
    assert flow.solve()
    flow.certify()
    assert flow.left.size == n - m
