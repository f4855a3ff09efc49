"""A tiny day worked out on paper, and policies to live through it with.

Everything lies on the equator, 111.195 m per thousandth of a degree; on foot at 1.2 times the great
circle and a speed chosen so that a thousandth of a degree takes exactly 60 s.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dispatch import DispatchConfig, Dispatcher
from dispatch.config import CandidateRules
from dispatch.domain import Capacity, Courier, Handover, Location, Order, Vehicle, VehicleKind
from dispatch.simulation import Constant, Day, Every, Policy, RollingHorizon, Shift
from dispatch.tables import Points
from dispatch.travel import GreatCircleTravel, great_circle_m

START = datetime(2025, 6, 2, 10, tzinfo=UTC)
TRAVEL = GreatCircleTravel(circuity={**GreatCircleTravel().circuity, VehicleKind.FOOT: 1.0})
MINUTE_M = float(
    great_circle_m(Points.of([Location(0, 0)], {}), Points.of([Location(0, 0.001)], {}))[0]
)
WALK = Vehicle(VehicleKind.FOOT, speed_mps=MINUTE_M / 60)


class Street:
    """Builds orders and shifts on a street; places are minutes of walking east of its start."""

    start = START
    travel = TRAVEL

    def at(self, minute: float) -> datetime:
        return START + timedelta(minutes=minute)

    def place(self, minutes: float) -> Location:
        return Location(0.0, minutes / 1000)

    def order(self, name: str, placed: float, ready: float, pickup: float, door: float) -> Order:
        """One minute of service before and after each handover."""
        return Order(
            id=name,
            pickup=Handover(self.place(pickup), 60, 60),
            dropoff=Handover(self.place(door), 60, 60),
            placed_at=self.at(placed),
            ready_at=self.at(ready),
            due_at=self.at(placed + 40),
            pay=Decimal("4.50"),
        )

    def shift(self, name: str, start: float, end: float, where: float, orders: int = 2) -> Shift:
        courier = Courier(
            id=name,
            position=self.place(where),
            vehicle=WALK,
            capacity=Capacity(orders=orders),
            shift_end=self.at(end),
        )
        return Shift(courier, self.at(start))

    def day(self, orders: tuple[Order, ...], shifts: tuple[Shift, ...], **more: Any) -> Day:
        return Day("street", START, orders, shifts, TRAVEL, **more)


@pytest.fixture
def street() -> Street:
    return Street()


@pytest.fixture
def tiny_day(street: Street) -> Day:
    """Two couriers, three orders; on paper, everybody accepting, minutes since the start:

    order a: placed 5, ready 15, from 10 to 14; right (at 12) needs 2 minutes to the pickup, so
    leaving at 12 is in time: picked up 15, delivered 16 + 4 + 1 = 21, free 22.
    order b: placed 6, ready 12, from 0 to 3; left (at 0) is there: told at 11, picked up 12,
    delivered 13 + 3 + 1 = 17, free 18.
    order c: placed 30, ready 35, from 14 to 10; right is there: told at 34, picked up 35,
    delivered 36 + 4 + 1 = 41, free 42.
    """
    return street.day(
        orders=(
            street.order("a", 5, 15, 10, 14),
            street.order("b", 6, 12, 0, 3),
            street.order("c", 30, 35, 14, 10),
        ),
        shifts=(street.shift("left", 0, 120, 0), street.shift("right", 0, 120, 12)),
    )


@pytest.fixture
def rolling() -> Callable[..., Policy]:
    """Make a fresh policy: `Dispatcher.assign` once a minute."""

    def make(day: Day, period_s: float = 60.0, **options: Any) -> Policy:
        config = DispatchConfig(candidates=CandidateRules(shift_covers=day.rules.shift_covers))
        dispatcher = Dispatcher(Constant(), config, day.travel)
        return Policy(RollingHorizon(dispatcher, **options), Every(period_s))

    return make
