"""The arrays of a search for points in boxes, in groups."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

OPEN = -1
"""`Boxes.closed` of a box that may hold a point."""
DEPTH, BOXES, POINTS, NODES, SOLVES, PLANES, FIXED = range(7)
"""Places in `Tree.numbers`."""


class Aims(NamedTuple):
    """d objectives without constants: (k, d) per pair, (Q, d) per unit, (d,) spans to scale by.

    `leave` (n,) are the problem's prices of leaving, `rule` (3,) the least total of these, the
    flow's price of one of them, and the scale of weights. A plan less than `slack` (d,) better than
    a known one in some objective is not looked for.
    """

    pair: NDArray[np.int64]
    marginal: NDArray[np.int64]
    span: NDArray[np.float64]
    leave: NDArray[np.int64]
    rule: NDArray[np.int64]
    slack: NDArray[np.int64]


class Boxes(NamedTuple):
    """Boxes {z < corner}, (b, d), and the depth (b,) at which each was closed: `OPEN`, or 0 on."""

    corner: NDArray[np.int64]
    closed: NDArray[np.int64]


class Archive(NamedTuple):
    """Known points (p, d), none at or above another known before, and the pair of each order."""

    point: NDArray[np.int64]
    pair: NDArray[np.int32]


class Tree(NamedTuple):
    """The depth-first stack, what holds along it, and what the node at hand rules out.

    `order` and `pair` branched on, `side` 0 (on the pair) or 1 (off it) with 2 added once the other
    side has been explored; `planes` and `fixes` where a depth's planes and fixed pairs begin;
    `plane` (., d) with `least` (.): no plan of that depth's node has plane z below least;
    `fixed` pairs ruled out by reduced cost; `banned` (k,) and `told` (n,) counts of rules in force;
    `plan` (., n) and `value` (., d) the plans of the game at hand; `weight` (d,) the last weights;
    `numbers` as named above.
    """

    order: NDArray[np.int64]
    pair: NDArray[np.int64]
    side: NDArray[np.int64]
    planes: NDArray[np.int64]
    fixes: NDArray[np.int64]
    plane: NDArray[np.int64]
    least: NDArray[np.int64]
    fixed: NDArray[np.int64]
    banned: NDArray[np.int64]
    told: NDArray[np.int64]
    plan: NDArray[np.int64]
    value: NDArray[np.int64]
    weight: NDArray[np.int64]
    numbers: NDArray[np.int64]


def empty_tree(n: int, k: int, d: int, rounds: int, planes: int) -> Tree:
    """Allocate for n orders, k pairs and d objectives."""
    depth = k + n + 2
    return Tree(
        order=np.zeros(depth, np.int64),
        pair=np.zeros(depth, np.int64),
        side=np.zeros(depth, np.int64),
        planes=np.zeros(depth, np.int64),
        fixes=np.zeros(depth, np.int64),
        plane=np.zeros((planes, d), np.int64),
        least=np.zeros(planes, np.int64),
        fixed=np.zeros(k + 1, np.int64),
        banned=np.zeros(k, np.int64),
        told=np.zeros(n, np.int64),
        plan=np.zeros((rounds, n), np.int64),
        value=np.zeros((rounds, d), np.int64),
        weight=np.zeros(d, np.int64),
        numbers=np.zeros(7, np.int64),
    )
