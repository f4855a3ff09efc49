"""The acceptance law planted in the synthetic city: the truth that a model should find."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from dispatch.datasets.ranges import check_ranges, ranged
from dispatch.tables import Floats

LATE_HOUR = 22.0
COLD_C = 10.0
MAX_RAIN_MM_H = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedLaw:
    """A logit in what the courier is offered, plus a hidden effect of who the courier is.

    log-odds of acceptance = intercept + courier effect + strength * sum of coefficient * term,

    each term in the unit its coefficient names, less the centre given with it, so that `strength`
    changes how much offers matter and hardly how many are accepted. With `strength` 0 acceptance
    depends on the courier alone, and no assignment of orders to couriers can raise it. Unknown
    weather counts as dry and mild.
    """

    intercept: float = ranged(2.2, -10, 10, "log-odds of an offer at every centre")
    strength: float = ranged(1.0, 0, 10, "multiplies all coefficients below")
    reach_per_min: float = ranged(-0.10, -5, 5, "(until_free_s + to_pickup_s) / 60, less 9 min")
    pickup_per_km: float = ranged(-0.30, -5, 5, "to_pickup_m / 1000, less 2 km")
    wait_per_min: float = ranged(-0.04, -5, 5, "wait_s / 60, less 5 min")
    detour_per_min: float = ranged(-0.05, -5, 5, "detour_s / 60, less 4 min")
    load_per_order: float = ranged(-0.40, -5, 5, "load_orders")
    pay_per_rate: float = ranged(
        5.0, -50, 50, "pay a minute of (to_pickup_s + wait_s + trip_s), at least one; less 0.28"
    )
    late_evening: float = ranged(-0.60, -5, 5, f"1 from {LATE_HOUR:g}:00 on, else 0")
    rain_per_mm_h: float = ranged(-0.20, -5, 5, f"precipitation_mm_h, at most {MAX_RAIN_MM_H:g}")
    cold_per_degree: float = ranged(-0.05, -5, 5, f"degrees of temperature_c below {COLD_C:g}")

    def __post_init__(self) -> None:
        check_ranges(self)

    def terms(self, columns: Mapping[str, Floats]) -> dict[str, Floats]:
        """Compute the terms of n offers from raw columns, by the name of their coefficient."""
        work_min = (columns["to_pickup_s"] + columns["wait_s"] + columns["trip_s"]) / 60
        rain = np.clip(np.nan_to_num(columns["precipitation_mm_h"]), 0, MAX_RAIN_MM_H)
        warmth = np.nan_to_num(columns["temperature_c"], nan=COLD_C)
        return {
            "reach_per_min": (columns["until_free_s"] + columns["to_pickup_s"]) / 60 - 9,
            "pickup_per_km": columns["to_pickup_m"] / 1000 - 2,
            "wait_per_min": columns["wait_s"] / 60 - 5,
            "detour_per_min": columns["detour_s"] / 60 - 4,
            "load_per_order": columns["load_orders"],
            "pay_per_rate": columns["pay"] / np.maximum(work_min, 1) - 0.28,
            "late_evening": (columns["hour"] >= LATE_HOUR).astype(np.float64),
            "rain_per_mm_h": rain,
            "cold_per_degree": np.maximum(COLD_C - warmth, 0),
        }

    def probability(self, columns: Mapping[str, Floats], courier_effect: Floats) -> Floats:
        """Return the true chance of acceptance of n offers, shape (n,).

        `columns` are the raw columns of `dispatch.columns`; `courier_effect` is the hidden effect
        of each offer's courier, in log-odds, shape (n,).
        """
        score = np.zeros_like(courier_effect)
        for name, term in self.terms(columns).items():
            score += getattr(self, name) * term
        log_odds = self.intercept + courier_effect + self.strength * score
        return np.asarray(1 / (1 + np.exp(-log_odds)))

    def describe(self) -> list[tuple[str, float, str]]:
        """List name, value and meaning of every coefficient."""
        return [(f.name, getattr(self, f.name), f.metadata["meaning"]) for f in fields(self)]
