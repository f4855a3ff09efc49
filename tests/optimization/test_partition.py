"""The program of what prices leave in question, and the relaxation that narrows it further."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from optimization.errors import SolverError
from optimization.packing.columns import PackingColumns
from optimization.packing.core import solve_core
from optimization.scalar import scalarize
from optimization.solvers.cbc import Outcome
from optimization.solvers.cpsat import solve_with_cpsat
from optimization.solvers.highs import relax_with_highs, solve_with_highs
from optimization.solvers.partition import partition_model
from optimization.solvers.pool import WorkerPool
from optimization.stop import Deadline
from optimization.weights import Weights

NEVER = Deadline.after(None)


@pytest.fixture(scope="module")
def pool():
    pool = WorkerPool()
    yield pool
    pool.close()


def _columns(rng, random_problem):
    problem = random_problem(rng, bundles=True)
    return PackingColumns.of(scalarize(problem, Weights({"a": 1.0, "b": 0.5, "c": 1.0})))


def _values(columns, cap, most_left):
    """Values of all packings, one column or none per courier, that leave no more; rising."""
    options = [
        [None, *range(columns.ptr[j], columns.ptr[j + 1])] for j in range(columns.n_couriers)
    ]
    values = []
    for picks in product(*options):
        chosen = np.array([c for c in picks if c is not None], np.int64)
        covered = columns.covered(chosen)
        left = int(columns.leave[covered == 0].sum())
        if (covered <= 1).all() and (most_left is None or left <= most_left):
            values.append(columns.value_at(chosen, cap))
    return sorted(values)


@pytest.mark.parametrize("limited", [False, True])
def test_a_core_finds_what_enumeration_finds_below_its_target(limited, random_problem, pool):
    """From any prices, with and without a limit on what is left: optimum, and bound equal to it."""
    found = refused = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        columns = _columns(rng, random_problem)
        cap = int(rng.integers(1, 40)) * columns.leave * 1000
        most_left = int(columns.leave.sum() * rng.random()) if limited else None
        if limited:
            most_left = max(most_left, _least_left(columns))
        values = _values(columns, cap, most_left)
        best, target = values[0], int(rng.choice(values[:3]))
        price = rng.integers(-(10**6), 10**6, cap.size)
        answer = solve_core(columns, price, cap, target, pool, NEVER, most_left)
        assert answer.bound == best, seed
        if answer.chosen is None:
            assert target == best, seed
            refused += 1
        else:
            assert columns.value_at(answer.chosen, cap) == best, seed
            found += 1
    assert found > 20
    assert refused > 20


def _least_left(columns):
    return _values(columns.for_coverage(1), columns.leave, None)[0]


def test_the_relaxation_prices_orders_and_couriers():
    """One courier, two sets of one order each at 3 and 5: the second order is worth leaving at 1.

    Sets cost 3 and 5, idleness 9, leaving 4 and 1: the first set and leaving the second order cost
    4 together, which the dual prices add up to."""
    model = partition_model(
        order=np.array([0, 1]),
        owner=np.array([0, 1]),
        courier=np.array([0, 0]),
        slack=np.array([3, 5]),
        idle=np.array([9]),
        left=np.array([4, 1]),
        reach=10,
    )
    relaxed, whole = relax_with_highs(model, np.inf), solve_with_highs(model, np.inf)
    assert relaxed.outcome is whole.outcome is Outcome.OPTIMAL
    assert relaxed.objective == pytest.approx(4) == whole.objective
    assert relaxed.values.size == 3
    assert relaxed.values.sum() == pytest.approx(4)


def test_both_engines_of_partitions_agree_and_say_when_nothing_fits():
    """CP-SAT and HiGHS on 60 random programs, with rows that nothing can fill among them."""
    outcomes = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        k, n, m = int(rng.integers(1, 12)), 4, 3
        width = rng.integers(1, 3, k)
        model = partition_model(
            order=np.concatenate([rng.choice(n, w, replace=False) for w in width]),
            owner=np.repeat(np.arange(k), width),
            courier=rng.integers(0, m, k),
            slack=rng.integers(0, 20, k),
            idle=rng.integers(0, 20, m),
            left=rng.integers(0, 20, n),
            reach=15,
            most_left=(np.full(n, 1000), int(rng.integers(0, n)) * 1000),
        )
        highs, sat = solve_with_highs(model, np.inf), solve_with_cpsat(model, np.inf)
        assert sat.outcome is highs.outcome, seed
        outcomes.add(sat.outcome)
        if sat.outcome is Outcome.OPTIMAL:
            assert sat.objective == pytest.approx(highs.objective) == sat.bound, seed
            assert model.cost @ sat.values == sat.objective, seed
    assert outcomes == {Outcome.OPTIMAL, Outcome.INFEASIBLE}


def test_cp_sat_takes_whole_numbers_only():
    model = partition_model(
        order=np.array([0]),
        owner=np.array([0]),
        courier=np.array([0]),
        slack=np.array([3]),
        idle=np.array([9]),
        left=np.array([4]),
        reach=10,
    )
    with pytest.raises(SolverError, match="whole numbers"):
        solve_with_cpsat(replace(model, cost=model.cost + 0.5), np.inf)


def test_what_lies_beyond_the_reach_is_no_variable():
    model = partition_model(
        order=np.array([0]),
        owner=np.array([0]),
        courier=np.array([0]),
        slack=np.array([0]),
        idle=np.array([9]),
        left=np.array([4]),
        reach=5,
        most_left=(np.array([1000]), 500),
    )
    assert model.cost.tolist() == [0, 4]
    assert model.row_coef[model.row_ptr[2] :].tolist() == [1000]
    assert model.row_upper[2] == 500
