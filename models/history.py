"""Empirical-Bayes shrinkage of a courier's past acceptance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class HistoryPrior:
    """Beta prior of couriers' acceptance rates: `accepted` and `refused` pseudo-offers.

    A courier without history gets the prior mean, so the rate is never NaN.
    """

    accepted: float
    refused: float

    def __post_init__(self) -> None:
        if not (0.0 < self.accepted < np.inf and 0.0 < self.refused < np.inf):
            raise ValueError(f"expected positive finite pseudo-offers, got {self}; fit the prior")

    def rate(
        self, accepted: NDArray[np.float64], offers: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Posterior mean acceptance (accepted + a) / (offers + a + b), shape as given."""
        return (accepted + self.accepted) / (offers + self.accepted + self.refused)

    @classmethod
    def fit(cls, couriers: NDArray[np.int64], accepted: NDArray[np.bool_]) -> HistoryPrior:
        """Fit to one row per offer: the courier's number and whether it was accepted, both (n,).

        The mean is the pooled rate (with one added offer of each kind); the strength maximises the
        beta-binomial likelihood over 1 to 10,000 pseudo-offers (Skellam 1948).
        """
        from scipy.optimize import minimize_scalar
        from scipy.special import betaln

        offers = np.bincount(couriers).astype(np.float64)
        taken = np.bincount(couriers, weights=accepted)
        mean = float((taken.sum() + 1.0) / (offers.sum() + 2.0))

        def loss(log_strength: float) -> float:
            a, b = mean * np.exp(log_strength), (1.0 - mean) * np.exp(log_strength)
            return float(np.sum(betaln(a, b) - betaln(taken + a, offers - taken + b)))

        best = minimize_scalar(loss, bounds=(0.0, np.log(10_000.0)), method="bounded")
        strength = float(np.exp(best.x))
        return cls(mean * strength, (1.0 - mean) * strength)
