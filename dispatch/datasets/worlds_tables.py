"""Tables that planted worlds are drawn in: orders, couriers, and the answers given so far."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from dispatch.columns import OfferContext, Trip, local_clock, raw_columns
from dispatch.datasets.synthetic import ANCHOR, SERVICE_S, TIMEZONE
from dispatch.tables import Floats, Ints
from dispatch.travel import GreatCircleTravel

HISTORY_S: Final = 7 * 86_400.0
SAME_DAY_S: Final = 43_200.0


@dataclass(frozen=True, slots=True, eq=False)
class WorldOrders:
    """Orders at the moment they are offered, shape (n,); places are planar metres, (2, n)."""

    now_s: Floats
    pickup_m: Floats
    dropoff_m: Floats
    ready_s: Floats
    due_s: Floats
    pay: Floats
    value: Floats
    size: Floats
    rain: Floats
    warmth: Floats
    attempt: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, now_s: Floats, radius_m: float) -> "WorldOrders":
        """Draw the orders offered first at the given epoch seconds, shape (n,)."""
        n = len(now_s)
        turn, away_m = rng.uniform(0, 2 * np.pi, n), rng.lognormal(np.log(1_700), 0.5, n)
        pickup_m = rng.normal(0, radius_m, (2, n))
        km = away_m / 1_000
        return cls(
            now_s=now_s,
            pickup_m=pickup_m,
            dropoff_m=pickup_m + away_m * np.stack([np.cos(turn), np.sin(turn)]),
            ready_s=now_s + rng.uniform(0, 900, n),
            due_s=now_s + (30 + 4 * km) * 60,
            pay=2.4 + 0.9 * km + rng.exponential(0.5, n),
            value=rng.lognormal(np.log(22), 0.45, n),
            size=rng.choice([1.0, 2.0, 3.0, 4.0], n, p=[0.62, 0.24, 0.10, 0.04]),
            rain=rng.gamma(1.5, 1.2, n) * (rng.uniform(size=n) < 0.1),
            warmth=rng.normal(12, 5, n),
            attempt=np.ones(n),
        )


@dataclass(frozen=True, slots=True, eq=False)
class WorldCouriers:
    """Couriers at the moment somebody looks at them, shape (n,); places as in `WorldOrders`."""

    who: Ints
    kind: Ints
    effect: Floats
    place_m: Floats
    until_free_s: Floats
    load_orders: Floats
    load_size: Floats
    shift_left_s: Floats

    @classmethod
    def draw(
        cls, rng: np.random.Generator, who: Ints, kind: Ints, effect: Floats, radius_m: float
    ) -> "WorldCouriers":
        """Draw where couriers are and what they carry."""
        n = len(who)
        busy = rng.uniform(size=n) < 0.4
        return cls(
            who=who,
            kind=kind,
            effect=effect,
            place_m=rng.normal(0, radius_m, (2, n)),
            until_free_s=busy * rng.uniform(0, 900, n),
            load_orders=busy.astype(np.float64),
            load_size=busy * rng.choice([1.0, 2.0, 3.0], n),
            shift_left_s=rng.uniform(2_400, 13_200, n),
        )


_Table = TypeVar("_Table", WorldOrders, WorldCouriers)


def take(table: _Table, rows: Ints, **changes: Floats) -> _Table:
    """Return some rows of a table, some of its fields replaced."""
    kept = {f.name: getattr(table, f.name)[..., rows] for f in fields(table)}
    return type(table)(**(kept | changes))


def stack(tables: Sequence[_Table]) -> _Table:
    """Put tables below one another."""
    names = [f.name for f in fields(tables[0])]
    return type(tables[0])(
        **{name: np.concatenate([getattr(t, name) for t in tables], axis=-1) for name in names}
    )


class History:
    """Every answer given so far, sorted by courier and time, for looking up the last week."""

    def __init__(self, courier: Ints, at_s: Floats, accepted: NDArray[np.bool_]) -> None:
        sequence = np.lexsort((at_s, courier))
        self._span_s = float(at_s.max()) + 2 * HISTORY_S  # keeps one courier's times from the next
        self._at_s = at_s[sequence]
        self._key = courier[sequence] * self._span_s + self._at_s
        self.taken = np.concatenate([[0], np.cumsum(accepted[sequence])])

    def columns(self, courier: Ints, at_s: Floats) -> dict[str, Floats]:
        """Look up what couriers did in the week before a moment, that moment left out."""
        first = np.searchsorted(self._key, courier * self._span_s + at_s - HISTORY_S)
        end = np.searchsorted(self._key, courier * self._span_s + at_s)
        since_s = np.where(end > first, at_s - self._at_s[np.maximum(end - 1, 0)], np.nan)
        return {
            "courier_offers": (end - first).astype(np.float64),
            "courier_accepted": (self.taken[end] - self.taken[first]).astype(np.float64),
            "since_offer_s": np.where(since_s < SAME_DAY_S, since_s, np.nan),
        }


def measure(orders: WorldOrders, couriers: WorldCouriers) -> dict[str, Floats]:
    """Measure pairs, shape (n,), in raw columns with what is known without a past."""
    travel, kind, n = GreatCircleTravel(), couriers.kind, len(couriers.who)
    own_speed, unknown = np.full(n, np.nan), np.full(n, np.nan)
    service_s = np.full(n, SERVICE_S)
    start = ANCHOR.points(*couriers.place_m)
    pickup, dropoff = ANCHOR.points(*orders.pickup_m), ANCHOR.points(*orders.dropoff_m)
    to_pickup = travel.legs(start, pickup, kind, own_speed)
    trip = travel.legs(pickup, dropoff, kind, own_speed)
    hour, weekday = local_clock(orders.now_s, TIMEZONE)
    return raw_columns(
        Trip(
            free_s=orders.now_s + couriers.until_free_s,
            to_pickup_s=to_pickup.seconds,
            to_pickup_m=to_pickup.metres,
            trip_s=trip.seconds,
            trip_m=trip.metres,
            direct_s=travel.legs(start, dropoff, kind, own_speed).seconds,
            ready_s=orders.ready_s,
            pickup_before_s=service_s,
            pickup_after_s=service_s,
            dropoff_before_s=service_s,
            dropoff_after_s=service_s,
        ),
        OfferContext(
            now_s=orders.now_s,
            due_s=orders.due_s,
            pay=orders.pay,
            value=orders.value,
            order_size=orders.size,
            attempt=orders.attempt,
            load_orders=couriers.load_orders,
            load_size=couriers.load_size,
            vehicle=kind.astype(np.float64),
            shift_end_s=orders.now_s + couriers.shift_left_s,
            last_offer_s=unknown,
            courier_offers=unknown,
            courier_accepted=unknown,
            hour=hour,
            weekday=weekday,
            precipitation_mm_h=orders.rain,
            temperature_c=orders.warmth,
            local_demand=unknown,
        ),
    )
