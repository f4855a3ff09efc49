"""Which couriers could take which orders: the nearest feasible ones, and why not the others.

Candidates are looked up in a k-d tree over the places where couriers will be free and tested in
blocks, so the work grows with orders x candidates, never with orders x couriers.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dispatch.availability import Availability
from dispatch.columns import Timing, Trip
from dispatch.config import CandidateRules
from dispatch.tables import Floats, Ints, Points, Tables
from dispatch.travel import EARTH_RADIUS_M, TravelTimes

# searched per candidate wanted, so that most orders need one round even when some are infeasible
_OVERSAMPLE = 1.6


class Constraint(StrEnum):
    """Why a courier cannot be offered an order, in the order in which they are tested."""

    OFFER_PENDING = "offer_pending"
    CAPACITY = "capacity"
    SHIFT_OVER = "shift_over"
    TOO_FAR = "too_far"
    REFUSED = "refused"
    SKILLS = "skills"
    SIZE = "size"
    RANGE = "range"
    SHIFT_END = "shift_end"


CONSTRAINTS: tuple[Constraint, ...] = tuple(Constraint)
_CODE = {constraint: code for code, constraint in enumerate(CONSTRAINTS)}


@dataclass(frozen=True, slots=True, eq=False)
class CandidatePairs:
    """Feasible (order, courier) pairs, sorted by order row, then courier row.

    Attributes
    ----------
    order, courier
        Rows into the order and courier tables, shape (k,).
    trip, timing
        The courier taking that order alone once free, shape (k,).
    refused
        Couriers ruled out per order and constraint, each counted at the first constraint that
        rules it out, shape (n, number of constraints).
    feasible, cut
        Feasible couriers found per order, and couriers that were never looked at or were feasible
        but farther than the nearest kept, shape (n,).
    """

    order: Ints
    courier: Ints
    trip: Trip
    timing: Timing
    refused: Ints
    feasible: Ints
    cut: Ints

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, rows: Ints) -> "CandidatePairs":
        return replace(
            self,
            order=self.order[rows],
            courier=self.courier[rows],
            trip=self.trip[rows],
            timing=self.timing[rows],
        )


def _on_sphere(points: Points) -> Floats:
    lat, lon = np.radians(points.lat), np.radians(points.lon)
    return np.column_stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))


def _courier_faults(tables: Tables, free: Availability) -> NDArray[np.int8]:
    """First constraint that keeps a courier from any order at all (-1: none), shape (m,)."""
    couriers = tables.couriers
    fault = np.full(len(couriers), -1, dtype=np.int8)
    over = ~np.isnan(couriers.shift_end_s) & (couriers.shift_end_s <= free.free_s)
    fault[over] = _CODE[Constraint.SHIFT_OVER]
    fault[couriers.free_orders < 1] = _CODE[Constraint.CAPACITY]
    fault[couriers.pending] = _CODE[Constraint.OFFER_PENDING]
    return fault


def make_trip(
    tables: Tables, free: Availability, travel: TravelTimes, order: Ints, courier: Ints
) -> Trip:
    """Measure couriers taking orders alone once they are free; rows given, shape (k,)."""
    orders, couriers = tables.orders, tables.couriers
    kind, speed = couriers.kind[courier], couriers.speed_mps[courier]
    start, pickup, dropoff = free.place[courier], orders.pickup[order], orders.dropoff[order]
    to_pickup = travel.legs(start, pickup, kind, speed)
    leg = travel.legs(pickup, dropoff, kind, speed)
    return Trip(
        free_s=free.free_s[courier],
        to_pickup_s=to_pickup.seconds,
        to_pickup_m=to_pickup.metres,
        trip_s=leg.seconds,
        trip_m=leg.metres,
        direct_s=travel.legs(start, dropoff, kind, speed).seconds,
        ready_s=orders.ready_s[order],
        pickup_before_s=orders.pickup_before_s[order],
        pickup_after_s=orders.pickup_after_s[order],
        dropoff_before_s=orders.dropoff_before_s[order],
        dropoff_after_s=orders.dropoff_after_s[order],
    )


def _first_fault(
    tables: Tables,
    free: Availability,
    trip: Trip,
    rules: CandidateRules,
    order: Ints,
    courier: Ints,
) -> NDArray[np.int8]:
    """First constraint each pair violates (-1: none), shape (k,)."""
    orders, couriers = tables.orders, tables.couriers
    timing = trip.timing()
    covered_s = timing.picked_up_s if rules.shift_covers == "pickup" else timing.done_s
    ride_m = free.metres[courier] + trip.to_pickup_m + trip.trip_m
    lacking = (orders.skills[order] & ~couriers.skills[courier]).any(axis=1)
    fault = np.full(len(order), -1, dtype=np.int8)
    # written from the last constraint to the first, so that the first one stays
    for constraint, violated in (
        (Constraint.SHIFT_END, covered_s > couriers.shift_end_s[courier]),
        (Constraint.RANGE, ride_m > couriers.range_m[courier]),
        (Constraint.SIZE, orders.size[order] > couriers.free_size[courier]),
        (Constraint.SKILLS, lacking),
        (Constraint.REFUSED, _refused(tables, order, courier)),
    ):
        fault[violated] = _CODE[constraint]
    return fault


def _refused(tables: Tables, order: Ints, courier: Ints) -> NDArray[np.bool_]:
    """Tell which pairs (k,) have been refused before; the few refusals are what is searched."""
    n = len(tables.couriers)
    known = np.append(np.sort(tables.refused[:, 0] * n + tables.refused[:, 1]), -1)
    key = order * n + courier
    return np.asarray(known[np.searchsorted(known[:-1], key)] == key)


def find_pairs(
    tables: Tables, free: Availability, travel: TravelTimes, rules: CandidateRules
) -> CandidatePairs:
    """Find each waiting order's nearest feasible couriers.

    Couriers are searched by great-circle distance within `rules.max_pickup_m`, in widening rounds
    until an order has `rules.couriers_per_order` feasible ones or none are left; those that would
    reach the pickup first are kept.
    """
    n, wanted = len(tables.orders), rules.couriers_per_order
    courier_fault = _courier_faults(tables, free)
    eligible = np.flatnonzero(courier_fault < 0)
    waiting = np.flatnonzero(~tables.orders.locked)
    refused = np.zeros((n, len(CONSTRAINTS)), dtype=np.int64)
    refused[waiting] = np.bincount(courier_fault[courier_fault >= 0], minlength=len(CONSTRAINTS))
    feasible, cut = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    kept: list[tuple[Ints, Ints, Trip]] = []

    pickups = _on_sphere(tables.orders.pickup)
    chord = 2 * np.sin(min(rules.max_pickup_m / (2 * EARTH_RADIUS_M), np.pi / 2))
    tree = cKDTree(_on_sphere(free.place[eligible])) if len(eligible) else None
    reach = min(len(eligible), int(_OVERSAMPLE * wanted) + 8)
    todo = waiting
    while tree is not None and len(todo):
        _, near = tree.query(pickups[todo], k=np.arange(1, reach + 1), distance_upper_bound=chord)
        near = np.asarray(near)
        row, column = np.nonzero(near < len(eligible))
        order, courier = todo[row], eligible[near[row, column]]
        trip = make_trip(tables, free, travel, order, courier)
        fault = _first_fault(tables, free, trip, rules, order, courier)
        count = np.bincount(order, minlength=n)
        good = np.bincount(order[fault < 0], minlength=n)
        out_of_reach = count < reach
        ended = out_of_reach | (good >= wanted) | (reach == len(eligible))
        done = todo[ended[todo]]
        feasible[done] = good[done]
        cut[done] = np.where(out_of_reach, 0, len(eligible) - count)[done]
        refused[done, _CODE[Constraint.TOO_FAR]] = np.where(out_of_reach, len(eligible) - count, 0)[
            done
        ]
        faulty = ended[order] & (fault >= 0)
        np.add.at(refused, (order[faulty], fault[faulty]), 1)
        chosen = np.flatnonzero(ended[order] & (fault < 0))
        chosen = chosen[
            _within_first(order[chosen], (trip.free_s + trip.to_pickup_s)[chosen], wanted)
        ]
        kept.append((order[chosen], courier[chosen], trip[chosen]))
        todo = todo[~ended[todo]]
        reach = min(len(eligible), 4 * reach)

    none = np.empty(0, dtype=np.int64)
    kept = kept or [(none, none, make_trip(tables, free, travel, none, none))]
    order = np.concatenate([own for own, _, _ in kept])
    courier = np.concatenate([own for _, own, _ in kept])
    cut += feasible - np.bincount(order, minlength=n)
    by_row = np.lexsort((courier, order))
    trip = Trip.joined([own for _, _, own in kept])[by_row]
    return CandidatePairs(
        order=order[by_row],
        courier=courier[by_row],
        trip=trip,
        timing=trip.timing(),
        refused=refused,
        feasible=feasible,
        cut=cut,
    )


def _within_first(group: Ints, key: Floats, count: int) -> Ints:
    """Index the `count` smallest keys of each group; ties keep their sequence."""
    by_key = np.lexsort((np.arange(len(group)), key, group))
    first = np.searchsorted(group[by_key], group[by_key], side="left")
    return np.asarray(by_key[np.arange(len(group)) - first < count])
