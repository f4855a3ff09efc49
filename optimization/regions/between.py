"""The points between two supported ones where both objectives are priced per pair."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from optimization.frontier import non_dominated
from optimization.network.parametric import TwoObjectiveFlow
from optimization.regions.flow import ManyObjectiveFlow
from optimization.scalar import ScalarProblem
from optimization.segment import Findings, Pair, Plan, Segment, opening_of
from optimization.term import Term


class Between:
    """Explores segments as boxes of a tree, whose nodes branch on an order's pair.

    One tree finds all points of a segment, where falling limits need one each: an order of
    magnitude faster as soon as both objectives depend on pairs. Where the other depends on counts
    alone, branching on counts (`segment.explore`) is.

    Parameters
    ----------
    axis, other
        The two objectives.
    flow
        Tells how segments count them.
    ends
        The supported plans of least E and of least F.
    """

    def __init__(
        self, axis: ScalarProblem, other: Term, flow: TwoObjectiveFlow, ends: tuple[Pair, Pair]
    ) -> None:
        own = Term("E", "1", axis.scale, axis.constant, axis.column_cost, axis.marginal)
        self._many, self._flow = ManyObjectiveFlow(axis, (own, other)), flow
        self._zero, self._unit = flow.values((0, 0)), flow.values((1, 1))
        first, last = self._point(ends[0]), self._point(ends[1])
        self._many.scale_by(np.abs(last - first))

    def explore(self, segment: Segment, stop: Callable[[int], bool]) -> Findings:
        """Find every non-dominated point strictly between the ends, or nothing if stopped."""
        upper, lower = self._point(segment.upper), self._point(segment.lower)
        corner = np.array([[lower[0], upper[1]]])
        chord = np.array([upper[1] - lower[1], lower[0] - upper[0]]) * self._many.aims.span
        weight = self._many.weights(chord / chord.sum())
        least = np.array([int(weight @ self._many.at(weight))])
        found = self._many.search(
            corner, np.array([upper, lower]), (weight[None], least), lambda: stop(0)
        )
        if not found.finished:
            return Findings([], opening_of(segment, segment.upper))
        inside = np.flatnonzero((found.points < corner).all(axis=1))
        if not inside.size:
            return Findings()
        inside = inside[non_dominated(found.points[inside])]
        inside = inside[np.argsort(found.points[inside, 0])]
        values = self._many.in_steps(found.points[inside])
        points = (values - self._zero) // np.subtract(self._unit, self._zero)
        return Findings(
            [
                Plan((e, f), found.columns[i])
                for (e, f), i in zip(points.tolist(), inside.tolist(), strict=True)
            ]
        )

    def _point(self, pair: Pair) -> NDArray[np.int64]:
        """Restate (E, F) as the tree counts them."""
        return self._many.reduced(np.array(self._flow.values(pair)))
