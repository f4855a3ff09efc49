"""The measures of a finished Grubhub day: the paper's, and what could not have been avoided."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from dispatch.datasets.grubhub import GrubhubInstance
from dispatch.simulation.grubhub.record import LOGGED_ON, GrubhubRun
from dispatch.tables import Floats

MOST_MIN = 90.0  # click-to-door that an undelivered order counts


@dataclass(frozen=True, slots=True)
class Measures:
    """One day in numbers; NaN where nothing was delivered. Minutes, unless the name says more.

    Attributes
    ----------
    orders, undelivered
        How many, all told and never delivered.
    click_to_door, click_to_door_p90
        From placement to dropoff, over delivered orders.
    overage
        Beyond the target click-to-door, mean over delivered orders.
    ready_to_pickup, ready_to_door
        From the published ready time, mean over delivered orders.
    utilisation
        Mean over couriers of riding and service time over shift time.
    cost_per_order
        Pay over delivered orders; a courier earns by order or by hour, whichever is more.
    orders_per_bundle
        Delivered orders over assignments.
    unavoidable
        Click-to-door that waiting and riding straight there take anyway, mean over all orders.
    penalised_excess
        (Click-to-door over delivered orders + 90 for each undelivered one) / orders, less
        `unavoidable`.
    """

    orders: int
    undelivered: int
    click_to_door: float
    click_to_door_p90: float
    overage: float
    ready_to_pickup: float
    ready_to_door: float
    utilisation: float
    cost_per_order: float
    orders_per_bundle: float
    unavoidable: float
    penalised_excess: float

    @property
    def undelivered_percent(self) -> float:
        """Share of the orders never delivered, in per cent."""
        return 100 * self.undelivered / self.orders

    def as_dict(self) -> Mapping[str, float]:
        """All of them by name."""
        return {**asdict(self), "undelivered_percent": self.undelivered_percent}


def unavoidable_min(instance: GrubhubInstance) -> Floats:
    """Click-to-door of each order if a courier were always there, shape (n,).

    (ready - placement) + half a pickup service + direct travel + half a dropoff service.
    """
    orders, parameters = instance.orders, instance.parameters
    restaurants = instance.restaurants.set_index("restaurant").loc[orders["restaurant"]]
    metres = np.hypot(
        orders["x"].to_numpy(np.float64) - restaurants["x"].to_numpy(np.float64),
        orders["y"].to_numpy(np.float64) - restaurants["y"].to_numpy(np.float64),
    )
    service = (parameters.pickup_service_min + parameters.dropoff_service_min) / 2
    cooking = (orders["ready_time"] - orders["placement_time"]).to_numpy(np.float64)
    return np.asarray(cooking + service + np.ceil(metres / parameters.metres_per_minute))


def measure(run: GrubhubRun, instance: GrubhubInstance) -> Measures:
    """Measure a run; that it keeps the rules is for `check_run` to say."""
    n = len(instance.orders)
    placed, ready, pickup, dropoff = (
        np.array([getattr(d, name) for d in run.deliveries], dtype=np.float64)
        for name in ("placed_min", "ready_min", "pickup_min", "dropoff_min")
    )
    taken = dropoff - placed
    unavoidable = float(unavoidable_min(instance).mean())
    undelivered = n - len(run.deliveries)
    parameters = instance.parameters
    return Measures(
        orders=n,
        undelivered=undelivered,
        click_to_door=_mean(taken),
        click_to_door_p90=float(np.quantile(taken, 0.9)) if taken.size else float("nan"),
        overage=_mean(np.maximum(taken - parameters.target_click_to_door_min, 0)),
        ready_to_pickup=_mean(pickup - ready),
        ready_to_door=_mean(dropoff - ready),
        utilisation=_utilisation(run, instance),
        cost_per_order=_cost(run, instance) / taken.size if taken.size else float("nan"),
        orders_per_bundle=taken.size / len(run.assignments) if taken.size else float("nan"),
        unavoidable=unavoidable,
        penalised_excess=float((taken.sum() + MOST_MIN * undelivered) / n) - unavoidable,
    )


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")


def _shift_min(instance: GrubhubInstance) -> Floats:
    couriers = instance.couriers
    return np.asarray((couriers["off_time"] - couriers["on_time"]).to_numpy(np.float64))


def _cost(run: GrubhubRun, instance: GrubhubInstance) -> float:
    parameters = instance.parameters
    row = {name: k for k, name in enumerate(instance.couriers["courier"])}
    served = np.bincount([row[d.courier] for d in run.deliveries], minlength=len(row))
    guaranteed = parameters.guaranteed_pay_per_hour * _shift_min(instance) / 60
    return float(np.maximum(parameters.pay_per_order * served, guaranteed).sum())


def _utilisation(run: GrubhubRun, instance: GrubhubInstance) -> float:
    parameters = instance.parameters
    row = {name: k for k, name in enumerate(instance.couriers["courier"])}
    tables = (
        (instance.orders, "order"),
        (instance.couriers, "courier"),
        (instance.restaurants, "restaurant"),
    )
    place = {
        name: (x, y)
        for table, key in tables
        for name, x, y in zip(table[key], table["x"], table["y"], strict=True)
    }
    busy = np.zeros(len(row))
    for move in run.departures:
        x, y = place[move.courier if move.origin == LOGGED_ON else move.origin]
        to_x, to_y = place[move.destination]
        metres = float(np.hypot(to_x - x, to_y - y))
        busy[row[move.courier]] += np.ceil(metres / parameters.metres_per_minute)
    for assignment in run.assignments:
        busy[row[assignment.courier]] += parameters.pickup_service_min
    for delivery in run.deliveries:
        busy[row[delivery.courier]] += parameters.dropoff_service_min
    return float((busy / _shift_min(instance)).mean())
