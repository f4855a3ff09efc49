"""From candidate pairs to bundle columns: mates, couriers, and exact sequences, within caps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from optimization.bundles import MAX_ORDERS, stop_sequences
from optimization.bundling.lanes import Lanes, courier_couples, pair_lanes, triple_lanes
from optimization.bundling.mates import Floats, Ints, mates, triangles
from optimization.bundling.sequencing import sequence_trips
from optimization.bundling.trips import EdgeLegs, TripData
from optimization.errors import ProblemError


@dataclass(frozen=True, slots=True)
class BundleCaps:
    """How many bundles are tried; what each cap leaves out is counted in `Bundles.counts`.

    Attributes
    ----------
    max_orders
        2 or 3 new orders in one bundle.
    mates_per_order
        With how many others each order may share a trip.
    couriers_per_pair, couriers_per_triple
        Nearest couriers tried with every two and every three orders.
    orders_per_courier
        How many of its nearest orders each courier is tried with by twos, mates or not.
    max_ready_gap_s
        Orders whose ready times lie farther apart share no trip.
    finish_first
        Whether a courier delivers all it carries before the next pickup, but for those of one
        visit (`EdgeLegs.one_visit`).
    """

    max_orders: int = MAX_ORDERS
    mates_per_order: int = 6
    couriers_per_pair: int = 12
    couriers_per_triple: int = 8
    orders_per_courier: int = 4
    max_ready_gap_s: float = 900.0
    finish_first: bool = False

    def __post_init__(self) -> None:
        faults = [
            f"{field.name}: expected a positive number, got {getattr(self, field.name)}"
            for field in fields(self)
            if field.name != "finish_first" and not getattr(self, field.name) > 0
        ]
        if not 2 <= self.max_orders <= MAX_ORDERS:
            faults.append(f"max_orders: expected 2 or {MAX_ORDERS}, got {self.max_orders}")
        if faults:
            raise ProblemError(faults)


@dataclass(frozen=True, slots=True, eq=False)
class Bundles:
    """Columns of two and three orders with the best feasible stop sequence of each.

    Attributes
    ----------
    pair
        (b, 3) candidate (order, courier) pairs of each column; -1 where it has but two orders.
    sequence
        (b,) row of `stop_sequences(q, opened)`, `opened` the courier's open stops: all other
        sequences of the column are dominated.
    cost_s
        (b,) sum of door times, in the origin of the data, and lateness.
    counts
        What was tried and what was left out: "pairs tried", "pairs infeasible", "triples tried",
        "triples infeasible", "sequences", "mates cut", "pairs cut", "triples cut".
    """

    pair: Ints
    sequence: Ints
    cost_s: Floats
    counts: Mapping[str, int]

    @property
    def orders(self) -> Ints:
        """(b,) number of orders in each column."""
        return np.asarray((self.pair >= 0).sum(axis=1))

    def __len__(self) -> int:
        return len(self.sequence)


def bundle_columns(
    data: TripData,
    reach_s: Floats,
    pickup_m: Floats,
    dropoff_m: Floats,
    size: Ints,
    room_orders: Ints,
    room_size: Ints,
    legs: Callable[[Ints, Ints], EdgeLegs],
    caps: BundleCaps,
) -> Bundles:
    """Generate every bundle that the caps allow and some courier can make.

    A courier is tried with orders it is a candidate of, one by one; with three only where it can
    make all three trips of two of them.

    Parameters
    ----------
    data
        Orders, couriers and candidate pairs.
    reach_s
        (k,) when the courier could be at the pickup: what "nearest" means.
    pickup_m, dropoff_m
        (n, d) straight-line coordinates, for choosing mates only.
    size
        (n,) size of each order.
    room_orders, room_size
        (m,) how many orders and how much size each courier can take.
    legs
        Gives the travel between the stops of orders a and b by the courier of both, for pairs
        (ids into the candidate pairs) of a and of b, (e,) each.
    caps
        What is tried.

    Raises
    ------
    ProblemError
        If arrays disagree in length, the pairs are not sorted, or a number is not finite.
    """
    _require_sound(data, reach_s, pickup_m, dropoff_m, size, room_orders, room_size)
    close, mates_cut = mates(
        pickup_m, dropoff_m, data.ready_s, caps.mates_per_order, caps.max_ready_gap_s
    )

    def room(orders: int) -> Ints:
        return np.where(room_orders >= orders, room_size, -1)

    couples = courier_couples(data.order, data.courier, reach_s, room(2), caps.orders_per_courier)
    gap_s = np.abs(np.diff(data.ready_s[couples], axis=1)).ravel()
    edges = np.unique(np.concatenate((close, couples[gap_s <= caps.max_ready_gap_s])), axis=0)
    n = len(size)
    mated = np.isin(edges[:, 0] * n + edges[:, 1], close[:, 0] * n + close[:, 1])
    pairs = pair_lanes(
        edges,
        mated,
        data.order,
        data.courier,
        reach_s,
        size,
        room(2),
        caps.couriers_per_pair,
        caps.orders_per_courier,
    )
    between = legs(pairs.pair[:, 0], pairs.pair[:, 1])
    found = [(pairs, *sequence_trips(data, pairs, between, finish_first=caps.finish_first))]
    if caps.max_orders == MAX_ORDERS:
        triples = triple_lanes(
            np.flatnonzero(mated)[triangles(close, n)],
            pairs,
            found[0][1] >= 0,
            data.order,
            data.courier,
            reach_s,
            size,
            room(3),
            caps.couriers_per_triple,
        )
        timed = sequence_trips(data, triples, between, finish_first=caps.finish_first)
        found.append((triples, *timed))
    counts = {"mates cut": mates_cut, "sequences": 0}
    for name, (lanes, sequence, _) in zip(("pairs", "triples"), found, strict=False):
        counts[f"{name} tried"] = len(lanes)
        counts[f"{name} infeasible"] = int((sequence < 0).sum())
        counts[f"{name} cut"] = lanes.cut
        counts["sequences"] += _sequences(data, lanes)
    kept = [np.flatnonzero(sequence >= 0) for _, sequence, _ in found]
    return Bundles(
        pair=np.concatenate([_three_wide(f[0], k) for f, k in zip(found, kept, strict=True)]),
        sequence=np.concatenate([f[1][k] for f, k in zip(found, kept, strict=True)]),
        cost_s=np.concatenate([f[2][k] for f, k in zip(found, kept, strict=True)]),
        counts=counts,
    )


def _sequences(data: TripData, lanes: Lanes) -> int:
    """How many stop sequences the lanes have, all together."""
    opened = np.zeros(len(lanes), np.int64)
    if data.opened is not None:
        opened = data.opened.count[data.courier[lanes.pair[:, 0]]]
    kinds = zip(*np.unique(opened, return_counts=True), strict=True)
    return sum(int(n) * len(stop_sequences(lanes.pair.shape[1], int(c))) for c, n in kinds)


def _three_wide(lanes: Lanes, kept: NDArray[np.int64]) -> Ints:
    pair = np.full((len(kept), MAX_ORDERS), -1, np.int64)
    pair[:, : lanes.pair.shape[1]] = lanes.pair[kept]
    return pair


def _require_sound(
    data: TripData,
    reach_s: Floats,
    pickup_m: Floats,
    dropoff_m: Floats,
    size: Ints,
    room_orders: Ints,
    room_size: Ints,
) -> None:
    k, n, m = len(data.order), len(size), len(room_size)
    services = [f"{at}_{when}_s" for at in ("pickup", "dropoff") for when in ("before", "after")]
    wanted = dict.fromkeys(("courier", "to_pickup_s", "own_s", "to_pickup_m", "own_m"), k)
    wanted |= dict.fromkeys(("ready_s", "due_s", *services), n)
    wanted |= dict.fromkeys(("free_s", "pickup_end_s", "end_s", "range_m"), m)
    faults = [
        f"{name}: expected length {length}, got {len(getattr(data, name))}"
        for name, length in wanted.items()
        if len(getattr(data, name)) != length
    ]
    for name, rows, length in (
        ("reach_s", reach_s, k),
        ("pickup_m", pickup_m, n),
        ("dropoff_m", dropoff_m, n),
        ("room_orders", room_orders, m),
    ):
        if len(rows) != length:
            faults.append(f"{name}: expected length {length}, got {len(rows)}")
    unlimited = {"due_s", "pickup_end_s", "end_s", "range_m"}
    for name in wanted:
        values = np.asarray(getattr(data, name), dtype=np.float64)
        if np.isnan(values).any() or (name not in unlimited and not np.isfinite(values).all()):
            faults.append(f"{name}: expected finite numbers (a limit may be inf, never NaN)")
    if not faults and k:
        ids = ((data.order, n), (data.courier, m))
        if any(rows.min() < 0 or rows.max() >= end for rows, end in ids):
            faults.append("order, courier: ids out of range")
        elif not np.all(np.diff(data.order * m + data.courier) > 0):
            faults.append("order, courier: sort the candidate pairs by order, then courier")
    if faults:
        raise ProblemError(faults)
