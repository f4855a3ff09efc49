"""One evening moment of the synthetic city, as a dispatcher would see it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from dispatch.datasets.synthetic import (
    CITY_ID,
    CURRENCY,
    SERVICE_S,
    TIMEZONE,
    Demand,
    Draw,
    SyntheticCity,
    World,
    day_of,
)
from dispatch.domain import (
    BoardStop,
    Capacity,
    Courier,
    Handover,
    Location,
    Order,
    PastWork,
    PendingOffer,
    Refusal,
    Snapshot,
    StopKind,
    Vehicle,
    Weather,
)
from dispatch.errors import InvalidInputError, Problem
from dispatch.tables import KINDS, Floats, Points

DEFAULT_AT = datetime(2025, 3, 31, 19, 30, tzinfo=ZoneInfo(TIMEZONE))
SKILLS = ("alcohol", "cold_chain", "pharmacy")  # nobody in the city may carry "pharmacy"
OFFER_LIFE = timedelta(seconds=90)


def snapshot(
    city: SyntheticCity, n_orders: int = 60, n_couriers: int = 100, at: datetime = DEFAULT_AT
) -> Snapshot:
    """Draw the waiting orders and the couriers online in the rush of one moment.

    The couriers are the city's own, with the hidden effects the offers log was answered with. Of
    the orders, about 5 % each: cannot be served by anybody (too large, a skill nobody has, or
    ready after every shift), are locked in a pending offer, need cold chain, matter more; 12 %
    were refused before and 8 % hold alcohol. About 40 % of the couriers have stops on board.

    Raises
    ------
    InvalidInputError
        Fewer than one order or courier, more couriers than the city has, or an unusable moment.
    """
    problems = []
    if not 1 <= n_orders <= 100_000:
        problems.append(Problem("n_orders", f"expected n_orders in [1, 100000], got {n_orders}"))
    if not 1 <= n_couriers <= city.n_couriers:
        message = f"expected n_couriers in [1, {city.n_couriers}], got {n_couriers}"
        problems.append(Problem("n_couriers", message))
    if problems:
        raise InvalidInputError("snapshot of the synthetic city", problems)
    return _Moment(World(city), at).snapshot(n_orders, n_couriers)


@dataclass(frozen=True, slots=True)
class _Roles:
    """Which orders, by row, are special; no order is so in two ways."""

    impossible: list[int]
    refused: list[int]
    pending: list[int]
    alcohol: list[int]
    cold: list[int]
    urgent: list[int]

    @classmethod
    def draw(cls, rng: np.random.Generator, n: int) -> "_Roles":
        cuts = np.round(np.cumsum([0.05, 0.12, 0.05, 0.08, 0.05, 0.05]) * n).astype(np.int64)
        parts = np.split(rng.permutation(n), cuts)[:-1]
        return cls(*(part.tolist() for part in parts))


class _Moment:
    def __init__(self, world: World, at: datetime) -> None:
        day = day_of(at)
        self._world = world
        self._now = at.astimezone(UTC)
        self._rng = world.city.generator(Draw.MOMENT, day)
        hour = at.astimezone(ZoneInfo(TIMEZONE)).hour
        weather = world.weather(day)
        self._weather = Weather(
            precipitation_mm_h=float(weather.precipitation_mm_h[hour]),
            temperature_c=float(weather.temperature_c[hour]),
        )

    def snapshot(self, n_orders: int, n_couriers: int) -> Snapshot:
        roles = _Roles.draw(self._rng, n_orders)
        orders = self._orders(n_orders)
        couriers = self._couriers(n_couriers)
        self._refuse(orders, couriers, roles.refused)
        self._lock(orders, couriers, roles.pending)
        self._make_special(orders, roles)
        return Snapshot(
            now=self._now,
            orders=tuple(orders),
            couriers=tuple(couriers),
            city_id=CITY_ID,
            timezone=TIMEZONE,
            currency=CURRENCY,
            skills=SKILLS,
            weather=self._weather,
        )

    def _ago(self, seconds: float) -> datetime:
        return self._now - timedelta(seconds=round(seconds))

    def _orders(self, n: int) -> list[Order]:
        ago_s = -np.sort(-np.round(np.clip(self._rng.exponential(300, n), 5, 1_200)))
        demand = self._world.orders(self._rng, np.asarray(self._now.timestamp() - ago_s))
        width = len(str(n))
        return [
            Order(
                id=f"o{i + 1:0{width}d}",
                pickup=_handover(demand.pickup, i),
                dropoff=_handover(demand.dropoff, i),
                placed_at=_moment(demand.placed_s[i]),
                ready_at=_moment(demand.ready_s[i]),
                due_at=_moment(demand.due_s[i]),
                value=_money(demand.value[i]),
                pay=_money(demand.pay[i]),
                size=int(demand.size[i]),
                merchant_id=self._world.merchant_ids[demand.merchant[i]],
            )
            for i in range(n)
        ]

    def _couriers(self, n: int) -> list[Courier]:
        """Draw who is online; the busy ones carry one order, picked up or not yet."""
        rng, fleet = self._rng, self._world.fleet
        chosen = np.sort(rng.choice(len(fleet.ids), size=n, replace=False))
        place = self._world.places(rng, n, 900)
        load = self._world.orders(rng, self._now.timestamp() - np.round(rng.uniform(900, 1_500, n)))
        busy, picked_up = rng.uniform(size=n) < 0.4, rng.uniform(size=n) < 0.6
        way = rng.uniform(0.05, 0.95, n)
        lat = np.where(
            busy & picked_up, _between(load.pickup.lat, load.dropoff.lat, way), place.lat
        )
        lon = np.where(
            busy & picked_up, _between(load.pickup.lon, load.dropoff.lon, way), place.lon
        )
        position = Points(lat, lon, place.row)
        shift_end_s = self._now.timestamp() + np.round(rng.uniform(40, 220, n)) * 60
        offered_ago_s = rng.exponential(900, n)
        was_offered = rng.uniform(size=n) < 0.85
        back_in_min = np.where(rng.uniform(size=n) < 0.04, rng.integers(2, 8, n), 0)
        alcohol, cold = rng.uniform(size=n) < 0.6, rng.uniform(size=n) < 0.25
        couriers = []
        for j, row in enumerate(chosen):
            skills = [
                name for name, has in (("alcohol", alcohol[j]), ("cold_chain", cold[j])) if has
            ]
            couriers.append(
                Courier(
                    id=fleet.ids[row],
                    position=_location(position, j),
                    vehicle=Vehicle(kind=KINDS[fleet.kind[row]]),
                    capacity=Capacity(
                        orders=int(fleet.capacity_orders[row]), size=int(fleet.capacity_size[row])
                    ),
                    available_at=self._ago(-60 * back_in_min[j]) if back_in_min[j] else None,
                    shift_end=_moment(shift_end_s[j]),
                    skills=tuple(skills),
                    on_board=_stops(load, j, bool(picked_up[j])) if busy[j] else (),
                    load_size=int(load.size[j]) if busy[j] else 0,
                    last_offer_at=self._ago(offered_ago_s[j])
                    if was_offered[j] or busy[j]
                    else None,
                    past_work=self._past_work(float(fleet.effect[row])),
                )
            )
        return couriers

    def _past_work(self, effect: float) -> PastWork:
        """Draw a week's work; the share of acceptances shows who the courier is."""
        rng = self._rng
        online_h = float(rng.uniform(4.5, 7.0, rng.binomial(7, 0.8)).sum())
        offers = int(rng.poisson(2.2 * online_h))
        accepted = int(
            rng.binomial(offers, 1 / (1 + np.exp(-self._world.city.law.intercept - effect)))
        )
        return PastWork(
            orders=accepted,
            earnings=_money(accepted * rng.normal(4.4, 0.15)),
            busy_s=float(round(min(accepted * rng.normal(1_250, 60), 0.95 * online_h * 3_600))),
            online_s=float(round(online_h * 3_600)),
            offers=offers,
            acceptances=accepted,
        )

    def _refuse(self, orders: list[Order], couriers: list[Courier], rows: list[int]) -> None:
        """Let some orders have been refused, by one courier or two, since they were placed."""
        for i in rows:
            count = min(int(self._rng.integers(1, 3)), len(couriers))
            who = self._rng.choice(len(couriers), size=count, replace=False)
            since_s = (self._now - orders[i].placed_at).total_seconds()
            ago_s = since_s * np.sort(self._rng.uniform(0.1, 0.9, count))[::-1]
            refusals = []
            for j, ago in zip(who, ago_s, strict=True):
                at = self._ago(ago)
                refusals.append(Refusal(couriers[j].id, at, "too far"))
                last = couriers[j].last_offer_at
                couriers[j] = replace(couriers[j], last_offer_at=max(last or at, at))
            orders[i] = replace(orders[i], attempt=1 + count, refusals=tuple(refusals))

    def _lock(self, orders: list[Order], couriers: list[Courier], rows: list[int]) -> None:
        """Let some orders be on offer to idle couriers who have not answered yet."""
        idle = [j for j, c in enumerate(couriers) if not c.on_board and c.available_at is None]
        for k, (i, j) in enumerate(zip(rows, idle[:: max(len(idle) // 7, 1)], strict=False)):
            placed_ago_s = (self._now - orders[i].placed_at).total_seconds()
            at = self._ago(min(20 + 15 * k, placed_ago_s))
            offer = PendingOffer(f"p{k + 1}", (orders[i].id,), at, at + OFFER_LIFE)
            couriers[j] = replace(couriers[j], pending_offers=(offer,), last_offer_at=at)

    def _make_special(self, orders: list[Order], roles: _Roles) -> None:
        night = self._now + timedelta(hours=6)
        impossible = (
            {"size": 40},
            {"required_skills": ("pharmacy",)},
            {"ready_at": night, "due_at": night + timedelta(minutes=45)},
        )
        for k, i in enumerate(roles.impossible):
            orders[i] = replace(orders[i], **impossible[k % len(impossible)])
        for i in roles.alcohol:
            orders[i] = replace(orders[i], required_skills=("alcohol",))
        for i in roles.cold:
            orders[i] = replace(orders[i], required_skills=("cold_chain",))
        for i in roles.urgent:
            orders[i] = replace(orders[i], priority=3)


def _between(a: Floats, b: Floats, share: Floats) -> Floats:
    return np.asarray(a + share * (b - a))


def _moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(float(epoch_s), UTC)


def _money(amount: float) -> Decimal:
    return Decimal(f"{amount:.2f}")


def _location(points: Points, i: int) -> Location:
    return Location(round(float(points.lat[i]), 6), round(float(points.lon[i]), 6))


def _handover(points: Points, i: int) -> Handover:
    return Handover(_location(points, i), SERVICE_S, SERVICE_S)


def _stops(load: Demand, j: int, picked_up: bool) -> tuple[BoardStop, ...]:
    """List what is left of courier j's order on board."""
    name, size = f"b{j + 1:03d}", int(load.size[j])
    ready, due = _moment(load.ready_s[j]), _moment(load.due_s[j])
    pickup = BoardStop(StopKind.PICKUP, name, _handover(load.pickup, j), ready_at=ready, size=size)
    dropoff = BoardStop(StopKind.DROPOFF, name, _handover(load.dropoff, j), due_at=due, size=size)
    return (dropoff,) if picked_up else (pickup, dropoff)
