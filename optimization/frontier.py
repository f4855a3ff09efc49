"""The trade-off between efficiency and one other term, by a weighted sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimization.errors import ProblemError, SolverError
from optimization.problem import AssignmentProblem
from optimization.scalar import scalarize
from optimization.solution import Solution, Status
from optimization.solve import solve
from optimization.stop import Deadline
from optimization.weights import Weights

if TYPE_CHECKING:
    import pandas as pd

END_SHARE = 0.001
"""Normalised weight the other objective keeps at either end: no end is weakly dominated."""


@dataclass(frozen=True, slots=True, eq=False)
class FrontierPoint:
    """One non-dominated plan.

    Attributes
    ----------
    weights
        The raw weights that found it.
    values
        Every term in its unit, and "coverage" as 1000 per order of normal priority.
    efficiency
        Weighted sum of the efficiency terms, minimised.
    against
        Value of the other term in its unit, minimised.
    solution
        The plan with its status, gap and engine.
    """

    weights: Weights
    values: Mapping[str, float]
    efficiency: float
    against: float
    solution: Solution

    @property
    def columns(self) -> NDArray[np.int64]:
        """Ids of the chosen columns."""
        return self.solution.columns

    @property
    def status(self) -> Status:
        """Whether the point is proven for its weights."""
        return self.solution.status

    @property
    def gap(self) -> float:
        """Relative gap of the point's weighted objective."""
        return self.solution.gap

    @property
    def engine(self) -> str:
        """Who found the point."""
        return self.solution.engine


@dataclass(frozen=True, slots=True, eq=False)
class Frontier:
    """Non-dominated points, most efficient first.

    Attributes
    ----------
    points
        At least one.
    against
        Name of the term on the other axis.
    efficiency
        Weights of the terms that make up efficiency.
    complete
        False where the deadline cut the sweep short or a point is not proven.
    """

    points: tuple[FrontierPoint, ...]
    against: str
    efficiency: Weights
    complete: bool

    @property
    def ideal(self) -> tuple[float, float]:
        """Best efficiency and best other term, each over the points."""
        return self.points[0].efficiency, self.points[-1].against

    @property
    def nadir(self) -> tuple[float, float]:
        """Worst efficiency and worst other term over the points."""
        return self.points[-1].efficiency, self.points[0].against

    def knee(self) -> FrontierPoint:
        """Return the point farthest below the chord between the ends, both axes scaled to [0, 1].

        The most efficient point where no point lies below the chord (Das, On characterizing the
        "knee" of the Pareto curve, Structural Optimization 18, 1999).
        """
        e = np.array([p.efficiency for p in self.points])
        a = np.array([p.against for p in self.points])
        width, height = e[-1] - e[0], a[0] - a[-1]
        if len(self.points) < 3 or not (width > 0.0 and height > 0.0):
            return self.points[0]
        return self.points[int(np.argmax(1.0 - (e - e[0]) / width - (a - a[-1]) / height))]

    def best_within(self, bounds: Mapping[str, float]) -> FrontierPoint:
        """Return the most efficient point whose terms are at most the bounds, in their units.

        Raises
        ------
        ProblemError
            If a bound names no term, or no point keeps them all: the message gives the least of
            each over the points.
        """
        known = set(self.points[0].values)
        if unknown := sorted(set(bounds) - known):
            raise ProblemError([f"bounds name unknown terms {unknown}; there are {sorted(known)}"])
        for point in self.points:
            if all(point.values[name] <= bound for name, bound in bounds.items()):
                return point
        least = {name: min(p.values[name] for p in self.points) for name in bounds}
        raise ProblemError([f"no point keeps {dict(bounds)}; the least of each is {least}"])

    def to_frame(self) -> pd.DataFrame:
        """Return one row per point: values, raw weights, status, gap and engine."""
        import pandas as pd

        names = (*self.efficiency.values, self.against)
        return pd.DataFrame(
            [
                {
                    "efficiency": p.efficiency,
                    **p.values,
                    **{f"weight_{name}": p.weights[name] for name in names},
                    "status": p.status.value,
                    "gap": p.gap,
                    "engine": p.engine,
                }
                for p in self.points
            ]
        )


