"""Reported measures of how evenly work is spread over couriers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from optimization.errors import ProblemError, first_five


@dataclass(frozen=True, slots=True)
class FairnessMeasures:
    """Measures of rates r_1..r_m, work per active hour; all but Jain and Gini in their unit.

    Attributes
    ----------
    spread_sd
        Population standard deviation, sqrt(mean((r - mean r)^2)).
    range
        Largest minus smallest rate.
    gini
        sum_ij |r_i - r_j| / (2 m^2 mean r), 0 for equal rates up to 1 - 1/m when one courier has
        all (Gini, Variabilità e mutabilità, 1912); unitless.
    worst_off
        Smallest rate (Rawls, A Theory of Justice, 1971).
    mean_absolute_deviation
        mean(|r - mean r|).
    jain
        (sum r)^2 / (m sum r^2), 1 for equal rates down to 1/m (Jain, Chiu and Hawe, DEC-TR-301,
        1984); unitless.
    """

    spread_sd: float
    range: float
    gini: float
    worst_off: float
    mean_absolute_deviation: float
    jain: float

    def as_dict(self) -> dict[str, float]:
        """Return the measures by name."""
        return asdict(self)


def fairness_measures(rate: ArrayLike) -> FairnessMeasures:
    """Measure a vector of rates, (m,), non-negative; all zero counts as perfectly equal.

    Raises
    ------
    ProblemError
        If there is no rate, or one is negative or not finite.
    """
    r = np.sort(np.asarray(rate, dtype=np.float64).ravel())
    bad = np.flatnonzero(~((r >= 0.0) & np.isfinite(r)))
    if r.size == 0 or bad.size:
        raise ProblemError(
            [f"rate: expected finite rates >= 0, got {first_five(r[bad]) if r.size else 'none'}"]
        )
    mean, total, m = float(r.mean()), float(r.sum()), r.size
    # On sorted rates the double sum of |r_i - r_j| collapses to one weighted sum.
    pairs = float((2.0 * np.arange(1, m + 1) - m - 1.0) @ r)
    return FairnessMeasures(
        spread_sd=float(r.std()),
        range=float(r[-1] - r[0]),
        gini=pairs / (m * total) if total > 0.0 else 0.0,
        worst_off=float(r[0]),
        mean_absolute_deviation=float(np.abs(r - mean).mean()),
        jain=total**2 / (m * float(r @ r)) if total > 0.0 else 1.0,
    )
