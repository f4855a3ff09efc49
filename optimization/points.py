"""A set of points of several terms, what it is sure of, and how to choose among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from optimization.errors import ProblemError
from optimization.problem import AssignmentProblem
from optimization.verify import verify
from optimization.weights import Weights

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Representation:
    """Points none of which another matches or beats, and how much better any plan could be.

    Attributes
    ----------
    problem
        What was asked.
    terms
        Names of the axes.
    values
        (p, d) integers in the terms' own steps, all minimised, in lexicographic order.
    columns
        Chosen columns of each point, verified.
    span
        (d,) distance of ideal and nadir over the points, at least 1.
    epsilon
        For every plan of best coverage some point is no worse in any term by more than this share
        of `span` (the additive epsilon indicator); 0.0 where the set is complete.
    """

    problem: AssignmentProblem
    terms: tuple[str, ...]
    values: NDArray[np.int64]
    columns: tuple[NDArray[np.int64], ...]
    span: NDArray[np.int64]
    epsilon: float

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def complete(self) -> bool:
        """Whether the points are all the non-dominated ones."""
        return self.epsilon == 0.0

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """(p, d) values in the terms' units."""
        scales = np.array([self.problem.term(name).scale for name in self.terms])
        return np.asarray(self.values / scales, np.float64)

    @property
    def ideal(self) -> NDArray[np.float64]:
        """(d,) best of each term over the points."""
        return np.asarray(self.points.min(axis=0), np.float64)

    @property
    def nadir(self) -> NDArray[np.float64]:
        """(d,) worst of each term over the points."""
        return np.asarray(self.points.max(axis=0), np.float64)

    @property
    def hypervolume(self) -> float:
        """Share of the box from ideal to nadir that the points dominate, in [0, 1].

        Through moocore (Fonseca, Paquete and Lopez-Ibanez, IEEE CEC 2006); terms that are the same
        everywhere are left out.
        """
        wide = self.nadir > self.ideal
        if not wide.any():
            return 1.0
        import moocore

        shares = ((self.points - self.ideal)[:, wide]) / (self.nadir - self.ideal)[wide]
        return float(moocore.hypervolume(shares, ref=np.ones(int(wide.sum()))))

    def knee(self) -> int:
        """Return the index of the point with the least sum of shares of the ranges.

        The point farthest below the plane through the ends of a frontier scaled to [0, 1] (Das,
        Structural Optimization 18, 1999).
        """
        return int(np.argmin(((self.values - self.values.min(axis=0)) / self.span).sum(axis=1)))

    def best_for(self, weights: Weights) -> int:
        """Return the index of the point with the least weighted sum, in units.

        Raises
        ------
        ProblemError
            If a weight names no axis.
        """
        if others := sorted(set(weights.values) - set(self.terms)):
            raise ProblemError([f"weights of {others}, which are no axes: {list(self.terms)}"])
        return int(np.argmin(self.points @ np.array([weights[name] for name in self.terms])))

    def best_within(self, bounds: Mapping[str, float]) -> int:
        """Return, among the points within the bounds in units, the index of the knee.

        Raises
        ------
        ProblemError
            If a bound names no axis, or no point keeps them: the message gives the least of each.
        """
        if others := sorted(set(bounds) - set(self.terms)):
            raise ProblemError([f"bounds on {others}, which are no axes: {list(self.terms)}"])
        limit = np.array([bounds.get(name, np.inf) for name in self.terms])
        inside = np.flatnonzero((self.points <= limit).all(axis=1))
        if not inside.size:
            least = {name: self.ideal[self.terms.index(name)] for name in bounds}
            raise ProblemError([f"no point keeps {dict(bounds)}; the least of each is {least}"])
        share = (self.values[inside] - self.values.min(axis=0)) / self.span
        return int(inside[np.argmin(share.sum(axis=1))])

    def to_frame(self) -> pd.DataFrame:
        """Return one row per point: each term in its unit."""
        import pandas as pd

        return pd.DataFrame(self.points, columns=list(self.terms))

    def summary(self) -> str:
        """Describe the points in one line."""
        state = "complete" if self.complete else f"proven error {self.epsilon:.2%} of each range"
        ranges = ", ".join(
            f"{name} {low:.6g} to {high:.6g}"
            for name, low, high in zip(self.terms, self.ideal, self.nadir, strict=True)
        )
        return f"{len(self)} points, {state}; {ranges}"


def representation_of(
    problem: AssignmentProblem,
    terms: Sequence[str],
    values: NDArray[np.int64],
    columns: Sequence[NDArray[np.integer]],
    epsilon: float,
) -> Representation:
    """Verify every plan against its claimed values and put them in order.

    Raises
    ------
    VerificationError
        If a plan is not what it is claimed to be.
    """
    order = np.lexsort(values.T[::-1])
    plans = tuple(np.asarray(columns[i], np.int64) for i in order.tolist())
    for plan, row in zip(plans, values[order].tolist(), strict=True):
        verify(problem, plan, claimed=dict(zip(terms, row, strict=True))).raise_if_faulty()
    span = np.maximum(values.max(axis=0) - values.min(axis=0), 1)
    return Representation(problem, tuple(terms), values[order], plans, span, epsilon)
