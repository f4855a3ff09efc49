"""Errors of the optimization room."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike


class OptimizationError(Exception):
    """Base of every error raised by this room."""


class ProblemError(OptimizationError, ValueError):
    """The problem, the weights or the bounds are malformed; `faults` lists every reason."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


class SolverError(OptimizationError, RuntimeError):
    """An engine is missing, died, or claimed something its own columns contradict."""


class VerificationError(OptimizationError, RuntimeError):
    """A selection of columns is not what it claims to be; `faults` lists every reason."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


def first_five(ids: ArrayLike) -> str:
    """Write out the first five ids and say how many there are when more."""
    flat = np.ravel(np.asarray(ids))
    shown = ", ".join(str(i) for i in flat[:5].tolist())
    return shown if flat.size <= 5 else f"{shown} and {flat.size - 5} more"
