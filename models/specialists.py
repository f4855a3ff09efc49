"""Trees of a city's own on top of the model of all cities, where they prove to help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.ensemble import Ensemble, TrainingRows, grow
from models.errors import TrainingError
from models.features import FeatureSchema
from models.params import AcceptanceParams
from models.reliability import Z90

FloatArray = NDArray[np.float64]

LEAST_ROWS: Final = 1000
"""Cities with fewer offers, to grow on or to judge by, use the model of all cities."""


def out_of_fold(scores: FloatArray, folds: NDArray[np.int64]) -> FloatArray:
    """Mean score (n,) of the folds that have not seen the row, from scores (folds, n)."""
    others = folds != np.arange(len(scores))[:, None]
    return np.asarray((scores * others).sum(axis=0) / others.sum(axis=0))


def grow_specialists(
    rows: TrainingRows,
    cities: NDArray[np.int64],
    names: tuple[str, ...],
    schema: FeatureSchema,
    params: AcceptanceParams,
) -> dict[str, Ensemble]:
    """Grow residual trees for each city with enough rows, by name.

    `rows.base` holds the global log-odds of each row from trees that have not seen its order, so
    that what they missed is what is left to learn. One city alone has nothing to differ from.
    """
    counts = np.bincount(cities, minlength=len(names))
    if (counts > 0).sum() < 2:
        return {}
    # Monotone directions stay on: the sum of two monotone scores is monotone.
    small = replace(params, leaves=min(params.leaves, 8))
    grown = {}
    for city in np.flatnonzero(counts >= LEAST_ROWS).tolist():
        own = rows.take(np.flatnonzero(cities == city))
        try:
            grown[names[city]] = grow(own, schema, small)
        except TrainingError:  # a city whose log tells no time to stop keeps the global model
            continue
    return grown


def choose_specialists(
    specialists: Mapping[str, Ensemble],
    matrix: FloatArray,
    scores: FloatArray,
    accepted: NDArray[np.bool_],
    cities: NDArray[np.int64],
    names: tuple[str, ...],
) -> dict[str, Ensemble]:
    """Keep those that lower the log-loss on rows (n,) that neither they nor `scores` have seen.

    The gain must exceed 1.64 of its standard errors (one-sided 95 %): noise alone would otherwise
    let half of the useless ones through.
    """
    kept = {}
    for name, ensemble in specialists.items():
        own = np.flatnonzero(cities == names.index(name)) if name in names else np.empty(0, int)
        if len(own) < LEAST_ROWS // 4:
            continue
        sign = np.where(accepted[own], -1.0, 1.0)
        before = np.logaddexp(0.0, sign * scores[own])
        after = np.logaddexp(0.0, sign * (scores[own] + ensemble.score(matrix[own])))
        gain = before - after
        if gain.mean() > Z90 * gain.std() / np.sqrt(len(gain)):
            kept[name] = ensemble
    return kept
