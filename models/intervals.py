"""How far a probability may be off, from models grown and calibrated on resampled orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration
from models.ensemble import Ensemble, TrainingRows, grow
from models.features import FeatureSchema
from models.params import AcceptanceParams

FloatArray = NDArray[np.float64]

INFLATION: Final = 1.6
"""Resampling sees variance alone. Shrinkage, early stopping and the few bags add what it does not
see; the factor was chosen on planted laws (docs: acceptance, intervals)."""

BAG_ROWS: Final = 200_000
"""Rows of a bag at most: of a longer log the spread is known well enough from a part of it."""


def resample(
    orders: NDArray[np.int64], seed: int, bag: int, share: float = 1.0
) -> NDArray[np.intp]:
    """Rows of one bag: `share` as many orders as there are, drawn with replacement, each whole."""
    names, inverse = np.unique(orders, return_inverse=True)
    size = max(1, round(share * len(names)))
    drawn = np.random.default_rng((seed, bag)).integers(len(names), size=size)
    times = np.bincount(drawn, minlength=len(names))[inverse]
    return np.repeat(np.arange(len(orders)), times)


def grow_bags(
    rows: TrainingRows, schema: FeatureSchema, params: AcceptanceParams, n_trees: int
) -> tuple[Ensemble, ...]:
    """Grow `params.n_bags` ensembles of `n_trees` trees, each on a bag of the rows."""
    share = bag_share(len(rows.orders))
    return tuple(
        grow(
            rows.take(resample(rows.orders, params.seed, bag, share)),
            schema,
            replace(params, seed=params.seed + bag + 1),
            n_trees,
        )
        for bag in range(params.n_bags)
    )


def bag_share(n_rows: int) -> float:
    """Share of `n_rows` rows that a bag draws."""
    return min(1.0, BAG_ROWS / n_rows)


def resampled_calibrations(
    fit: Callable[[FloatArray, NDArray[np.bool_]], Calibration],
    scores: FloatArray,
    accepted: NDArray[np.bool_],
    orders: NDArray[np.int64],
    seed: int,
    count: int,
) -> tuple[Calibration, ...]:
    """Fit the calibration anew to `count` draws of the orders behind scores and answers (n,)."""
    drawn = [resample(orders, seed, bag) for bag in range(count)]
    # a draw of one class only has no calibration; all rows stand in for it
    both = [r if accepted[r].any() and not accepted[r].all() else slice(None) for r in drawn]
    return tuple(fit(scores[rows], accepted[rows]) for rows in both)


def probability_interval(
    calibration: Calibration,
    resampled: Sequence[Calibration],
    scores: FloatArray,
    bag_scores: FloatArray,
    share: float,
    level: float,
) -> tuple[FloatArray, FloatArray]:
    """Interval around the calibrated probability of each score (n,), two arrays of shape (n,).

    Two spreads add up as independent ones do, in log-odds: that of the scores between the bags
    (b, n), through the calibration, and that of the calibration between resampled rows.
    The first is that of bags of a `share` of the rows; variance falls with the rows (Politis,
    Romano 1994, m out of n).
    """
    z = NormalDist().inv_cdf(0.5 + level / 2) * INFLATION
    half = z * np.sqrt(share) * bag_scores.std(axis=0, ddof=1)
    middle = _log_odds(calibration, scores)
    luck = z * np.std([_log_odds(each, scores) for each in resampled], axis=0, ddof=1)
    below = np.hypot(middle - _log_odds(calibration, scores - half), luck)
    above = np.hypot(_log_odds(calibration, scores + half) - middle, luck)
    return _probability(middle - below), _probability(middle + above)


def _log_odds(calibration: Calibration, scores: FloatArray) -> FloatArray:
    p = calibration.apply(scores)
    return np.asarray(np.log(p) - np.log1p(-p))


def _probability(log_odds: FloatArray) -> FloatArray:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * log_odds))
