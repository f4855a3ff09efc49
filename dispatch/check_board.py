"""The second check of what couriers have on board: sequence, load and promises with new stops.

Plain Python over the domain objects, as in `dispatch.check`.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np

from dispatch.config import BundleRules
from dispatch.domain import Courier, Order, Snapshot, StopKind
from dispatch.result import Plan, Route
from dispatch.tables import KIND_CODE, Points
from dispatch.travel import TravelTimes

_SLACK = timedelta(milliseconds=5)  # plan times are stored to the microsecond


def begun_faults(
    route: Route, courier: Courier, snapshot: Snapshot, bundling: BundleRules
) -> Iterator[str]:
    """Find new stops before stops on board that are not open, or before the one begun."""
    early = next((k for k, s in enumerate(route.stops) if not s.accepted), len(route.stops))
    if early < len(courier.on_board) - bundling.reopened:
        yield f"courier {courier.id}: a new stop comes before stops on board that are not open"
    elif early == 0 and courier.on_board:
        first, busy = courier.on_board[0].place.location, courier.available_at
        at_it = (first.lat, first.lon) == (courier.position.lat, courier.position.lon)
        if busy is None or busy <= snapshot.now or at_it:
            yield f"courier {courier.id}: a new stop comes before the one that is begun"


def load_faults(route: Route, courier: Courier, orders: dict[str, Order]) -> Iterator[str]:
    """Find pickups after which more is on board than fits.

    Orders on board whose size is not told count, all together, until the last stop on board.
    """
    on_board = {s.order_id for s in courier.on_board}
    sizes = {s.order_id: s.size for s in courier.on_board}
    told = {name: size for name, size in sizes.items() if size is not None}
    waiting = {s.order_id for s in courier.on_board if s.kind is StopKind.PICKUP}
    carried, left = on_board - waiting, len(courier.on_board)
    for stop in route.stops:
        left -= stop.accepted
        if stop.kind is StopKind.DROPOFF:
            carried.discard(stop.order_id)
            continue
        carried.add(stop.order_id)
        if len(carried) > courier.capacity.orders:
            yield f"courier {courier.id}: more orders on board than its capacity"
        own = sum(orders[n].size for n in carried if n in orders)
        if len(told) == len(on_board):
            own += sum(told[n] for n in carried if n in told)
        elif left:
            own += courier.load_size
        if own > courier.capacity.size and not stop.accepted:
            yield f"courier {courier.id}: more size on board than its capacity"


def promise_faults(
    plan: Plan, snapshot: Snapshot, travel: TravelTimes, bundling: BundleRules
) -> Iterator[str]:
    """Ride stops on board without anything new, and compare: what is promised, what offers say."""
    couriers = {c.id: c for c in snapshot.couriers}
    allowed = timedelta(seconds=bundling.delay_on_board_s)
    said: dict[str, float] = defaultdict(float)
    for offer in plan.offers:
        said[offer.courier_id] += offer.delay_on_board_s
    for route in plan.routes:
        courier = couriers.get(route.courier_id)
        if courier is None or not courier.on_board:
            continue
        now_at = {(s.kind, s.order_id): s.at for s in route.stops if s.accepted}
        delay = timedelta(0)
        for stop, planned in zip(
            courier.on_board, _without_new(courier, snapshot, travel), strict=True
        ):
            at = now_at.get((stop.kind, stop.order_id))
            if stop.kind is StopKind.PICKUP or at is None:
                continue  # a stop that is missing is reported above
            delay += at - planned
            latest = planned + allowed
            if stop.due_at is not None and planned <= stop.due_at:
                latest = min(latest, stop.due_at)
            if at > latest + _SLACK:
                yield f"courier {courier.id}: order {stop.order_id} on board comes too late"
        if abs(max(delay.total_seconds(), 0.0) - said[courier.id]) > _SLACK.total_seconds():
            yield f"courier {courier.id}: the delay of orders on board is not what offers say"


def _without_new(courier: Courier, snapshot: Snapshot, travel: TravelTimes) -> list[datetime]:
    """When each stop on board would be made if nothing new came."""
    matrix = snapshot.travel_matrix
    rows = {} if matrix is None else {name: i for i, name in enumerate(matrix.location_ids)}
    places = [courier.position, *(s.place.location for s in courier.on_board)]
    count = len(courier.on_board)
    legs = travel.legs(
        Points.of(places[:-1], rows),
        Points.of(places[1:], rows),
        np.full(count, KIND_CODE[courier.vehicle.kind]),
        np.full(count, courier.vehicle.speed_mps or np.nan),
    )
    clock = max(snapshot.now, courier.available_at or snapshot.now)
    moments = []
    for stop, seconds in zip(courier.on_board, legs.seconds.tolist(), strict=True):
        arrive = clock + timedelta(seconds=seconds)
        at = max(arrive + timedelta(seconds=stop.place.service_before_s), stop.ready_at or arrive)
        moments.append(at)
        clock = at + timedelta(seconds=stop.place.service_after_s)
    return moments
