"""Do 70 % mean 70 %? Predicted against observed acceptance, by probability and by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

BINS: Final = 10
LEAST_ROWS: Final = 30
"""Slices with fewer rows are left out: their intervals would say nothing."""

Z90: Final = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """Mean predicted and observed acceptance of some held-out offers, with a 90 % interval.

    The interval is Wilson's (1927) for the observed rate, rows taken as independent.
    """

    label: str
    rows: int
    predicted: float
    observed: float
    low: float
    high: float

    @property
    def consistent(self) -> bool:
        """Whether the prediction lies inside the interval."""
        return self.low <= self.predicted <= self.high


def wilson(
    taken: NDArray[np.number], rows: NDArray[np.number], z: float = Z90
) -> tuple[FloatArray, FloatArray]:
    """Wilson score interval of a share, shape as given (Wilson 1927)."""
    share = taken / rows
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    # rounding may leave a share of 0 or 1 just outside
    low, high = np.minimum(centre - half, share), np.maximum(centre + half, share)
    return np.maximum(low, 0.0), np.minimum(high, 1.0)


def reliability_by_probability(
    labels: NDArray[np.bool_], probabilities: FloatArray, bins: int = BINS
) -> tuple[ReliabilityRow, ...]:
    """Table of `bins` bins of equal mass by probability (n,), equal probabilities together."""
    _, place, counts = np.unique(probabilities, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - 0.5 * counts) / len(labels)
    at = np.minimum((middle * bins).astype(np.intp), bins - 1)[place]
    found = np.unique(at)
    edges = [probabilities[at == k] for k in found]
    names = [f"{part.min():.3f} to {part.max():.3f}" for part in edges]
    return _table(labels, probabilities, np.searchsorted(found, at), names, 1)


def reliability_by_slice(
    labels: NDArray[np.bool_], probabilities: FloatArray, columns: Mapping[str, FloatArray]
) -> tuple[ReliabilityRow, ...]:
    """Table by courier tenure, distance to the pickup and hour of day, where the column is given.

    `columns` are raw columns (n,); slices of fewer than 30 rows are left out.
    """
    rows: list[ReliabilityRow] = []
    for name, (title, unit, scale, edges) in _SLICES.items():
        if name in columns:
            at = np.searchsorted(edges, columns[name] / scale, side="right")
            labels_of = [f"{title} {text} {unit}" for text in _bands(edges)]
            rows += _table(labels, probabilities, at, labels_of, LEAST_ROWS)
    return tuple(rows)


def reliability_by_group(
    labels: NDArray[np.bool_],
    probabilities: FloatArray,
    title: str,
    groups: NDArray[np.int64],
    names: Sequence[str],
) -> tuple[ReliabilityRow, ...]:
    """Table by city or zone (`title`); `groups` (n,) index `names`, -1 for none.

    Empty where all rows are of one group, since that is the whole.
    """
    known = groups >= 0
    if len(np.unique(groups[known])) < 2:
        return ()
    titles = [f"{title} {name}" for name in names]
    return _table(labels[known], probabilities[known], groups[known], titles, LEAST_ROWS)


_SLICES: Final[Mapping[str, tuple[str, str, float, tuple[float, ...]]]] = {
    "courier_offers": ("courier's past offers", "", 1.0, (1.0, 10.0, 50.0)),
    "to_pickup_m": ("to the pickup", "km", 1000.0, (1.0, 2.0, 4.0)),
    "hour": ("hour", "h", 1.0, (6.0, 11.0, 14.0, 17.0, 21.0)),
}


def _bands(edges: Sequence[float]) -> list[str]:
    inner = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    return [f"below {edges[0]:g}", *inner, f"from {edges[-1]:g}"]


def _table(
    labels: NDArray[np.bool_],
    probabilities: FloatArray,
    at: NDArray[np.int64],
    names: Sequence[str],
    least: int,
) -> tuple[ReliabilityRow, ...]:
    rows = np.bincount(at, minlength=len(names))
    taken = np.bincount(at[labels], minlength=len(names))
    expected = np.bincount(at, weights=probabilities, minlength=len(names))
    kept = np.flatnonzero(rows >= least)
    low, high = wilson(taken[kept], rows[kept])
    return tuple(
        ReliabilityRow(
            names[k].strip(),
            int(rows[k]),
            float(expected[k] / rows[k]),
            float(taken[k] / rows[k]),
            float(low[i]),
            float(high[i]),
        )
        for i, k in enumerate(kept.tolist())
    )
