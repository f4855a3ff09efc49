"""The compiled kernels as a backend: LightGBM's scores to the last bit, tens of times faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.kernels import NativeForest, Program
from models.scoring.base import Trees

LARGE_BATCH_THREADS: Final = 2
"""Threads for large batches (see `models.kernels.native`); they sleep when they have no work."""


@dataclass(frozen=True, slots=True)
class NativeBackend:
    """Scores through `forest`; one thread for small batches, `threads` for large ones."""

    forest: NativeForest
    threads: int = LARGE_BATCH_THREADS
    name: str = "native"

    @classmethod
    def of(cls, trees: Trees) -> NativeBackend:
        """Make the backend of an ensemble."""
        return cls(NativeForest(Program(trees.forest)))

    def score(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw log-odds of shape (n,) for a float64 matrix of shape (n, f)."""
        return self.forest.score(matrix, self.threads)
