"""Notions measure what they say; sweeps enclose the best plan there is."""

import itertools

import numpy as np
import pytest

from optimization import (
    AssignmentProblem,
    Deadline,
    ProblemError,
    Weights,
    Work,
    linear_term,
    verify,
    work_spread,
)
from optimization.account import WorkAccount
from optimization.notions import NOTIONS
from optimization.scalar import scalarize
from optimization.solvers.lagrangian import LagrangianSolver
from optimization.surrogate import judge_sweep

NEVER = Deadline.after(None)
PRICES = {name: 0.7 for name in NOTIONS if name != "leximin"}


def _shift(seed):
    rng = np.random.default_rng(seed)
    n, m = 5, 3
    order, courier = np.repeat(np.arange(n), m), np.tile(np.arange(m), n)
    most = np.array([2, 2, 3])
    work = Work.unlimited("minutes", "min", rng.integers(8, 50, n * m), m)
    past, active = rng.integers(0, 60, m), np.full(m, 7200.0)
    account = WorkAccount("minutes", past, active, 60)
    terms = [
        linear_term("cost", "u", 1000, rng.uniform(0, 2, n * m), most),
        work_spread(work, past, active, most, courier, step=5, steps_per_unit=60),
    ]
    problem = AssignmentProblem.from_pairs(
        order, courier, order_size=np.ones(n, int), max_orders=most, max_size=most,
        leave=np.full(n, 1000), terms=terms, works=[work],
    )  # fmt: skip
    return problem, account


def _plans(problem, orders):
    """Every plan that serves all orders."""
    for couriers in itertools.product(range(3), repeat=orders):
        columns = 3 * np.arange(orders) + np.array(couriers)
        if verify(problem, columns).ok:
            yield columns


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("max", (4.0,)),
        ("worst_off", (-1.0,)),
        ("leximin", (-1.0, -1.0, -2.0, -4.0)),
        ("range", (3.0,)),
        ("mean_absolute_deviation", (1.0,)),
        ("gini", (0.3125,)),
        ("spread", (1.5**0.5,)),
    ],
)
def test_each_notion_on_paper(name, key):
    """Rates 4, 1, 2, 1: mean 2, deviations 2, 1, 0, 1; pair differences add up to 2 x 10."""
    assert NOTIONS[name].key(np.array([4.0, 1.0, 2.0, 1.0])) == pytest.approx(key)


def test_every_notion_is_documented_in_full():
    for name, notion in NOTIONS.items():
        assert notion.name == name
        assert notion.optimised in ("exact", "sweep")
        for text in (notion.unit, notion.definition, notion.source, notion.property):
            assert text


def test_no_plan_beats_a_notions_floor_and_sweeps_enclose_the_best():
    """All plans of 10 small shifts: bound <= best composite <= the sweep's, which is near."""
    regret = dict.fromkeys(PRICES, 0.0)
    for seed in range(10):
        problem, account = _shift(seed)
        found = judge_sweep(
            problem, Weights({"cost": 1.0}), PRICES, account, LagrangianSolver(steps=30)
        )
        axis = scalarize(problem, Weights({"cost": 1.0}))
        costs, rates = [], []
        for columns in _plans(problem, 5):
            costs.append(axis.objective(columns) / axis.scale)
            rates.append(account.rates(problem, columns))
        for name, judged in found.items():
            notion = NOTIONS[name]
            best = min(c + 0.7 * notion.key(r)[0] for c, r in zip(costs, rates, strict=True))
            assert judged.bound <= best + 1e-9, (seed, name)
            assert judged.value >= best - 1e-9, (seed, name)
            assert judged.fairness == notion.key(account.rates(problem, judged.solution.columns))
            regret[name] += judged.value / best - 1.0
    assert max(regret.values()) / 10 < 0.06


def test_leximin_compares_fairness_first():
    problem, account = _shift(1)
    engine, weights = LagrangianSolver(steps=30), Weights({"cost": 1.0})
    found = judge_sweep(problem, weights, {"leximin": 0.0, "max": 0.0}, account, engine)
    assert found["leximin"].fairness <= NOTIONS["leximin"].key(
        account.rates(problem, found["max"].solution.columns)
    )
    assert found["max"].share == 0.0


def test_the_least_cap_that_keeps_coverage_is_the_least_maximum():
    """Epsilon form: at the best maximum of all plans everything is served, just below it not."""
    engine = LagrangianSolver(steps=30)
    for seed in range(10):
        problem, account = _shift(seed)
        least = min(account.rates(problem, columns).max() for columns in _plans(problem, 5))
        if least <= account.rates(problem, np.zeros(0, np.int64)).max():
            continue
        at, below = (
            engine.solve(
                scalarize(account.capped(problem, least - less), Weights({"cost": 1.0})), NEVER
            )
            for less in (0.0, 1e-3)
        )
        assert at.proven
        assert below.proven
        assert at.coverage == 0
        assert below.coverage > 0
        assert account.rates(problem, at.columns).max() == pytest.approx(least)


def test_a_courier_already_above_the_cap_gets_nothing():
    problem, account = _shift(0)
    capped = account.capped(problem, 0.0)
    assert capped.works[0].limit.tolist() == [0, 0, 0]
    with pytest.raises(ProblemError, match="finite rate"):
        account.capped(problem, float("nan"))


@pytest.mark.parametrize(
    ("prices", "weights", "shares", "message"),
    [
        ({"envy": 1.0}, {"cost": 1.0}, (0.0,), "unknown notion 'envy'"),
        ({"max": 1.0}, {"cost": 1.0, "fairness": 1.0}, (0.0,), "both an efficiency term"),
        ({"max": 1.0}, {"cost": 1.0}, (0.5,), "start with 0"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(prices, weights, shares, message):
    problem, account = _shift(0)
    with pytest.raises(ProblemError, match=message):
        judge_sweep(problem, Weights(weights), prices, account, LagrangianSolver(), shares=shares)


def test_a_faulty_account_is_refused_with_every_reason():
    with pytest.raises(ProblemError) as caught:
        WorkAccount("w", np.array([-1, 2]), np.array([np.inf]), 0)
    assert len(caught.value.faults) == 4
