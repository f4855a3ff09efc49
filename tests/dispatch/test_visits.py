"""One visit per place and one job after the other: kept by plans, demanded by the second check."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from dispatch.check import check_plan
from dispatch.config import BundleRules, CandidateRules, DispatchConfig
from dispatch.datasets import SyntheticCity, synthetic_snapshot
from dispatch.domain import Capacity, Snapshot, StopKind
from dispatch.pipeline import Dispatcher
from dispatch.result import Plan, PlannedStop
from dispatch.travel import GreatCircleTravel

TRAVEL = GreatCircleTravel()
FREE = DispatchConfig(
    candidates=CandidateRules(max_new_orders=3), bundles=BundleRules(enabled=True)
)
VISITS = replace(FREE, bundles=replace(FREE.bundles, one_visit_per_place=True, finish_first=True))


@pytest.fixture(scope="module")
def food_court() -> Snapshot:
    """Thirty orders of ten places, eight couriers with room for three each."""
    city = synthetic_snapshot(SyntheticCity(seed=11), n_orders=30, n_couriers=45)
    pickups = [order.pickup for order in city.orders]
    return replace(
        city,
        orders=tuple(replace(o, pickup=pickups[k // 3 * 3]) for k, o in enumerate(city.orders)),
        couriers=tuple(
            replace(
                c,
                capacity=Capacity(orders=5, size=1000),
                pending_offers=(),
                on_board=(),
                load_size=0,
            )
            for c in city.couriers[:24:3]
        ),
    )


@pytest.fixture(scope="module")
def plan(food_court: Snapshot, dispatcher: Dispatcher) -> Plan:
    return Dispatcher(dispatcher.model, VISITS).assign(food_court)


def faults(plan: Plan, snapshot: Snapshot, config: DispatchConfig = VISITS) -> list[str]:
    return check_plan(plan, snapshot, TRAVEL, config.candidates, config.bundles)


def visits(plan: Plan) -> Iterator[tuple[PlannedStop, PlannedStop]]:
    """Pickups in a row of one courier."""
    for route in plan.routes:
        for a, b in pairwise(route.stops):
            if a.kind is b.kind is StopKind.PICKUP:
                yield a, b


def test_pickups_in_a_row_are_of_one_place_and_share_their_times(
    plan: Plan, food_court: Snapshot
) -> None:
    assert faults(plan, food_court) == []
    place = {o.id: o.pickup.location for o in food_court.orders}
    together = list(visits(plan))
    assert together
    for a, b in together:
        assert place[a.order_id] == place[b.order_id]
        assert (a.arrive_at, a.at, a.leave_at) == (b.arrive_at, b.at, b.leave_at)


def test_jobs_at_several_places_follow_each_other(plan: Plan, food_court: Snapshot) -> None:
    """Chains are planned: a pickup after a dropoff, with nothing on board."""
    chained = 0
    for route in plan.routes:
        on_board: set[str] = set()
        for before, stop in pairwise((None, *route.stops)):
            assert stop is not None
            if before and before.kind is StopKind.DROPOFF and stop.kind is StopKind.PICKUP:
                assert not on_board
                chained += 1
            on_board ^= {stop.order_id}
    assert chained


def test_a_plan_that_mixes_places_on_board_is_refused(
    food_court: Snapshot, dispatcher: Dispatcher
) -> None:
    free = Dispatcher(dispatcher.model, FREE).assign(food_court)
    assert faults(free, food_court, FREE) == []
    told = faults(free, food_court)
    assert any("picks up before delivering what it carries" in fault for fault in told)


def test_a_visit_whose_pickups_differ_is_refused(plan: Plan, food_court: Snapshot) -> None:
    _, second = next(visits(plan))
    moved = replace(second, at=second.at + timedelta(seconds=30))
    routes = tuple(
        replace(r, stops=tuple(moved if s == second else s for s in r.stops)) for r in plan.routes
    )
    told = faults(replace(plan, routes=routes), food_court)
    assert any("pickups of one visit do not share their times" in fault for fault in told)
