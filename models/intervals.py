"""How far a probability may be off, from models grown on resampled orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.ensemble import Ensemble

FloatArray = NDArray[np.float64]

INFLATION: Final = 1.7
"""Resampling sees variance alone. Shrinkage, early stopping and the few bags add what it does not
see; the factor was chosen on planted laws (docs: acceptance, intervals)."""


def resample(orders: NDArray[np.int64], seed: int, bag: int) -> NDArray[np.intp]:
    """Rows of one bag: orders drawn with replacement, each with all of its offers."""
    names, inverse = np.unique(orders, return_inverse=True)
    drawn = np.random.default_rng((seed, bag)).integers(len(names), size=len(names))
    times = np.bincount(drawn, minlength=len(names))[inverse]
    return np.repeat(np.arange(len(orders)), times)


def score_sd(bags: Sequence[Ensemble], matrix: FloatArray) -> FloatArray:
    """Inflated standard deviation of the raw score of each row, shape (n,)."""
    scores = np.array([bag.score(matrix) for bag in bags])
    return np.asarray(INFLATION * scores.std(axis=0, ddof=1), dtype=np.float64)
