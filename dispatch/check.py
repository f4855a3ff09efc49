"""The second check: a plan against what its snapshot demands.

Written against the domain objects and the plan alone, in plain Python, so that it shares no code
with the arrays the plan was made from. `optimization.verify` recomputes the problem; this compares
the plan with the world.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import numpy as np

from dispatch.check_board import begun_faults, load_faults, promise_faults
from dispatch.config import BundleRules, CandidateRules
from dispatch.domain import Courier, Handover, Location, Order, Snapshot, StopKind
from dispatch.errors import MAX_IDS, PlanCheckError
from dispatch.result import Offer, Plan, PlannedStop, Route
from dispatch.tables import KIND_CODE, Points
from dispatch.travel import TravelTimes

_SLACK = timedelta(milliseconds=5)  # plan times are stored to the microsecond
_METRES = 1.0


def check_plan(
    plan: Plan,
    snapshot: Snapshot,
    travel: TravelTimes,
    rules: CandidateRules,
    bundling: BundleRules | None = None,
) -> list[str]:
    """Compare a plan with its snapshot; every fault found, empty if none."""
    bundling = bundling or BundleRules()
    return [
        *_accounting(plan, snapshot),
        *_offers(plan, snapshot, rules, bundling),
        *_whole(plan, snapshot),
        *_routes(plan, snapshot, rules, bundling),
        *_travel(plan, snapshot, travel, bundling),
        *promise_faults(plan, snapshot, travel, bundling),
    ]


def require_sound(
    plan: Plan,
    snapshot: Snapshot,
    travel: TravelTimes,
    rules: CandidateRules,
    bundling: BundleRules | None = None,
) -> None:
    """Raise if `check_plan` finds anything.

    Raises
    ------
    PlanCheckError
        Naming the first faults.
    """
    faults = check_plan(plan, snapshot, travel, rules, bundling)
    if faults:
        shown = "\n".join(f"  - {fault}" for fault in faults[: 2 * MAX_IDS])
        raise PlanCheckError(f"plan fails {len(faults)} checks against its snapshot\n{shown}")


def _accounting(plan: Plan, snapshot: Snapshot) -> Iterator[str]:
    """Every order of the snapshot is in exactly one place."""
    placed = Counter(
        [
            *(name for offer in plan.offers for name in offer.order_ids),
            *(left.order_id for left in plan.unassigned if left.reason != "rejected_input"),
            *(held.order_id for held in plan.held),
            *(locked.order_id for locked in plan.locked),
        ]
    )
    known = {o.id for o in snapshot.orders}
    for name, count in placed.items():
        if name not in known:
            yield f"order {name} is not in the snapshot"
        elif count > 1:
            yield f"order {name} appears {count} times"
    for name in sorted(known - placed.keys()):
        yield f"order {name} is lost"
    locked = {n for c in snapshot.couriers for p in c.pending_offers for n in p.order_ids}
    for held in plan.held:
        if held.holding_min >= held.best_offer_min:
            yield f"order {held.order_id}: held, though an offer costs no more than holding"
    for name in sorted(locked ^ {entry.order_id for entry in plan.locked}):
        yield f"order {name}: locked by a pending offer, or said to be, but not both"


def _offers(
    plan: Plan, snapshot: Snapshot, rules: CandidateRules, bundling: BundleRules
) -> Iterator[str]:
    orders = {o.id: o for o in snapshot.orders}
    couriers = {c.id: c for c in snapshot.couriers}
    given: dict[str, list[Order]] = defaultdict(list)
    if len({offer.offer_id for offer in plan.offers}) < len(plan.offers):
        yield "offer ids repeat"
    for offer in plan.offers:
        if not 0 < offer.probability < 1 or not 0 < offer.propensity <= 1:
            yield f"offer {offer.offer_id}: probability or propensity out of range"
        if offer.expires_at <= snapshot.now:
            yield f"offer {offer.offer_id}: expires before it is made"
        courier = couriers.get(offer.courier_id)
        if courier is None:
            yield f"offer {offer.offer_id}: courier {offer.courier_id} is not in the snapshot"
            continue
        if courier.pending_offers:
            yield f"courier {courier.id}: has an offer pending"
        for name in offer.order_ids:
            if name in orders:
                given[courier.id].append(orders[name])
                yield from _pair_faults(offer, orders[name], courier)
    for name, taken in given.items():
        courier = couriers[name]
        on_board = len({s.order_id for s in courier.on_board})
        if len(taken) > rules.max_new_orders:
            yield f"courier {name}: {len(taken)} new orders, {rules.max_new_orders} allowed"
        if bundling.reopened and courier.on_board:
            continue  # looked at stop by stop
        if on_board + len(taken) > courier.capacity.orders:
            yield f"courier {name}: more orders than its capacity"
        if courier.load_size + sum(o.size for o in taken) > courier.capacity.size:
            yield f"courier {name}: more size than its capacity"


def _whole(plan: Plan, snapshot: Snapshot) -> Iterator[str]:
    """Find bundles offered beside something else, and offers that misstate their own trip."""
    offers = Counter(offer.courier_id for offer in plan.offers)
    routes = {route.courier_id: route for route in plan.routes}
    for offer in plan.offers:
        if len(offer.order_ids) > 1 and offers[offer.courier_id] > 1:
            yield f"courier {offer.courier_id}: a bundle and other offers, several offers at once"
        route = routes.get(offer.courier_id)
        stops = [s for s in route.stops if not s.accepted] if route is not None else []
        mine = [s for s in stops if s.order_id in offer.order_ids]
        pickups = [s.at for s in mine if s.kind is StopKind.PICKUP]
        doors = [s.at for s in mine if s.kind is StopKind.DROPOFF]
        if not pickups or not doors:
            continue  # reported with the routes
        said = (offer.pickup_in_s, offer.door_in_s)
        done = (min(pickups) - snapshot.now, max(doors) - snapshot.now)
        if any(abs(timedelta(seconds=s) - d) > _SLACK for s, d in zip(said, done, strict=True)):
            yield f"offer {offer.offer_id}: pickup_in_s or door_in_s is not that of its route"


def _pair_faults(offer: Offer, order: Order, courier: Courier) -> Iterator[str]:
    if not set(courier.skills).issuperset(order.required_skills):
        yield f"offer {offer.offer_id}: courier {courier.id} lacks a skill of order {order.id}"
    if any(r.courier_id == courier.id for r in order.refusals):
        yield f"offer {offer.offer_id}: courier {courier.id} refused order {order.id} before"


def _routes(
    plan: Plan, snapshot: Snapshot, rules: CandidateRules, bundling: BundleRules
) -> Iterator[str]:
    orders = {o.id: o for o in snapshot.orders}
    couriers = {c.id: c for c in snapshot.couriers}
    offered: dict[str, set[str]] = defaultdict(set)
    for offer in plan.offers:
        offered[offer.courier_id].update(offer.order_ids)
    if Counter(r.courier_id for r in plan.routes) != Counter(offered.keys()):
        yield "routes and offers do not name the same couriers, each once"
    for route in plan.routes:
        courier = couriers.get(route.courier_id)
        if courier is not None:
            visits = _visits(route, orders, bundling)
            yield from _sequence_faults(
                route, courier, offered[route.courier_id], snapshot, bundling
            )
            if bundling.reopened and courier.on_board:
                yield from load_faults(route, courier, orders)
            yield from _clock_faults(visits, courier, orders, snapshot)
            if bundling.finish_first:
                yield from _carrying_faults(visits, courier)
            yield from _shift_faults(route, courier, rules)


def _sequence_faults(
    route: Route,
    courier: Courier,
    offered: set[str],
    snapshot: Snapshot,
    bundling: BundleRules,
) -> Iterator[str]:
    old = [(s.kind, s.order_id) for s in route.stops if s.accepted]
    if old != [(s.kind, s.order_id) for s in courier.on_board]:
        yield f"courier {courier.id}: stops on board were changed"
    yield from begun_faults(route, courier, snapshot, bundling)
    new = [(s.kind, s.order_id) for s in route.stops if not s.accepted]
    wanted = Counter((kind, name) for kind in StopKind for name in offered)
    if Counter(new) != wanted:
        yield f"courier {courier.id}: stops do not match the orders offered"
        return
    for name in sorted(offered):
        if new.index((StopKind.DROPOFF, name)) < new.index((StopKind.PICKUP, name)):
            yield f"courier {courier.id}: order {name} is dropped off before it is picked up"


def _visits(
    route: Route, orders: dict[str, Order], bundling: BundleRules
) -> list[list[PlannedStop]]:
    """Group new pickups in a row at one place where they are one visit; others stand alone."""
    visits: list[list[PlannedStop]] = []
    for stop in route.stops:
        last = visits[-1][-1] if visits else None
        if (
            bundling.one_visit_per_place
            and last is not None
            and stop.kind is last.kind is StopKind.PICKUP
            and not (stop.accepted or last.accepted)
            and stop.order_id in orders
            and last.order_id in orders
            and _at_one_place(orders[stop.order_id].pickup, orders[last.order_id].pickup)
        ):
            visits[-1].append(stop)
        else:
            visits.append([stop])
    return visits


def _at_one_place(a: Handover, b: Handover) -> bool:
    return (a.location.lat, a.location.lon) == (b.location.lat, b.location.lon)


def _carrying_faults(visits: list[list[PlannedStop]], courier: Courier) -> Iterator[str]:
    """Find pickups made with the orders of another visit still on board."""
    on_board: set[str] = set()
    for visit in visits:
        names = {stop.order_id for stop in visit}
        if visit[0].kind is StopKind.DROPOFF:
            on_board -= names
        elif on_board and not visit[0].accepted:
            yield f"courier {courier.id}: picks up before delivering what it carries"
        else:
            on_board |= names


def _clock_faults(
    visits: list[list[PlannedStop]],
    courier: Courier,
    orders: dict[str, Order],
    snapshot: Snapshot,
) -> Iterator[str]:
    start = max(snapshot.now, courier.available_at or snapshot.now)
    if visits and visits[0][0].arrive_at < start - _SLACK:
        yield f"courier {courier.id}: moves before being available"
    for here, there in pairwise(visits):
        if there[0].arrive_at < here[-1].leave_at - _SLACK:
            yield f"courier {courier.id}: arrives before leaving the stop before"
    board = {(s.kind, s.order_id): s for s in courier.on_board}
    for visit in visits:
        stop, order = visit[0], orders.get(visit[0].order_id)
        if stop.accepted and (old := board.get((stop.kind, stop.order_id))) is not None:
            service = timedelta(seconds=old.place.service_before_s)
            moment = max(stop.arrive_at + service, old.ready_at or stop.arrive_at)
            end = moment + timedelta(seconds=old.place.service_after_s)
            if abs(stop.at - moment) > _SLACK or abs(stop.leave_at - end) > _SLACK:
                yield f"courier {courier.id}: a stop on board of {stop.order_id} is timed wrongly"
        if stop.accepted or order is None:
            continue
        pickup = stop.kind is StopKind.PICKUP
        place = order.pickup if pickup else order.dropoff
        ready = [orders[s.order_id].ready_at for s in visit] if pickup else []
        earliest = max([stop.arrive_at + timedelta(seconds=place.service_before_s), *ready])
        if abs(stop.at - earliest) > _SLACK:
            yield f"courier {courier.id}: order {order.id} changes hands at the wrong time"
        if abs(stop.leave_at - stop.at - timedelta(seconds=place.service_after_s)) > _SLACK:
            yield f"courier {courier.id}: service after order {order.id} is not kept"
        if len({(s.arrive_at, s.at, s.leave_at) for s in visit}) > 1:
            yield f"courier {courier.id}: pickups of one visit do not share their times"


def _shift_faults(route: Route, courier: Courier, rules: CandidateRules) -> Iterator[str]:
    if rules.shift_covers == "pickup":
        covered = [s.at for s in route.stops if s.kind is StopKind.PICKUP]
    else:
        covered = [s.leave_at for s in route.stops]
    if courier.shift_end is not None and covered and max(covered) > courier.shift_end + _SLACK:
        yield f"courier {courier.id}: works past the end of the shift"
    range_m = courier.vehicle.range_m
    if range_m is not None and route.metres > range_m + _METRES:
        yield f"courier {courier.id}: rides past its range"


def _travel(
    plan: Plan, snapshot: Snapshot, travel: TravelTimes, bundling: BundleRules
) -> Iterator[str]:
    """No leg is faster, and no route shorter, than the travel times say."""
    orders = {o.id: o for o in snapshot.orders}
    couriers = {c.id: c for c in snapshot.couriers}
    legs: list[tuple[Route, Courier, Location, Location, float]] = []
    for route in plan.routes:
        courier = couriers.get(route.courier_id)
        places = _places(route, courier, orders) if courier is not None else None
        if courier is None or places is None:
            continue  # reported above
        start = max(snapshot.now, courier.available_at or snapshot.now)
        leave, k = start, 0
        for visit in _visits(route, orders, bundling):
            ride = (visit[0].arrive_at - leave).total_seconds()
            legs.append((route, courier, places[k], places[k + 1], ride))
            leave, k = visit[-1].leave_at, k + len(visit)
    if not legs:
        return
    matrix = snapshot.travel_matrix
    rows = {} if matrix is None else {name: i for i, name in enumerate(matrix.location_ids)}
    truth = travel.legs(
        Points.of((leg[2] for leg in legs), rows),
        Points.of((leg[3] for leg in legs), rows),
        np.array([KIND_CODE[leg[1].vehicle.kind] for leg in legs]),
        np.array([leg[1].vehicle.speed_mps or np.nan for leg in legs]),
    )
    ridden: dict[str, float] = defaultdict(float)
    for (route, courier, _, _, ride), seconds, metres in zip(
        legs, truth.seconds.tolist(), truth.metres.tolist(), strict=True
    ):
        ridden[route.courier_id] += metres
        if abs(ride - seconds) > _SLACK.total_seconds():
            yield f"courier {courier.id}: a leg does not take the travel time"
    for route in plan.routes:
        if abs(route.metres - ridden.get(route.courier_id, route.metres)) > _METRES:
            yield f"courier {route.courier_id}: the route's length is wrong"


def _places(route: Route, courier: Courier, orders: dict[str, Order]) -> list[Location] | None:
    """Locations from the courier's position through every stop, or None if one is unknown."""
    board: dict[tuple[StopKind, str], Handover] = {
        (s.kind, s.order_id): s.place for s in courier.on_board
    }
    places = [courier.position]
    for stop in route.stops:
        if stop.accepted:
            place = board.get((stop.kind, stop.order_id))
        else:
            order = orders.get(stop.order_id)
            pickup = stop.kind is StopKind.PICKUP
            place = None if order is None else order.pickup if pickup else order.dropoff
        if place is None:
            return None
        places.append(place.location)
    return places
