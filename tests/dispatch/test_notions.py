"""What is shared evenly is a choice: orders, hours of work or earnings, with or without a cap."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from dispatch.config import BundleRules, DispatchConfig, FairnessRules, Objective
from dispatch.datasets import SyntheticCity, synthetic_snapshot
from dispatch.decide import make_problem
from dispatch.domain import Capacity, PastWork, Snapshot
from dispatch.notions import NOTIONS, account_of, pair_work
from dispatch.operating import ByWeights
from dispatch.pipeline import Dispatcher
from dispatch.prepare import Stopwatch, prepare
from dispatch.result import Plan
from dispatch.weighing import display_weights
from optimization import fairness_measures

NO_ONE = np.zeros(0, np.int64)


@pytest.fixture(scope="module")
def city() -> Snapshot:
    return synthetic_snapshot(SyntheticCity(seed=5), n_orders=14, n_couriers=20)


@pytest.fixture(scope="module")
def even() -> ByWeights:
    return ByWeights(fairness=20.0)


def test_orders_are_the_notion_unless_another_is_chosen(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    plan = dispatcher.assign(city)
    assert plan.objectives.fairness_unit == "orders²/h"
    assert plan.solver.weights["fairness"] == NOTIONS["orders"].weight
    own = DispatchConfig(objective=Objective(fairness=0.3), fairness=FairnessRules("hours"))
    assert display_weights(own)["fairness"] == 0.3
    assert display_weights(replace(own, objective=Objective()))["fairness"] == 0.2


@pytest.mark.parametrize("notion", ["hours", "earnings"])
def test_each_notion_is_fairest_in_its_own_terms(
    city: Snapshot, dispatcher: Dispatcher, even: ByWeights, notion: str
) -> None:
    rules = FairnessRules(notion)  # type: ignore[arg-type]
    own = dispatcher.assign(city, operating_point=even, fairness=rules)
    other = dispatcher.assign(city, operating_point=even)
    config = replace(dispatcher.config, fairness=rules)
    ready = prepare(city, dispatcher.model, config, dispatcher.travel, Stopwatch())
    problem, account = (
        make_problem(ready, config, NO_ONE),
        account_of(ready.tables, ready.free, config),
    )
    pair = {
        (ready.tables.orders.ids[i], ready.tables.couriers.ids[j]): c
        for c, (i, j) in enumerate(zip(ready.pairs.order, ready.pairs.courier, strict=True))
    }

    def spread(plan: object) -> float:
        columns = np.array(sorted(pair[f.order_ids[0], f.courier_id] for f in plan.offers))  # type: ignore[attr-defined]
        return problem.term("fairness").in_unit(problem.term_values(columns)["fairness"])

    assert own.objectives.fairness_spread == pytest.approx(spread(own))
    assert spread(own) < spread(other)
    columns = np.array(sorted(pair[f.order_ids[0], f.courier_id] for f in own.offers))
    rates = account.rates(account.added(problem, columns))
    assert own.objectives.fairness["spread_sd"] == pytest.approx(fairness_measures(rates).spread_sd)
    assert notion in own.objectives.fairness_notion
    assert own.objectives.fairness_unit == NOTIONS[notion].unit  # type: ignore[index]
    assert own.config_hash != other.config_hash


def test_a_tiny_plan_is_the_fairest_of_all_by_enumeration(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    """Two orders, two couriers: under a heavy weight the plan has the least sum h (rate - rho)^2.

    Written out from the snapshot: c1 has worked 5400 s of 9000 s, c3 7000 s of 9000 s; an order's
    work is from now to the end of its trip; interpolated, so within step^2 / (4 h) of the true sum.
    """
    snapshot = replace(
        small_snapshot,
        orders=(small_snapshot.orders[0], small_snapshot.orders[4]),
        couriers=tuple(
            replace(c, capacity=Capacity(orders=2))
            for c in (small_snapshot.couriers[0], small_snapshot.couriers[2])
        ),
    )
    config = DispatchConfig(fairness=FairnessRules("hours"))
    ready = prepare(snapshot, dispatcher.model, config, dispatcher.travel, Stopwatch())
    work = pair_work(NOTIONS["hours"], ready.tables, ready.pairs) / 3600
    past, hours = np.array([5400, 7000]) / 3600, np.array([9000, 9000]) / 3600
    of = {(i, j): w for i, j, w in zip(ready.pairs.order, ready.pairs.courier, work, strict=True)}
    mean = np.mean([np.mean([of[i, j] for j in (0, 1)]) for i in (0, 1)])
    rho = (past.sum() + 2 * mean) / hours.sum()
    sums = {}
    for plan in product((0, 1), repeat=2):
        total = past + [sum(of[i, j] for i, j in enumerate(plan) if j == k) for k in (0, 1)]
        sums[plan] = float((hours * (total / hours - rho) ** 2).sum())
    best = min(sums, key=sums.__getitem__)
    heavy = Dispatcher(dispatcher.model, config).assign(
        snapshot, operating_point=ByWeights(fairness=1e5)
    )
    chosen = {f.order_ids[0]: f.courier_id for f in heavy.offers}
    assert chosen == {"o1": ("c1", "c3")[best[0]], "o5": ("c1", "c3")[best[1]]}
    slack = 2 * (300 / 3600) ** 2 / (4 * 2.5)
    assert sums[best] <= heavy.objectives.fairness_spread <= sums[best] + slack


@pytest.mark.parametrize("notion", ["orders", "hours", "earnings"])
def test_nobody_who_gets_work_ends_above_the_cap(
    city: Snapshot, dispatcher: Dispatcher, notion: str
) -> None:
    """The cap lies below what the busiest courier with an offer ends at without it."""
    rules = FairnessRules(notion)  # type: ignore[arg-type]
    config = replace(dispatcher.config, fairness=rules)
    ready = prepare(city, dispatcher.model, config, dispatcher.travel, Stopwatch())
    account = account_of(ready.tables, ready.free, config)
    work, tables = pair_work(account.notion, ready.tables, ready.pairs), ready.tables

    def most(plan: Plan) -> float:
        added = np.zeros(len(tables.couriers), np.int64)
        for offer in plan.offers:
            i = tables.orders.ids.index(offer.order_ids[0])
            j = tables.couriers.ids.index(offer.courier_id)
            added[j] += work[(ready.pairs.order == i) & (ready.pairs.courier == j)][0]
        return float(account.rates(added)[added > 0].max())

    cap = 0.97 * most(dispatcher.assign(city, fairness=rules))
    capped = dispatcher.assign(city, fairness=replace(rules, max_per_hour=cap))
    assert capped.offers
    assert most(capped) <= cap + 1e-9
    assert f"at most {cap:g}" in capped.objectives.fairness_notion


def test_stops_on_board_count_as_work_done(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    """c4 rides and delivers b1 first: that time is added to its busy time."""
    config = DispatchConfig(fairness=FairnessRules("hours"))
    ready = prepare(small_snapshot, dispatcher.model, config, dispatcher.travel, Stopwatch())
    account = account_of(ready.tables, ready.free, config)
    busy = [c.past_work.busy_s for c in small_snapshot.couriers]
    assert account.past[3] == pytest.approx(1500 + ready.free.free_s[3] - ready.tables.now_s, abs=1)
    assert account.past[:3].tolist() == busy[:3]


def test_who_just_came_online_counts_the_floor(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    fresh = replace(small_snapshot.couriers[0], past_work=PastWork(online_s=10.0))
    snapshot = replace(small_snapshot, couriers=(fresh, *small_snapshot.couriers[1:]))
    ready = prepare(snapshot, dispatcher.model, dispatcher.config, dispatcher.travel, Stopwatch())
    account = account_of(ready.tables, ready.free, dispatcher.config)
    assert account.hours[0] == dispatcher.config.objective.online_floor_s / 3600


def test_bundles_share_hours_as_well(
    city: Snapshot, dispatcher: Dispatcher, even: ByWeights
) -> None:
    config = DispatchConfig(bundles=BundleRules(enabled=True), fairness=FairnessRules("hours"))
    plan = Dispatcher(dispatcher.model, config).assign(city, operating_point=even)
    assert plan.solver.mode == "bundles"
    assert plan.objectives.fairness_unit == "h²/h"
