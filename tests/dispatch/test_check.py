"""The check of a plan against its snapshot: a sound plan passes, every planted fault is caught."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from dispatch.check import check_plan, require_sound
from dispatch.config import CandidateRules
from dispatch.domain import Snapshot
from dispatch.errors import PlanCheckError
from dispatch.pipeline import Dispatcher
from dispatch.result import Considered, Held, Offer, Plan, Route
from dispatch.travel import GreatCircleTravel

RULES = CandidateRules()
TRAVEL = GreatCircleTravel()


@pytest.fixture(scope="module")
def plan(small_snapshot: Snapshot, dispatcher: Dispatcher) -> Plan:
    return dispatcher.assign(small_snapshot)


def with_offer(plan: Plan, order_id: str, **changes: object) -> Plan:
    def changed(offer: Offer) -> Offer:
        return replace(offer, **changes) if order_id in offer.order_ids else offer  # type: ignore[arg-type]

    return replace(plan, offers=tuple(changed(o) for o in plan.offers))


def with_route(plan: Plan, change: Callable[[Route], Route], place: int = 0) -> Plan:
    routes = list(plan.routes)
    routes[place] = change(routes[place])
    return replace(plan, routes=tuple(routes))


def later(route: Route, stop: int, **shift: float) -> Route:
    stops = list(route.stops)
    moved = {name: getattr(stops[stop], name) + timedelta(seconds=by) for name, by in shift.items()}
    stops[stop] = replace(stops[stop], **moved)  # type: ignore[arg-type]
    return replace(route, stops=tuple(stops))


def reversed_stops(route: Route) -> Route:
    return replace(route, stops=tuple(reversed(route.stops)))


def board_of(plan: Plan) -> int:
    return next(k for k, r in enumerate(plan.routes) if any(s.accepted for s in r.stops))


FAULTS: dict[str, tuple[Callable[[Plan], Plan], str]] = {
    "an order is dropped": (lambda p: replace(p, offers=p.offers[1:]), "is lost"),
    "an order is offered twice": (
        lambda p: replace(p, offers=(*p.offers, replace(p.offers[0], offer_id="x"))),
        "appears 2 times",
    ),
    "an order is invented": (lambda p: with_offer(p, "o1", order_ids=("o9",)), "not in the snap"),
    "an order is held and offered": (
        lambda p: replace(p, held=(Held("o1", "why not", 1.0, 2.0, Considered()),)),
        "appears 2 times",
    ),
    "a locked order is called free": (lambda p: replace(p, locked=()), "locked by a pending"),
    "an offer id repeats": (
        lambda p: with_offer(p, "o2", offer_id=p.offers[0].offer_id),
        "offer ids repeat",
    ),
    "a courier is invented": (lambda p: with_offer(p, "o1", courier_id="c9"), "c9 is not in"),
    "a courier lacks the skill": (lambda p: with_offer(p, "o2", courier_id="c3"), "lacks a skill"),
    "a courier refused before": (lambda p: with_offer(p, "o4", courier_id="c3"), "refused order"),
    "a courier has an offer pending": (
        lambda p: with_offer(p, "o1", courier_id="c5"),
        "has an offer pending",
    ),
    "a courier gets more than it can hold": (
        lambda p: replace(p, offers=tuple(replace(o, courier_id="c1") for o in p.offers)),
        "more orders than its capacity",
    ),
    "a probability above one": (lambda p: with_offer(p, "o1", probability=1.2), "out of range"),
    "a propensity of zero": (lambda p: with_offer(p, "o1", propensity=0.0), "out of range"),
    "an offer that is already over": (
        lambda p: with_offer(p, "o1", expires_at=p.decided_for),
        "expires before",
    ),
    "a route is missing": (lambda p: replace(p, routes=p.routes[1:]), "do not name the same"),
    "a dropoff before its pickup": (lambda p: with_route(p, reversed_stops), "before it is picked"),
    "stops on board are forgotten": (
        lambda p: with_route(
            p,
            lambda r: replace(r, stops=tuple(s for s in r.stops if not s.accepted)),
            board_of(p),
        ),
        "stops on board were changed",
    ),
    "a courier flies": (
        lambda p: with_route(p, lambda r: later(r, -1, arrive_at=-60, at=-60, leave_at=-60)),
        "does not take the travel time",
    ),
    "a courier starts before now": (
        lambda p: with_route(p, lambda r: later(r, 0, arrive_at=-7200)),
        "moves before being available",
    ),
    "an order is picked up before it is ready": (
        lambda p: with_route(p, lambda r: later(r, 0, at=-300)),
        "changes hands at the wrong time",
    ),
    "a service is skipped": (
        lambda p: with_route(p, lambda r: later(r, 0, leave_at=-20)),
        "is not kept",
    ),
    "a route is longer than it says": (
        lambda p: with_route(p, lambda r: replace(r, metres=r.metres - 500)),
        "length is wrong",
    ),
}


def test_a_plan_of_ours_passes(
    plan: Plan, small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    assert check_plan(plan, small_snapshot, TRAVEL, RULES) == []
    require_sound(plan, small_snapshot, TRAVEL, RULES)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_caught_and_named(
    name: str, plan: Plan, small_snapshot: Snapshot
) -> None:
    plant, said = FAULTS[name]
    faults = check_plan(plant(plan), small_snapshot, TRAVEL, RULES)
    assert any(said in fault for fault in faults), faults
    with pytest.raises(PlanCheckError, match="fails"):
        require_sound(plant(plan), small_snapshot, TRAVEL, RULES)


def test_the_world_changing_under_a_plan_is_caught(plan: Plan, small_snapshot: Snapshot) -> None:
    """The same plan against a snapshot with less shift, range, room or skill is faulty."""

    def changed(**changes: object) -> Snapshot:
        couriers = tuple(
            replace(c, **changes)  # type: ignore[arg-type]
            for c in small_snapshot.couriers
        )
        return replace(small_snapshot, couriers=couriers)

    first = small_snapshot.couriers[0]
    soon = small_snapshot.now + timedelta(minutes=2)
    for world, said in (
        (changed(shift_end=soon), "past the end of the shift"),
        (changed(vehicle=replace(first.vehicle, range_m=10.0)), "past its range"),
        (changed(capacity=replace(first.capacity, size=0)), "more size than"),
        (changed(available_at=small_snapshot.now + timedelta(hours=1)), "before being available"),
    ):
        assert any(said in fault for fault in check_plan(plan, world, TRAVEL, RULES))
