"""The best feasible stop sequence of every lane, by exact enumeration along a prefix tree.

All sequences with each pickup before its dropoff form a tree of prefixes (2, 18 and 270 nodes for
one, two and three orders, against 2, 24 and 540 stops in the table); a node is timed once for all
sequences that share it, and for many lanes at a time, so the arithmetic runs in vector registers.
Couriers with open stops have trees of their own, in which these are merged with the new ones.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from optimization.bundles import stop_sequences
from optimization.bundling.kernels import Laid, Tree, enumerate_arrays, enumerate_compiled
from optimization.bundling.lanes import Lanes
from optimization.bundling.mates import Floats, Ints
from optimization.bundling.trips import EdgeLegs, OpenStops, TripData
from optimization.compiled import compiler_present

CHUNK_LANES = 2048
"""Lanes laid out at once: small enough for the second-level cache."""

_COUPLES = {0: [], 1: [(0, 1)], 3: [(0, 1), (0, 2), (1, 2)]}  # by lanes of two orders in a lane


def sequence_trips(
    data: TripData, lanes: Lanes, legs: EdgeLegs, *, finish_first: bool = False
) -> tuple[Ints, Floats]:
    """Find the sequence with the least sum of door times and lateness that each lane can keep.

    Shift ends and ranges are part of the enumeration: the best sequence that keeps them wins. Of a
    courier with open stops, these are interleaved with the new ones, within what they must keep and
    what fits on board after every stop, and what their doors are delayed and late by counts as
    much as a new order's time. Ties go to the one that comes first in `stop_sequences`.

    Parameters
    ----------
    data
        Orders, couriers and candidate pairs.
    lanes
        One to three orders with a courier each, (b,).
    legs
        Travel per lane of two orders: the lanes that `lanes.edge_lane` names.
    finish_first
        Whether a courier delivers all it carries before the next pickup, but for those of one
        visit; for couriers without open stops.

    Returns
    -------
    sequence
        (b,) row of `stop_sequences(q, opened)`, `opened` the courier's count of open stops; -1
        where no sequence is feasible.
    cost_s
        (b,) sum of door times and lateness, delays of open stops included; inf where infeasible.
    """
    b, q = lanes.pair.shape
    sequence, cost = np.full(b, -1, np.int64), np.full(b, np.inf)
    walk = enumerate_compiled if compiler_present() else enumerate_arrays
    courier = data.courier[lanes.pair[:, 0]]
    ranged = bool(np.isfinite(data.range_m[courier]).any())
    count = np.zeros(b, np.int64) if data.opened is None else data.opened.count[courier]
    for c in np.unique(count).tolist():
        tree = _tree(q, c, finish_first and not c)
        rows = np.flatnonzero(count == c)
        for low in range(0, len(rows), CHUNK_LANES):
            part = rows[low : low + CHUNK_LANES]
            pair, edge_lane = lanes.pair[part], lanes.edge_lane[part]
            laid = _lay_out(
                data, pair, edge_lane, legs, c, ranged=ranged, finish_first=finish_first
            )
            best, least = np.full(len(part), -1, np.int64), np.full(len(part), np.inf)
            walk(tree, laid, best, least)
            sequence[part], cost[part] = best, least
    return sequence, cost


def _lay_out(
    data: TripData,
    pair: Ints,
    edge_lane: Ints,
    legs: EdgeLegs,
    c: int,
    *,
    ranged: bool,
    finish_first: bool,
) -> Laid:
    """Gather what a chunk of lanes with c open stops needs."""
    courier, order = data.courier[pair[:, 0]], np.ascontiguousarray(data.order[pair].T)
    opened = data.opened if c else None
    seconds = _travel(data.to_pickup_s, data.own_s, legs.seconds, pair, edge_lane, c)
    before = np.concatenate((data.pickup_before_s[order], data.dropoff_before_s[order]))
    after = np.concatenate((data.pickup_after_s[order], data.dropoff_after_s[order]))
    if opened is not None:
        _open_legs(
            seconds, opened.chain_s, opened.from_s, opened.to_s, opened.row[pair], courier, c
        )
        before = np.concatenate((opened.before_s[courier, :c].T, before))
        after = np.concatenate((opened.after_s[courier, :c].T, after))
    # From handover to handover: what is left of the service here and what comes first there.
    seconds[:, 1:] += before
    seconds[1:] += after[:, None]
    _join_visits(seconds, legs.one_visit, edge_lane, c, finish_first=finish_first)
    metres = np.zeros((0, 0, 0))
    if ranged:
        metres = _travel(data.to_pickup_m, data.own_m, legs.metres, pair, edge_lane, c)
        if opened is not None:
            rows = opened.row[pair]
            _open_legs(metres, opened.chain_m, opened.from_m, opened.to_m, rows, courier, c)
    return Laid(
        seconds,
        metres,
        data.free_s[courier],
        data.ready_s[order],
        data.due_s[order],
        after,
        data.pickup_end_s[courier],
        data.end_s[courier],
        data.range_m[courier],
        *_open_rows(opened, order, courier, c),
    )


def _open_rows(opened: OpenStops | None, order: Ints, courier: Ints, c: int) -> tuple[Floats, ...]:
    """Lay out the open stops and the load: the last eight parts of `Laid`."""
    if opened is None:
        none = np.zeros((0, 0))
        return none, none, none, none, none, none, np.zeros((0, 0, 0)), none
    counts = opened.is_door[courier, :c].T
    due, planned = opened.due_s[courier, :c].T, opened.planned_s[courier, :c].T
    size = opened.order_size[order]
    new = np.stack((np.ones_like(size), size))
    change = np.concatenate(
        (opened.load_change[:, courier, :c].transpose(0, 2, 1), new, -new), axis=1
    )
    rows = (
        opened.earliest_s[courier, :c].T,
        opened.latest_s[courier, :c].T,
        due,
        counts,
        counts * planned + np.maximum(planned - due, 0.0),
        opened.load[:, courier],
        change,
        opened.room[:, courier],
    )
    return tuple(np.ascontiguousarray(part, dtype=np.float64) for part in rows)


def _travel(
    to_pickup: Floats, own: Floats, legs: Floats, pair: Ints, edge_lane: Ints, c: int
) -> NDArray[np.float64]:
    """Lay out travel between start and new stops, (1 + c + 2q, 1 + c + 2q, b)."""
    b, q = pair.shape
    up, down = 1 + c, 1 + c + q  # the first pickup and the first dropoff
    table = np.zeros((down + q, down + q, b))
    for i in range(q):
        table[0, up + i] = to_pickup[pair[:, i]]
        table[up + i, down + i] = own[pair[:, i]]
    for column, (i, j) in enumerate(_COUPLES[edge_lane.shape[1]]):
        between = legs[:, edge_lane[:, column]]
        for side, (x, y) in enumerate(((i, j), (j, i))):
            table[up + x, up + y] = between[4 * side]
            table[up + x, down + y] = between[4 * side + 1]
            table[down + x, up + y] = between[4 * side + 2]
            table[down + x, down + y] = between[4 * side + 3]
    return table


def _open_legs(
    table: Floats,
    chain: Floats,
    leaving: Floats,
    coming: Floats,
    row: Ints,
    courier: Ints,
    c: int,
) -> None:
    """Lay out travel between open stops, and between these and new ones, into `table`."""
    q = row.shape[1]
    for s in range(c):
        table[s, s + 1] = chain[courier, s]
        for i in range(q):
            for kind, new in enumerate((1 + c + i, 1 + c + q + i)):
                table[1 + s, new] = leaving[kind, s, row[:, i]]
                table[new, 1 + s] = coming[kind, s, row[:, i]]


def _join_visits(
    seconds: NDArray[np.float64],
    one_visit: NDArray[np.bool_] | None,
    edge_lane: Ints,
    c: int,
    *,
    finish_first: bool,
) -> None:
    """Let pickups of one visit follow each other at once, others as told; changes `seconds`."""
    if one_visit is None:
        one_visit = np.zeros(int(edge_lane.max(initial=-1)) + 1, np.bool_)
    for column, (i, j) in enumerate(_COUPLES[edge_lane.shape[1]]):
        together = one_visit[edge_lane[:, column]]
        for leg in (seconds[1 + c + i, 1 + c + j], seconds[1 + c + j, 1 + c + i]):
            leg[together] = 0.0
            if finish_first:
                leg[~together] = np.inf


@functools.cache
def _tree(q: int, opened: int = 0, finish_first: bool = False) -> Tree:
    """Fold the table of sequences into its prefix tree."""
    rows: list[tuple[int, int, int, int]] = []
    previous: tuple[int, ...] = ()
    length = opened + 2 * q
    for leaf, sequence in enumerate(stop_sequences(q, opened).tolist()):
        if finish_first and _picks_up_between_doors(sequence):
            continue
        shared = next((d for d, (x, y) in enumerate(zip(sequence, previous)) if x != y), 0)  # noqa: B905
        for depth in range(shared, length):
            last = leaf if depth == length - 1 else -1
            rows.append((depth, sequence[depth], sequence[depth - 1] if depth else 0, last))
        previous = tuple(sequence)
    return Tree(*np.array(rows, dtype=np.int64).T.copy())


def _picks_up_between_doors(sequence: Sequence[int]) -> bool:
    """Whether a pickup follows a dropoff with something still on board."""
    q, on_board = len(sequence) // 2, 0
    for before, stop in pairwise((0, *sequence)):
        if before > q and stop <= q and on_board:
            return True
        on_board += 1 if stop <= q else -1
    return False
