"""Walking the prefix tree of stop sequences, compiled or in whole arrays: the same arithmetic.

Stops are the open ones of the courier, then the pickups, then the dropoffs of the new orders; 0 is
where the courier starts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optimization.bundling.mates import Floats, Ints
from optimization.compiled import compiled

_BLOCK = 128  # lanes timed together, so that a node costs a few wide instructions


class Tree(NamedTuple):
    """Prefixes in depth-first order: depth, stop, stop before, and the sequence a leaf completes.

    `leaf` is -1 for a prefix that goes on.
    """

    depth: Ints
    stop: Ints
    before: Ints
    leaf: Ints


class Laid(NamedTuple):
    """What one chunk of b lanes with c open stops and q new orders needs, lanes last.

    `seconds` leads from handover to handover, (n, n, b) with n = 1 + c + 2q; `metres` has the same
    shape, or none where nobody's range is limited. `ready`, `due` are (q, b), `after` (n - 1, b),
    the courier's (b,). Of the open stops, (c, b): bounds, promise, 1 where a door counts, and what
    the door counts if nothing comes between. `load` and `room` are (2, b), `load_change`
    (2, n - 1, b).
    """

    seconds: Floats
    metres: Floats
    free: Floats
    ready: Floats
    due: Floats
    after: Floats
    pickup_end: Floats
    end: Floats
    range_m: Floats
    open_earliest: Floats
    open_latest: Floats
    open_due: Floats
    open_counts: Floats
    open_planned: Floats
    load: Floats
    load_change: Floats
    room: Floats


@compiled
def enumerate_compiled(tree: Tree, laid: Laid, sequence: Ints, cost: Floats) -> None:
    """Walk the tree once per block of lanes; results go into `sequence` and `cost`."""
    depth, stop, before, leaf = tree.depth, tree.stop, tree.before, tree.leaf
    seconds, metres = laid.seconds, laid.metres
    b, q, c = laid.free.size, laid.ready.shape[0], laid.open_due.shape[0]
    ranged, steps = metres.size > 0, c + 2 * q + 1
    time, paid, ridden = (
        np.zeros((steps, _BLOCK)),
        np.zeros((steps, _BLOCK)),
        np.zeros((steps, _BLOCK)),
    )
    carried = np.zeros((2, steps if c else 0, _BLOCK))
    best, where = np.empty(_BLOCK), np.empty(_BLOCK)
    for low in range(0, b, _BLOCK):
        w = min(_BLOCK, b - low)
        for x in range(w):
            time[0, x], best[x], where[x] = laid.free[low + x], np.inf, -1.0
        if c:
            for kind in range(2):
                for x in range(w):
                    carried[kind, 0, x] = laid.load[kind, low + x]
        for node in range(depth.size):
            d, s = depth[node], stop[node]
            t0, t1, c0, c1 = time[d], time[d + 1], paid[d], paid[d + 1]
            leg = seconds[before[node], s, low : low + w]
            if s <= c:
                at, until = laid.open_earliest[s - 1], laid.open_latest[s - 1]
                promise, counts = laid.open_due[s - 1], laid.open_counts[s - 1]
                planned = laid.open_planned[s - 1]
                for x in range(w):
                    t = t0[x] + leg[x]
                    t = t if t > at[low + x] else at[low + x]
                    late = t - promise[low + x]
                    late = late if late > 0.0 else 0.0
                    t1[x] = t
                    more = counts[low + x] * t + late - planned[low + x]
                    c1[x] = c0[x] + more if t <= until[low + x] else np.inf
            elif s <= c + q:
                at, until = laid.ready[s - 1 - c, low : low + w], laid.pickup_end[low : low + w]
                for x in range(w):
                    t = t0[x] + leg[x]
                    t = t if t > at[x] else at[x]
                    t1[x] = t
                    c1[x] = c0[x] if t <= until[x] else np.inf
            else:
                promise = laid.due[s - 1 - c - q, low : low + w]
                for x in range(w):
                    t = t0[x] + leg[x]
                    late = t - promise[x]
                    late = late if late > 0.0 else 0.0
                    t1[x] = t
                    c1[x] = c0[x] + t + late
            if c:
                for kind in range(2):
                    l0, l1 = carried[kind, d], carried[kind, d + 1]
                    change, room = laid.load_change[kind, s - 1], laid.room[kind]
                    for x in range(w):
                        l1[x] = l0[x] + change[low + x]
                        over = change[low + x] > 0.0 and l1[x] > room[low + x]
                        c1[x] = np.inf if over else c1[x]
            if ranged:
                way = metres[before[node], s, low : low + w]
                m0, m1 = ridden[d], ridden[d + 1]
                for x in range(w):
                    m1[x] = m0[x] + way[x]
            if leaf[node] >= 0:
                wait, until = laid.after[s - 1, low : low + w], laid.end[low : low + w]
                index = leaf[node]
                if ranged:
                    last, most = ridden[d + 1], laid.range_m[low : low + w]
                    for x in range(w):
                        c1[x] = c1[x] if last[x] <= most[x] else np.inf
                for x in range(w):
                    value = c1[x] if t1[x] + wait[x] <= until[x] else np.inf
                    better = value < best[x]
                    best[x] = value if better else best[x]
                    where[x] = index if better else where[x]
        for x in range(w):
            cost[low + x], sequence[low + x] = best[x], int(where[x])


def enumerate_arrays(tree: Tree, laid: Laid, sequence: Ints, cost: Floats) -> None:
    """Walk the tree once, every node in whole arrays: the same arithmetic without a compiler."""
    b, q, c = laid.free.size, laid.ready.shape[0], laid.open_due.shape[0]
    steps = c + 2 * q + 1
    time, paid, ridden = (np.zeros((steps, b)) for _ in range(3))
    carried = np.zeros((2, steps, b))
    time[0] = laid.free
    if c:
        carried[:, 0] = laid.load
    for d, s, came_from, index in zip(*(column.tolist() for column in tree), strict=True):
        moment = time[d] + laid.seconds[came_from, s]
        if s <= c:
            time[d + 1] = np.maximum(moment, laid.open_earliest[s - 1])
            late = np.maximum(time[d + 1] - laid.open_due[s - 1], 0.0)
            more = laid.open_counts[s - 1] * time[d + 1] + late - laid.open_planned[s - 1]
            kept = time[d + 1] <= laid.open_latest[s - 1]
            paid[d + 1] = np.where(kept, paid[d] + more, np.inf)
        elif s <= c + q:
            time[d + 1] = np.maximum(moment, laid.ready[s - 1 - c])
            paid[d + 1] = np.where(time[d + 1] <= laid.pickup_end, paid[d], np.inf)
        else:
            time[d + 1] = moment
            with np.errstate(invalid="ignore"):  # what never happens is not late for no promise
                late = np.maximum(moment - laid.due[s - 1 - c - q], 0.0)
            paid[d + 1] = paid[d] + moment + late
        if c:
            change = laid.load_change[:, s - 1]
            carried[:, d + 1] = carried[:, d] + change
            over = ((change > 0) & (carried[:, d + 1] > laid.room)).any(axis=0)
            paid[d + 1, over] = np.inf
        if laid.metres.size:
            ridden[d + 1] = ridden[d] + laid.metres[came_from, s]
        if index >= 0:
            kept = time[d + 1] + laid.after[s - 1] <= laid.end
            if laid.metres.size:
                kept &= ridden[d + 1] <= laid.range_m
            better = kept & (paid[d + 1] < cost)
            cost[better], sequence[better] = paid[d + 1][better], index
