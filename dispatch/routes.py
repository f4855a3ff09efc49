"""Re-timing: the exact best stop sequence of every courier's chosen orders.

Pairs are priced as if each order were taken alone; before a plan leaves, each courier's orders are
put into the best of all pickup-before-dropoff sequences, open stops on board among them, and timed
stop by stop.
"""

import numpy as np
from numpy.typing import NDArray

from dispatch.availability import Availability
from dispatch.config import CandidateRules
from dispatch.interleaving import trip_data
from dispatch.pairs import CandidatePairs
from dispatch.tables import Floats, Ints, Points, Tables
from dispatch.travel import Legs, TravelTimes
from dispatch.trips import Flags, Trips, same_place, time_sequences
from optimization import best_sequences, stop_sequences
from optimization.bundling import EdgeLegs, Lanes, sequence_trips


def time_trips(
    tables: Tables,
    free: Availability,
    pairs: CandidatePairs,
    chosen: Ints,
    travel: TravelTimes,
    rules: CandidateRules,
) -> list[Trips]:
    """Time every courier's trip of the `chosen` pairs, grouped by number of orders and stops."""
    by_courier = chosen[np.lexsort((pairs.order[chosen], pairs.courier[chosen]))]
    courier, start, count = np.unique(
        pairs.courier[by_courier], return_index=True, return_counts=True
    )
    groups = []
    for q in np.unique(count).tolist():
        for c in np.unique(free.opened[courier[count == q]]).tolist():
            of_group = (count == q) & (free.opened[courier] == c)
            group = by_courier[start[of_group][:, None] + np.arange(q)]
            who, order = courier[of_group], pairs.order[group]
            made: Flags | None = None
            if c == 0:
                node = _after_all(tables, free, who, order, travel)
            elif q == 1:
                node = stop_sequences(1, c)[pairs.alone.sequence[group[:, 0]]]
            else:
                best = _among_open(tables, free, who, order, travel, rules)
                # a trip that cannot be made is given in any sequence
                made, node = best >= 0, stop_sequences(q, c)[np.maximum(best, 0)]
            trips = time_sequences(tables, free, who, order, node, travel, rules, pairs=group)
            groups.append(trips if made is None else trips.where_feasible(made))
    return groups


def handover_in_s(
    pairs: CandidatePairs, trips: list[Trips], now_s: float, *, at_door: bool
) -> Floats:
    """Time each chosen pair's dropoff or pickup in its trip, from now, shape (k,); else NaN."""
    moment = np.full(len(pairs), np.nan)
    for group in trips:
        match = group.order[:, :, None] == pairs.order[group.pairs][:, None, :]
        pair = np.take_along_axis(group.pairs, match.argmax(axis=2), axis=1)
        wanted = (group.order >= 0) & (group.is_pickup != at_door)
        moment[pair[wanted]] = group.event_s[wanted]
    return moment - now_s


def delays_s(pairs: CandidatePairs, trips: list[Trips]) -> tuple[Floats, Floats]:
    """Share what each trip delays orders on board by, and how far past promises, among its orders.

    Seconds, shape (k,); 0 for pairs that were not chosen.
    """
    delay, late = np.zeros(len(pairs)), np.zeros(len(pairs))
    for group in trips:
        q = group.pairs.shape[1]
        delay[group.pairs] = group.delay_s[:, None] / q
        late[group.pairs] = group.late_s[:, None] / q
    return delay, late


def between_orders(
    tables: Tables,
    travel: TravelTimes,
    first: Ints,
    second: Ints,
    courier: Ints,
    *,
    one_visit_per_place: bool = False,
) -> EdgeLegs:
    """Measure all eight legs between the stops of two orders, rows of the table, shape (e,)."""
    orders = tables.orders
    pickup_a, dropoff_a = orders.pickup[first], orders.dropoff[first]
    pickup_b, dropoff_b = orders.pickup[second], orders.dropoff[second]
    kind, speed = tables.couriers.kind[courier], tables.couriers.speed_mps[courier]

    def leg(origin: Points, destination: Points) -> Legs:
        return travel.legs(origin, destination, kind, speed)

    legs = [
        leg(pickup_a, pickup_b),
        leg(pickup_a, dropoff_b),
        leg(dropoff_a, pickup_b),
        leg(dropoff_a, dropoff_b),
        leg(pickup_b, pickup_a),
        leg(pickup_b, dropoff_a),
        leg(dropoff_b, pickup_a),
        leg(dropoff_b, dropoff_a),
    ]
    return EdgeLegs(
        np.stack([one.seconds for one in legs]),
        np.stack([one.metres for one in legs]),
        same_place(pickup_a, pickup_b) if one_visit_per_place else None,
    )


def _among_open(
    tables: Tables,
    free: Availability,
    courier: Ints,
    order: Ints,
    travel: TravelTimes,
    rules: CandidateRules,
) -> Ints:
    """Row of the best sequence among open stops of each trip, shape (b,); -1 if there is none."""
    b, q = order.shape
    data = trip_data(tables, free, travel, rules, order.ravel(), np.repeat(courier, q))
    first, second = np.triu_indices(q, 1)
    who = np.repeat(courier, len(first))
    legs = between_orders(tables, travel, order[:, first].ravel(), order[:, second].ravel(), who)
    edge_lane = np.arange(len(who)).reshape(b, -1)
    lanes = Lanes(np.arange(b), np.arange(b * q).reshape(b, q), edge_lane, 0)
    return sequence_trips(data, lanes, legs)[0]


def _after_all(
    tables: Tables, free: Availability, courier: Ints, order: Ints, travel: TravelTimes
) -> Ints:
    """Find the best stops, as nodes, of couriers with no stop open, shape (b, 2q)."""
    orders, (b, q) = tables.orders, order.shape
    legs = _between_stops(tables, free, courier, order, travel)
    due = orders.due_s[order]
    return best_sequences(
        free.free_s[courier],
        legs.seconds.reshape(b, 2 * q + 1, 2 * q + 1),
        orders.ready_s[order],
        np.where(np.isnan(due), np.inf, due),
        orders.pickup_before_s[order],
        orders.pickup_after_s[order],
        orders.dropoff_before_s[order],
        orders.dropoff_after_s[order],
    ).node


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
