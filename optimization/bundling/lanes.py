"""Which couriers are tried with which bundles: one lane is one bundle with one courier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimization.bundling.mates import Floats, Ints, first_of_groups, ranks


@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """Bundles of two or three orders with a courier each, sorted by bundle, then courier.

    Attributes
    ----------
    bundle
        (b,) row of the bundle: of the edges, or of the triangles.
    pair
        (b, q) candidate (order, courier) pair of each order.
    edge_lane
        (b, 3) for triples: the lanes of their three pairs of orders; (b, 1) own id for pairs.
    cut
        Lanes left out by the cap on couriers.
    """

    bundle: Ints
    pair: Ints
    edge_lane: Ints
    cut: int

    def __len__(self) -> int:
        return len(self.bundle)


def pair_lanes(
    edges: Ints,
    mated: NDArray[np.bool_],
    order: Ints,
    courier: Ints,
    reach_s: Floats,
    size: Ints,
    room: Ints,
    couriers_per_bundle: int,
    orders_per_courier: int,
) -> Lanes:
    """Try every two mates with the nearest couriers, and every courier with its nearest orders.

    Parameters
    ----------
    edges, mated
        (e, 2) couples of orders, and which of them are mates; the others are tried only with
        couriers to whom both are among the nearest.
    order, courier
        (k,) candidate pairs, sorted by order, then courier.
    reach_s
        (k,) when the courier could be at the pickup: what "nearest" means.
    size, room
        (n,) size of each order, and (m,) what each courier has room for; couriers who may take only
        one order have no room here.
    couriers_per_bundle
        Most couriers per two mates, beside those to whom both are among the nearest.
    orders_per_courier
        How many orders are a courier's nearest.
    """
    n, m = len(size), len(room)
    start = np.searchsorted(order, np.arange(n + 1))
    count = np.diff(start)[edges[:, 0]]
    edge = np.repeat(np.arange(len(edges)), count)
    first = start[edges[edge, 0]] + ranks(count)
    second, found = _look_up(order * m + courier, edges[edge, 1] * m + courier[first])
    near = np.zeros(len(order), np.bool_)
    near[first_of_groups(courier, reach_s, orders_per_courier)] = True
    fits = found & (size[edges].sum(axis=1)[edge] <= room[courier[first]])
    fits &= mated[edge] | (near[first] & near[second])
    edge, pair = edge[fits], np.column_stack((first, second))[fits]
    kept = near[pair].all(axis=1)
    kept[first_of_groups(edge, reach_s[pair].sum(axis=1), couriers_per_bundle)] = True
    lane = np.arange(int(kept.sum()))[:, None]
    return Lanes(edge[kept], pair[kept], lane, int((~kept).sum()))


def courier_couples(
    order: Ints, courier: Ints, reach_s: Floats, room: Ints, orders_per_courier: int
) -> Ints:
    """Couple each courier's nearest orders with each other, (e, 2), where it has room at all.

    Couriers in short supply get trips out of whatever lies near them, mates or not.
    """
    able = np.flatnonzero(room[courier] >= 0)
    near = able[first_of_groups(courier[able], reach_s[able], orders_per_courier)]
    near = near[np.argsort(courier[near], kind="stable")]
    couples = []
    for ahead in range(1, orders_per_courier):
        same = courier[near[ahead:]] == courier[near[:-ahead]]
        couples.append(np.column_stack((order[near[:-ahead]], order[near[ahead:]]))[same])
    both = np.concatenate(couples) if couples else np.empty((0, 2), np.int64)
    return np.unique(np.sort(both, axis=1), axis=0).reshape(-1, 2)


def triple_lanes(
    triples: Ints,
    pairs: Lanes,
    feasible: NDArray[np.bool_],
    order: Ints,
    courier: Ints,
    reach_s: Floats,
    size: Ints,
    room: Ints,
    couriers_per_bundle: int,
) -> Lanes:
    """Try every three mates with the couriers who can make all three trips of two of them.

    Where a stop less never delays the others (the triangle inequality), no feasible triple is lost
    by that; it is how shareability grows to trips (Alonso-Mora, Samaranayake, Wallar, Frazzoli and
    Rus, On-demand high-capacity ride-sharing, PNAS 114, 2017).

    Parameters
    ----------
    triples
        (t, 3) edges of each triangle, as `triangles` gives them.
    pairs, feasible
        Lanes of two orders, and which of them can be made, (b,).
    order, courier, reach_s, size, room, couriers_per_bundle
        As in `pair_lanes`, room for three orders.
    """
    m = len(room)
    lane = np.flatnonzero(feasible)
    lane_courier = courier[pairs.pair[lane, 0]]
    key = pairs.bundle[lane] * m + lane_courier
    edge_count = int(max(triples.max(initial=-1), pairs.bundle.max(initial=-1))) + 1
    start = np.searchsorted(pairs.bundle[lane], np.arange(edge_count + 1))
    count = np.diff(start)[triples[:, 0]]
    triple = np.repeat(np.arange(len(triples)), count)
    xy = start[triples[triple, 0]] + ranks(count)
    xz, has_xz = _look_up(key, triples[triple, 1] * m + lane_courier[xy])
    yz, has_yz = _look_up(key, triples[triple, 2] * m + lane_courier[xy])
    found = has_xz & has_yz
    triple, edge_lane = triple[found], lane[np.column_stack((xy, xz, yz))[found]]
    pair = np.column_stack((pairs.pair[edge_lane[:, 0]], pairs.pair[edge_lane[:, 1], 1]))
    fits = size[order[pair]].sum(axis=1) <= room[courier[pair[:, 0]]]
    triple, edge_lane, pair = triple[fits], edge_lane[fits], pair[fits]
    kept = first_of_groups(triple, reach_s[pair].sum(axis=1), couriers_per_bundle)
    return Lanes(triple[kept], pair[kept], edge_lane[kept], int(triple.size - kept.size))


def _look_up(key: Ints, wanted: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Find wanted values in a sorted array: their places, and whether they are there."""
    if not key.size:
        return np.zeros(wanted.size, np.int64), np.zeros(wanted.size, np.bool_)
    place = np.minimum(np.searchsorted(key, wanted), key.size - 1)
    return place.astype(np.int64), np.asarray(key[place] == wanted)
