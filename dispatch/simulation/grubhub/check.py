"""A strict check of a finished Grubhub day against the rules of Reyes et al. (2018).

Written against the instance's tables and the run alone: it shares no code with the simulator, and
finds what the public evaluator misses (half service times skipped, assignments after pickup).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from dispatch.datasets.grubhub import GrubhubInstance
from dispatch.simulation.grubhub.record import (
    LOGGED_ON,
    Assignment,
    Delivery,
    Departure,
    GrubhubRun,
)

_SLACK_MIN = 1e-6  # of times that were seconds once

Point = tuple[float, float]


class _Order(NamedTuple):
    name: str
    restaurant: str
    placed: float
    ready: float


class _Courier(NamedTuple):
    on: float
    off: float


class Rule(StrEnum):
    """What a run may not break."""

    UNKNOWN = "names an order, courier or place that the instance does not have"
    TWICE = "is assigned or delivered more than once"
    ACCOUNTS = "assignments and deliveries do not say the same"
    ONE_RESTAURANT = "a bundle holds orders of several restaurants"
    PLACED_FIRST = "is assigned before it is placed"
    NOT_AFTER_PICKUP = "is assigned after it is picked up"
    ON_SHIFT = "departs before logging on"
    PICKUP_BY_OFF_TIME = "picks up after logging off"
    READY_FIRST = "is picked up before it is ready"
    PICKUP_SERVICE = "is picked up before half the pickup service has passed"
    LEAVE_PICKUP = "leaves the restaurant before half the pickup service has passed"
    DROPOFF_SERVICE = "is dropped off before half the dropoff service has passed"
    DROPOFF_LATE = "is dropped off later than the ride and half the service take"
    LEAVE_DROPOFF = "leaves a door before half the dropoff service has passed"
    ASSIGNED_FIRST = "departs for a restaurant before being assigned there"
    NO_DIVERSION = "departures are not those of the assignments, one after the other"


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule broken once; `who` names the orders and couriers concerned."""

    rule: Rule
    who: tuple[str, ...]
    said: str = ""

    def __str__(self) -> str:
        tail = f" ({self.said})" if self.said else ""
        return f"{', '.join(self.who)}: {self.rule.value}{tail}"


def check_run(run: GrubhubRun, instance: GrubhubInstance) -> list[Violation]:
    """List everything in a run that the rules do not allow; empty if nothing."""
    return list(_Check(run, instance).violations())


