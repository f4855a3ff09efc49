"""LightGBM's own predictor: the reference that every other backend must agree with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.base import Trees

if TYPE_CHECKING:
    from lightgbm import Booster

SINGLE_THREAD_ROWS: Final = 1024
"""Up to here waking a second thread costs more than it saves."""


@dataclass(frozen=True, slots=True)
class LightGBMBackend:
    """Scores through `Booster.predict`, with at most `threads` threads."""

    booster: Booster
    threads: int
    name: str = "lightgbm"

    @classmethod
    def of(cls, trees: Trees) -> LightGBMBackend:
        """Make the backend of an ensemble."""
        return cls(trees.booster, trees.threads)

    def score(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw log-odds of shape (n,) for a float64 matrix of shape (n, f)."""
        if not len(matrix):
            return np.empty(0, dtype=np.float64)
        threads = 1 if len(matrix) <= SINGLE_THREAD_ROWS else self.threads
        scores = self.booster.predict(matrix, raw_score=True, num_threads=threads)
        return np.asarray(scores, dtype=np.float64)