def sweep(
    problem: AssignmentProblem,
    efficiency: Weights,
    against: str = "fairness",
    points: int = 11,
    deadline: Deadline | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Frontier:
    """Trace efficiency against another term by weights evenly spread over their ranges.

    Each objective alone gives the ranges; then the share s of the other term runs over
    `points` values from 0.001 to 0.999, ends first, with raw weights (1 - s) x efficiency and
    s x (range of efficiency / range of the other). Only supported points can be found this way.

    Parameters
    ----------
    problem
        What to choose from.
    efficiency
        Raw weights of the terms on the first axis; `against` is not among them.
    against
        Name of the term on the other axis.
    points
        How many weights to try, at least 2.
    deadline
        When to stop with the points at hand; the first solve always happens.
    progress
        Called with the solves done and the solves planned.

    Raises
    ------
    ProblemError
        If fewer than 2 points are asked for or `against` is among the efficiency terms.
    SolverError
        If proven points differ in coverage, which no weight may cause.
    """
    if points < 2:
        raise ProblemError([f"expected points >= 2, got {points}"])
    if efficiency[against] > 0.0:
        raise ProblemError([f"{against} is both an efficiency term and the other axis"])
    efficiency.require_known(problem)
    other = problem.term(against)
    axis = scalarize(problem, efficiency)
    deadline = deadline or Deadline.after(None)
    found: list[tuple[Weights, Solution]] = []

    def attempt(weights: Weights) -> NDArray[np.int64] | None:
        if found and deadline.expired:
            return None
        solution = solve(problem, weights, deadline=deadline)
        found.append((weights, solution))
        if progress is not None:
            progress(len(found), points + 2)
        values = problem.term_values(solution.columns)
        return np.array([axis.objective(solution.columns), values[against]])

    first, last = attempt(efficiency), attempt(Weights({against: 1.0}))
    ratio = 1.0
    if first is not None and last is not None:
        width = max(0, int(last[0] - first[0])) / axis.scale
        height = max(0, int(first[1] - last[1])) / other.scale
        ratio = width / height if width > 0.0 and height > 0.0 else 1.0
    shares = np.linspace(END_SHARE, 1.0 - END_SHARE, points)
    for share in np.concatenate([shares[[0, -1]], shares[1:-1]]).tolist():
        mixed = {name: (1.0 - share) * weight for name, weight in efficiency.values.items()}
        attempt(Weights({**mixed, against: share * ratio}))
    complete = len(found) == points + 2 and all(s.proven for _, s in found)
    # The first two only gave the ranges: an objective alone may end at a weakly dominated plan.
    kept = _points(problem, efficiency, against, found[2:] or found)
    return Frontier(kept, against, efficiency, complete)


def non_dominated(values: ArrayLike) -> NDArray[np.bool_]:
    """Mark the rows (n, d) that no other row matches or beats everywhere and beats somewhere."""
    rows = np.asarray(values, dtype=np.int64)
    keep = np.ones(len(rows), np.bool_)
    step = max(1, 4_000_000 // max(1, rows.size))
    for low in range(0, len(rows), step):
        part = rows[low : low + step, None, :]
        no_worse = np.all(rows[None] <= part, axis=2)
        keep[low : low + step] = ~np.any(no_worse & np.any(rows[None] < part, axis=2), axis=1)
    return keep


def _points(
    problem: AssignmentProblem,
    efficiency: Weights,
    against: str,
    found: list[tuple[Weights, Solution]],
) -> tuple[FrontierPoint, ...]:
    """Filter exactly on integers, merge equal points, sort by efficiency."""
    least = min(s.coverage for _, s in found)
    uneven = {s.coverage for _, s in found if s.proven} - {least}
    if uneven:
        raise SolverError(f"proven points leave orders worth {sorted(uneven)} and {least}")
    # A plan cut short by the deadline may serve less: it is no point of this frontier.
    level = [(w, s) for w, s in found if s.coverage == least]
    axis, other = scalarize(problem, efficiency), problem.term(against)
    terms = [problem.term_values(s.columns) for _, s in level]
    values = np.array(
        [(axis.objective(s.columns), t[against]) for (_, s), t in zip(level, terms, strict=True)],
        dtype=np.int64,
    )
    _, first = np.unique(values, axis=0, return_index=True)
    chosen = first[non_dominated(values)[first]]
    return tuple(
        FrontierPoint(
            weights=level[i][0],
            values={
                **{name: problem.term(name).in_unit(v) for name, v in terms[i].items()},
                "coverage": float(least),
            },
            efficiency=int(values[i, 0]) / axis.scale,
            against=other.in_unit(int(values[i, 1])),
            solution=level[i][1],
        )
        for i in chosen.tolist()
    )
