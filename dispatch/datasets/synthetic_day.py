"""A whole day of the synthetic city, to be lived through."""

from datetime import UTC, datetime
from decimal import Decimal

from dispatch.datasets.synthetic import (
    CITY_ID,
    CURRENCY,
    SERVICE_S,
    TIMEZONE,
    SyntheticCity,
    World,
    day_start_s,
)
from dispatch.domain import (
    Capacity,
    Courier,
    Handover,
    Location,
    Order,
    Vehicle,
    Weather,
)
from dispatch.simulation.day import Day, DayRules, Shift
from dispatch.tables import KINDS, Points


def synthetic_day(city: SyntheticCity, day: int = 0, rules: DayRules | None = None) -> Day:
    """Draw one day of the city: its orders, and the couriers who work, from their homes.

    The same demand, shifts and weather that the city's offers log was made of.
    """
    world = World(city)
    demand, weather, fleet = world.demand(day), world.weather(day), world.fleet
    start_s, end_s = world.shifts(day)
    width = len(str(len(demand)))
    orders = tuple(
        Order(
            id=f"o{i + 1:0{width}d}",
            pickup=_handover(demand.pickup, i),
            dropoff=_handover(demand.dropoff, i),
            placed_at=_moment(demand.placed_s[i]),
            ready_at=_moment(demand.ready_s[i]),
            due_at=_moment(demand.due_s[i]),
            value=Decimal(f"{demand.value[i]:.2f}"),
            pay=Decimal(f"{demand.pay[i]:.2f}"),
            size=int(demand.size[i]),
            merchant_id=world.merchant_ids[demand.merchant[i]],
        )
        for i in range(len(demand))
    )
    shifts = tuple(
        Shift(
            Courier(
                id=fleet.ids[j],
                position=_location(fleet.home, j),
                vehicle=Vehicle(kind=KINDS[fleet.kind[j]]),
                capacity=Capacity(
                    orders=int(fleet.capacity_orders[j]), size=int(fleet.capacity_size[j])
                ),
                shift_end=_moment(end_s[j]),
            ),
            _moment(start_s[j]),
        )
        for j in range(len(fleet.ids))
        if start_s[j] < end_s[j]  # NaN: off
    )
    return Day(
        name=f"{CITY_ID}-{city.seed}-{day}",
        start_at=_moment(day_start_s(day)),
        orders=orders,
        shifts=shifts,
        rules=rules or DayRules(),
        city_id=CITY_ID,
        timezone=TIMEZONE,
        currency=CURRENCY,
        weather=tuple(
            Weather(precipitation_mm_h=float(rain), temperature_c=float(warmth))
            for rain, warmth in zip(weather.precipitation_mm_h, weather.temperature_c, strict=True)
        ),
    )


def _moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(float(epoch_s), UTC)


def _location(points: Points, i: int) -> Location:
    return Location(round(float(points.lat[i]), 6), round(float(points.lon[i]), 6))


def _handover(points: Points, i: int) -> Handover:
    return Handover(_location(points, i), SERVICE_S, SERVICE_S)
