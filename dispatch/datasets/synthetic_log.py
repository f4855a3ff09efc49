"""The synthetic city's past: which offers a plausible policy made, and what became of them."""

from collections.abc import Iterator
from itertools import count, islice

import numpy as np
import pandas as pd

from dispatch.columns import OfferContext, Trip, local_clock, raw_columns
from dispatch.datasets.synthetic import (
    CITY_ID,
    CLOSE_HOUR,
    OPEN_HOUR,
    SERVICE_S,
    TIMEZONE,
    Draw,
    SyntheticCity,
    World,
    day_start_s,
)
from dispatch.demand import local_demand
from dispatch.errors import InvalidInputError, Problem
from dispatch.tables import KINDS, Floats, Ints, Points
from dispatch.travel import GreatCircleTravel, Legs

TICK_S = 60.0  # offers are made once a minute and answered before the next
PATIENCE_S = 45 * 60.0  # an order nobody took by then is cancelled
MAX_UNTIL_FREE_S = 15 * 60.0
MAX_REACH_S = 20 * 60.0  # nobody who would be longer in getting to the pickup is asked
N_NEAREST = 8
SOFTMAX_S = 150.0  # this much later at the pickup makes a courier e times less likely
HISTORY_DAYS = 7
MAX_BOARD = 3
MAX_QUIET_DAYS = 30  # without one offer, after which the city is given up

Row = dict[str, object]


def _points(lat: Floats, lon: Floats) -> Points:
    return Points(lat, lon, np.full(len(lat), -1, dtype=np.int64))


class _Couriers:
    """What changes about m couriers; second axis: orders on board, or days of history."""

    def __init__(self, m: int) -> None:
        self.offers: Ints = np.zeros((m, HISTORY_DAYS), dtype=np.int64)
        self.accepted: Ints = np.zeros((m, HISTORY_DAYS), dtype=np.int64)

    def start_day(self, day: int, world: World) -> None:
        """Send the couriers home, and forget the day that leaves the window of history."""
        m = world.city.n_couriers
        self.shift_start_s, self.shift_end_s = world.shifts(day)
        self.free_s = self.shift_start_s.copy()
        self.lat, self.lon = world.fleet.home.lat.copy(), world.fleet.home.lon.copy()
        self.door_s = np.full((m, MAX_BOARD), -np.inf)
        self.size = np.zeros((m, MAX_BOARD), dtype=np.int64)
        self.last_offer_s = np.full(m, np.nan)
        self.today = day % HISTORY_DAYS
        self.offers[:, self.today] = 0
        self.accepted[:, self.today] = 0


