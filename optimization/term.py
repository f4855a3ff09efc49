"""One named term of the objective, as integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimization.errors import ProblemError
from optimization.integers import integers
from optimization.work import WorkPrice


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A quantity to be minimised: a constant and prices per column, committed order and work.

    Attributes
    ----------
    name, unit
        What it is called and what `value / scale` is measured in.
    scale
        How many integer steps make one unit.
    constant
        Present whatever is chosen.
    column
        (k,) added when the column is chosen.
    marginal
        (Q,) with Q = sum of max_orders: cost of the q-th order committed to a courier, courier by
        courier. Non-decreasing within each courier, so that the term is separable and convex.
    work
        A convex price on the work added to each courier, where the term has one.
    """

    name: str
    unit: str
    scale: int
    constant: int
    column: NDArray[np.int64]
    marginal: NDArray[np.int64]
    work: WorkPrice | None = None

    def __post_init__(self) -> None:
        faults: list[str] = []
        if not self.name or self.name == "coverage":
            faults.append(f"term name {self.name!r} is empty or reserved")
        if self.scale < 1:
            faults.append(f"term {self.name}: expected scale >= 1, got {self.scale}")
        for part in ("column", "marginal"):
            kept = integers(f"term {self.name}: {part}", getattr(self, part), np.int64, faults)
            object.__setattr__(self, part, kept)
        object.__setattr__(self, "constant", int(self.constant))
        object.__setattr__(self, "scale", int(self.scale))
        if faults:
            raise ProblemError(faults)

    @classmethod
    def linear(
        cls,
        name: str,
        unit: str,
        scale: int,
        column: ArrayLike,
        max_orders: ArrayLike,
        constant: int = 0,
    ) -> Term:
        """Build a term that is only a price per column."""
        slots = int(np.sum(np.asarray(max_orders, dtype=np.int64)))
        return cls(name, unit, scale, constant, np.asarray(column), np.zeros(slots, np.int64))

    @classmethod
    def separable(
        cls,
        name: str,
        unit: str,
        scale: int,
        marginal: ArrayLike,
        n_columns: int,
        constant: int = 0,
    ) -> Term:
        """Build a term that depends only on how many orders each courier gets."""
        return cls(name, unit, scale, constant, np.zeros(n_columns, np.int64), np.asarray(marginal))

    def in_unit(self, value: int) -> float:
        """Convert an integer value of the term into its unit."""
        return value / self.scale
