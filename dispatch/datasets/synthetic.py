"""A seeded made-up city: merchants in clusters, rush hours, shifts, weather, a planted law.

Everything is drawn from the seed. Each day has generators of its own, so that a longer history
repeats a shorter one and then goes on.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo

import numpy as np

from dispatch.columns import local_clock
from dispatch.datasets.law import PlantedLaw
from dispatch.datasets.planar import Anchor
from dispatch.datasets.ranges import check_ranges, ranged
from dispatch.domain import VehicleKind
from dispatch.errors import InvalidInputError, Problem
from dispatch.tables import KIND_CODE, Floats, Ints, Points
from dispatch.travel import great_circle_m

CITY_ID = "bayport"
TIMEZONE = "Europe/Istanbul"
CURRENCY = "EUR"
ANCHOR = Anchor(lat=41.0, lon=29.0)
FIRST_DAY = date(2025, 3, 3)  # a Monday
OPEN_HOUR, CLOSE_HOUR = 10, 23
SERVICE_S = 60.0  # each of: before and after the handover, at pickup and at dropoff

# Which share of couriers moves how, and how much (units of order size) the vehicle holds.
FLEET: dict[VehicleKind, tuple[float, int]] = {
    VehicleKind.FOOT: (0.06, 4),
    VehicleKind.BICYCLE: (0.30, 6),
    VehicleKind.EBIKE: (0.22, 8),
    VehicleKind.MOTORCYCLE: (0.30, 8),
    VehicleKind.CAR: (0.12, 20),
}


class Draw(IntEnum):
    """What random numbers are for; each purpose has its own on each day."""

    PLACES = 0
    FLEET = 1
    WEATHER = 2
    SHIFTS = 3
    DEMAND = 4
    CHOICES = 5
    ANSWERS = 6
    MOMENT = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticCity:
    """What the city is drawn from; every number is checked against its range."""

    seed: int = ranged(2025, 0, 2**63 - 1, "of every random draw")
    n_couriers: int = ranged(130, 1, 100_000, "couriers who work in the city")
    n_merchants: int = ranged(60, 1, 100_000, "restaurants")
    n_clusters: int = ranged(5, 1, 1_000, "quarters in which the restaurants lie")
    radius_m: float = ranged(3_000, 500, 20_000, "of the disc that holds the quarters' centres")
    orders_per_day: float = ranged(900, 1, 1_000_000, "mean of a dry working day")
    courier_sd: float = ranged(0.8, 0, 10, "of the hidden effect per courier, in log-odds")
    law: PlantedLaw = field(default_factory=PlantedLaw)

    def __post_init__(self) -> None:
        check_ranges(self)

    def generator(self, purpose: Draw, day: int = 0) -> np.random.Generator:
        """Return the generator of one purpose on one day, independent of all others."""
        return np.random.default_rng([self.seed, purpose, day])


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """The city's couriers, one per row; `effect` is hidden from every log, shape (m,)."""

    ids: tuple[str, ...]
    kind: Ints
    capacity_orders: Ints
    capacity_size: Ints
    home: Points
    effect: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Orders of one stretch of time in the sequence they are placed, one per row, shape (n,)."""

    merchant: Ints
    pickup: Points
    dropoff: Points
    placed_s: Floats
    ready_s: Floats
    due_s: Floats
    pay: Floats
    value: Floats
    size: Ints

    def __len__(self) -> int:
        return len(self.merchant)


@dataclass(frozen=True, slots=True, eq=False)
class Weather:
    """Rain and temperature by hour of the day, each shape (24,)."""

    precipitation_mm_h: Floats
    temperature_c: Floats


def day_start_s(day: int) -> float:
    """Epoch second of local midnight of the city's day number `day`."""
    moment = datetime.combine(FIRST_DAY + timedelta(days=day), time(), ZoneInfo(TIMEZONE))
    return moment.timestamp()


def day_of(moment: datetime) -> int:
    """Return the number of the city's day that a moment falls on.

    Raises
    ------
    InvalidInputError
        If the moment is naive or before the city's first day.
    """
    if moment.tzinfo is None:
        raise InvalidInputError("moment", [Problem("at", "has no timezone; give it one")])
    day = (moment.astimezone(ZoneInfo(TIMEZONE)).date() - FIRST_DAY).days
    if day < 0:
        raise InvalidInputError("moment", [Problem("at", f"expected {FIRST_DAY} or later")])
    return day


