"""The published rolling horizon scheme: bundles by restaurant, then assignment by priority.

Reyes, Erera, Savelsbergh, Sahasrabudhe, O'Neil (2018), section 4. Differences, which all come from
what a platform can take back: an offer that was accepted is final, so a courier who could only be
committed partly (there before the next epoch, but the food is not ready) is not told yet unless it
has to leave by then; and bundles are made anew at every epoch.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from dispatch.availability import Availability, availability
from dispatch.domain import Snapshot, StopKind
from dispatch.simulation.day import Day
from dispatch.simulation.policy import Decision, Outcome, Policy, Proposal
from dispatch.simulation.when import Every
from dispatch.tables import Floats, Ints, Points, Tables, tabulate
from dispatch.travel import TravelTimes

_OFFER_S = 240.0


@dataclass(frozen=True, slots=True)
class SchemeRules:
    """Parameters of the scheme.

    Attributes
    ----------
    assignment_s
        Orders ready later than this from now wait for a later epoch.
    ready_s, available_s
        Orders ready and couriers available within these count for the target bundle size.
    delay_weight
        What a second of delay after readiness counts in a route's cost, a second of riding being 1.
    wait_weight
        What a second of pickup delay takes from the rate of orders per second of work.
    target_s
        Click-to-door beyond which an order is urgent.
    """

    assignment_s: float = 1200.0
    ready_s: float = 600.0
    available_s: float = 600.0
    delay_weight: float = 10.0
    wait_weight: float = 1e-5
    target_s: float = 2400.0


def paper_scheme(day: Day, *, period_s: float = 300.0) -> Policy:
    """Return the published scheme, deciding every five minutes."""
    return Policy(PaperScheme(day.travel), Every(period_s), name="paper's scheme")


@dataclass(slots=True)
class PaperScheme:
    """Bundles sized by the shortage of couriers; urgent bundles first, then those ready now."""

    travel: TravelTimes
    rules: SchemeRules = field(default_factory=SchemeRules)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """Learn nothing."""

    def decide(self, snapshot: Snapshot, next_epoch_s: float) -> Decision:
        """Bundle, match and tell the couriers who cannot wait for the next epoch."""
        tables = tabulate(snapshot)
        free = availability(tables, self.travel)
        bundles = _Bundles(tables, self.travel, self.rules)
        rows = np.flatnonzero(
            ~tables.orders.locked
            & (tables.orders.ready_s <= tables.now_s + self.rules.assignment_s)
        )
        found = bundles.make(rows, self._size(tables, free))
        couriers = np.flatnonzero(
            ~tables.couriers.pending & (tables.couriers.shift_end_s > free.free_s)
        )
        if not found or not couriers.size:
            return Decision()
        match = _Match(tables, free, self.travel, self.rules, found, couriers)
        proposals = []
        for bundle, courier in match.by_priority():
            if match.can_wait(bundle, courier, next_epoch_s):
                continue
            names = [tables.orders.ids[i] for i in found[bundle]]
            stops = [(StopKind.PICKUP, name) for name in names]
            stops += [(StopKind.DROPOFF, name) for name in names]
            name = tables.couriers.ids[couriers[courier]]
            proposals.append(Proposal(name, tuple(stops), expires_after_s=_OFFER_S))
        return Decision(tuple(proposals))

    def _size(self, tables: Tables, free: Availability) -> int:
        """Target bundle size: orders ready soon for every courier available soon."""
        soon = tables.orders.ready_s <= tables.now_s + self.rules.ready_s
        able = free.free_s <= tables.now_s + self.rules.available_s
        return max(1, math.ceil(int(soon.sum()) / max(int(able.sum()), 1)))


class _Bundles:
    """Orders of one restaurant put into routes one by one, where they cost least."""

    def __init__(self, tables: Tables, travel: TravelTimes, rules: SchemeRules) -> None:
        self._orders, self._rules = tables.orders, rules
        self._travel, self._kind = travel, tables.couriers.kind[:1]
        self._now_s = tables.now_s

    def make(self, rows: Ints, size: int) -> list[list[int]]:
        """Bundle the orders of each restaurant."""
        by_place: dict[tuple[float, float], list[int]] = defaultdict(list)
        pickup = self._orders.pickup
        for i in rows[np.argsort(self._orders.ready_s[rows], kind="stable")].tolist():
            by_place[float(pickup.lat[i]), float(pickup.lon[i])].append(i)
        return [route for here in by_place.values() for route in self._routes(here, size)]

    def _routes(self, rows: list[int], size: int) -> list[list[int]]:
        routes: list[list[int]] = [[] for _ in range(math.ceil(len(rows) / size))]
        for i in rows:
            self._insert(routes, i)
        for i in rows:  # take each out and put it back where it costs least now
            home = next(route for route in routes if i in route)
            home.remove(i)
            self._insert(routes, i)
        return [route for route in routes if route]

    def _insert(self, routes: list[list[int]], i: int) -> None:
        options = [
            (self._cost([*route[:k], i, *route[k:]]) - self._cost(route), r, k)
            for r, route in enumerate(routes)
            for k in range(len(route) + 1)
        ]
        _, r, k = min(options)
        routes[r].insert(k, i)

    def _cost(self, route: list[int]) -> float:
        """Riding time, and the delay of every order behind its own readiness."""
        if not route:
            return 0.0
        orders, rows = self._orders, np.array(route)
        rides = self._rides(rows)
        ready = orders.ready_s[rows]
        start = max(ready.max(), self._now_s)
        return float(rides.sum() + self._rules.delay_weight * (start - ready).sum())

    def _rides(self, rows: Ints) -> Floats:
        return _rides_s(self._orders.pickup, self._orders.dropoff, rows, self._travel, self._kind)


class _Match:
    """Bundles against couriers: when each could be picked up, and what that is worth."""

    def __init__(
        self,
        tables: Tables,
        free: Availability,
        travel: TravelTimes,
        rules: SchemeRules,
        bundles: list[list[int]],
        couriers: Ints,
    ) -> None:
        orders, table = tables.orders, tables.couriers
        first = np.array([bundle[0] for bundle in bundles])
        b, c = len(bundles), len(couriers)
        row, column = (side.ravel() for side in np.indices((b, c)))
        legs = travel.legs(
            free.place[couriers[column]],
            orders.pickup[first[row]],
            table.kind[couriers[column]],
            table.speed_mps[couriers[column]],
        )
        self._start_s = np.maximum(free.free_s[couriers], tables.now_s)
        self._there_s = (
            self._start_s[column] + legs.seconds + orders.pickup_before_s[first[row]]
        ).reshape(b, c)
        self._ready_s = np.array([orders.ready_s[bundle].max() for bundle in bundles])
        self._pickup_s = np.maximum(self._there_s, self._ready_s[:, None])
        kind = table.kind[:1]
        after_s = []
        for bundle in bundles:
            rides = _rides_s(orders.pickup, orders.dropoff, np.array(bundle), travel, kind)
            service = orders.dropoff_before_s[bundle] + orders.dropoff_after_s[bundle]
            after_s.append(orders.pickup_after_s[bundle[0]] + rides.sum() + service.sum())
        done_s = self._pickup_s + np.array(after_s)[:, None]
        size = np.array([len(bundle) for bundle in bundles])
        late_s = self._pickup_s - self._ready_s[:, None]
        rate = size[:, None] / (done_s - self._start_s)
        self._worth = rate - rules.wait_weight * late_s
        self._worth[self._pickup_s > table.shift_end_s[couriers]] = -np.inf
        target_s = np.array([orders.placed_s[bundle].min() for bundle in bundles]) + rules.target_s
        soonest = self._pickup_s.min(axis=1)
        urgent = soonest + np.array(after_s) > target_s
        ready = soonest > self._ready_s
        self._group = np.where(urgent, 0, np.where(ready, 1, 2))

    def by_priority(self) -> list[tuple[int, int]]:
        """Match one group after the other to the couriers left; (bundle, courier) each."""
        left = np.ones(self._worth.shape[1], np.bool_)
        matched: list[tuple[int, int]] = []
        for group in range(3):
            rows, columns = np.flatnonzero(self._group == group), np.flatnonzero(left)
            if not rows.size or not columns.size:
                continue
            worth = self._worth[np.ix_(rows, columns)]
            barred = ~np.isfinite(worth)
            chosen = linear_sum_assignment(np.where(barred, -1e6, worth), maximize=True)
            for r, c in zip(*chosen, strict=True):
                if not barred[r, c]:
                    matched.append((int(rows[r]), int(columns[c])))
                    left[columns[c]] = False
        return matched

    def can_wait(self, bundle: int, courier: int, next_epoch_s: float) -> bool:
        """Whether the courier, told at the next epoch, would still be there in time."""
        slack_s = max(self._ready_s[bundle] - self._there_s[bundle, courier], 0.0)
        return bool(self._start_s[courier] + slack_s >= next_epoch_s)


def _rides_s(
    pickup: Points, dropoff: Points, rows: Ints, travel: TravelTimes, kind: Ints
) -> Floats:
    """Riding time from the restaurant along the doors of a bundle, shape (q,)."""
    doors = dropoff[rows]
    start = pickup[rows[:1]]
    origin = Points(
        np.concatenate((start.lat, doors.lat[:-1])),
        np.concatenate((start.lon, doors.lon[:-1])),
        np.concatenate((start.row, doors.row[:-1])),
    )
    same = np.repeat(kind, len(rows)) if kind.size else np.zeros(len(rows), np.int64)
    return travel.legs(origin, doors, same, np.full(len(rows), np.nan)).seconds
