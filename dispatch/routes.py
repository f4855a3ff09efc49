"""Re-timing: the exact best stop sequence of every courier's chosen orders.

Pairs are priced as if each order were taken alone; before a plan leaves, each courier's orders are
put into the best of all pickup-before-dropoff sequences and timed stop by stop.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from dispatch.availability import Availability
from dispatch.config import CandidateRules
from dispatch.pairs import CandidatePairs
from dispatch.tables import Floats, Ints, Points, Tables
from dispatch.travel import Legs, TravelTimes
from optimization import best_sequences


@dataclass(frozen=True, slots=True, eq=False)
class Trips:
    """Couriers with the same number q of new orders, b of them.

    Attributes
    ----------
    courier, pairs
        Courier rows, shape (b,), and the candidate pairs each was given, shape (b, q).
    order, is_pickup
        The stops in sequence: order row and kind, shape (b, 2q).
    arrive_s, event_s, leave_s
        Epoch seconds of each stop, shape (b, 2q).
    metres, first_m
        Distance from where the courier is free to the last stop, and to the first, shape (b,).
    ride_s
        Seconds of riding from where the courier is free to the last stop, shape (b,).
    feasible
        Whether shift and range allow the whole trip, shape (b,).
    """

    courier: Ints
    pairs: Ints
    order: Ints
    is_pickup: NDArray[np.bool_]
    arrive_s: Floats
    event_s: Floats
    leave_s: Floats
    metres: Floats
    first_m: Floats
    ride_s: Floats
    feasible: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.courier)

    def __getitem__(self, rows: Ints) -> "Trips":
        return Trips(*(getattr(self, field.name)[rows] for field in fields(self)))


def time_trips(
    tables: Tables,
    free: Availability,
    pairs: CandidatePairs,
    chosen: Ints,
    travel: TravelTimes,
    rules: CandidateRules,
) -> list[Trips]:
    """Time every courier's trip of the `chosen` pairs, grouped by number of orders."""
    by_courier = chosen[np.lexsort((pairs.order[chosen], pairs.courier[chosen]))]
    courier, start, count = np.unique(
        pairs.courier[by_courier], return_index=True, return_counts=True
    )
    groups = []
    for q in np.unique(count):
        first = start[count == q]
        group = by_courier[first[:, None] + np.arange(q)]
        groups.append(_time_group(tables, free, pairs, courier[count == q], group, travel, rules))
    return groups


def handover_in_s(
    pairs: CandidatePairs, trips: list[Trips], now_s: float, *, at_door: bool
) -> Floats:
    """Time each chosen pair's dropoff or pickup in its trip, from now, shape (k,); else NaN."""
    moment = np.full(len(pairs), np.nan)
    for group in trips:
        match = group.order[:, :, None] == pairs.order[group.pairs][:, None, :]
        pair = np.take_along_axis(group.pairs, match.argmax(axis=2), axis=1)
        wanted = group.is_pickup != at_door
        moment[pair[wanted]] = group.event_s[wanted]
    return moment - now_s


def time_sequences(
    tables: Tables,
    free: Availability,
    pairs: CandidatePairs,
    group: Ints,
    node: Ints,
    travel: TravelTimes,
    rules: CandidateRules,
    *,
    one_visit_per_place: bool = False,
) -> Trips:
    """Time given stop sequences.

    Parameters
    ----------
    tables, free, pairs, travel, rules
        As in `time_trips`.
    group
        Candidate pairs of each trip, all of one courier, shape (b, q).
    node
        Stops in sequence, shape (b, 2q): 1..q pick up, q+1..2q drop off the pair of that place.
    one_visit_per_place
        Whether pickups in a row at one place are one visit: service before and after it once, all
        orders handed over when the last of them is ready.
    """
    orders, couriers = tables.orders, tables.couriers
    b, q = group.shape
    courier = pairs.courier[group[:, 0]] if b else np.zeros(0, np.int64)
    order = np.take_along_axis(pairs.order[group], (node - 1) % q, axis=1)
    is_pickup = node <= q
    before = np.where(is_pickup, orders.pickup_before_s[order], orders.dropoff_before_s[order])
    after = np.where(is_pickup, orders.pickup_after_s[order], orders.dropoff_after_s[order])
    earliest = np.where(is_pickup, orders.ready_s[order], -np.inf)
    goes_on = np.zeros((b, 2 * q), np.bool_)  # a pickup of the same visit as the stop before
    if one_visit_per_place:
        goes_on = _goes_on(orders.pickup, order, is_pickup)
        for k in range(2 * q - 2, -1, -1):
            later = np.where(goes_on[:, k + 1], earliest[:, k + 1], -np.inf)
            earliest[:, k] = np.maximum(earliest[:, k], later)
    legs = _along(tables, free, courier, order, is_pickup, travel)
    arrive, event, leave = (np.empty((b, 2 * q)) for _ in range(3))
    now = free.free_s[courier]
    for k in range(2 * q):
        arrive[:, k] = now + legs.seconds[:, k]
        event[:, k] = np.maximum(arrive[:, k] + before[:, k], earliest[:, k])
        if k:  # who is there already neither arrives nor is served again
            same = goes_on[:, k]
            arrive[same, k], event[same, k] = arrive[same, k - 1], event[same, k - 1]
        now = leave[:, k] = event[:, k] + after[:, k]
    metres = legs.metres.sum(axis=1)
    if rules.shift_covers == "pickup":
        covered = np.where(is_pickup, event, -np.inf).max(axis=1)
    else:
        covered = leave[:, -1]
    # a courier without shift end or range (NaN) is never too late or too far
    late = covered > couriers.shift_end_s[courier]
    far = free.metres[courier] + metres > couriers.range_m[courier]
    return Trips(
        courier=courier,
        pairs=group,
        order=order,
        is_pickup=is_pickup,
        arrive_s=arrive,
        event_s=event,
        leave_s=leave,
        metres=metres,
        first_m=legs.metres[:, 0],
        ride_s=legs.seconds.sum(axis=1),
        feasible=~(late | far),
    )


