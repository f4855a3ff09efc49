"""Bundles: several orders for one trip, offered to a courier whole.

Candidate pairs grow into columns of two and three orders with the best feasible stop sequence of
each (`optimization.bundling`); here they are timed stop by stop and described to the acceptance
model.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dispatch.availability import Availability
from dispatch.config import BundleRules, CandidateRules
from dispatch.pairs import CandidatePairs
from dispatch.routes import Trips, same_place, time_sequences
from dispatch.tables import Floats, Ints, Points, Tables
from dispatch.travel import EARTH_RADIUS_M, Legs, TravelTimes
from models import PairColumns
from optimization import stop_sequences
from optimization.bundling import BundleCaps, EdgeLegs, TripData, bundle_columns


@dataclass(frozen=True, slots=True, eq=False)
class Bundles:
    """Bundles that may be offered, grouped by their number of orders.

    Attributes
    ----------
    trips
        One entry per number of orders: the bundles' couriers, candidate pairs and timed stops.
    door_in_s, late_s
        Seconds from now to the door and past the promise, added over each bundle's orders,
        shape (b,), in the sequence of `trips`.
    counts
        What was tried and what each rule and cap left out.
    """

    trips: list[Trips]
    door_in_s: Floats
    late_s: Floats
    counts: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.door_in_s)


def find_bundles(
    tables: Tables,
    free: Availability,
    travel: TravelTimes,
    pairs: CandidatePairs,
    rules: CandidateRules,
    bundling: BundleRules,
) -> Bundles:
    """Find the bundles that candidate pairs grow into."""
    rows = np.unique(pairs.order)  # orders without candidates are nobody's mates
    orders, couriers = tables.orders, tables.couriers
    data = _trip_data(tables, free, pairs, rows, rules)

    def legs(first: Ints, second: Ints) -> EdgeLegs:
        return _between_orders(tables, travel, pairs, first, second, bundling)

    found = bundle_columns(
        data,
        _on_earth_m(orders.pickup[rows]),
        _on_earth_m(orders.dropoff[rows]),
        orders.size[rows],
        np.minimum(couriers.free_orders, rules.max_new_orders),
        couriers.free_size,
        legs,
        BundleCaps(
            max_orders=rules.max_new_orders,
            mates_per_order=bundling.mates_per_order,
            couriers_per_pair=bundling.couriers_per_pair,
            couriers_per_triple=bundling.couriers_per_triple,
            orders_per_courier=bundling.orders_per_courier,
            max_ready_gap_s=bundling.max_ready_gap_s,
            finish_first=bundling.finish_first,
        ),
    )
    groups, door_in, late = [], [], []
    for q in range(2, rules.max_new_orders + 1):
        group = np.flatnonzero(found.orders == q)
        node = stop_sequences(q)[found.sequence[group]]
        trips = time_sequences(
            tables,
            free,
            pairs,
            found.pair[group, :q],
            node,
            travel,
            rules,
            one_visit_per_place=bundling.one_visit_per_place,
        )
        door = np.where(trips.is_pickup, 0.0, trips.event_s - tables.now_s)
        due_in = np.where(trips.is_pickup, np.nan, orders.due_s[trips.order] - tables.now_s)
        groups.append(trips)
        door_in.append(door.sum(axis=1))
        late.append(np.nan_to_num(np.maximum(door - due_in, 0.0)).sum(axis=1))
    return Bundles(groups, np.concatenate(door_in), np.concatenate(late), found.counts)


def bundle_raw_columns(
    tables: Tables,
    free: Availability,
    travel: TravelTimes,
    columns: PairColumns,
    bundles: Bundles,
) -> dict[str, Floats]:
    """Describe bundles to the acceptance model in the columns of single offers, (b,) each.

    `to_pickup` leads to the first stop and `trip` from there to the last; `detour` is both less the
    way straight to the last stop; `wait` adds up over the pickups; `slack` is the least of any
    order; pay, value and size add up; `attempt` is the largest. The rest belongs to the courier or
    the moment.

    Parameters
    ----------
    tables, free, travel
        As in `find_bundles`.
    columns
        What the model is told of the candidate pairs.
    bundles
        What to describe.
    """
    parts: list[dict[str, Floats]] = []
    for trips in bundles.trips:
        described = columns.take(trips.pairs[:, 0]).expand()
        together = columns.order_row[trips.pairs]
        orders, last = tables.orders, trips.order[:, -1]
        courier = trips.courier
        start = free.free_s[courier]
        ride_s = trips.ride_s
        before = orders.pickup_before_s[trips.order]
        waits = np.where(trips.is_pickup, trips.event_s - trips.arrive_s - before, 0.0)
        again = np.zeros_like(trips.is_pickup)  # in a visit counted already
        again[:, 1:] = trips.is_pickup[:, 1:] & trips.is_pickup[:, :-1]
        for moment in (trips.arrive_s, trips.event_s):
            again[:, 1:] &= moment[:, 1:] == moment[:, :-1]
        waits[again] = 0.0
        slack = np.where(trips.is_pickup, np.nan, orders.due_s[trips.order] - trips.event_s)
        promised = ~np.isnan(slack).all(axis=1)
        least = np.where(np.isnan(slack), np.inf, slack).min(axis=1)
        direct = travel.legs(
            free.place[courier],
            orders.dropoff[last],
            tables.couriers.kind[courier],
            tables.couriers.speed_mps[courier],
        ).seconds
        to_pickup = trips.arrive_s[:, 0] - start
        described |= {
            "to_pickup_s": to_pickup,
            "to_pickup_m": trips.first_m,
            "trip_s": ride_s - to_pickup,
            "trip_m": trips.metres - trips.first_m,
            "detour_s": np.maximum(ride_s - direct, 0.0),
            "wait_s": np.maximum(waits, 0.0).sum(axis=1),
            "slack_s": np.where(promised, least, np.nan),
            "pay": columns.order["pay"][together].sum(axis=1),
            "value": columns.order["value"][together].sum(axis=1),
            "order_size": columns.order["order_size"][together].sum(axis=1),
            "attempt": columns.order["attempt"][together].max(axis=1),
            "merchant_offers": columns.order["merchant_offers"][together].sum(axis=1),
            "merchant_accepted": columns.order["merchant_accepted"][together].sum(axis=1),
        }
        parts.append(described)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _trip_data(
    tables: Tables, free: Availability, pairs: CandidatePairs, rows: Ints, rules: CandidateRules
) -> TripData:
    orders, couriers, trip = tables.orders, tables.couriers, pairs.trip

    def or_never(limit: Floats) -> Floats:
        return np.where(np.isnan(limit), np.inf, limit)

    shift_end = or_never(couriers.shift_end_s - tables.now_s)
    never = np.full(len(couriers), np.inf)
    by_pickup = rules.shift_covers == "pickup"
    return TripData(
        order=np.searchsorted(rows, pairs.order).astype(np.int64),
        courier=pairs.courier,
        to_pickup_s=trip.to_pickup_s,
        own_s=trip.trip_s,
        ready_s=orders.ready_s[rows] - tables.now_s,
        due_s=or_never(orders.due_s[rows] - tables.now_s),
        pickup_before_s=orders.pickup_before_s[rows],
        pickup_after_s=orders.pickup_after_s[rows],
        dropoff_before_s=orders.dropoff_before_s[rows],
        dropoff_after_s=orders.dropoff_after_s[rows],
        free_s=free.free_s - tables.now_s,
        pickup_end_s=shift_end if by_pickup else never,
        end_s=never if by_pickup else shift_end,
        range_m=or_never(couriers.range_m - free.metres),
        to_pickup_m=trip.to_pickup_m,
        own_m=trip.trip_m,
    )


def _between_orders(
    tables: Tables,
    travel: TravelTimes,
    pairs: CandidatePairs,
    first: Ints,
    second: Ints,
    bundling: BundleRules,
) -> EdgeLegs:
    """Measure all eight legs between the stops of two orders, for the courier of both."""
    orders, courier = tables.orders, pairs.courier[first]
    a, b = pairs.order[first], pairs.order[second]
    pickup_a, dropoff_a = orders.pickup[a], orders.dropoff[a]
    pickup_b, dropoff_b = orders.pickup[b], orders.dropoff[b]
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
        same_place(pickup_a, pickup_b) if bundling.one_visit_per_place else None,
    )


def _on_earth_m(points: Points) -> Floats:
    """Points as straight-line coordinates, shape (n, 3)."""
    lat, lon = np.radians(points.lat), np.radians(points.lon)
    axes = (np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat))
    return EARTH_RADIUS_M * np.column_stack(axes)
