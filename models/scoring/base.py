"""The scoring protocol: one file per backend behind it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class ScoringBackend(Protocol):
    """Turns a feature matrix into raw scores; calibration follows outside."""

    @property
    def name(self) -> str:
        """Short name, as asked for in the registry and reported to users."""

    def score(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw log-odds of shape (n,) for a C-contiguous float64 matrix of shape (n, f)."""
