"""Raw weights of the objective terms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from optimization.errors import ProblemError
from optimization.problem import AssignmentProblem


@dataclass(frozen=True, slots=True)
class Weights:
    """How much one unit of each term counts; terms not named count nothing.

    Raw: the weight multiplies the term in its own unit (an order, a second, an orders^2/h), with no
    hidden normalisation.

    Raises
    ------
    ProblemError
        If a weight is negative or not finite, or none is positive.
    """

    values: Mapping[str, float]

    def __post_init__(self) -> None:
        kept = {name: float(weight) for name, weight in self.values.items()}
        faults = [
            f"weight {name}: expected a finite number >= 0, got {weight}"
            for name, weight in kept.items()
            if not (math.isfinite(weight) and weight >= 0.0)
        ]
        if not faults and not any(weight > 0.0 for weight in kept.values()):
            faults.append(f"expected at least one positive weight, got {kept}")
        if faults:
            raise ProblemError(faults)
        object.__setattr__(self, "values", kept)

    def __getitem__(self, name: str) -> float:
        return self.values.get(name, 0.0)

    def require_known(self, problem: AssignmentProblem) -> None:
        """Raise ProblemError where a weight names a term the problem lacks."""
        names = [term.name for term in problem.terms]
        unknown = sorted(set(self.values) - set(names))
        if unknown:
            raise ProblemError([f"weights name unknown terms {unknown}; there are {names}"])
