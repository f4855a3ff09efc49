"""Reader of the Meal Delivery Routing Problem's instances (github.com/grubhub/mdrplib).

Reyes, Erera, Savelsbergh, Sahasrabudhe, O'Neil (2018), The Meal Delivery Routing Problem. Places
are planar metres, times are minutes of one day without a date, and acceptance is unknown.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from dispatch.datasets.planar import Anchor, PlanarTravel
from dispatch.datasets.tabular import Kind, expect, read_table
from dispatch.datasets.waiting import WAITING_MINUTES, busiest_minute, is_waiting
from dispatch.domain import (
    Capacity,
    ClassMatrix,
    Courier,
    Handover,
    Location,
    Order,
    Snapshot,
    TravelMatrix,
    Vehicle,
    VehicleKind,
)
from dispatch.errors import InvalidInputError, Problem
from dispatch.simulation.day import Day, DayRules, Shift
from dispatch.tables import Floats

MIDNIGHT = datetime(2025, 6, 2, tzinfo=UTC)  # made up: instances have no date
ANCHOR = Anchor(lat=1.0, lon=1.0)  # made up: in the open sea, so that nobody takes it for a city
CAPACITY = Capacity(orders=3)

_ORDERS: dict[str, Kind] = {
    "order": "key",
    "x": "number",
    "y": "number",
    "placement_time": "number",
    "restaurant": "text",
    "ready_time": "number",
}
_COURIERS: dict[str, Kind] = {
    "courier": "key",
    "x": "number",
    "y": "number",
    "on_time": "number",
    "off_time": "number",
}
_RESTAURANTS: dict[str, Kind] = {"restaurant": "key", "x": "number", "y": "number"}
_PARAMETERS = {
    "meters_per_minute": "metres_per_minute",
    "pickup service minutes": "pickup_service_min",
    "dropoff service minutes": "dropoff_service_min",
    "target click-to-door": "target_click_to_door_min",
    "maximum click-to-door": "maximum_click_to_door_min",
    "pay per order": "pay_per_order",
    "guaranteed pay per hour": "guaranteed_pay_per_hour",
}


@dataclass(frozen=True, slots=True)
class GrubhubParameters:
    """The constants of an instance; a service time is half before the handover, half after."""

    metres_per_minute: float
    pickup_service_min: float
    dropoff_service_min: float
    target_click_to_door_min: float
    maximum_click_to_door_min: float
    pay_per_order: float
    guaranteed_pay_per_hour: float


@dataclass(frozen=True, slots=True, eq=False)
class GrubhubInstance:
    """One instance as published: tables by their own column names, minutes and metres."""

    name: str
    orders: pd.DataFrame
    couriers: pd.DataFrame
    restaurants: pd.DataFrame
    parameters: GrubhubParameters

    @classmethod
    def read(cls, folder: str | Path) -> "GrubhubInstance":
        """Read the four files of an instance.

        Raises
        ------
        InvalidInputError
            Listing missing files and columns, malformed values, repeated ids, unknown
            restaurants, orders ready before they are placed and shifts that end before they start.
        """
        place = Path(folder)
        problems: list[Problem] = []
        orders = read_table(place / "orders.txt", _ORDERS, problems, "\t")
        couriers = read_table(place / "couriers.txt", _COURIERS, problems, "\t")
        restaurants = read_table(place / "restaurants.txt", _RESTAURANTS, problems, "\t")
        parameters = _read_parameters(place / "instance_parameters.txt", problems)
        if restaurants.size:
            known = orders["restaurant"].isin(restaurants["restaurant"])
            message = "a restaurant of restaurants.txt"
            expect("orders.txt", "restaurant", known, message, orders["order"], problems)
        late = ~(orders["ready_time"] < orders["placement_time"])
        message = "no time before placement_time"
        expect("orders.txt", "ready_time", late, message, orders["order"], problems)
        after = ~(couriers["off_time"] <= couriers["on_time"])
        message = "a time after on_time"
        expect("couriers.txt", "off_time", after, message, couriers["courier"], problems)
        if problems or parameters is None:
            raise InvalidInputError(f"Grubhub instance {place}", problems)
        return cls(place.resolve().name, orders, couriers, restaurants, parameters)

    def busiest_minute(self, waiting_minutes: float = WAITING_MINUTES) -> int:
        """Return the minute at which most orders wait (the first of several)."""
        return busiest_minute(self.orders["placement_time"].to_numpy(), waiting_minutes)

    def snapshot(self, minute: int, waiting_minutes: float = WAITING_MINUTES) -> Snapshot:
        """See the instance at a minute of its day.

        Waiting are the orders placed within the last `waiting_minutes` (earlier ones are taken to
        be dispatched). Online are the couriers whose shift covers the minute, idle where they
        logged on. A leg takes ceil(Euclidean metres / metres per minute) minutes, exactly; the
        matrix holds the places of this snapshot only. Promised is the target click-to-door.

        Raises
        ------
        InvalidInputError
            If `waiting_minutes` is not in (0, 1440].
        """
        placed = self.orders["placement_time"].to_numpy()
        orders = self.orders[is_waiting(placed, minute, waiting_minutes)]
        on, off = self.couriers["on_time"], self.couriers["off_time"]
        couriers = self.couriers[(on <= minute) & (off > minute)]
        places = self._places(orders, couriers)
        where = self._locations(places)
        return Snapshot(
            now=_moment(minute),
            orders=self._orders(orders, where),
            couriers=_couriers(couriers, where),
            city_id=self.name,
            currency="USD",
            travel_matrix=self._matrix(places) if len(places) else None,
        )

    def day(self) -> Day:
        """Return the whole day with the published rules, to be lived through.

        A leg takes ceil(Euclidean metres / metres per minute) minutes, exactly. Couriers finish
        what they have before they take up more, and pickups at one restaurant are one visit. A
        shift must last to the last pickup. Capacity is not in the rules (`Capacity.orders` 3).
        """
        places = self._places(self.orders, self.couriers)
        where = self._locations(places)
        starts = self.couriers["on_time"].tolist()
        return Day(
            name=self.name,
            start_at=MIDNIGHT,
            orders=self._orders(self.orders, where),
            shifts=tuple(
                Shift(courier, _moment(start))
                for courier, start in zip(_couriers(self.couriers, where), starts, strict=True)
            ),
            travel=PlanarTravel(ANCHOR, self.parameters.metres_per_minute),
            rules=DayRules(
                finish_first=True, one_visit_per_place=True, shift_covers="pickup", block_s=900.0
            ),
            city_id=self.name,
            currency="USD",
        )

    def _places(self, orders: pd.DataFrame, couriers: pd.DataFrame) -> pd.DataFrame:
        """List the places in use, one row per place: x, y, indexed by location id."""
        used = self.restaurants[self.restaurants["restaurant"].isin(orders["restaurant"])]
        named = [
            ("restaurant/" + used["restaurant"], used),
            ("dropoff/" + orders["order"], orders),
            ("courier/" + couriers["courier"], couriers),
        ]
        return pd.concat([table[["x", "y"]].set_axis(name) for name, table in named])

    def _locations(self, places: pd.DataFrame) -> dict[str, Location]:
        """Put the places on the globe, the middle of the instance at the anchor."""
        every = pd.concat([t[["x", "y"]] for t in (self.orders, self.couriers, self.restaurants)])
        middle = (every.min() + every.max()) / 2
        points = ANCHOR.points(
            (places["x"] - middle["x"]).to_numpy(), (places["y"] - middle["y"]).to_numpy()
        )
        return {
            name: Location(lat, lon, name)
            for name, lat, lon in zip(
                places.index, points.lat.tolist(), points.lon.tolist(), strict=True
            )
        }

    def _matrix(self, places: pd.DataFrame) -> TravelMatrix:
        xy = places[["x", "y"]].to_numpy(np.float64)
        metres = np.hypot(*(xy[:, None, :] - xy[None, :, :]).transpose(2, 0, 1))
        seconds = 60 * np.ceil(metres / self.parameters.metres_per_minute)
        table = ClassMatrix(VehicleKind.CAR, _rows(seconds), _rows(metres))
        return TravelMatrix(tuple(places.index), (table,))

    def _orders(self, table: pd.DataFrame, where: dict[str, Location]) -> tuple[Order, ...]:
        constants = self.parameters
        pickup_s, dropoff_s = 30 * constants.pickup_service_min, 30 * constants.dropoff_service_min
        pay = Decimal(str(constants.pay_per_order))
        columns = (table[name].tolist() for name in _ORDERS)
        return tuple(
            Order(
                id=name,
                pickup=Handover(where[f"restaurant/{restaurant}"], pickup_s, pickup_s),
                dropoff=Handover(where[f"dropoff/{name}"], dropoff_s, dropoff_s),
                placed_at=_moment(placed),
                ready_at=_moment(ready),
                due_at=_moment(placed + constants.target_click_to_door_min),
                pay=pay,
                merchant_id=restaurant,
            )
            for name, _, _, placed, restaurant, ready in zip(*columns, strict=True)
        )


def _couriers(table: pd.DataFrame, where: dict[str, Location]) -> tuple[Courier, ...]:
    return tuple(
        Courier(
            id=name,
            position=where[f"courier/{name}"],
            vehicle=Vehicle(VehicleKind.CAR),
            capacity=CAPACITY,
            shift_end=_moment(off),
        )
        for name, off in zip(table["courier"].tolist(), table["off_time"].tolist(), strict=True)
    )


def _read_parameters(path: Path, problems: list[Problem]) -> GrubhubParameters | None:
    before = len(problems)
    table = read_table(path, dict.fromkeys(_PARAMETERS, "number"), problems, "\t")
    if len(problems) > before:
        return None
    values = {ours: float(table[theirs].iloc[0]) for theirs, ours in _PARAMETERS.items()}
    bad = [name for name, value in values.items() if value < 0]
    if values["metres_per_minute"] == 0:
        bad.append("metres_per_minute")
    problems += [Problem(f"{path.name}.{name}", "expected a positive number") for name in bad]
    return None if bad else GrubhubParameters(**values)


def _moment(minute: float) -> datetime:
    return MIDNIGHT + timedelta(minutes=float(minute))


def _rows(matrix: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, matrix.tolist()))