class _Check:
    """A run beside its instance, each table by name."""

    def __init__(self, run: GrubhubRun, instance: GrubhubInstance) -> None:
        self._run = run
        orders, couriers, restaurants = instance.orders, instance.couriers, instance.restaurants
        fields = ["order", "restaurant", "placement_time", "ready_time"]
        self._orders: dict[str, _Order] = {
            row[0]: _Order(*row) for row in orders[fields].itertuples(index=False)
        }
        self._couriers: dict[str, _Courier] = {
            row[0]: _Courier(*row[1:])
            for row in couriers[["courier", "on_time", "off_time"]].itertuples(index=False)
        }
        tables = ((orders, "order"), (couriers, "courier"), (restaurants, "restaurant"))
        self._place: dict[str, Point] = {
            row[key]: (float(row["x"]), float(row["y"]))
            for table, key in tables
            for row in table.to_dict("records")
        }
        self._speed = instance.parameters.metres_per_minute
        self._pickup_half = instance.parameters.pickup_service_min / 2
        self._dropoff_half = instance.parameters.dropoff_service_min / 2
        self._delivery = {delivery.order: delivery for delivery in run.deliveries}

    def violations(self) -> Iterator[Violation]:
        unknown = list(self._unknown())
        yield from unknown
        if unknown:
            return  # nothing else can be looked up
        yield from self._accounts()
        for assignment in self._run.assignments:
            yield from self._assignment(assignment)
        for delivery in self._run.deliveries:
            yield from self._delivery_times(delivery)
        yield from self._movements()

    def _unknown(self) -> Iterator[Violation]:
        run = self._run
        orders = {name for a in run.assignments for name in a.orders}
        orders |= {d.order for d in run.deliveries}
        couriers = {a.courier for a in run.assignments} | {d.courier for d in run.deliveries}
        couriers |= {d.courier for d in run.departures}
        places = {d.destination for d in run.departures}
        places |= {d.origin for d in run.departures} - {LOGGED_ON}
        unknown = orders - self._orders.keys() | couriers - self._couriers.keys()
        for name in sorted(unknown | places - self._place.keys()):
            yield Violation(Rule.UNKNOWN, (name,))
        if any(not a.orders for a in run.assignments):
            yield Violation(Rule.UNKNOWN, ("assignments",), "one has no orders")

    def _accounts(self) -> Iterator[Violation]:
        run = self._run
        assigned = Counter(name for a in run.assignments for name in a.orders)
        delivered = Counter(d.order for d in run.deliveries)
        for name, count in (assigned | delivered).items():
            if count > 1:
                yield Violation(Rule.TWICE, (name,))
        for name in sorted(assigned.keys() ^ delivered.keys()):
            what = "assigned, not delivered" if name in assigned else "delivered, not assigned"
            yield Violation(Rule.ACCOUNTS, (name,), what)
        for assignment in run.assignments:
            for name in assignment.orders:
                known = self._delivery.get(name)
                if known is None:
                    continue
                if known.courier != assignment.courier:
                    who = (name, known.courier, assignment.courier)
                    yield Violation(Rule.ACCOUNTS, who, "delivered by another courier")
                if known.pickup_min != assignment.pickup_min:
                    yield Violation(Rule.ACCOUNTS, (name,), "two pickup times")

    def _assignment(self, assignment: Assignment) -> Iterator[Violation]:
        orders = [self._orders[name] for name in assignment.orders]
        courier = self._couriers[assignment.courier]
        if len({order.restaurant for order in orders}) > 1:
            yield Violation(Rule.ONE_RESTAURANT, assignment.orders)
        for order in orders:
            if assignment.assigned_min < order.placed - _SLACK_MIN:
                yield Violation(Rule.PLACED_FIRST, (order.name,))
            if assignment.assigned_min > assignment.pickup_min + _SLACK_MIN:
                yield Violation(Rule.NOT_AFTER_PICKUP, (order.name,))
            if assignment.pickup_min < order.ready - _SLACK_MIN:
                yield Violation(Rule.READY_FIRST, (order.name,))
        if assignment.pickup_min > courier.off + _SLACK_MIN:
            yield Violation(Rule.PICKUP_BY_OFF_TIME, (assignment.courier, *assignment.orders))

    def _delivery_times(self, delivery: Delivery) -> Iterator[Violation]:
        order = self._orders[delivery.order]
        if (delivery.placed_min, delivery.ready_min) != (order.placed, order.ready):
            yield Violation(Rule.ACCOUNTS, (delivery.order,), "placement or ready time changed")

    def _movements(self) -> Iterator[Violation]:
        jobs: dict[str, list[Assignment]] = defaultdict(list)
        moves: dict[str, list[Departure]] = defaultdict(list)
        for assignment in self._run.assignments:
            jobs[assignment.courier].append(assignment)
        for departure in self._run.departures:
            moves[departure.courier].append(departure)
        for courier in sorted({*jobs, *moves}):
            mine = sorted(jobs[courier], key=lambda a: a.pickup_min)
            made = sorted(moves[courier], key=lambda d: d.departure_min)
            wanted = self._expected(mine)
            told = [(d.origin, d.destination) for d in made]
            if told != wanted:
                pairs = zip([*told, ("", "")], [*wanted, ("", "")], strict=False)
                first = next((a, b) for a, b in pairs if a != b)
                said = "{} to {}, expected {} to {}".format(*first[0], *first[1])
                yield Violation(Rule.NO_DIVERSION, (courier,), said)
                continue
            yield from self._ride(courier, mine, made)

    def _expected(self, jobs: list[Assignment]) -> list[tuple[str, str]]:
        """Origins and destinations of a courier who does one job after the other."""
        here = LOGGED_ON
        legs: list[tuple[str, str]] = []
        for job in jobs:
            for there in (self._orders[job.orders[0]].restaurant, *job.orders):
                legs.append((here, there))
                here = there
        return legs

    def _ride(
        self, courier: str, jobs: list[Assignment], moves: list[Departure]
    ) -> Iterator[Violation]:
        """Follow one courier from stop to stop."""
        row = self._couriers[courier]
        left = iter(moves)
        may_leave, leaving = float(row.on), Rule.ON_SHIFT
        for job in jobs:
            move = next(left)
            who = (courier, *job.orders)
            if move.departure_min < may_leave - _SLACK_MIN:
                yield Violation(leaving, who)
            if move.departure_min < job.assigned_min - _SLACK_MIN:
                yield Violation(Rule.ASSIGNED_FIRST, who)
            if job.pickup_min < self._arrival(move) + self._pickup_half - _SLACK_MIN:
                yield Violation(Rule.PICKUP_SERVICE, who)
            may_leave, leaving = job.pickup_min + self._pickup_half, Rule.LEAVE_PICKUP
            for name in job.orders:
                move = next(left)
                delivery = self._delivery.get(name)
                if delivery is None:
                    continue  # said already
                if move.departure_min < may_leave - _SLACK_MIN:
                    yield Violation(leaving, (courier, name))
                ride_end = self._arrival(move) + self._dropoff_half
                if delivery.dropoff_min < ride_end - _SLACK_MIN:
                    yield Violation(Rule.DROPOFF_SERVICE, (courier, name))
                if delivery.dropoff_min > ride_end + _SLACK_MIN:
                    yield Violation(Rule.DROPOFF_LATE, (courier, name))
                may_leave = delivery.dropoff_min + self._dropoff_half
                leaving = Rule.LEAVE_DROPOFF

    def _arrival(self, move: Departure) -> float:
        at = move.courier if move.origin == LOGGED_ON else move.origin
        (x, y), (to_x, to_y) = self._place[at], self._place[move.destination]
        return move.departure_min + math.ceil(math.hypot(to_x - x, to_y - y) / self._speed)
