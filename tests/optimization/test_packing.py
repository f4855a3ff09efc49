import time
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from optimization import (
    AssignmentProblem,
    Deadline,
    SolverError,
    Status,
    StopReason,
    Term,
    Weights,
    scalarize,
    solve,
    verify,
)
from optimization.packing import local, prices
from optimization.packing.columns import PackingColumns
from optimization.packing.local import greedy, improve
from optimization.packing.prices import ascend
from optimization.solvers.packing import SMALL_CORE, PackingSolver, _price, _start

WEIGHTS = Weights({"cost": 1.0, "spread": 0.7})
NEVER = Deadline.after(None)


def packing(rng, n=6, m=4, k=14):
    """Random columns of one to three orders, with prices per column and per order committed."""
    most = rng.integers(1, 4, m)
    rows = {(int(rng.integers(m)), tuple(sorted(rng.choice(n, rng.integers(1, 4), False).tolist())))
            for _ in range(k)}  # fmt: skip
    rows = sorted(rows)
    courier = np.array([j for j, _ in rows])
    count = np.array([len(orders) for _, orders in rows])
    marginal = np.concatenate([np.sort(rng.integers(-300, 900, q)) for q in most])
    return AssignmentProblem(
        n_orders=n,
        n_couriers=m,
        column_courier=courier,
        column_ptr=np.concatenate([[0], np.cumsum(count)]),
        column_order=np.concatenate([orders for _, orders in rows]),
        order_size=rng.integers(1, 3, n),
        max_orders=most,
        max_size=rng.integers(2, 6, m),
        leave=1000 * rng.integers(1, 4, n),
        terms=(
            Term.linear("cost", "euro", 100, rng.integers(-500, 2000, len(rows)), most),
            Term.separable("spread", "orders^2/h", 100, marginal, len(rows)),
        ),
        one_column_per_courier=True,
    )


def best_value(scalar):
    """The least composed value over all selections, one column or none per courier."""
    problem = scalar.problem
    options = [
        [None, *np.flatnonzero(problem.column_courier == j).tolist()]
        for j in range(problem.n_couriers)
    ]
    best = None
    for picks in product(*options):
        chosen = np.array([c for c in picks if c is not None], dtype=np.int64)
        if verify(problem, chosen).ok:
            value = scalar.value(chosen)
            best = value if best is None else min(best, value)
    return best


@pytest.fixture(scope="module")
def solver():
    solver = PackingSolver(close=0.0, core_s=30.0)
    yield solver
    solver.pool.close()


@pytest.mark.parametrize("seed", range(8))
def test_packing_equals_brute_force_and_its_bound_never_lies(seed, solver):
    rng = np.random.default_rng(seed)
    for _ in range(40):
        scalar = scalarize(packing(rng), WEIGHTS)
        optimum = best_value(scalar)
        quick = PackingSolver(core_s=0.0).solve(scalar, NEVER)
        bound = quick.bound + scalar.dominance * quick.coverage
        assert bound <= optimum <= scalar.value(quick.columns)
        full = solver.solve(scalar, NEVER)
        assert scalar.value(full.columns) == optimum
        assert full.status is Status.OPTIMAL


def test_solve_sends_packings_here():
    problem = packing(np.random.default_rng(1))
    assert solve(problem, WEIGHTS).engine == PackingSolver.name


def larger(seed=0):
    return scalarize(packing(np.random.default_rng(seed), n=120, m=60, k=4000), WEIGHTS)


def test_prices_bound_whatever_they_are():
    scalar = larger()
    columns = PackingColumns.of(scalar)
    best = PackingSolver(core_s=0.0).solve(scalar, NEVER)
    value = scalar.value(best.columns)
    rng, cap = np.random.default_rng(0), scalar.leave_cost
    for scale in (0.0, 1.0, 1e3, 1e6, 1e12):
        bound = prices.certify(columns, rng.normal(0, 1, len(cap)) * scale, cap).bound
        assert bound <= value


