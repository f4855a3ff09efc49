"""Reader of the Colombian city-days (github.com/sebastian-quintero/mdrp-sim).

Real places and scale, clock times of one day without a date; assignments, acceptance, pay and
service times are not in the data.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from dispatch.datasets.tabular import Kind, clock_minutes, expect, read_table
from dispatch.datasets.waiting import WAITING_MINUTES, busiest_minute, is_waiting
from dispatch.domain import (
    Capacity,
    Courier,
    Handover,
    Location,
    Order,
    Snapshot,
    Vehicle,
    VehicleKind,
)
from dispatch.errors import InvalidInputError, Problem
from dispatch.simulation.day import Day, DayRules, Shift

TIMEZONE = "America/Bogota"
CURRENCY = "COP"
# Not in the data, made up: a date, the same pay for every order, and handovers.
MIDNIGHT = datetime(2025, 6, 2, tzinfo=ZoneInfo(TIMEZONE))
PAY_PER_ORDER = Decimal(5_000)
SERVICE_S = 120.0  # before each handover and after
CAPACITY = Capacity(orders=2)

DAY_MIN = 1440.0
VEHICLES = {
    "walking": VehicleKind.FOOT,
    "bicycle": VehicleKind.BICYCLE,
    "motorcycle": VehicleKind.MOTORCYCLE,
    "car": VehicleKind.CAR,
}

_ORDERS: dict[str, Kind] = {
    "order_id": "key",
    "pick_up_lat": "number",
    "pick_up_lng": "number",
    "drop_off_lat": "number",
    "drop_off_lng": "number",
    "placement_time": "clock",
    "ready_time": "clock",
    "expected_drop_off_time": "clock",
}
_COURIERS: dict[str, Kind] = {
    "courier_id": "key",
    "vehicle": "text",
    "on_lat": "number",
    "on_lng": "number",
    "on_time": "clock",
    "off_time": "clock",
}


@dataclass(frozen=True, slots=True, eq=False)
class ColombianDay:
    """One city-day: the published columns, clock times as minutes from its midnight.

    A ready, drop-off or off time whose clock is before its start lies after midnight: 1440 more.
    """

    name: str
    orders: pd.DataFrame
    couriers: pd.DataFrame

    @classmethod
    def read(cls, folder: str | Path) -> "ColombianDay":
        """Read `orders.csv.gz` and `couriers.csv.gz` of a city-day.

        Raises
        ------
        InvalidInputError
            Listing missing files and columns, malformed values, repeated ids, unknown vehicles
            and places that are not on the globe.
        """
        place = Path(folder)
        problems: list[Problem] = []
        orders = read_table(place / "orders.csv.gz", _ORDERS, problems)
        couriers = read_table(place / "couriers.csv.gz", _COURIERS, problems)
        known = couriers["vehicle"].isin(list(VEHICLES))
        message = f"one of {', '.join(VEHICLES)}"
        expect("couriers.csv.gz", "vehicle", known, message, couriers["courier_id"], problems)
        for file, table in (("orders.csv.gz", orders), ("couriers.csv.gz", couriers)):
            for name in table.columns[table.columns.str.endswith(("_lat", "_lng"))]:
                limit = 90 if name.endswith("_lat") else 180
                off_globe = table[name].abs() > limit
                message = f"degrees within {limit}"
                expect(file, name, ~off_globe, message, table.iloc[:, 0], problems)
        if problems:
            raise InvalidInputError(f"Colombian city-day {place}", problems)
        for name in ("ready_time", "expected_drop_off_time"):
            orders[name] += DAY_MIN * (orders[name] < orders["placement_time"])
        couriers["off_time"] += DAY_MIN * (couriers["off_time"] < couriers["on_time"])
        return cls(place.resolve().name, orders, couriers)

    def busiest_minute(self, waiting_minutes: float = WAITING_MINUTES) -> int:
        """Return the minute at which most orders wait (the first of several)."""
        return busiest_minute(self.orders["placement_time"].to_numpy(), waiting_minutes)

    def snapshot(self, minute: int | str, waiting_minutes: float = WAITING_MINUTES) -> Snapshot:
        """See the city at a minute of its day, or at a clock time such as `19:30`.

        Waiting are the orders placed within the last `waiting_minutes` (earlier ones are taken to
        be dispatched), promised for their expected drop-off (a few are expected at their placement:
        no promise). Online are the couriers whose shift
        covers the minute, idle where they logged on. Travel is by great circle. Pay is the same
        5,000 COP for every order, and handovers take two minutes before and after: neither is in
        the data.

        Raises
        ------
        InvalidInputError
            A malformed clock time, or `waiting_minutes` not in (0, 1440].
        """
        now_min = (
            float(clock_minutes(pd.Series([minute])).iloc[0]) if isinstance(minute, str) else minute
        )
        if not now_min >= 0:
            message = f"expected a minute from 0 on or a clock time such as 19:30, got {minute!r}"
            raise InvalidInputError("Colombian city-day", [Problem("minute", message)])
        placed = self.orders["placement_time"].to_numpy()
        orders = self.orders[is_waiting(placed, now_min, waiting_minutes)]
        on, off = self.couriers["on_time"], self.couriers["off_time"]
        couriers = self.couriers[(on <= now_min) & (off > now_min)]
        return Snapshot(
            now=_moment(now_min),
            orders=_orders(orders),
            couriers=_couriers(couriers),
            city_id=f"colombia-{self.name}",
            timezone=TIMEZONE,
            currency=CURRENCY,
        )

    def day(self) -> Day:
        """Return the whole day, to be lived through; places, promises, pay as in `snapshot`."""
        starts = self.couriers["on_time"].tolist()
        couriers = zip(_couriers(self.couriers), starts, self.couriers["off_time"], strict=True)
        return Day(
            name=f"colombia-{self.name}",
            start_at=MIDNIGHT,
            orders=_orders(self.orders),
            shifts=tuple(Shift(c, _moment(on)) for c, on, off in couriers if off > on),
            rules=DayRules(shift_covers="pickup"),
            city_id=f"colombia-{self.name}",
            timezone=TIMEZONE,
            currency=CURRENCY,
        )


def _orders(table: pd.DataFrame) -> tuple[Order, ...]:
    columns = (table[name].tolist() for name in _ORDERS)
    return tuple(
        Order(
            id=name,
            pickup=Handover(Location(from_lat, from_lon), SERVICE_S, SERVICE_S),
            dropoff=Handover(Location(to_lat, to_lon), SERVICE_S, SERVICE_S),
            placed_at=_moment(placed),
            ready_at=_moment(ready),
            due_at=_moment(due) if due > placed else None,
            pay=PAY_PER_ORDER,
        )
        for name, from_lat, from_lon, to_lat, to_lon, placed, ready, due in zip(
            *columns, strict=True
        )
    )


def _couriers(table: pd.DataFrame) -> tuple[Courier, ...]:
    columns = (table[name].tolist() for name in _COURIERS if name != "on_time")
    return tuple(
        Courier(
            id=name,
            position=Location(lat, lon),
            vehicle=Vehicle(VEHICLES[vehicle]),
            capacity=CAPACITY,
            shift_end=_moment(off),
        )
        for name, vehicle, lat, lon, off in zip(*columns, strict=True)
    )


def _moment(minute: float) -> datetime:
    return MIDNIGHT + timedelta(seconds=round(60 * minute))
