"""All supported points of a flow under two objectives, by dichotomy on the weight."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError
from optimization.network.parametric import TwoObjectiveFlow
from optimization.stop import Deadline

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Supported:
    """Points of the lower left hull of all plans, every vertex among them, least E first.

    Attributes
    ----------
    points
        (E, F) of each, E rising and F falling.
    columns
        Chosen columns of each.
    proven
        Whether nothing lies below the line from each point to the next.
    """

    points: list[Pair]
    columns: list[NDArray[np.int32]]
    proven: list[bool]


def supported_points(
    flow: TwoObjectiveFlow,
    deadline: Deadline,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Supported:
    """Find every vertex of the hull, or those found by the deadline or up to the limit.

    The line through two known points is lowered until it touches the last plan (Aneja and Nair,
    Management Science 25, 1979). Weights are rounded to the flow's scale to keep pair prices
    unchanged between solves; a line that rounding leaves in doubt is solved again with its exact
    slope. Depth first, so that weights change little; widest first where the search may be cut
    short.
    """
    first, last = _ends(flow)
    plans: dict[Pair, NDArray[np.int32]] = dict([first, last])
    proven: dict[tuple[Pair, Pair], bool] = {}
    counter = itertools.count()
    cut_short = limit is not None or deadline.remaining() != float("inf")
    queue: list[tuple[int, Pair, Pair]] = []

    def put(a: Pair, b: Pair) -> None:
        if b[0] - a[0] <= 1 or a[1] - b[1] <= flow.step:
            proven[a, b] = True
            return
        area = (b[0] - a[0]) * (a[1] - b[1])
        heapq.heappush(queue, (-area if cut_short else -next(counter), a, b))

    if first[0] != last[0]:
        put(first[0], last[0])
    while queue and not deadline.expired and (limit is None or len(plans) < limit):
        _, a, b = heapq.heappop(queue)
        below, proven[a, b] = _below(flow, a, b)
        if below is not None:
            plans[below] = flow.columns
            put(a, below)
            put(below, b)
            if progress is not None:
                progress(len(plans))
    points = sorted(plans)
    lines = list(itertools.pairwise(points))
    return Supported(
        points, [plans[p] for p in points], [proven.get(line, False) for line in lines]
    )


def _ends(
    flow: TwoObjectiveFlow,
) -> tuple[tuple[Pair, NDArray[np.int32]], tuple[Pair, NDArray[np.int32]]]:
    """Find the least F of the least E, and the least E of the least F."""
    least_e, _ = flow.at(1, 0)
    _, least_f = flow.at(0, 1)
    # A weight that attains the least of one objective breaks ties by the other, exactly.
    start = _lexicographic(flow, 0, least_e)
    end = _lexicographic(flow, 1, least_f)
    return start, end


def _lexicographic(
    flow: TwoObjectiveFlow, first: int, least: int
) -> tuple[Pair, NDArray[np.int32]]:
    """Double the weight of one objective over the other until it attains its least value."""
    weight = 1
    while flow.fits(*(_ordered(weight, first))):
        point = flow.at(*_ordered(weight, first))
        if point[first] == least:
            return point, flow.columns
        weight *= 64
    raise SolverError("the ends of the frontier need finer prices than fit: lower the scales")


def _ordered(weight: int, first: int) -> Pair:
    return (weight, 1) if first == 0 else (1, weight)


def _below(flow: TwoObjectiveFlow, a: Pair, b: Pair) -> tuple[Pair | None, bool]:
    """Find a plan below the line through two points; else say if none is proven."""
    run, fall = b[0] - a[0], a[1] - b[1]
    line = fall * a[0] + run * a[1]

    def under(point: Pair) -> bool:
        return fall * point[0] + run * point[1] < line

    scale, weight = flow.scale, (2 * flow.scale * run + fall) // (2 * fall)
    while scale > 1 and not flow.fits(scale, weight):
        scale, weight = scale // 2, weight // 2
    if flow.fits(scale, weight):
        point = flow.at(scale, weight)
        if under(point):
            return point, True
        touch = scale * point[0] + weight * point[1]
        # A plan between the two points costs at least this at either end, and more than line - 1.
        if all(
            fall * (touch - weight * f) + run * f * scale > (line - 1) * scale for f in (a[1], b[1])
        ):
            return None, True
    common = gcd(run, fall)
    if not flow.fits(fall // common, run // common):
        return None, False
    point = flow.at(fall // common, run // common)
    return (point, True) if under(point) else (None, True)
