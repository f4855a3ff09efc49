"""The best feasible stop sequence of every lane, by exact enumeration along a prefix tree.

All sequences with each pickup before its dropoff form a tree of prefixes (2, 18 and 270 nodes for
one, two and three orders, against 2, 24 and 540 stops in the table); a node is timed once for all
sequences that share it, and for many lanes at a time, so the arithmetic runs in vector registers.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from optimization.bundles import stop_sequences
from optimization.bundling.lanes import Lanes
from optimization.bundling.mates import Floats, Ints
from optimization.compiled import compiled, compiler_present

CHUNK_LANES = 2048
"""Lanes laid out at once: small enough for the second-level cache."""

_COUPLES = {1: [(0, 1)], 3: [(0, 1), (0, 2), (1, 2)]}  # by lanes of two orders in a lane
_BLOCK = 128  # lanes timed together, so that a node costs a few wide instructions


@dataclass(frozen=True, slots=True, eq=False)
class TripData:
    """What timing a trip needs; seconds count from any one origin, metres matter to ranges only.

    Attributes
    ----------
    order, courier
        (k,) candidate pairs, sorted by order, then courier.
    to_pickup_s, own_s
        (k,) from where the courier is free to the pickup, and from there to the dropoff.
    ready_s, due_s, pickup_before_s, pickup_after_s, dropoff_before_s, dropoff_after_s
        (n,) per order, as in `best_sequences`.
    free_s
        (m,) when each courier can start.
    pickup_end_s, end_s
        (m,) when the last pickup must be made and when the last stop must be left; inf for never.
    range_m
        (m,) how far each courier can still ride; inf for any distance.
    to_pickup_m, own_m
        (k,) metres of the same legs.
    """

    order: Ints
    courier: Ints
    to_pickup_s: Floats
    own_s: Floats
    ready_s: Floats
    due_s: Floats
    pickup_before_s: Floats
    pickup_after_s: Floats
    dropoff_before_s: Floats
    dropoff_after_s: Floats
    free_s: Floats
    pickup_end_s: Floats
    end_s: Floats
    range_m: Floats
    to_pickup_m: Floats
    own_m: Floats


@dataclass(frozen=True, slots=True, eq=False)
class EdgeLegs:
    """Travel between the stops of two orders a and b, per lane of two orders, (8, e).

    Rows: pa-pb, pa-db, da-pb, da-db, pb-pa, pb-da, db-pa, db-da, with p a pickup, d a dropoff.
    `one_visit` (e,) marks orders picked up in one visit where they follow each other: the service
    before the second pickup and after the first is not needed. None: no such orders.
    """

    seconds: Floats
    metres: Floats
    one_visit: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Tree:
    """Prefixes in depth-first order: depth, stop, stop before, and the sequence a leaf completes.

    `leaf` is -1 for a prefix that goes on. Stops are 1..q pickups and q+1..2q dropoffs; 0 is where
    the courier starts.
    """

    depth: Ints
    stop: Ints
    before: Ints
    leaf: Ints


def sequence_trips(
    data: TripData, lanes: Lanes, legs: EdgeLegs, *, finish_first: bool = False
) -> tuple[Ints, Floats]:
    """Find the sequence with the least sum of door times and lateness that each lane can keep.

    Shift ends and ranges are part of the enumeration: the best sequence that keeps them wins. Ties
    go to the one that comes first in `stop_sequences`.

    Parameters
    ----------
    data
        Orders, couriers and candidate pairs.
    lanes
        Two or three orders with a courier each, (b,).
    legs
        Travel per lane of two orders: the lanes that `lanes.edge_lane` names.
    finish_first
        Whether a courier delivers all it carries before the next pickup, but for those of one
        visit.

    Returns
    -------
    sequence
        (b,) row of `stop_sequences(q)`; -1 where no sequence is feasible.
    cost_s
        (b,) sum of door times and lateness; inf where infeasible.
    """
    b, q = lanes.pair.shape
    sequence, cost = np.full(b, -1, np.int64), np.full(b, np.inf)
    tree = _tree(q, finish_first)
    enumerate_block = _enumerate_compiled if compiler_present() else _enumerate_arrays
    ranged = bool(np.isfinite(data.range_m[data.courier[lanes.pair[:, 0]]]).any())
    for low in range(0, b, CHUNK_LANES):
        part = slice(low, low + CHUNK_LANES)
        pair, edge_lane = lanes.pair[part], lanes.edge_lane[part]
        courier, order = data.courier[pair[:, 0]], data.order[pair].T
        seconds = _travel(data.to_pickup_s, data.own_s, legs.seconds, pair, edge_lane)
        before = np.concatenate((data.pickup_before_s[order], data.dropoff_before_s[order]))
        after = np.concatenate((data.pickup_after_s[order], data.dropoff_after_s[order]))
        # From handover to handover: what is left of the service here and what comes first there.
        seconds[:, 1:] += before
        seconds[1:] += after[:, None]
        _join_visits(seconds, legs.one_visit, edge_lane, finish_first=finish_first)
        metres = (
            _travel(data.to_pickup_m, data.own_m, legs.metres, pair, edge_lane)
            if ranged
            else np.zeros((0, 0, 0))
        )
        enumerate_block(
            tree.depth,
            tree.stop,
            tree.before,
            tree.leaf,
            seconds,
            metres,
            data.free_s[courier],
            data.ready_s[order],
            data.due_s[order],
            after,
            data.pickup_end_s[courier],
            data.end_s[courier],
            data.range_m[courier],
            sequence[part],
            cost[part],
        )
    return sequence, cost


def _travel(
    to_pickup: Floats, own: Floats, legs: Floats, pair: Ints, edge_lane: Ints
) -> NDArray[np.float64]:
    """Lay out travel between the nodes of every lane, (2q + 1, 2q + 1, b)."""
    b, q = pair.shape
    table = np.zeros((2 * q + 1, 2 * q + 1, b))
    for i in range(q):
        table[0, 1 + i] = to_pickup[pair[:, i]]
        table[1 + i, 1 + q + i] = own[pair[:, i]]
    for column, (i, j) in enumerate(_COUPLES[edge_lane.shape[1]]):
        between = legs[:, edge_lane[:, column]]
        for side, (x, y) in enumerate(((i, j), (j, i))):
            pickups, dropoffs = (1 + x, 1 + y), (1 + q + x, 1 + q + y)
            table[pickups[0], pickups[1]] = between[4 * side]
            table[pickups[0], dropoffs[1]] = between[4 * side + 1]
            table[dropoffs[0], pickups[1]] = between[4 * side + 2]
            table[dropoffs[0], dropoffs[1]] = between[4 * side + 3]
    return table


def _join_visits(
    seconds: NDArray[np.float64],
    one_visit: NDArray[np.bool_] | None,
    edge_lane: Ints,
    *,
    finish_first: bool,
) -> None:
    """Let pickups of one visit follow each other at once, others as told; changes `seconds`."""
    if one_visit is None:
        one_visit = np.zeros(int(edge_lane.max(initial=-1)) + 1, np.bool_)
    for column, (i, j) in enumerate(_COUPLES[edge_lane.shape[1]]):
        together = one_visit[edge_lane[:, column]]
        for leg in (seconds[1 + i, 1 + j], seconds[1 + j, 1 + i]):
            leg[together] = 0.0
            if finish_first:
                leg[~together] = np.inf


@functools.cache
def _tree(q: int, finish_first: bool = False) -> _Tree:
    """Fold the table of sequences into its prefix tree."""
    rows: list[tuple[int, int, int, int]] = []
    previous: tuple[int, ...] = ()
    for leaf, sequence in enumerate(stop_sequences(q).tolist()):
        if finish_first and _picks_up_between_doors(sequence):
            continue
        shared = next((d for d, (x, y) in enumerate(zip(sequence, previous)) if x != y), 0)  # noqa: B905
        for depth in range(shared, 2 * q):
            last = leaf if depth == 2 * q - 1 else -1
            rows.append((depth, sequence[depth], sequence[depth - 1] if depth else 0, last))
        previous = tuple(sequence)
    return _Tree(*np.array(rows, dtype=np.int64).T.copy())


def _picks_up_between_doors(sequence: Sequence[int]) -> bool:
    """Whether a pickup follows a dropoff with something still on board."""
    q, on_board = len(sequence) // 2, 0
    for before, stop in pairwise((0, *sequence)):
        if before > q and stop <= q and on_board:
            return True
        on_board += 1 if stop <= q else -1
    return False


@compiled
def _enumerate_compiled(
    depth: Ints,
    stop: Ints,
    before: Ints,
    leaf: Ints,
    seconds: Floats,
    metres: Floats,
    free: Floats,
    ready: Floats,
    due: Floats,
    after: Floats,
    pickup_end: Floats,
    end: Floats,
    range_m: Floats,
    sequence: Ints,
    cost: Floats,
) -> None:
    """Walk the tree once per block of lanes; results go into `sequence` and `cost`."""
    b, q = free.size, ready.shape[0]
    ranged = metres.size > 0
    time, paid, ridden = (
        np.zeros((2 * q + 1, _BLOCK)),
        np.zeros((2 * q + 1, _BLOCK)),
        np.zeros((2 * q + 1, _BLOCK)),
    )
    best, where = np.empty(_BLOCK), np.empty(_BLOCK)
    for low in range(0, b, _BLOCK):
        w = min(_BLOCK, b - low)
        for x in range(w):
            time[0, x], best[x], where[x] = free[low + x], np.inf, -1.0
        for node in range(depth.size):
            d, s = depth[node], stop[node]
            t0, t1, c0, c1 = time[d], time[d + 1], paid[d], paid[d + 1]
            leg = seconds[before[node], s, low : low + w]
            if s <= q:
                at, until = ready[s - 1, low : low + w], pickup_end[low : low + w]
                for x in range(w):
                    t = t0[x] + leg[x]
                    t = t if t > at[x] else at[x]
                    t1[x] = t
                    c1[x] = c0[x] if t <= until[x] else np.inf
            else:
                promise = due[s - 1 - q, low : low + w]
                for x in range(w):
                    t = t0[x] + leg[x]
                    late = t - promise[x]
                    late = late if late > 0.0 else 0.0
                    t1[x] = t
                    c1[x] = c0[x] + t + late
            if ranged:
                way = metres[before[node], s, low : low + w]
                m0, m1 = ridden[d], ridden[d + 1]
                for x in range(w):
                    m1[x] = m0[x] + way[x]
            if leaf[node] >= 0:
                wait, until, index = after[s - 1, low : low + w], end[low : low + w], leaf[node]
                if ranged:
                    last, most = ridden[d + 1], range_m[low : low + w]
                    for x in range(w):
                        c1[x] = c1[x] if last[x] <= most[x] else np.inf
                for x in range(w):
                    value = c1[x] if t1[x] + wait[x] <= until[x] else np.inf
                    better = value < best[x]
                    best[x] = value if better else best[x]
                    where[x] = index if better else where[x]
        for x in range(w):
            cost[low + x], sequence[low + x] = best[x], int(where[x])


def _enumerate_arrays(
    depth: Ints,
    stop: Ints,
    before: Ints,
    leaf: Ints,
    seconds: Floats,
    metres: Floats,
    free: Floats,
    ready: Floats,
    due: Floats,
    after: Floats,
    pickup_end: Floats,
    end: Floats,
    range_m: Floats,
    sequence: Ints,
    cost: Floats,
) -> None:
    """Walk the tree once, every node in whole arrays: the same arithmetic without a compiler."""
    b, q = free.size, ready.shape[0]
    time, paid, ridden = (np.zeros((2 * q + 1, b)) for _ in range(3))
    time[0] = free
    for d, s, came_from, index in zip(
        depth.tolist(), stop.tolist(), before.tolist(), leaf.tolist(), strict=True
    ):
        moment = time[d] + seconds[came_from, s]
        if s <= q:
            time[d + 1] = np.maximum(moment, ready[s - 1])
            paid[d + 1] = np.where(time[d + 1] <= pickup_end, paid[d], np.inf)
        else:
            time[d + 1] = moment
            with np.errstate(invalid="ignore"):  # what never happens is not late for no promise
                late = np.maximum(moment - due[s - 1 - q], 0.0)
            paid[d + 1] = paid[d] + moment + late
        if metres.size:
            ridden[d + 1] = ridden[d] + metres[came_from, s]
        if index >= 0:
            kept = time[d + 1] + after[s - 1] <= end
            if metres.size:
                kept &= ridden[d + 1] <= range_m
            better = kept & (paid[d + 1] < cost)
            cost[better], sequence[better] = paid[d + 1][better], index