class World:
    """The city as drawn: its couriers and merchants, and what each day brings."""

    def __init__(self, city: SyntheticCity) -> None:
        self.city = city
        rng = city.generator(Draw.PLACES)
        turn = rng.uniform(0, 2 * np.pi, city.n_clusters)
        reach = city.radius_m * np.sqrt(rng.uniform(0, 1, city.n_clusters))
        self._centre_m = np.stack([reach * np.cos(turn), reach * np.sin(turn)])
        self._merchant_m = self._scatter(rng, city.n_merchants, 450)
        popularity = rng.lognormal(0, 0.9, city.n_merchants)
        self._popularity = popularity / popularity.sum()
        self._preparation_s = rng.uniform(7, 16, city.n_merchants) * 60
        width = len(str(city.n_merchants))
        self.merchant_ids = tuple(f"m{i + 1:0{width}d}" for i in range(city.n_merchants))
        self.fleet = self._draw_fleet(city.generator(Draw.FLEET))

    def _scatter(self, rng: np.random.Generator, n: int, sd_m: float) -> Floats:
        """Draw n places around the quarters' centres, planar metres, shape (2, n)."""
        quarter = rng.integers(self._centre_m.shape[1], size=n)
        return np.asarray(self._centre_m[:, quarter] + rng.normal(0, sd_m, (2, n)))

    def _draw_fleet(self, rng: np.random.Generator) -> Fleet:
        m = self.city.n_couriers
        share = np.array([share for share, _ in FLEET.values()])
        choice = rng.choice(len(share), size=m, p=share)
        width = len(str(m))
        return Fleet(
            ids=tuple(f"c{j + 1:0{width}d}" for j in range(m)),
            kind=np.array([KIND_CODE[kind] for kind in FLEET], dtype=np.int64)[choice],
            capacity_orders=rng.choice([1, 2, 3], size=m, p=[0.35, 0.45, 0.20]),
            capacity_size=np.array([size for _, size in FLEET.values()], dtype=np.int64)[choice],
            home=self.places(rng, m, 1_200),
            effect=rng.normal(0, self.city.courier_sd, m),
        )

    def places(self, rng: np.random.Generator, n: int, sd_m: float) -> Points:
        """Draw n places around the quarters' centres."""
        return ANCHOR.points(*self._scatter(rng, n, sd_m))

    def weather(self, day: int) -> Weather:
        """Draw the day's spells of rain and its course of temperature."""
        rng = self.city.generator(Draw.WEATHER, day)
        mean_c = 10 + 5 * np.sin(2 * np.pi * (day - 40) / 365) + rng.normal(0, 3)
        temperature = mean_c + 4 * np.sin(2 * np.pi * (np.arange(24) - 9) / 24)
        starts = rng.uniform(size=24) < 0.05
        length = rng.geometric(0.35, size=24)
        intensity = rng.gamma(1.5, 1.2, size=24)
        hour = np.arange(24)
        raining = (
            starts & (hour[:, None] >= hour) & (hour[:, None] < hour + length)
        )  # [hour, spell]
        rain = np.where(raining, intensity, 0).max(axis=1)
        return Weather(np.round(rain, 1), np.round(temperature, 1))

    def shifts(self, day: int) -> tuple[Floats, Floats]:
        """Draw start and end of every courier's shift, epoch seconds; NaN where off, shape (m,)."""
        rng = self.city.generator(Draw.SHIFTS, day)
        m = self.city.n_couriers
        pattern = rng.choice(3, size=m, p=[0.25, 0.50, 0.25])  # lunch, dinner, long
        start_h = np.array([10.0, 16.75, 11.0])[pattern] + rng.uniform(0, 1.25, m)
        end_h = np.array([15.0, 22.25, 20.5])[pattern] + rng.uniform(0, 1.25, m)
        works = rng.uniform(size=m) < 0.8
        minutes = np.where(works, np.round(np.stack([start_h, end_h]) * 60), np.nan)
        start_s, end_s = day_start_s(day) + minutes * 60
        return start_s, end_s

    def demand(self, day: int) -> Demand:
        """Draw the day's orders: lunch, dinner and a trickle, more on weekends and in the rain."""
        rng = self.city.generator(Draw.DEMAND, day)
        start_s = day_start_s(day)
        _, weekday = local_clock(np.array([start_s]), TIMEZONE)
        busy = 1.2 if weekday[0] >= 4 else 1.0
        rain = self.weather(day).precipitation_mm_h[OPEN_HOUR:CLOSE_HOUR].mean()
        n = int(rng.poisson(self.city.orders_per_day * busy * (1 + min(0.1 * rain, 0.3))))
        part = rng.choice(3, size=n, p=[0.30, 0.50, 0.20])
        hour = np.choose(
            part,
            [
                rng.normal(12.75, 0.8, n),
                rng.normal(19.5, 1.1, n),
                rng.uniform(OPEN_HOUR, CLOSE_HOUR, n),
            ],
        )
        hour = np.sort(hour[(hour >= OPEN_HOUR) & (hour < CLOSE_HOUR)])
        return self.orders(rng, start_s + np.floor(hour * 3600))

    def orders(self, rng: np.random.Generator, placed_s: Floats) -> Demand:
        """Draw the orders placed at the given epoch seconds, shape (n,)."""
        n = len(placed_s)
        merchant = rng.choice(self.city.n_merchants, size=n, p=self._popularity)
        turn = rng.uniform(0, 2 * np.pi, n)
        away_m = np.clip(rng.lognormal(np.log(1_700), 0.5, n), 200, 6_000)
        from_m = self._merchant_m[:, merchant]
        to_m = from_m + away_m * np.stack([np.cos(turn), np.sin(turn)])
        pickup, dropoff = ANCHOR.points(*from_m), ANCHOR.points(*to_m)
        km = great_circle_m(pickup, dropoff) / 1_000
        preparation_s = self._preparation_s[merchant] * rng.lognormal(0, 0.25, n)
        return Demand(
            merchant=merchant,
            pickup=pickup,
            dropoff=dropoff,
            placed_s=placed_s,
            ready_s=placed_s + np.round(preparation_s),
            due_s=placed_s + np.round(30 + 4 * km) * 60,
            pay=np.round(2.4 + 0.9 * km + rng.exponential(0.5, n), 1),
            value=np.round(rng.lognormal(np.log(22), 0.45, n), 2),
            size=rng.choice([1, 2, 3, 4], size=n, p=[0.62, 0.24, 0.10, 0.04]),
        )
