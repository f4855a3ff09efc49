"""Which orders are worth one trip: near pickups, and dropoffs on each other's way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OVERSAMPLE = 4
"""Nearest pickups looked at per mate kept."""


def mates(
    pickup_m: Floats, dropoff_m: Floats, ready_s: Floats, per_order: int, max_wait_s: float
) -> tuple[Ints, int]:
    """Pair each order with those that lengthen its trip least, among the nearest pickups.

    The stretch of two orders is the shortest of the four tours that pick both up before delivering
    either, less the longer of their own trips: zero for an order lying on the other's way, small
    for near pickups and like directions, large for opposite ones.

    Parameters
    ----------
    pickup_m, dropoff_m
        (n, d) straight-line coordinates.
    ready_s
        (n,) when each order can be picked up.
    per_order
        Most mates each order chooses; it may be chosen by others besides.
    max_wait_s
        Orders whose ready times lie farther apart share no trip.

    Returns
    -------
    edges
        (e, 2) order ids, the smaller first, sorted.
    cut
        How many (order, mate) candidates among the nearest pickups `per_order` left out.
    """
    n = len(pickup_m)
    near = min(n, OVERSAMPLE * per_order + 1)
    if n < 2:
        return np.empty((0, 2), np.int64), 0
    _, found = cKDTree(pickup_m).query(pickup_m, k=near)
    a = np.repeat(np.arange(n), near)
    b = np.asarray(found, dtype=np.int64).reshape(-1)
    kept = (a != b) & (np.abs(ready_s[a] - ready_s[b]) <= max_wait_s)
    a, b = a[kept], b[kept]
    first, second = _gap(pickup_m[a], pickup_m[b]), _gap(dropoff_m[a], dropoff_m[b])
    own_a, own_b = _gap(pickup_m[a], dropoff_m[a]), _gap(pickup_m[b], dropoff_m[b])
    # Either order is picked up last, and from there either dropoff comes first.
    last_leg = np.minimum(
        np.minimum(own_a, own_b),
        np.minimum(_gap(pickup_m[a], dropoff_m[b]), _gap(pickup_m[b], dropoff_m[a])),
    )
    stretch = first + last_leg + second - np.maximum(own_a, own_b)
    chosen = first_of_groups(a, stretch, per_order)
    edges = np.column_stack((np.minimum(a, b), np.maximum(a, b)))[chosen]
    return np.unique(edges, axis=0).reshape(-1, 2), int(len(a) - len(chosen))


def triangles(edges: Ints, n: int) -> Ints:
    """List every three orders that are mates of each other, as three rows of `edges`.

    Parameters
    ----------
    edges
        (e, 2) with the smaller id first, sorted.
    n
        Number of orders.

    Returns
    -------
    edge_ids
        (t, 3): the edges xy, xz and yz of each triangle x < y < z.
    """
    start = np.searchsorted(edges[:, 0], np.arange(n + 1))
    count = np.diff(start)[edges[:, 1]]
    xy = np.repeat(np.arange(len(edges)), count)
    yz = start[edges[xy, 1]] + ranks(count)
    key = edges[:, 0] * n + edges[:, 1]
    wanted = edges[xy, 0] * n + edges[yz, 1]
    xz = np.searchsorted(key, wanted)
    closed = key[np.minimum(xz, len(key) - 1)] == wanted if len(key) else np.zeros(0, np.bool_)
    found: Ints = np.column_stack((xy, xz, yz))[closed].astype(np.int64)
    return found


def ranks(count: Ints) -> Ints:
    """Count from 0 within each of consecutive groups of these sizes."""
    start = np.cumsum(count) - count
    return np.arange(int(count.sum())) - np.repeat(start, count)


def first_of_groups(group: Ints, key: Floats, most: int) -> Ints:
    """Index the `most` smallest keys of each group, in rising order of index."""
    by_key = np.lexsort((np.arange(group.size), key, group))
    first = np.searchsorted(group[by_key], group[by_key], side="left")
    kept: Ints = np.sort(by_key[np.arange(group.size) - first < most])
    return kept


def _gap(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.sqrt(((a - b) ** 2).sum(axis=1)))
