"""Splitting and closing boxes, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled
from optimization.regions.layout import (
    BOXES,
    DEPTH,
    OPEN,
    PLANES,
    POINTS,
    Aims,
    Archive,
    Boxes,
    Tree,
)

KEPT, KNOWN, FULL = 0, 1, 2


@compiled
def below(a: NDArray[np.int64], b: NDArray[np.int64]) -> bool:
    """Whether a is nowhere above b."""
    return bool(np.all(a <= b))


@compiled
def inside(point: NDArray[np.int64], corner: NDArray[np.int64]) -> bool:
    """Whether a point is strictly below a corner."""
    return bool(np.all(point < corner))


@compiled
def reaches(tree: Tree, p: int, corner: NDArray[np.int64]) -> int:
    """How far the best integer point of a box is above a plane's least value; below 0: none."""
    total = -tree.least[p]
    for k in range(corner.size):
        total += tree.plane[p, k] * (corner[k] - 1)
    return int(total)


@compiled
def insert(
    aims: Aims,
    boxes: Boxes,
    archive: Archive,
    tree: Tree,
    point: NDArray[np.int64],
    pair: NDArray[np.int64],
) -> int:
    """Keep a point that none known is at or below, and split the boxes that it lies in.

    Each box is cut along every axis, `slack` short of the point (Klamroth, Lacour and Vanderpooten,
    European Journal of Operational Research 245, 2015); parts within another open one are dropped.

    Returns
    -------
    int
        KEPT, or KNOWN where it is no news, or FULL, with nothing done, where the arrays are.
    """
    d, numbers = point.size, tree.numbers
    for i in range(numbers[POINTS]):
        if below(archive.point[i], point):
            return KNOWN
    before = numbers[BOXES]
    hit = 0
    for b in range(before):
        if boxes.closed[b] == OPEN and inside(point, boxes.corner[b]):
            hit += 1
    if before + d * hit > boxes.closed.size or numbers[POINTS] == archive.point.shape[0]:
        return FULL
    archive.point[numbers[POINTS]] = point
    for i in range(pair.size):
        archive.pair[numbers[POINTS], i] = pair[i]
    numbers[POINTS] += 1
    for b in range(before):
        if boxes.closed[b] == OPEN and inside(point, boxes.corner[b]):
            boxes.closed[b] = 0
            for k in range(d):
                new = numbers[BOXES]
                boxes.corner[new] = boxes.corner[b]
                boxes.corner[new, k] = point[k] - aims.slack[k]
                boxes.closed[new] = OPEN
                numbers[BOXES] += 1
    for b in range(before, numbers[BOXES]):
        for c in range(numbers[BOXES]):
            if c != b and boxes.closed[c] == OPEN and below(boxes.corner[b], boxes.corner[c]):
                boxes.closed[b] = 0
                break
        if boxes.closed[b] == OPEN:
            for p in range(numbers[PLANES]):
                if reaches(tree, p, boxes.corner[b]) < 0:
                    boxes.closed[b] = depth_of(tree, p)
                    break
    return KEPT


@compiled
def depth_of(tree: Tree, plane: int) -> int:
    """Depth of the node at which a plane was found."""
    depth = int(tree.numbers[DEPTH])
    while depth > 0 and plane < tree.planes[depth]:
        depth -= 1
    return depth


@compiled
def close(boxes: Boxes, tree: Tree, least: int) -> int:
    """Close the boxes that lie below the last weights' plane; how far the highest other reaches.

    Returns
    -------
    int
        Most by which an integer point of an open box exceeds the least value; -1 where none is.
    """
    highest = -1
    for b in range(tree.numbers[BOXES]):
        if boxes.closed[b] != OPEN:
            continue
        reach = -least
        for k in range(tree.weight.size):
            reach += tree.weight[k] * (boxes.corner[b, k] - 1)
        if reach < 0:
            boxes.closed[b] = tree.numbers[DEPTH]
        elif reach > highest:
            highest = int(reach)
    return highest


@compiled
def reopen(boxes: Boxes, tree: Tree) -> None:
    """Open again what was closed at this depth or below it."""
    for b in range(tree.numbers[BOXES]):
        if boxes.closed[b] >= tree.numbers[DEPTH]:
            boxes.closed[b] = OPEN
