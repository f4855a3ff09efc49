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
from dispatch.interleaving import Alone, take_alone
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
    alone
        The courier taking that order alone once free, or among stops on board that are open.
    refused
        Couriers ruled out per order and constraint, each counted at the first constraint that
        rules it out, shape (n, number of constraints).
    feasible, cut
        Feasible couriers found per order, and couriers that were never looked at or were feasible
        but farther than the nearest kept, shape (n,).
    """

    order: Ints
    courier: Ints
    alone: Alone
    refused: Ints
    feasible: Ints
    cut: Ints

    @property
    def trip(self) -> Trip:
        """The ways of each pair, shape (k,)."""
        return self.alone.trip

    @property
    def timing(self) -> Timing:
        """The times of each pair, shape (k,)."""
        return self.alone.timing

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, rows: Ints) -> "CandidatePairs":
        return replace(
            self,
            order=self.order[rows],
            courier=self.courier[rows],
            alone=self.alone[rows],
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
    fault[free.room_orders < 1] = _CODE[Constraint.CAPACITY]
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
    sequenced: NDArray[np.bool_],
    rules: CandidateRules,
    order: Ints,
    courier: Ints,
) -> NDArray[np.int8]:
    """First constraint each pair violates (-1: none), shape (k,).

    `trip` comes after all stops on board; `sequenced` pairs of couriers with open stops can be made
    whether or not it can.
    """
    orders, couriers = tables.orders, tables.couriers
    timing = trip.timing()
    closed = (free.opened[courier] == 0) | ~sequenced
    covered_s = timing.picked_up_s if rules.shift_covers == "pickup" else timing.done_s
    ride_m = free.metres[courier] + trip.to_pickup_m + trip.trip_m
    lacking = (orders.skills[order] & ~couriers.skills[courier]).any(axis=1)
    fault = np.full(len(order), -1, dtype=np.int8)
    # written from the last constraint to the first, so that the first one stays
    for constraint, violated in (
        (Constraint.SHIFT_END, ~sequenced | (closed & (covered_s > couriers.shift_end_s[courier]))),
        (Constraint.RANGE, closed & (ride_m > couriers.range_m[courier])),
        (Constraint.SIZE, orders.size[order] > free.room_size[courier]),
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

    def taken(order: Ints, courier: Ints) -> tuple[Trip, Alone]:
        trip = make_trip(tables, free, travel, order, courier)
        return trip, take_alone(tables, free, travel, rules, order, courier, trip)

    kept = [np.empty((0, 2), dtype=np.int64)]
    found = [taken(kept[0][:, 0], kept[0][:, 1])[1]]

    pickups = _on_sphere(tables.orders.pickup)
    chord = 2 * np.sin(min(rules.max_pickup_m / (2 * EARTH_RADIUS_M), np.pi / 2))
    owner, places = _turning_points(tables, free, eligible)
    tree = cKDTree(_on_sphere(places)) if len(owner) else None
    reach = min(len(owner), int(_OVERSAMPLE * wanted) + 8)
    todo = waiting
    while tree is not None and len(todo):
        _, near = tree.query(pickups[todo], k=np.arange(1, reach + 1), distance_upper_bound=chord)
        near = np.asarray(near)
        row, column = np.nonzero(near < len(owner))
        order, courier = todo[row], owner[near[row, column]]
        out_of_reach = np.bincount(order, minlength=n) < reach
        if len(owner) > len(eligible):  # some were found at several places
            _, once = np.unique(order * len(tables.couriers) + courier, return_index=True)
            order, courier = order[np.sort(once)], courier[np.sort(once)]
        trip, alone = taken(order, courier)
        fault = _first_fault(tables, free, trip, alone.sequence >= 0, rules, order, courier)
        count = np.bincount(order, minlength=n)
        good = np.bincount(order[fault < 0], minlength=n)
        ended = out_of_reach | (good >= wanted) | (reach == len(owner))
        done = todo[ended[todo]]
        feasible[done] = good[done]
        cut[done] = np.where(out_of_reach, 0, len(eligible) - count)[done]
        refused[done, _CODE[Constraint.TOO_FAR]] = np.where(out_of_reach, len(eligible) - count, 0)[
            done
        ]
        faulty = ended[order] & (fault >= 0)
        np.add.at(refused, (order[faulty], fault[faulty]), 1)
        chosen = np.flatnonzero(ended[order] & (fault < 0))
        chosen = chosen[_within_first(order[chosen], alone.timing.arrive_s[chosen], wanted)]
        kept.append(np.column_stack((order[chosen], courier[chosen])))
        found.append(alone[chosen])
        todo = todo[~ended[todo]]
        reach = min(len(owner), 4 * reach)

    pairs = np.concatenate(kept)
    by_order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs = pairs[by_order]
    cut += feasible - np.bincount(pairs[:, 0], minlength=n)
    return CandidatePairs(
        order=pairs[:, 0],
        courier=pairs[:, 1],
        alone=Alone.joined(found)[by_order],
        refused=refused,
        feasible=feasible,
        cut=cut,
    )


def _turning_points(tables: Tables, free: Availability, eligible: Ints) -> tuple[Ints, Points]:
    """List where couriers could turn to a pickup: their rows, and the places, shape (p,) each.

    That is where they will be free, where they start, and every open stop.
    """
    owner, places = [eligible], [free.place[eligible]]
    for back in range(int(free.opened[eligible].max(initial=0))):
        some = eligible[free.opened[eligible] > back]  # the last stop is where they will be free
        before = free.first_open[some] + back - 1
        owner.append(some)
        places.append(free.start[some] if back == 0 else tables.board.place[before])
    if len(owner) == 1:
        return eligible, places[0]
    lat, lon, row = (
        np.concatenate([getattr(p, axis) for p in places]) for axis in ("lat", "lon", "row")
    )
    return np.concatenate(owner), Points(lat, lon, row)


def _within_first(group: Ints, key: Floats, count: int) -> Ints:
    """Index the `count` smallest keys of each group; ties keep their sequence."""
    by_key = np.lexsort((np.arange(len(group)), key, group))
    first = np.searchsorted(group[by_key], group[by_key], side="left")
    return np.asarray(by_key[np.arange(len(group)) - first < count])
