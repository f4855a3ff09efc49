"""A frontier that says what it is sure of: its points, and the boxes where others may be."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from optimization.errors import ProblemError
from optimization.problem import AssignmentProblem
from optimization.scalar import ScalarProblem
from optimization.solution import Solution, StopReason
from optimization.solvers.base import conclude
from optimization.weights import Weights

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle that may hold further points, in the units of the axes.

    Attributes
    ----------
    efficiency, against
        (low, high) of each axis: a point inside lies strictly between its corners' plans.
    area
        Most hypervolume that points in it could add.
    """

    efficiency: tuple[float, float]
    against: tuple[float, float]
    area: float


@dataclass(frozen=True, eq=False)
class CertifiedFrontier:
    """Non-dominated points, most efficient first, and what is not known.

    Attributes
    ----------
    problem, efficiency, against
        What was asked: terms and weights of the first axis, name of the second.
    axis
        The first axis as integers.
    values
        (p, 2) integers: efficiency in steps of `axis.scale`, the other term in its own steps.
    columns
        Chosen columns of each point.
    supported
        (p,) whether some weighted sum of the two finds the point.
    boxes
        Where further points may be; none where the frontier is complete.
    """

    problem: AssignmentProblem
    efficiency: Weights
    against: str
    axis: ScalarProblem
    values: NDArray[np.int64]
    columns: tuple[NDArray[np.int32], ...]
    supported: NDArray[np.bool_]
    boxes: tuple[Box, ...]

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def complete(self) -> bool:
        """Whether every non-dominated point is here."""
        return not self.boxes

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """(p, 2) efficiency and the other term in their units, both minimised."""
        scales = np.array([self.axis.scale, self.problem.term(self.against).scale])
        points: NDArray[np.float64] = self.values / scales
        return points

    @property
    def ideal(self) -> tuple[float, float]:
        """Best of each axis."""
        return float(self.points[0, 0]), float(self.points[-1, 1])

    @property
    def nadir(self) -> tuple[float, float]:
        """Worst of each axis over the frontier."""
        return float(self.points[-1, 0]), float(self.points[0, 1])

    @property
    def hypervolume(self) -> float:
        """Share of the rectangle from ideal to nadir that the points dominate, in [0, 1].

        Through moocore (Fonseca, Paquete and Lopez-Ibanez, IEEE CEC 2006); 1.0 where the rectangle
        has no area.
        """
        spread = np.subtract(self.nadir, self.ideal)
        if not spread.all():
            return 1.0
        import moocore

        return float(moocore.hypervolume((self.points - self.ideal) / spread, ref=[1.0, 1.0]))

    @property
    def hypervolume_gap(self) -> float:
        """Most that unknown points could add to `hypervolume`."""
        spread = np.subtract(self.nadir, self.ideal)
        return sum(box.area for box in self.boxes) / float(spread.prod()) if self.boxes else 0.0

    @property
    def largest_box(self) -> Box | None:
        """The box that could add most, None where the frontier is complete."""
        return max(self.boxes, key=lambda box: box.area, default=None)

    @property
    def price_of_fairness(self) -> NDArray[np.float64]:
        """(p, 2) share of the best efficiency given up, and share of the worst spread removed.

        The first is relative to the size of the best efficiency (Bertsimas, Farias and Trichakis,
        The price of fairness, Operations Research 59, 2011); nan where that, or the worst spread,
        is zero.
        """
        best, worst = self.ideal[0], self.nadir[1]
        lost = (self.points[:, 0] - best) / (abs(best) or np.nan)
        return np.column_stack([lost, (worst - self.points[:, 1]) / (abs(worst) or np.nan)])

    def knee(self) -> int:
        """Return the index of the point farthest below the chord between the ends.

        Both axes scaled to [0, 1] (Das, Structural Optimization 18, 1999); 0 where none lies below.
        """
        spread = np.subtract(self.nadir, self.ideal)
        if len(self) < 3 or not spread.all():
            return 0
        return int(np.argmin(((self.points - self.ideal) / spread).sum(axis=1)))

    def best_within(self, limit: float) -> int:
        """Return the index of the most efficient point whose other term is at most the limit.

        Raises
        ------
        ProblemError
            If no point is; the message gives the least.
        """
        inside = np.flatnonzero(self.points[:, 1] <= limit)
        if not inside.size:
            raise ProblemError([f"{self.against} can be no less than {self.ideal[1]:.9g}"])
        return int(inside[0])

    def best_for(self, weight: float) -> int:
        """Return the index of the point with the least efficiency + weight x the other term.

        Raises
        ------
        ProblemError
            If the weight is negative or not finite.
        """
        if not 0.0 <= weight < np.inf:
            raise ProblemError([f"weight: expected a finite number >= 0, got {weight}"])
        return int(np.argmin(self.points @ np.array([1.0, weight])))

    def solution(self, index: int) -> Solution:
        """Return the plan of a point, recomputed and verified.

        Proven: no plan with this much of the other term, or less, is more efficient, unless the
        point borders a box.
        """
        started_s = time.monotonic()
        columns = self.columns[index].astype(np.int64)
        solution = conclude(
            self.axis,
            columns,
            engine="courier-dispatch:exact-frontier",
            stop_reason=StopReason.PROVEN,
            bound_value=self.axis.value(columns),
            started_s=started_s,
            message=f"{self.against} at most {self.points[index, 1]:.9g}",
        )
        found = solution.objective, self.problem.term_values(columns)[self.against]
        if found != tuple(self.values[index].tolist()):
            raise ProblemError([f"point {index}: its columns are worth {found}"])
        return solution

    def to_frame(self) -> pd.DataFrame:
        """Return one row per point: both axes, support and the price of fairness."""
        import pandas as pd

        lost, removed = self.price_of_fairness.T
        return pd.DataFrame(
            {
                "efficiency": self.points[:, 0],
                self.against: self.points[:, 1],
                "supported": self.supported,
                "efficiency_lost": lost,
                f"{self.against}_removed": removed,
            }
        )

    def summary(self) -> str:
        """Describe the frontier in one line."""
        state = "complete"
        if self.boxes:
            state = f"{len(self.boxes)} boxes open, hypervolume gap {self.hypervolume_gap:.2%}"
        return (
            f"{len(self)} points, {int(self.supported.sum())} supported, {state}; efficiency "
            f"{self.ideal[0]:.6g} to {self.nadir[0]:.6g}, {self.against} {self.nadir[1]:.6g} to "
            f"{self.ideal[1]:.6g}"
        )
