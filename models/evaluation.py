"""Splits that do not leak, and measures of probabilities with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Measure = Callable[[NDArray[np.bool_], FloatArray, FloatArray], float]

ECE_BINS: Final = 15
REPLICATES: Final = 200


def split_by_time(
    offered_at_s: FloatArray, groups: NDArray[np.int64], fractions: Sequence[float]
) -> tuple[NDArray[np.intp], ...]:
    """Split rows into consecutive time parts, none of which shares a group with another.

    `fractions` are shares of the rows and add up to 1. Equal times stay together. An order
    (group) belongs to the part of its first offer; its offers beyond that part's end are dropped,
    so that every row of a part is older than every row of the next. Returns one array of row
    indices per part, each in time order.

    Raises
    ------
    ValueError
        If there are no rows, or the fractions are not positive or do not add up to 1.
    """
    if not len(offered_at_s):
        raise ValueError("expected at least one row to split, got none; give a longer log")
    if min(fractions) <= 0.0 or abs(sum(fractions) - 1.0) > 1e-9:
        raise ValueError(f"expected positive fractions adding up to 1, got {tuple(fractions)}")
    order = np.argsort(offered_at_s, kind="stable")
    ends = np.floor(np.cumsum(fractions)[:-1] * len(order) + 1e-9).astype(np.intp)
    edges = offered_at_s[order[np.minimum(ends, len(order) - 1)]]
    part = np.searchsorted(edges, offered_at_s, side="right")
    _, inverse = np.unique(groups, return_inverse=True)
    first = np.full(inverse.max() + 1, len(fractions))
    np.minimum.at(first, inverse, part)
    own = part == first[inverse]
    return tuple(order[(own & (part == k))[order]] for k in range(len(fractions)))


def group_folds(groups: NDArray[np.int64], n_folds: int, seed: int) -> NDArray[np.int64]:
    """Give each row a fold 0 .. n_folds - 1 at random, all rows of one group alike, shape (n,)."""
    names, inverse = np.unique(groups, return_inverse=True)
    folds = np.random.default_rng(seed).permutation(len(names)) % n_folds
    return folds[inverse].astype(np.int64)


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure on held-out rows with a 90 % bootstrap interval."""

    value: float
    low: float
    high: float


def auc(
    labels: NDArray[np.bool_], probabilities: FloatArray, weights: FloatArray | None = None
) -> float:
    """Area under the ROC curve, ties counted half; NaN where one class is absent."""
    weights = np.ones(len(labels)) if weights is None else weights
    _, place = np.unique(probabilities, return_inverse=True)
    taken = np.bincount(place, weights * labels)
    refused = np.bincount(place, weights * ~labels)
    pairs = taken.sum() * refused.sum()
    if pairs == 0.0:
        return float("nan")
    below = np.cumsum(refused) - 0.5 * refused
    return float(taken @ below / pairs)


def log_loss(
    labels: NDArray[np.bool_], probabilities: FloatArray, weights: FloatArray | None = None
) -> float:
    """Mean of -log of the probability given to what happened, in nats."""
    return float(
        np.average(-np.log(np.where(labels, probabilities, 1.0 - probabilities)), weights=weights)
    )


def brier(
    labels: NDArray[np.bool_], probabilities: FloatArray, weights: FloatArray | None = None
) -> float:
    """Mean squared distance between probability and outcome (Brier 1950)."""
    return float(np.average((probabilities - labels) ** 2, weights=weights))


def calibration_error(
    labels: NDArray[np.bool_], probabilities: FloatArray, weights: FloatArray | None = None
) -> float:
    """Return the expected calibration error over 15 bins of equal mass.

    Rows are binned by the rank of their probability, equal probabilities together (Nixon et al.
    2019, adaptive binning). Sampling noise makes it positive even for a perfect model.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    values, place, counts = np.unique(probabilities, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - 0.5 * counts) / len(labels)
    bins = np.minimum((middle * ECE_BINS).astype(np.intp), ECE_BINS - 1)[place]
    gaps = np.bincount(bins, weights * (labels - values[place]))
    return float(np.abs(gaps).sum() / weights.sum())


MEASURES: Final[Mapping[str, Measure]] = {
    "auc": auc,
    "log_loss": log_loss,
    "brier": brier,
    "calibration_error": calibration_error,
}


def evaluate_probabilities(
    labels: NDArray[np.bool_], probabilities: FloatArray, groups: NDArray[np.int64], seed: int
) -> dict[str, Metric]:
    """Measure probabilities (n,) against labels (n,), with intervals by resampling whole orders.

    90 % percentile intervals from 200 replicates (cluster bootstrap over `groups`), widened to
    hold the value itself: resampling adds noise of its own to the calibration error.

    Raises
    ------
    ValueError
        If there are no rows or only one class, where AUC does not exist.
    """
    if not labels.any() or labels.all():
        raise ValueError(
            f"expected both accepted and refused offers, got {len(labels)} rows of one class; "
            "evaluate on more rows"
        )
    names, inverse = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    draws = np.empty((REPLICATES, len(MEASURES)))
    for replicate in draws:
        drawn = rng.integers(len(names), size=len(names))
        weights = np.bincount(drawn, minlength=len(names)).astype(np.float64)[inverse]
        replicate[:] = [measure(labels, probabilities, weights) for measure in MEASURES.values()]
    metrics = {}
    for name, column in zip(MEASURES, draws.T, strict=True):
        value = MEASURES[name](labels, probabilities, np.ones(len(labels)))
        low, high = np.nanquantile(column, (0.05, 0.95))
        metrics[name] = Metric(value, min(float(low), value), max(float(high), value))
    return metrics