def test_slack_is_what_a_column_costs_at_least():
    """Every packing costs at least the bound plus the slack of any column in it."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        scalar = scalarize(packing(rng), WEIGHTS)
        columns, cap = PackingColumns.of(scalar), scalar.leave_cost
        start = cap / 2
        found = ascend(columns, start, cap, int(cap.sum()), 50, NEVER)
        order = rng.permutation(len(columns))
        for _ in range(20):
            chosen = greedy(columns, rng.permutation(order))
            if chosen.size:
                assert columns.value(chosen) >= found.bound + found.slack[chosen].max()


def test_values_are_those_of_the_scalar_problem():
    rng = np.random.default_rng(3)
    for _ in range(50):
        scalar = scalarize(packing(rng), WEIGHTS)
        columns = PackingColumns.of(scalar)
        chosen = greedy(columns, rng.permutation(len(columns)))
        assert verify(scalar.problem, columns.column[chosen]).ok
        assert columns.value(chosen) == scalar.value(columns.column[chosen])


def test_local_search_keeps_a_packing_and_never_makes_it_worse():
    for seed in range(10):
        scalar = larger(seed)
        columns = PackingColumns.of(scalar)
        rng = np.random.default_rng(seed)
        start = greedy(columns, rng.permutation(len(columns)))
        found = improve(columns, start, rng.permutation(len(columns)), 3, NEVER)
        assert verify(scalar.problem, columns.column[found]).ok
        assert columns.value(found) < columns.value(start)


def test_the_same_input_gives_the_same_packing():
    one, two = (PackingSolver(core_s=0.0).solve(larger(), NEVER) for _ in range(2))
    assert np.array_equal(one.columns, two.columns)
    assert one.bound == two.bound
    assert one.stop_reason is not StopReason.DEADLINE


def test_without_a_deadline_a_large_core_is_solved_and_its_answer_is_the_same_again(solver):
    """What stops the engine then is work, not the clock."""
    scalar = scalarize(packing(np.random.default_rng(2), n=120, m=200, k=4000), WEIGHTS)
    rough = PackingSolver(core_s=0.0).solve(scalar, NEVER)
    one, two = (solver.solve(scalar, NEVER) for _ in range(2))
    assert int(one.message.split("core of ")[1].split()[0]) > SMALL_CORE
    assert one.gap < rough.gap
    assert np.array_equal(one.columns, two.columns)
    assert one.bound == two.bound
    assert one.stop_reason is not StopReason.DEADLINE


def test_values_come_in_the_steps_of_the_costs_and_a_bound_within_one_is_a_proof():
    """Costs in whole minutes: what leaving costs is a multiple too, and half a minute of gap none.

    Without an engine, prices prove some of 40 packings: their bound is within a minute of the plan,
    mostly not at it."""
    proven = between = 0
    for seed in range(40):
        problem = packing(np.random.default_rng(seed), n=12, m=9, k=60)
        cost = problem.terms[0]
        minutes = replace(cost, column=60 * cost.column)
        problem = replace(problem, terms=(minutes, *problem.terms[1:]))
        scalar = scalarize(problem, Weights({"cost": 1.0}))
        search = _start(PackingColumns.of(scalar), None, NEVER)
        assert search.step % int(np.gcd.reduce(scalar.column_cost)) == 0
        found = PackingSolver(close=0.0, core_s=0.0).solve(scalar, NEVER)
        exact = PackingSolver(close=0.0).solve(scalar, NEVER)
        assert exact.proven
        if found.proven:
            assert found.objective == exact.objective, seed
            proven += 1
            _price(search, NEVER, 0.0)
            between += search.proven.bound < search.target
    assert proven > 10
    assert between > 0


def test_greedy_takes_the_same_with_and_without_a_compiler(monkeypatch):
    rng = np.random.default_rng(3)
    for _ in range(30):
        columns = PackingColumns.of(scalarize(packing(rng), WEIGHTS))
        ranking = rng.permutation(len(columns))
        want = local.greedy(columns, ranking)
        with monkeypatch.context() as patch:
            patch.setattr(local, "compiler_present", lambda: False)
            assert np.array_equal(local.greedy(columns, ranking), want)


def test_without_a_compiler_the_answer_is_sound(monkeypatch):
    scalar = larger()
    want = PackingSolver(core_s=0.0).solve(scalar, NEVER)
    for module in (prices, local):
        monkeypatch.setattr(module, "compiler_present", lambda: False)
    found = PackingSolver(core_s=0.0).solve(scalar, NEVER)
    assert verify(scalar.problem, found.columns).ok
    assert found.bound <= scalar.value(want.columns) - scalar.dominance * found.coverage


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.1])
def test_the_deadline_is_obeyed_with_a_plan(seconds):
    scalar = scalarize(packing(np.random.default_rng(2), n=800, m=500, k=40_000), WEIGHTS)
    solver = PackingSolver()
    PackingSolver(core_s=0.0).solve(larger(), NEVER)  # compiles
    began = time.monotonic()
    found = solver.solve(scalar, Deadline.after(seconds))
    assert time.monotonic() - began < seconds + 1.0
    assert found.usable
    assert found.columns.size > 0
    solver.pool.close()


def test_nothing_to_choose_from_is_an_empty_plan():
    problem = packing(np.random.default_rng(0))
    none = problem.replace(
        column_courier=np.zeros(0, np.int32),
        column_ptr=np.zeros(1, np.int64),
        column_order=np.zeros(0, np.int32),
        terms=tuple(replace(t, column=t.column[:0]) for t in problem.terms),
    )
    found = PackingSolver().solve(scalarize(none, WEIGHTS), NEVER)
    assert found.proven
    assert found.columns.size == 0
    assert found.coverage == problem.leave.sum()


def test_pairs_that_add_up_are_not_a_packing():
    problem = packing(np.random.default_rng(0)).replace(one_column_per_courier=False)
    with pytest.raises(SolverError, match="one column per courier"):
        PackingSolver().solve(scalarize(problem, WEIGHTS), NEVER)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_bound_on_a_large_packing_is_kept_with_a_valid_bound(share):
    """Beyond what the general engine takes: prices on the bounded term find a plan inside."""
    problem = packing(np.random.default_rng(5), n=60, m=60, k=12_000)
    rng = np.random.default_rng(6)
    minutes = Term.linear("minutes", "min", 1, rng.integers(1, 60, problem.n_columns),
                          problem.max_orders)  # fmt: skip
    problem = problem.replace(terms=(*problem.terms, minutes))
    free = solve(problem, WEIGHTS)
    fastest = solve(problem, Weights({"minutes": 1.0}))
    assert free.coverage == fastest.coverage
    high, low = (problem.term_values(s.columns)["minutes"] for s in (free, fastest))
    limit = low + share * (high - low)
    found = solve(problem, WEIGHTS, bounds={"minutes": limit})
    assert problem.term_values(found.columns)["minutes"] <= limit
    assert max(free.bound, found.bound) <= found.objective
    assert found.coverage == free.coverage
    assert found.objective < scalarize(problem, WEIGHTS).objective(fastest.columns)
