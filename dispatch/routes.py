"""Re-timing: the exact best stop sequence of every courier's chosen orders.

Pairs are priced as if each order were taken alone; before a plan leaves, each courier's orders are
put into the best of all pickup-before-dropoff sequences and timed stop by stop.
"""

from dataclasses import dataclass

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
    metres
        Distance from where the courier is free to the last stop, shape (b,).
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
    feasible: NDArray[np.bool_]


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
    trip = np.arange(b)[:, None]
    node = best.node
    came_from = np.concatenate((np.zeros((b, 1), dtype=np.int64), node[:, :-1]), axis=1)
    metres = legs.metres.reshape(b, 2 * q + 1, 2 * q + 1)[trip, came_from, node].sum(axis=1)
    is_pickup = node <= q
    if rules.shift_covers == "pickup":
        covered = np.where(is_pickup, best.event_s, -np.inf).max(axis=1)
    else:
        covered = best.leave_s[:, -1]
    couriers = tables.couriers
    # a courier without shift end or range (NaN) is never too late or too far
    late = covered > couriers.shift_end_s[courier]
    far = free.metres[courier] + metres > couriers.range_m[courier]
    return Trips(
        courier=courier,
        pairs=group,
        order=order[trip, (node - 1) % q],
        is_pickup=is_pickup,
        arrive_s=best.arrive_s,
        event_s=best.event_s,
        leave_s=best.leave_s,
        metres=metres,
        feasible=~(late | far),
    )


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