class _Day:
    """One day: minute by minute, waiting orders are offered in the sequence they were placed."""

    def __init__(self, world: World, couriers: _Couriers, day: int) -> None:
        couriers.start_day(day, world)
        self._world, self._couriers = world, couriers
        self._demand = world.demand(day)
        self._weather = world.weather(day)
        self._choices = world.city.generator(Draw.CHOICES, day)
        self._answers = world.city.generator(Draw.ANSWERS, day)
        self._refused = np.zeros((len(self._demand), world.city.n_couriers), dtype=np.bool_)
        self._order_id = f"d{day + 1:02d}-{{:04d}}".format
        self._ticks = day_start_s(day) + np.arange(
            OPEN_HOUR * 3600, (CLOSE_HOUR + 1) * 3600, TICK_S
        )
        self._travel = GreatCircleTravel()

    def offers(self) -> Iterator[Row]:
        """Make the day's offers; one minute's offers share its clock, weather and who waits."""
        placed_s = self._demand.placed_s
        waiting: list[int] = []
        placed = 0
        clocks = zip(self._ticks, *local_clock(self._ticks, TIMEZONE), strict=True)
        for now_s, hour, weekday in clocks:
            arrived = int(np.searchsorted(placed_s, now_s, side="right"))
            waiting = [i for i in waiting if placed_s[i] > now_s - PATIENCE_S]
            waiting.extend(range(placed, arrived))
            placed = arrived
            online = self._couriers.shift_start_s <= now_s
            online &= self._couriers.shift_end_s > now_s
            clock = {
                "now_s": float(now_s),
                "hour": float(hour),
                "weekday": float(weekday),
                "precipitation_mm_h": float(self._weather.precipitation_mm_h[int(hour)]),
                "temperature_c": float(self._weather.temperature_c[int(hour)]),
            }
            scarce = local_demand(
                self._demand.pickup[np.array(waiting, dtype=np.int64)],
                _points(self._couriers.lat[online], self._couriers.lon[online]),
            )
            still = []
            for i, demand in zip(waiting, scarce.tolist(), strict=True):
                rows, arrive_s = self._nearest(i, clock["now_s"], np.flatnonzero(online))
                if len(rows):
                    moment = {**clock, "local_demand": demand}
                    offer, j = self._make(i, moment, rows, arrive_s)
                    online[j] = False  # one live offer per courier
                    yield offer
                if not len(rows) or not offer["accepted"]:
                    still.append(i)
            waiting = still

    def _nearest(self, i: int, now_s: float, online: Ints) -> tuple[Ints, Floats]:
        """Find the couriers who could be at order i's pickup first, and when they would be."""
        state, fleet, size = self._couriers, self._world.fleet, self._demand.size[i]
        busy = state.door_s[online] > now_s
        may = busy.sum(axis=1) < fleet.capacity_orders[online]
        may &= (state.size[online] * busy).sum(axis=1) + size <= fleet.capacity_size[online]
        may &= state.free_s[online] <= now_s + MAX_UNTIL_FREE_S
        may &= ~self._refused[i, online]
        rows = online[may]
        free_at = _points(state.lat[rows], state.lon[rows])
        to_pickup_s = self._legs(free_at, self._demand.pickup[np.full(len(rows), i)], rows).seconds
        arrive_s = np.maximum(state.free_s[rows], now_s) + to_pickup_s
        near = arrive_s < np.minimum(state.shift_end_s[rows], now_s + MAX_REACH_S)
        rows, arrive_s = rows[near], arrive_s[near]
        first = np.argsort(arrive_s, kind="stable")[:N_NEAREST]
        return rows[first], arrive_s[first]

    def _make(
        self, i: int, clock: dict[str, float], rows: Ints, arrive_s: Floats
    ) -> tuple[Row, int]:
        """Offer order i to one of the couriers `rows` and let the courier answer."""
        weight = np.exp((arrive_s[0] - arrive_s) / SOFTMAX_S)
        propensity = weight / weight.sum()
        pick = int(self._choices.choice(len(rows), p=propensity))
        j = int(rows[pick])
        trip = self._trip(i, j, clock["now_s"])
        columns = raw_columns(trip, self._context(i, j, clock))
        effect = self._world.fleet.effect[[j]]
        chance = float(self._world.city.law.probability(columns, effect)[0])
        accepted = bool(self._answers.uniform() < chance)
        self._answer(i, j, trip, accepted, clock["now_s"])
        offer: Row = {name: float(values[0]) for name, values in columns.items()}
        offer |= {
            "order_id": self._order_id(i + 1),
            "courier_id": self._world.fleet.ids[j],
            "merchant_id": self._world.merchant_ids[self._demand.merchant[i]],
            "offered_s": clock["now_s"],
            "accepted": accepted,
            "propensity": float(propensity[pick]),
            "true_probability": chance,
            "courier_effect": float(effect[0]),
        }
        return offer, j

    def _legs(self, origin: Points, destination: Points, rows: Ints) -> Legs:
        kind = self._world.fleet.kind[rows]
        return self._travel.legs(origin, destination, kind, np.full(len(rows), np.nan))

    def _trip(self, i: int, j: int, now_s: float) -> Trip:
        state, demand, at, row = self._couriers, self._demand, np.array([i]), np.array([j])
        free_at = _points(state.lat[row], state.lon[row])
        to_pickup = self._legs(free_at, demand.pickup[at], row)
        trip = self._legs(demand.pickup[at], demand.dropoff[at], row)
        service_s = np.array([SERVICE_S])
        return Trip(
            free_s=np.maximum(state.free_s[row], now_s),
            to_pickup_s=to_pickup.seconds,
            to_pickup_m=to_pickup.metres,
            trip_s=trip.seconds,
            trip_m=trip.metres,
            direct_s=self._legs(free_at, demand.dropoff[at], row).seconds,
            ready_s=demand.ready_s[at],
            pickup_before_s=service_s,
            pickup_after_s=service_s,
            dropoff_before_s=service_s,
            dropoff_after_s=service_s,
        )

    def _context(self, i: int, j: int, clock: dict[str, float]) -> OfferContext:
        state, demand, fleet = self._couriers, self._demand, self._world.fleet
        busy = state.door_s[j] > clock["now_s"]
        known = {
            "due_s": demand.due_s[i],
            "pay": demand.pay[i],
            "value": demand.value[i],
            "order_size": demand.size[i],
            "attempt": 1 + self._refused[i].sum(),
            "load_orders": busy.sum(),
            "load_size": (state.size[j] * busy).sum(),
            "vehicle": fleet.kind[j],
            "shift_end_s": state.shift_end_s[j],
            "last_offer_s": state.last_offer_s[j],
            "courier_offers": state.offers[j].sum(),
            "courier_accepted": state.accepted[j].sum(),
        }
        return OfferContext(**{k: np.array([float(v)]) for k, v in (clock | known).items()})

    def _answer(self, i: int, j: int, trip: Trip, accepted: bool, now_s: float) -> None:
        """Let the courier's answer change what comes after it."""
        state, demand, timing = self._couriers, self._demand, trip.timing()
        state.last_offer_s[j] = now_s
        state.offers[j, state.today] += 1
        state.accepted[j, state.today] += accepted
        if not accepted:
            self._refused[i, j] = True
            return
        slot = int(np.argmin(state.door_s[j]))
        state.door_s[j, slot] = timing.door_s[0]
        state.size[j, slot] = demand.size[i]
        state.free_s[j] = timing.done_s[0]
        state.lat[j], state.lon[j] = demand.dropoff.lat[i], demand.dropoff.lon[i]


