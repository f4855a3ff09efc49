"""Empirical-Bayes shrinkage of past acceptance: a courier's, and that of a merchant's orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HistoryPrior:
    """Beta priors of acceptance rates: `accepted` and `refused` pseudo-offers of a courier.

    `merchant_accepted` and `merchant_refused` are the same for a merchant. Who is new gets the
    prior mean.
    """

    accepted: float
    refused: float
    merchant_accepted: float = 1.0
    merchant_refused: float = 1.0

    def __post_init__(self) -> None:
        pseudo = (self.accepted, self.refused, self.merchant_accepted, self.merchant_refused)
        if not all(0.0 < each < np.inf for each in pseudo):
            raise ValueError(f"expected positive finite pseudo-offers, got {self}; fit the prior")

    def rate(self, accepted: FloatArray, offers: FloatArray) -> FloatArray:
        """Posterior mean acceptance (accepted + a) / (offers + a + b), shape as given."""
        return (accepted + self.accepted) / (offers + self.accepted + self.refused)

    def merchant_rate(self, accepted: FloatArray, offers: FloatArray) -> FloatArray:
        """As `rate`, for merchants; NaN, of an order without a merchant, stays unknown."""
        a, b = self.merchant_accepted, self.merchant_refused
        return (accepted + a) / (offers + a + b)

    @classmethod
    def fit(
        cls,
        couriers: NDArray[np.int64],
        accepted: NDArray[np.bool_],
        merchants: NDArray[np.int64] | None = None,
    ) -> HistoryPrior:
        """Fit to one row per offer: whose it was and whether it was accepted, (n,) each.

        `merchants` is -1 where an order has none; without merchants the couriers' prior stands in.
        The mean is the pooled rate (with one added offer of each kind); the strength maximises the
        beta-binomial likelihood over 1 to 10,000 pseudo-offers (Skellam 1948).
        """
        own = _fitted(couriers, accepted)
        if merchants is None or (merchants < 0).all():
            return cls(*own, *own)
        known = merchants >= 0
        return cls(*own, *_fitted(merchants[known], accepted[known]))


def _fitted(groups: NDArray[np.int64], accepted: NDArray[np.bool_]) -> tuple[float, float]:
    """Pseudo-offers accepted and refused that fit the groups' rates best."""
    from scipy.optimize import minimize_scalar
    from scipy.special import betaln

    offers = np.bincount(groups).astype(np.float64)
    taken = np.bincount(groups, weights=accepted)
    mean = float((taken.sum() + 1.0) / (offers.sum() + 2.0))

    def loss(log_strength: float) -> float:
        a, b = mean * np.exp(log_strength), (1.0 - mean) * np.exp(log_strength)
        return float(np.sum(betaln(a, b) - betaln(taken + a, offers - taken + b)))

    best = minimize_scalar(loss, bounds=(0.0, np.log(10_000.0)), method="bounded")
    strength = float(np.exp(best.x))
    return mean * strength, (1.0 - mean) * strength
