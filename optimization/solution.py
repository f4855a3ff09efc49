"""What a solver answers: the chosen columns, how good they are, and why it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray


class Status(Enum):
    """Whether there is a usable answer."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"
    """Nothing was found within the bounds in time, and nothing is ruled out."""


class StopReason(Enum):
    """Why the search ended."""

    PROVEN = "proven"
    DEADLINE = "deadline"
    WORK_LIMIT = "work limit"
    GREEDY_FALLBACK = "greedy fallback"


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A selection of columns with its objective, bound and gap.

    Attributes
    ----------
    columns
        Sorted ids of the chosen columns; empty without a usable answer.
    status, stop_reason
        Is there a usable answer, and why did the search stop.
    engine
        Who answered, e.g. ``or-tools:min-cost-flow``.
    objective, bound
        Weighted terms without coverage and a lower bound on them at this coverage or a better one,
        both integers in steps of 1 / `scale`; minimised.
    scale
        Steps per unit of the weighted sum.
    coverage
        Price of the orders left, 1000 = one order of normal priority; minimised before all else.
    elapsed_s
        Wall time of the search.
    message
        What a reader has to know beyond the numbers.
    attainable
        When bounds are not kept: the best value of each bounded term on its own, in its unit, at
        the best coverage.
    """

    columns: NDArray[np.int64]
    status: Status
    stop_reason: StopReason
    engine: str
    objective: int
    bound: int
    scale: int
    coverage: int
    elapsed_s: float
    message: str = ""
    attainable: Mapping[str, float] = field(default_factory=dict)

    @property
    def gap(self) -> float:
        """Distance between objective and bound, relative to the objective; 0.0 when proven."""
        return max(0, self.objective - self.bound) / max(1, abs(self.objective))

    @property
    def usable(self) -> bool:
        """Whether the columns are a plan, rather than the lack of one."""
        return self.status in (Status.OPTIMAL, Status.FEASIBLE)

    @property
    def proven(self) -> bool:
        """Whether nothing better exists over these candidates."""
        return self.status is Status.OPTIMAL

    def summary(self) -> str:
        """Describe the answer in one line."""
        if not self.usable:
            return (
                f"{self.status.value} ({self.stop_reason.value}) by {self.engine}: {self.message}"
            )
        text = (
            f"{self.status.value} ({self.stop_reason.value}) by {self.engine}: "
            f"{self.columns.size} columns, objective {self.objective / self.scale:.6g}, "
            f"bound {self.bound / self.scale:.6g}, gap {self.gap:.2%}, "
            f"left {self.coverage / 1000:g}, {1000 * self.elapsed_s:.1f} ms"
        )
        return f"{text}; {self.message}" if self.message else text
