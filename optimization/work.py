"""Work that columns add to their courier, and a convex price on the sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimization.errors import ProblemError, first_five
from optimization.integers import integers

NO_LIMIT = 2**61
"""A `Work.limit` that no sum of work reaches."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A quantity that adds up over a courier's columns: seconds of work, cents earned.

    Attributes
    ----------
    name, unit
        What it is called and what one integer step of it is, e.g. "s" or "cent".
    column
        (k,) work each column adds to its courier, not negative.
    limit
        (m,) most work that may be added to a courier; `NO_LIMIT` for as much as there is.
    """

    name: str
    unit: str
    column: NDArray[np.int64]
    limit: NDArray[np.int64]

    def __post_init__(self) -> None:
        faults: list[str] = [] if self.name else ["work without a name"]
        for part in ("column", "limit"):
            kept = integers(f"work {self.name}: {part}", getattr(self, part), np.int64, faults)
            object.__setattr__(self, part, kept)
            negative = np.flatnonzero(kept < 0)
            if negative.size:
                faults.append(f"work {self.name}: {part} negative at {first_five(negative)}")
        if faults:
            raise ProblemError(faults)

    @classmethod
    def unlimited(cls, name: str, unit: str, column: ArrayLike, n_couriers: int) -> Work:
        """Build work that no courier has too much of."""
        return cls(name, unit, np.asarray(column), np.full(n_couriers, NO_LIMIT))

    def added(
        self, column_courier: NDArray[np.int32], columns: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Add up the work each courier gets from the chosen columns, (m,)."""
        total = np.zeros(self.limit.size, np.int64)
        np.add.at(total, column_courier[columns], self.column[columns])
        return total


@dataclass(frozen=True, slots=True, eq=False)
class WorkPrice:
    """A convex piecewise-linear price on the work added to each courier, 0 where none is added.

    Attributes
    ----------
    work
        Name of the work that is priced.
    ptr
        (m + 1,) courier j owns the pieces `ptr[j]:ptr[j + 1]`, at least one.
    knot
        (K,) added work at which each piece begins, from 0 and rising within a courier; the last
        piece has no end.
    slope
        (K,) price of one more step of work along the piece, never falling within a courier.
    """

    work: str
    ptr: NDArray[np.int64]
    knot: NDArray[np.int64]
    slope: NDArray[np.int64]

    def __post_init__(self) -> None:
        faults: list[str] = []
        for part in ("ptr", "knot", "slope"):
            kept = integers(f"price of {self.work}: {part}", getattr(self, part), np.int64, faults)
            object.__setattr__(self, part, kept)
        if not faults:
            faults = self._faults()
        if faults:
            raise ProblemError(faults)

    @property
    def owner(self) -> NDArray[np.int64]:
        """(K,) courier of each piece."""
        return np.repeat(np.arange(self.ptr.size - 1), np.diff(self.ptr))

    @property
    def length(self) -> NDArray[np.int64]:
        """(K,) work along each piece, `NO_LIMIT` along a courier's last."""
        length = np.full(self.knot.size, NO_LIMIT)
        length[:-1] = np.diff(self.knot)
        length[self.ptr[1:] - 1] = NO_LIMIT
        return length

    def at(self, added: NDArray[np.int64]) -> NDArray[np.int64]:
        """Price each courier's added work, (m,)."""
        if not added.size:
            return np.zeros(0, np.int64)
        along = np.clip(added[self.owner] - self.knot, 0, self.length)
        return np.add.reduceat(along * self.slope, self.ptr[:-1])

    def rise(
        self, courier: NDArray[np.int32], added: NDArray[np.int64], more: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Price `more` work on top of `added`, for any list of couriers, (x,) each."""
        return self._priced(courier, added + more) - self._priced(courier, added)

    def _priced(self, courier: NDArray[np.int32], added: NDArray[np.int64]) -> NDArray[np.int64]:
        # One sorted key for all couriers, so that a single search finds each piece.
        stride = int(max(self.knot.max(initial=0), added.max(initial=0))) + 1
        piece = np.searchsorted(self.owner * stride + self.knot, courier * stride + added, "right")
        piece -= 1
        return self.base[piece] + self.slope[piece] * (added - self.knot[piece])

    @property
    def base(self) -> NDArray[np.int64]:
        """(K,) price at each knot."""
        step = np.zeros(self.knot.size, np.int64)
        step[1:] = np.diff(self.knot) * self.slope[:-1]
        step[self.ptr[:-1]] = 0
        total = np.cumsum(step)
        return total - total[self.ptr[:-1]][self.owner]

    def steepest(self, most: NDArray[np.int64]) -> NDArray[np.int64]:
        """Slope of the last piece entered before `most` work, (m,)."""
        reached = (self.knot < most[self.owner]).astype(np.int64)
        pieces = np.add.reduceat(reached, self.ptr[:-1]) if most.size else np.zeros(0, np.int64)
        return self.slope[self.ptr[:-1] + np.maximum(pieces, 1) - 1]

    def times(self, factor: float) -> WorkPrice:
        """Multiply the price; slopes are rounded one by one, which keeps them from falling."""
        if isinstance(factor, int):
            return WorkPrice(self.work, self.ptr, self.knot, factor * self.slope)
        slope = np.rint(factor * self.slope).astype(np.int64)
        return WorkPrice(self.work, self.ptr, self.knot, slope)

    def _faults(self) -> list[str]:
        pieces = np.diff(self.ptr)
        if (
            not self.ptr.size
            or self.ptr[0] != 0
            or (pieces < 1).any()
            or self.ptr[-1] != self.knot.size
            or self.knot.size != self.slope.size
        ):
            return [
                f"price of {self.work}: ptr has to run from 0 to the number of knots and of "
                f"slopes ({self.knot.size}, {self.slope.size}), at least one piece per courier"
            ]
        inner = np.ones(self.knot.size, np.bool_)
        inner[self.ptr[:-1]] = False
        inner = inner[1:]
        faults = []
        if (self.knot[self.ptr[:-1]] != 0).any():
            bad = np.flatnonzero(self.knot[self.ptr[:-1]] != 0)
            faults.append(f"price of {self.work}: first knot not 0 at couriers {first_five(bad)}")
        for name, wrong in (
            ("knots do not rise", np.diff(self.knot) <= 0),
            ("slopes fall", np.diff(self.slope) < 0),
        ):
            bad = self.owner[1:][wrong & inner]
            if bad.size:
                faults.append(f"price of {self.work}: {name} at couriers {first_five(bad)}")
        return faults
