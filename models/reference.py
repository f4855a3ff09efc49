"""What the features looked like when the model was made: to notice when they no longer do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.ensemble import Ensemble

FloatArray = NDArray[np.float64]

IMPORTANCE_ROWS: Final = 2000
"""Rows by which importances are measured: contributions cost a hundred times a score."""

PARTS: Final = 10
FLOOR: Final = 1e-4
"""Least share in a PSI, so that an empty part does not make it infinite."""


@dataclass(frozen=True, slots=True)
class FeatureReference:
    """One feature on the rows the model was grown on.

    `edges` cut its values into parts (a value equal to an edge lies below it); `shares` are the
    rows in each part and, last, those without a value. `importance` is the mean absolute
    contribution in log-odds (TreeSHAP).
    """

    name: str
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    importance: float

    def __post_init__(self) -> None:
        edges, shares = np.asarray(self.edges, float), np.asarray(self.shares, float)
        sound = len(shares) == len(edges) + 2 and bool((np.diff(edges) > 0.0).all())
        sound = sound and bool((shares >= 0.0).all()) and abs(float(shares.sum()) - 1.0) < 1e-6
        if not (sound and self.importance >= 0.0):
            raise ValueError(f"{self.name}: expected rising edges and shares adding up to 1")

    @classmethod
    def of(cls, name: str, values: FloatArray, importance: float) -> FeatureReference:
        """Describe values (n,) by their deciles."""
        known = values[np.isfinite(values)]
        cuts = np.linspace(0.0, 1.0, PARTS + 1)[1:-1]
        # Inner edges that are values of their own, so that codes and counts are told apart.
        edges = np.unique(np.quantile(known, cuts, method="lower")) if len(known) else np.empty(0)
        edges = edges[edges < known.max()] if len(known) else edges
        shares = _shares(values, edges)
        return cls(name, tuple(edges.tolist()), tuple(shares.tolist()), importance)

    def psi(self, values: FloatArray) -> float:
        """Return the population stability index of values (n,): sum of (q - p) * ln(q / p).

        Parts have a share of at least 1e-4. Common reading: below 0.1 little has changed, above
        0.25 much has (Siddiqi 2006).
        """
        p = np.maximum(self.shares, FLOOR)
        q = np.maximum(_shares(values, np.asarray(self.edges)), FLOOR)
        return float(((q - p) * np.log(q / p)).sum())


def describe(ensemble: Ensemble, matrix: FloatArray, seed: int) -> tuple[FeatureReference, ...]:
    """Describe every column of the feature matrix (n, f), its importance by a sample of rows."""
    some = np.random.default_rng(seed).permutation(len(matrix))[:IMPORTANCE_ROWS]
    importance = np.abs(ensemble.contributions(matrix[some])[:, :-1]).mean(axis=0).tolist()
    return tuple(
        FeatureReference.of(name, matrix[:, k], importance[k])
        for k, name in enumerate(ensemble.names)
    )


def _shares(values: FloatArray, edges: FloatArray) -> FloatArray:
    part = np.searchsorted(edges, values, side="left")
    part[np.isnan(values)] = len(edges) + 1
    return np.bincount(part, minlength=len(edges) + 2) / len(values)
