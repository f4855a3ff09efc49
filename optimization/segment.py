"""The gap between two neighbouring supported points, and what is found in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from optimization.network.parametric import TwoObjectiveFlow

Pair = tuple[int, int]
NODES_BETWEEN_CHECKS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A plan by its values (E, F), as the two-objective flow counts them, and its columns."""

    point: Pair
    columns: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Segment:
    """Neighbours on the hull: `upper` has less E, `lower` less F.

    `proven` says that no plan lies below the line between them.
    """

    number: int
    upper: Pair
    lower: Pair
    proven: bool

    @property
    def area(self) -> int:
        """Area of the rectangle between the points."""
        return (self.lower[0] - self.upper[0]) * (self.upper[1] - self.lower[1])

    def holds_more(self, step: int) -> bool:
        """Whether a point fits strictly between, F moving in steps."""
        return self.lower[0] - self.upper[0] > 1 and self.upper[1] - self.lower[1] > step


@dataclass(frozen=True, slots=True)
class Opening:
    """Where points of a segment may still be: E up to `lower`'s, F up to `upper`'s.

    `area` is the most hypervolume that they could add.
    """

    upper: Pair
    lower: Pair
    area: float


@dataclass(slots=True)
class Findings:
    """Plans between the ends of a segment, falling F, and what was left open."""

    plans: list[Plan] = field(default_factory=list)
    opening: Opening | None = None


def opening_of(segment: Segment, reached: Pair) -> Opening:
    """Describe the part of a segment beyond the last point reached, which may be its upper end.

    Where the line between the ends is proven, only what lies above it counts: over E from the
    point reached to the lower end, the strip between the line and the F of the point.
    """
    (e_a, f_a), (e_b, f_b) = segment.upper, segment.lower
    width, height = e_b - reached[0], reached[1] - f_b
    area = float(width * height)
    if segment.proven:
        on_line = f_b + (f_a - f_b) * width / (e_b - e_a)
        area -= width * (on_line - f_b) / 2
    return Opening(reached, segment.lower, max(area, 0.0))


def explore(flow: TwoObjectiveFlow, segment: Segment, stop: Callable[[int], bool]) -> Findings:
    """Find every non-dominated point strictly between the ends of a segment.

    The limit on F falls from the upper end to the lower one, each found point giving the next
    limit (Haimes, Lasdon and Wismer's epsilon-constraint method, 1971). From equal starts, so that
    the plans do not depend on which segment came before.

    Parameters
    ----------
    flow
        Used and left in another state.
    segment
        Where to look.
    stop
        Asked between pieces of work, with the number of points found so far; True leaves the rest
        open.
    """
    from optimization.network.parametric import LevelSearch

    found = Findings()
    flow.restart()
    levels = LevelSearch(flow, segment.upper, segment.lower)
    reached = segment.upper
    while reached[1] - flow.step > segment.lower[1]:
        levels.open(segment.lower[0])
        while True:
            if stop(len(found.plans)):
                # Only the next level would show whether the last plan could do with less F.
                kept = found.plans[:-1]
                reached = kept[-1].point if kept else segment.upper
                return Findings(kept, opening_of(segment, reached))
            if levels.go_on(reached[1] - flow.step, NODES_BETWEEN_CHECKS):
                break
        best = levels.found()
        if best is None:
            break
        e, f, columns = best
        reached = e, f
        found.plans.append(Plan(reached, columns))
    return found
