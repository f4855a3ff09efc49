"""The kernels compiled by numba, as a backend where nothing was compiled at install."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.kernels import Program
from models.scoring.base import Trees


@dataclass(frozen=True, slots=True)
class JitBackend:
    """Scores a program; numba compiles on first use and keeps the result on disk."""

    program: Program
    name: str = "numba"

    @classmethod
    def of(cls, trees: Trees) -> JitBackend:
        """Make the backend of an ensemble."""
        return cls(Program(trees.forest))

    def score(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw log-odds of shape (n,) for a float64 matrix of shape (n, f)."""
        from models.kernels.jit import score

        return score(self.program, matrix)
