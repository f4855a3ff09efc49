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
from dispatch.interleaving import trip_data
from dispatch.pairs import CandidatePairs
from dispatch.routes import between_orders
from dispatch.tables import Floats, Ints, Points, Tables
from dispatch.travel import EARTH_RADIUS_M, TravelTimes
from dispatch.trips import Trips, time_sequences
from models import PairColumns
from optimization import stop_sequences
from optimization.bundling import BundleCaps, EdgeLegs, bundle_columns


@dataclass(frozen=True, slots=True, eq=False)
class Bundles:
    """Bundles that may be offered, grouped by their number of orders.

    Attributes
    ----------
    trips
        One entry per number of orders and open stops: the bundles' couriers, candidate pairs and
        timed stops.
    door_in_s, late_s
        Seconds from now to the door and past the promise, added over each bundle's orders,
        shape (b,), in the sequence of `trips`; what the trip delays orders on board by comes in.
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
    orders = tables.orders
    data = trip_data(tables, free, travel, rules, pairs.order, pairs.courier, rows)
    # from where the courier starts, or by way of stops on board
    reach_s = data.free_s[pairs.courier] + data.to_pickup_s
    by_way = free.opened[pairs.courier] > 0
    reach_s[by_way] = pairs.timing.arrive_s[by_way] - tables.now_s

    def legs(first: Ints, second: Ints) -> EdgeLegs:
        return between_orders(
            tables,
            travel,
            pairs.order[first],
            pairs.order[second],
            pairs.courier[first],
            one_visit_per_place=bundling.one_visit_per_place,
        )

    found = bundle_columns(
        data,
        reach_s,
        _on_earth_m(orders.pickup[rows]),
        _on_earth_m(orders.dropoff[rows]),
        orders.size[rows],
        np.minimum(free.room_orders, rules.max_new_orders),
        free.room_size,
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
    opened = free.opened[pairs.courier[found.pair[:, 0]]]
    groups, door_in, late = [], [np.zeros(0)], [np.zeros(0)]
    for q in range(2, rules.max_new_orders + 1):
        for c in np.unique(opened[found.orders == q]).tolist() or [0]:
            group = np.flatnonzero((found.orders == q) & (opened == c))
            mine = found.pair[group, :q]
            trips = time_sequences(
                tables,
                free,
                pairs.courier[mine[:, 0]],
                pairs.order[mine],
                stop_sequences(q, c)[found.sequence[group]],
                travel,
                rules,
                pairs=mine,
                one_visit_per_place=bundling.one_visit_per_place,
            )
            # enumerated from now on, timed in epoch seconds: one may just fit, the other just not
            trips = trips[np.flatnonzero(trips.feasible)]
            at_door = (trips.order >= 0) & ~trips.is_pickup
            door = np.where(at_door, trips.event_s - tables.now_s, 0.0)
            due_in = np.where(at_door, orders.due_s[trips.order] - tables.now_s, np.nan)
            groups.append(trips)
            door_in.append(door.sum(axis=1) + trips.delay_s)
            late.append(np.nan_to_num(np.maximum(door - due_in, 0.0)).sum(axis=1) + trips.late_s)
    return Bundles(groups, np.concatenate(door_in), np.concatenate(late), found.counts)


def bundle_raw_columns(
    tables: Tables,
    free: Availability,
    travel: TravelTimes,
    columns: PairColumns,
    bundles: Bundles,
) -> dict[str, Floats]:
    """Describe bundles to the acceptance model in the columns of single offers, (b,) each.

    `to_pickup` leads to the first new stop and `trip` from there to the last, by stops on board
    that come between; `detour` is both less the way straight to the last; `wait` adds up over the
    pickups; `slack` is the least of any order; pay, value and size add up; `attempt` is the
    largest, `local_demand` the mean. The rest belongs to the courier or the moment.

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
        orders, last = tables.orders, trips.at(trips.last, trips.order)
        courier = trips.courier
        place, start = trips.begun(tables, free)
        ride_s, ride_m = trips.new_legs(trips.leg_s), trips.new_legs(trips.leg_m)
        before = orders.pickup_before_s[trips.order]
        new = trips.order >= 0
        picked_up, dropped = new & trips.is_pickup, new & ~trips.is_pickup
        waits = np.where(picked_up, trips.event_s - trips.arrive_s - before, 0.0)
        again = np.zeros_like(trips.is_pickup)  # in a visit counted already
        again[:, 1:] = picked_up[:, 1:] & picked_up[:, :-1]
        for moment in (trips.arrive_s, trips.event_s):
            again[:, 1:] &= moment[:, 1:] == moment[:, :-1]
        waits[again] = 0.0
        slack = np.where(dropped, orders.due_s[trips.order] - trips.event_s, np.nan)
        promised = ~np.isnan(slack).all(axis=1)
        least = np.where(np.isnan(slack), np.inf, slack).min(axis=1)
        direct = travel.legs(
            place,
            orders.dropoff[last],
            tables.couriers.kind[courier],
            tables.couriers.speed_mps[courier],
        ).seconds
        to_pickup = trips.at(trips.first, trips.arrive_s) - start
        to_pickup_m = trips.at(trips.first, trips.leg_m)
        described |= {
            "to_pickup_s": to_pickup,
            "to_pickup_m": to_pickup_m,
            "trip_s": ride_s - to_pickup,
            "trip_m": ride_m - to_pickup_m,
            "detour_s": np.maximum(ride_s - direct, 0.0),
            "wait_s": np.maximum(waits, 0.0).sum(axis=1),
            "slack_s": np.where(promised, least, np.nan),
            "pay": columns.order["pay"][together].sum(axis=1),
            "value": columns.order["value"][together].sum(axis=1),
            "order_size": columns.order["order_size"][together].sum(axis=1),
            "attempt": columns.order["attempt"][together].max(axis=1),
            "local_demand": columns.order["local_demand"][together].mean(axis=1),
            "merchant_offers": columns.order["merchant_offers"][together].sum(axis=1),
            "merchant_accepted": columns.order["merchant_accepted"][together].sum(axis=1),
        }
        parts.append(described)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _on_earth_m(points: Points) -> Floats:
    """Points as straight-line coordinates, shape (n, 3)."""
    lat, lon = np.radians(points.lat), np.radians(points.lon)
    axes = (np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat))
    return EARTH_RADIUS_M * np.column_stack(axes)
