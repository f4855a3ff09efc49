"""A day as it will happen, fixed before anybody decides anything; only the environment sees it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from dispatch.domain import Courier, Order, Weather
from dispatch.errors import MAX_IDS, InvalidInputError, Problem
from dispatch.travel import GreatCircleTravel, TravelTimes

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(epoch_s: float) -> datetime:
    """Turn an epoch second into a UTC time, to the microsecond."""
    return EPOCH + timedelta(seconds=epoch_s)


@dataclass(frozen=True, slots=True)
class Shift:
    """A courier as they log on: where, with what, until `courier.shift_end`."""

    courier: Courier
    start_at: datetime

    @property
    def end_s(self) -> float:
        """Epoch second of the shift's end."""
        end = self.courier.shift_end
        return float("inf") if end is None else end.timestamp()


@dataclass(frozen=True, slots=True)
class DayRules:
    """What holds in a day whatever the policy.

    Attributes
    ----------
    finish_first
        Couriers take up new work only when done with what they have: their snapshots say when and
        where that is (`available_at`, `position`) and show nothing on board.
    one_visit_per_place
        Pickups in a row at one place are one visit: service before and after once, all orders
        handed over when the last of them is ready.
    shift_covers
        Whether a shift must last to the end of the last dropoff or just to the last pickup.
    block_s
        How long a courier who refused an order, or did not answer, is not asked for it again.
    give_up_s
        From placement, after which an order nobody has accepted is cancelled; None: never.
    """

    finish_first: bool = False
    one_visit_per_place: bool = False
    shift_covers: Literal["dropoff", "pickup"] = "dropoff"
    block_s: float = float("inf")
    give_up_s: float | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """Everything that happens by itself: orders as they are placed, couriers as they log on.

    `weather` holds one entry per hour since `start_at` where known; the last one goes on.

    Raises
    ------
    InvalidInputError
        Ids used twice, shifts that do not end after their start, work or a past at log-on.
    """

    name: str
    start_at: datetime
    orders: tuple[Order, ...]
    shifts: tuple[Shift, ...]
    travel: TravelTimes = field(default_factory=GreatCircleTravel)
    rules: DayRules = field(default_factory=DayRules)
    city_id: str = "default"
    timezone: str = "UTC"
    currency: str = "EUR"
    skills: tuple[str, ...] = ()
    weather: tuple[Weather, ...] = ()

    def __post_init__(self) -> None:
        couriers = [shift.courier for shift in self.shifts]
        early = [o.id for o in self.orders if o.placed_at < self.start_at]
        endless = [
            s.courier.id
            for s in self.shifts
            if s.courier.shift_end is None or s.courier.shift_end <= s.start_at
        ]
        loaded = [c.id for c in couriers if c.on_board or c.pending_offers]
        faults = (
            (
                "orders[*].id",
                "is used by more than one order",
                _repeated(o.id for o in self.orders),
            ),
            ("orders[*].placed_at", "is before the day's start_at", early),
            ("shifts[*].courier.id", "has more than one shift", _repeated(c.id for c in couriers)),
            ("shifts[*].courier.shift_end", "is missing or not after start_at", endless),
            ("shifts[*].courier", "has stops or offers at log-on; start idle", loaded),
        )
        problems = [
            Problem(path, message, tuple(ids[:MAX_IDS]), len(ids))
            for path, message, ids in faults
            if ids
        ]
        if problems:
            raise InvalidInputError(f"day {self.name}", problems)

    def weather_at(self, now_s: float) -> Weather:
        """Return the weather of the hour, unknown where the day has none."""
        if not self.weather:
            return Weather()
        hour = int((now_s - self.start_at.timestamp()) // 3600)
        return self.weather[min(max(hour, 0), len(self.weather) - 1)]


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
