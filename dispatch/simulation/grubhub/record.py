"""A finished day of a Grubhub instance, in the instance's own minutes and names.

What the public solution files say: who was assigned what and when, when every order changed hands,
and every departure. The checker, the measures and the writers all read this and nothing else.
"""

from collections import defaultdict
from dataclasses import dataclass

from dispatch.datasets.grubhub import MIDNIGHT, GrubhubInstance
from dispatch.simulation.environment import DayLog
from dispatch.simulation.events import Event, Kind

LOGGED_ON = "0"
"""Origin of a courier's first departure: where it logged on."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Orders of one restaurant given to a courier, in the sequence they are dropped off."""

    assigned_min: float
    pickup_min: float
    courier: str
    orders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An order that was delivered, with its published times beside those of the day."""

    order: str
    placed_min: float
    ready_min: float
    pickup_min: float
    dropoff_min: float
    courier: str


@dataclass(frozen=True, slots=True)
class Departure:
    """A courier leaves for a restaurant or for an order's door.

    The origin is `LOGGED_ON`, a restaurant or an order, too.
    """

    courier: str
    departure_min: float
    origin: str
    destination: str


@dataclass(frozen=True, slots=True)
class GrubhubRun:
    """Everything that was done in one day."""

    assignments: tuple[Assignment, ...]
    deliveries: tuple[Delivery, ...]
    departures: tuple[Departure, ...]

    @classmethod
    def of_log(cls, instance: GrubhubInstance, log: DayLog) -> "GrubhubRun":
        """Read a simulated day off its events.

        Offers that a courier accepted are the assignments. Departures are what the events imply: to
        a restaurant as soon as the courier is free and has accepted, to a door when half a service
        time has passed since the last handover.
        """
        return _Reading(instance).run(log.events)


class _Reading:
    """The state of reading one log."""

    def __init__(self, instance: GrubhubInstance) -> None:
        orders = instance.orders
        self._restaurant = dict(zip(orders["order"], orders["restaurant"], strict=True))
        self._placed = dict(zip(orders["order"], orders["placement_time"], strict=True))
        self._ready = dict(zip(orders["order"], orders["ready_time"], strict=True))
        self._after_pickup_min = instance.parameters.pickup_service_min / 2
        self._after_dropoff_min = instance.parameters.dropoff_service_min / 2
        self._offers: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._accepted_min: dict[tuple[str, str], float] = {}
        self._offer_of: dict[str, tuple[str, str]] = {}
        self._pickup_min: dict[str, float] = {}
        self._dropped: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self._logged_on_min: dict[str, float] = {}

    def run(self, events: tuple[Event, ...]) -> GrubhubRun:
        for event in events:
            self._read(event)
        groups = sorted(self._offers, key=lambda key: (self._pickup(key), key))
        assignments, departures = [], []
        where: dict[str, str] = {}
        leaves_min = dict(self._logged_on_min)
        deliveries = {
            order: (dropoff, courier)
            for courier, dropped in self._dropped.items()
            for dropoff, order in dropped
        }
        for key in groups:
            courier = key[0]
            taken = [name for _, name in self._dropped[courier] if self._offer_of[name] == key]
            accepted_min, pickup_min = self._accepted_min[key], self._pickup(key)
            assignments.append(Assignment(accepted_min, pickup_min, courier, tuple(taken)))
            origin, there = where.get(courier, LOGGED_ON), self._restaurant[taken[0]]
            start_min = max(accepted_min, leaves_min[courier])
            departures.append(Departure(courier, start_min, origin, there))
            leave_min = pickup_min + self._after_pickup_min
            for name in taken:
                departures.append(Departure(courier, leave_min, there, name))
                leave_min, there = deliveries[name][0] + self._after_dropoff_min, name
            where[courier], leaves_min[courier] = there, leave_min
        return GrubhubRun(
            assignments=tuple(assignments),
            deliveries=tuple(
                Delivery(
                    order=name,
                    placed_min=float(self._placed[name]),
                    ready_min=float(self._ready[name]),
                    pickup_min=self._pickup_min[name],
                    dropoff_min=dropoff_min,
                    courier=courier,
                )
                for name, (dropoff_min, courier) in sorted(deliveries.items())
            ),
            departures=tuple(departures),
        )

    def _pickup(self, key: tuple[str, str]) -> float:
        return max(self._pickup_min[name] for name in self._offers[key])

    def _read(self, event: Event) -> None:
        at_min = (event.at_s - MIDNIGHT.timestamp()) / 60
        if event.kind is Kind.LOGGED_ON:
            self._logged_on_min[event.courier_id] = at_min
        elif event.kind is Kind.ACCEPTED:
            key = (event.courier_id, event.offer_id)
            self._offers[key].append(event.order_id)
            self._accepted_min[key] = at_min
            self._offer_of[event.order_id] = key
        elif event.kind is Kind.PICKED_UP:
            self._pickup_min[event.order_id] = at_min
        elif event.kind is Kind.DELIVERED:
            self._dropped[event.courier_id].append((at_min, event.order_id))
