"""Riding: when a courier is where, stop by stop."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dispatch.domain import Courier, Handover, Location, Order, StopKind
from dispatch.tables import KIND_CODE, Points
from dispatch.travel import Legs, TravelTimes


@dataclass(frozen=True, slots=True)
class TimedStop:
    """A stop with its times in epoch seconds; the order changes hands at `event_s`.

    `ride_s` and `ride_m` lead here from the stop before.
    """

    kind: StopKind
    order: Order
    ride_s: float
    ride_m: float
    arrive_s: float
    event_s: float
    leave_s: float

    @property
    def place(self) -> Handover:
        """Where the stop is, and how long it takes there."""
        return self.order.pickup if self.kind is StopKind.PICKUP else self.order.dropoff

    @property
    def wait_s(self) -> float:
        """Seconds spent waiting for the order to be ready."""
        return max(self.event_s - self.arrive_s - self.place.service_before_s, 0.0)


def ride_stops(
    courier: Courier,
    start: Location,
    start_s: float,
    stops: Sequence[tuple[StopKind, Order]],
    travel: TravelTimes,
    *,
    one_visit_per_place: bool,
) -> tuple[TimedStop, ...]:
    """Time a courier's stops in sequence, leaving `start` at `start_s`."""
    places = [
        start,
        *((o.pickup if kind is StopKind.PICKUP else o.dropoff).location for kind, o in stops),
    ]
    legs = _legs(places, courier, travel)
    timed: list[TimedStop] = []
    clock_s = start_s
    k = 0
    while k < len(stops):
        last = k + 1
        if one_visit_per_place:
            last = _end_of_visit(stops, places, k)
        kind, order = stops[k]
        place = order.pickup if kind is StopKind.PICKUP else order.dropoff
        arrive_s = clock_s + float(legs.seconds[k])
        event_s = arrive_s + place.service_before_s
        if kind is StopKind.PICKUP:
            event_s = max(event_s, *(o.ready_at.timestamp() for _, o in stops[k:last]))
        clock_s = event_s + place.service_after_s
        timed += [
            TimedStop(
                kind=kind,
                order=there,
                ride_s=float(legs.seconds[i]),
                ride_m=float(legs.metres[i]),
                arrive_s=arrive_s,
                event_s=event_s,
                leave_s=clock_s,
            )
            for i, (_, there) in enumerate(stops[k:last], start=k)
        ]
        k = last
    return tuple(timed)


def ride_to(courier: Courier, start: Location, end: Location, travel: TravelTimes) -> float:
    """Seconds from one place to another."""
    return float(_legs([start, end], courier, travel).seconds[0])


def _end_of_visit(
    stops: Sequence[tuple[StopKind, Order]], places: Sequence[Location], k: int
) -> int:
    """Find the stop after the pickups that are made in one visit with stop `k`."""
    end = k + 1
    while (
        stops[k][0] is StopKind.PICKUP
        and end < len(stops)
        and stops[end][0] is StopKind.PICKUP
        and places[end + 1] == places[k + 1]
    ):
        end += 1
    return end


def _legs(places: Sequence[Location], courier: Courier, travel: TravelTimes) -> Legs:
    points = Points.of(places, {})
    n = len(places) - 1
    vehicle = courier.vehicle
    speed = np.nan if vehicle.speed_mps is None else vehicle.speed_mps
    return travel.legs(
        points[np.arange(n)],
        points[np.arange(1, n + 1)],
        np.full(n, KIND_CODE[vehicle.kind], dtype=np.int64),
        np.full(n, speed),
    )