def same_place(a: Points, b: Points) -> NDArray[np.bool_]:
    """Say which points are the same place, shape (n,)."""
    return np.asarray((a.lat == b.lat) & (a.lon == b.lon))


def _goes_on(pickup: Points, order: Ints, is_pickup: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark pickups that go on with the visit of the stop before, shape (b, stops)."""
    here, before = order[:, 1:], order[:, :-1]
    together = same_place(pickup[here.ravel()], pickup[before.ravel()]).reshape(here.shape)
    first = np.zeros((len(order), 1), np.bool_)
    return np.concatenate((first, together & is_pickup[:, 1:] & is_pickup[:, :-1]), axis=1)


def _time_group(
    tables: Tables,
    free: Availability,
    pairs: CandidatePairs,
    courier: Ints,
    group: Ints,
    travel: TravelTimes,
    rules: CandidateRules,
) -> Trips:
    orders = tables.orders
    b, q = group.shape
    order = pairs.order[group]
    legs = _between_stops(tables, free, courier, order, travel)
    due = orders.due_s[order]
    best = best_sequences(
        free.free_s[courier],
        legs.seconds.reshape(b, 2 * q + 1, 2 * q + 1),
        orders.ready_s[order],
        np.where(np.isnan(due), np.inf, due),
        orders.pickup_before_s[order],
        orders.pickup_after_s[order],
        orders.dropoff_before_s[order],
        orders.dropoff_after_s[order],
    )
    return time_sequences(tables, free, pairs, group, best.node, travel, rules)


def _along(
    tables: Tables,
    free: Availability,
    courier: Ints,
    order: Ints,
    is_pickup: NDArray[np.bool_],
    travel: TravelTimes,
) -> Legs:
    """Travel to every stop from the one before, shape (b, stops)."""
    start, pickup, dropoff = free.place[courier], tables.orders.pickup, tables.orders.dropoff
    stops = order.shape[1]
    lat, lon, row = (
        np.concatenate(
            (
                getattr(start, axis)[:, None],
                np.where(is_pickup, getattr(pickup, axis)[order], getattr(dropoff, axis)[order]),
            ),
            axis=1,
        )
        for axis in ("lat", "lon", "row")
    )
    who = np.repeat(courier, stops)
    legs = travel.legs(
        Points(lat[:, :-1].ravel(), lon[:, :-1].ravel(), row[:, :-1].ravel()),
        Points(lat[:, 1:].ravel(), lon[:, 1:].ravel(), row[:, 1:].ravel()),
        tables.couriers.kind[who],
        tables.couriers.speed_mps[who],
    )
    shape = order.shape
    return Legs(legs.seconds.reshape(shape), legs.metres.reshape(shape))


def _between_stops(
    tables: Tables, free: Availability, courier: Ints, order: Ints, travel: TravelTimes
) -> Legs:
    """Travel between all nodes (start, pickups, dropoffs) of every trip, flattened."""
    start, pickup, dropoff = (
        free.place[courier],
        tables.orders.pickup[order],
        tables.orders.dropoff[order],
    )
    lat, lon, row = (
        np.concatenate((getattr(start, axis)[:, None], *parts), axis=1)
        for axis, parts in (
            (name, (getattr(pickup, name), getattr(dropoff, name)))
            for name in ("lat", "lon", "row")
        )
    )
    nodes = lat.shape[1]
    origin, destination = np.divmod(np.arange(nodes * nodes), nodes)

    def points(node: NDArray[np.intp]) -> Points:
        return Points(lat[:, node].ravel(), lon[:, node].ravel(), row[:, node].ravel())

    who = np.repeat(courier, nodes * nodes)
    couriers = tables.couriers
    return travel.legs(
        points(origin), points(destination), couriers.kind[who], couriers.speed_mps[who]
    )
