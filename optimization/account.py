"""Work done and time active: turns added work into rates, and a cap on rates into limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimization.errors import ProblemError, first_five
from optimization.objectives import FLOOR_S
from optimization.problem import AssignmentProblem


@dataclass(frozen=True, slots=True, eq=False)
class WorkAccount:
    """What each courier has done in the fairness window.

    Attributes
    ----------
    work
        Name of the work in the problem.
    past
        (m,) work done, in steps of it.
    active_s
        (m,) active seconds, counted as at least `floor_s`.
    steps_per_unit
        Steps of work in the unit in which rates are told, e.g. 60 for minutes an hour.
    floor_s
        Least active seconds per courier.
    """

    work: str
    past: NDArray[np.int64]
    active_s: NDArray[np.float64]
    steps_per_unit: int
    floor_s: float = FLOOR_S

    def __post_init__(self) -> None:
        faults = []
        for name in ("past", "active_s"):
            given = np.asarray(getattr(self, name))
            bad = np.flatnonzero(~((given >= 0) & np.isfinite(given)))
            if bad.size:
                faults.append(f"{name}: negative or not finite at {first_five(bad)}")
        if np.size(self.past) != np.size(self.active_s):
            faults.append(f"past has {np.size(self.past)} couriers, active_s {self.active_s.size}")
        if not (self.floor_s > 0.0 and self.steps_per_unit > 0):
            faults.append("expected positive floor_s and steps_per_unit")
        if faults:
            raise ProblemError(faults)

    @property
    def hours(self) -> NDArray[np.float64]:
        """(m,) active hours, floored."""
        return np.maximum(self.active_s, self.floor_s) / 3600.0

    def rates(self, problem: AssignmentProblem, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Work per active hour of each courier, past and committed, (m,) in units an hour."""
        total = self.past + problem.added(self.work, columns)
        return np.asarray(total / self.steps_per_unit / self.hours, dtype=np.float64)

    def capped(self, problem: AssignmentProblem, rate: float) -> AssignmentProblem:
        """Limit added work so that no courier who gets any ends above a rate.

        The epsilon form of min-max fairness: couriers already above it get nothing. Coverage then
        is the best one under the cap.

        Raises
        ------
        ProblemError
            If the rate is negative or not finite.
        """
        if not (np.isfinite(rate) and rate >= 0.0):
            raise ProblemError([f"expected a finite rate >= 0, got {rate}"])
        room = np.floor(rate * self.hours * self.steps_per_unit + 1e-6) - self.past
        works = []
        for work in problem.works:
            limit = np.minimum(work.limit, np.maximum(room, 0).astype(np.int64))
            kept = limit if work.name == self.work else work.limit
            works.append(type(work)(work.name, work.unit, work.column, kept))
        problem.work(self.work)
        return problem.replace(works=tuple(works))
