"""Riding: stops timed one after the other, or pickups of one place in one visit."""

from typing import Any

import pytest

from dispatch.domain import StopKind
from dispatch.simulation.timeline import ride_stops

UP, DOWN = StopKind.PICKUP, StopKind.DROPOFF


def ride(street: Any, *, one_visit: bool) -> list[tuple[float, float, float]]:
    """From 0 at minute 0: two orders of the place at 4, ready at 3 and 9, to 6 and 7."""
    first = street.order("a", 0, 3, pickup=4, door=6)
    second = street.order("b", 0, 9, pickup=4, door=7)
    stops = [(UP, first), (UP, second), (DOWN, first), (DOWN, second)]
    timed = ride_stops(
        street.shift("c", 0, 99, 0).courier,
        street.place(0),
        street.start.timestamp(),
        stops,
        street.travel,
        one_visit_per_place=one_visit,
    )
    start_s = street.start.timestamp()
    return [
        tuple(round((s - start_s) / 60, 6) for s in (stop.arrive_s, stop.event_s, stop.leave_s))
        for stop in timed
    ]


def test_every_stop_has_its_own_service(street: Any) -> None:
    """Arrive 4, take a at 5, leave 6; b at max(7, 9), leave 10; a's door 12 + 1, b's 15 + 1."""
    assert ride(street, one_visit=False) == [(4, 5, 6), (6, 9, 10), (12, 13, 14), (15, 16, 17)]


def test_pickups_of_one_place_can_be_one_visit(street: Any) -> None:
    """Arrive 4, both change hands when the last is ready, at 9, leave 10."""
    assert ride(street, one_visit=True) == [(4, 9, 10), (4, 9, 10), (12, 13, 14), (15, 16, 17)]


def test_a_stop_knows_its_wait_and_its_ride(street: Any) -> None:
    order = street.order("a", 0, 9, pickup=4, door=6)
    timed = ride_stops(
        street.shift("c", 0, 99, 0).courier,
        street.place(1),
        street.start.timestamp(),
        [(UP, order), (DOWN, order)],
        street.travel,
        one_visit_per_place=False,
    )
    assert timed[0].wait_s == pytest.approx(5 * 60)  # there at 3, could take it at 4, ready at 9
    assert [stop.ride_s for stop in timed] == pytest.approx([180, 120])