def _all_offers(world: World) -> Iterator[Row]:
    couriers, quiet_days = _Couriers(world.city.n_couriers), 0
    for day in count():
        quiet_days += 1
        for offer in _Day(world, couriers, day).offers():
            quiet_days = 0
            yield offer
        if quiet_days == MAX_QUIET_DAYS:
            message = f"no offer in {MAX_QUIET_DAYS} days: more couriers or a smaller radius_m"
            raise InvalidInputError("offers_log", [Problem("city", message)])


def offers_log(city: SyntheticCity, n_offers: int = 20_000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate the city's days until `n_offers` offers have been made.

    The policy of the past: every minute, each waiting order is offered to one of the eight
    couriers who could be at the pickup first (within 20 min), with odds falling by e every 150 s;
    `propensity` is the chance with which that courier was chosen, given what had been offered
    before. A refused order is offered to somebody else from the next minute on; 45 minutes after
    it was placed it is cancelled.
    A courier's history counts the last seven local days, today included, before the offer;
    `since_offer_s` is empty before the first offer of a day.

    Returns
    -------
    The log, and the truth that no model may see (`offer_id`, `true_probability`,
    `courier_effect`), row for row. Both list the offers in the sequence they were made; a longer
    log of the same city starts with the shorter one.

    Raises
    ------
    InvalidInputError
        If `n_offers` is not in [1, 10,000,000], or the city is so sparse that days pass without
        an offer.
    """
    if not 1 <= n_offers <= 10_000_000:
        message = f"expected n_offers in [1, 10000000], got {n_offers!r}"
        raise InvalidInputError("offers_log", [Problem("n_offers", message)])
    table = pd.DataFrame(list(islice(_all_offers(World(city)), n_offers)))
    table["offer_id"] = [f"f{k + 1:06d}" for k in range(len(table))]
    table["city_id"] = CITY_ID
    table["offered_at"] = pd.to_datetime(table.pop("offered_s"), unit="s", utc=True)
    table["accepted"] = table["accepted"].astype(np.int8)
    names = np.array([kind.value for kind in KINDS], dtype=object)
    table["vehicle"] = names[table["vehicle"].astype(np.int64)]
    truth = table[["offer_id", "true_probability", "courier_effect"]]
    first = ["offer_id", "order_id", "courier_id", "city_id", "merchant_id", "offered_at"]
    first += ["accepted", "propensity"]
    log = table.drop(columns=["true_probability", "courier_effect"])
    return log[first + [name for name in log.columns if name not in first]], truth
