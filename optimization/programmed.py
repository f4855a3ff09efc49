"""The exact frontier of a problem that is no flow: bundles, size caps, work; one program a zone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from optimization.certified import Box, CertifiedFrontier
from optimization.errors import SolverError
from optimization.frontier import non_dominated
from optimization.regions.kept import KeptGroups
from optimization.scalar import ScalarProblem
from optimization.stop import Deadline
from optimization.term import Term
from optimization.weights import Weights
from optimization.zoned import Zoned, search_zones

AXIS = "efficiency axis"


def programmed_frontier(
    axis: ScalarProblem,
    efficiency: Weights,
    against: str,
    *,
    max_points: int | None,
    deadline: Deadline,
    folder: Path | None,
    progress: Callable[[int, int], None] | None,
) -> CertifiedFrontier:
    """Find all non-dominated points by integer programs; arguments as of `exact.exact_frontier`.

    Raises
    ------
    SolverError
        If efficiency prices several works, or its ends are not proven before the deadline.
    """
    if len(axis.work) > 1:
        raise SolverError("an exact frontier prices one work in its efficiency, not several")
    problem, other = axis.problem, axis.problem.term(against)
    work = axis.work[0] if axis.work else None
    whole = Term(AXIS, "1", axis.scale, axis.constant, axis.column_cost, axis.marginal, work)
    stated = problem.replace(terms=(*problem.terms, whole))
    kept = KeptGroups(folder, *_identity(axis, other)) if folder is not None else None
    found = search_zones(
        stated,
        (AXIS, against),
        max_points=max_points,
        deadline=deadline,
        kept=kept,
        progress=progress,
    )
    _, first = np.unique(found.values, axis=0, return_index=True)
    first = first[non_dominated(found.values[first])]
    values = found.values[first]
    return CertifiedFrontier(
        problem=problem,
        efficiency=efficiency,
        against=against,
        axis=axis,
        values=values,
        columns=tuple(found.columns[i] for i in first.tolist()),
        supported=_on_lower_hull(values),
        boxes=tuple(
            _box(values, found, corner, axis.scale, other.scale) for corner in found.corners
        ),
    )


def _on_lower_hull(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the points (p, 2), in order, with none below the line between any two others."""
    hull: list[int] = []
    rows = values.tolist()
    for i, (e, f) in enumerate(rows):
        while len(hull) > 1:
            (e_a, f_a), (e_b, f_b) = rows[hull[-2]], rows[hull[-1]]
            if (e_b - e_a) * (f - f_a) >= (e - e_a) * (f_b - f_a):
                break
            hull.pop()
        hull.append(i)
    on = np.zeros(len(rows), np.bool_)
    on[hull] = True
    return on


def _box(
    values: NDArray[np.int64], found: Zoned, corner: NDArray[np.int64], scale: int, other_scale: int
) -> Box:
    """Restate an open zone in units: between the points beside it, or the ideal where none is."""
    right, top = np.minimum(corner, values.max(axis=0)).tolist()
    left = int(values[values[:, 1] >= corner[1], 0].max(initial=found.ideal[0]))
    under = int(values[values[:, 0] >= corner[0], 1].max(initial=found.ideal[1]))
    width, height = (right - left) / scale, (top - under) / other_scale
    return Box(
        (left / scale, right / scale),
        (under / other_scale, top / other_scale),
        max(width, 0.0) * max(height, 0.0),
    )


def _identity(axis: ScalarProblem, other: Term) -> tuple[NDArray[np.generic], ...]:
    from optimization.checkpoint import digest_of

    works = [part for work in axis.problem.works for part in (work.column, work.limit)]
    prices = [
        part for price in (*axis.work, other.work) if price for part in (price.knot, price.slope)
    ]
    return (np.frombuffer(digest_of(axis, other).encode(), np.uint8), *works, *prices)
