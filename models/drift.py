"""Is the model still a model of what is happening? Features and calibration on later offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.acceptance import AcceptanceModel
from models.errors import NotFittedError
from models.log import OffersLog, read_log

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Verdict = Literal["ok", "watch", "alarm"]

DAY_S: Final = 86_400.0
WEEK_S: Final = 7 * DAY_S
PSI_WATCH, PSI_ALARM = 0.1, 0.25
SIGMAS: Final = 3.0
TOLERANCE: Final = 0.02
"""Miscalibration too small to act on; it also covers the error of the calibration itself."""

COUNTS: Final = 0.01
"""Share of all importance from which on a feature can raise an alarm."""

CLOCK: Final = ("hour", "weekday", "weekend")

WEATHER: Final = ("precipitation_mm_h", "temperature_c")
"""It moves by itself: calibration tells whether that matters, so it raises no alarm."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far a feature has moved (PSI), and its share of all importance.

    `judged` is False for the clock in a log of less than a week, which sees other hours than a
    model of many weeks did.
    """

    name: str
    psi: float
    share: float
    judged: bool


@dataclass(frozen=True, slots=True)
class PeriodDrift:
    """Observed less predicted acceptance of a day (from `start_s`), and how far it may stray."""

    start_s: float
    rows: int
    predicted: float
    observed: float
    limit: float

    @property
    def outside(self) -> bool:
        """Whether it strays further."""
        return abs(self.observed - self.predicted) > self.limit


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The verdict, why, and what it rests on; `overall` covers the whole log."""

    verdict: Verdict
    why: tuple[str, ...]
    overall: PeriodDrift
    periods: tuple[PeriodDrift, ...]
    features: tuple[FeatureDrift, ...]


def check_drift(model: AcceptanceModel, log: pd.DataFrame) -> DriftReport:
    """Compare a later offers log with what the model was made on.

    `alarm`: calibration-in-the-large beyond its control limit over the whole log, or a PSI above
    0.25 of a feature that counts and is not the weather. `watch`: a single day beyond its limit, or
    a PSI above 0.1. The control limit is 2 points plus three standard deviations of the mean of as
    many Bernoulli draws at the predicted chances.

    Raises
    ------
    FeatureError, NotFittedError
        As in `AcceptanceModel.calibrate`.
    """
    if not hasattr(model, "calibration_"):
        raise NotFittedError("call calibrate(log) first, or load a saved model")
    offers = read_log(log, model.schema_.raw_names)
    predicted = model.predict_log(offers)
    overall = _period(offers, predicted, np.arange(len(offers)))
    day = np.floor(offers.offered_at_s / DAY_S)
    periods = tuple(_period(offers, predicted, np.flatnonzero(day == d)) for d in np.unique(day))
    features = _features(model, offers)
    alarms = [f"acceptance {_gap(overall)} over the whole log"] if overall.outside else []
    alarms += [
        f"{f.name} has moved (PSI {f.psi:.2f})"
        for f in features
        if f.judged and f.psi > PSI_ALARM and f.share >= COUNTS and f.name not in WEATHER
    ]
    signs = [f"acceptance {_gap(p)} on one day" for p in periods if p.outside]
    signs += [
        f"{f.name} is moving (PSI {f.psi:.2f})" for f in features if f.judged and f.psi > PSI_WATCH
    ]
    verdict: Verdict = "alarm" if alarms else "watch" if signs else "ok"
    return DriftReport(verdict, tuple(alarms or signs), overall, periods, features)


def _features(model: AcceptanceModel, offers: OffersLog) -> tuple[FeatureDrift, ...]:
    matrix = model.matrix(offers.columns)
    total = sum(each.importance for each in model.reference_) or 1.0
    short = np.ptp(offers.offered_at_s) < WEEK_S
    return tuple(
        FeatureDrift(
            each.name,
            each.psi(matrix[:, k]),
            each.importance / total,
            not (short and each.name in CLOCK),
        )
        for k, each in enumerate(model.reference_)
    )


def _period(log: OffersLog, predicted: FloatArray, rows: NDArray[np.intp]) -> PeriodDrift:
    p = predicted[rows]
    sd = float(np.sqrt((p * (1.0 - p)).sum())) / len(rows)
    start_s = float(np.floor(log.offered_at_s[rows].min() / DAY_S) * DAY_S)
    observed = float(log.accepted[rows].mean())
    return PeriodDrift(start_s, len(rows), float(p.mean()), observed, TOLERANCE + SIGMAS * sd)


def _gap(period: PeriodDrift) -> str:
    return (
        f"{period.observed:.1%} where {period.predicted:.1%} was predicted "
        f"(limit {period.limit:.1%} either way)"
    )
