"""From raw scores to probabilities that can be used as probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.evaluation import group_folds, log_loss

FloatArray = NDArray[np.float64]

PROBABILITY_FLOOR: Final = 1e-4
"""Probabilities stay in [floor, 1 - floor]: no log of any courier is long enough to say more."""

CHOICE_FOLDS: Final = 5


class Calibration(Protocol):
    """A non-decreasing map from raw scores (n,) to probabilities (n,) strictly inside (0, 1)."""

    name: ClassVar[str]

    def apply(self, scores: FloatArray) -> FloatArray:
        """Probabilities of shape (n,), non-decreasing in the scores."""

    def to_json(self) -> dict[str, Any]:
        """Return the map as JSON-able data, the inverse of `calibration_from_json`."""


@dataclass(frozen=True, slots=True)
class SigmoidCalibration:
    """Logistic map: probability = 1 / (1 + exp(-(slope * score + intercept))) (Platt 1999)."""

    slope: float
    intercept: float
    name: ClassVar[str] = "sigmoid"

    def __post_init__(self) -> None:
        if not (0.0 <= self.slope < np.inf and np.isfinite(self.intercept)):
            raise ValueError(f"expected a finite slope in [0, inf) and intercept, got {self}")

    @classmethod
    def fit(cls, scores: FloatArray, labels: NDArray[np.bool_]) -> SigmoidCalibration:
        """Fit by maximum likelihood on scores (n,) and labels (n,) of both classes.

        Scores that rank these rows backwards carry no usable order, so the base rate is returned.
        """
        from sklearn.linear_model import LogisticRegression

        # The faint ridge only keeps the fit finite where the scores separate the classes.
        fitted = LogisticRegression(C=1e6).fit(scores[:, None], labels)
        if fitted.coef_[0, 0] < 0.0:
            rate = float(np.mean(labels))
            return cls(0.0, float(np.log(rate / (1.0 - rate))))
        return cls(float(fitted.coef_[0, 0]), float(fitted.intercept_[0]))

    def apply(self, scores: FloatArray) -> FloatArray:
        """Probabilities of shape (n,), non-decreasing in the scores."""
        # tanh does not overflow; the identity is 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2.
        return _clip(0.5 + 0.5 * np.tanh(0.5 * (self.slope * scores + self.intercept)))

    def to_json(self) -> dict[str, Any]:
        """Return the map as JSON-able data, the inverse of `calibration_from_json`."""
        return {"name": self.name, "slope": self.slope, "intercept": self.intercept}


@dataclass(frozen=True, slots=True)
class BetaCalibration:
    """Beta map of the sigmoid s of a score: logit p = a * ln(s) - b * ln(1 - s) + c.

    With a, b >= 0 it never falls (Kull, Silva Filho, Flach 2017, equation 5); a = b is the sigmoid
    calibration.
    """

    a: float
    b: float
    c: float
    name: ClassVar[str] = "beta"

    def __post_init__(self) -> None:
        if not (0.0 <= self.a < np.inf and 0.0 <= self.b < np.inf and np.isfinite(self.c)):
            raise ValueError(f"expected a and b in [0, inf) and a finite c, got {self}")

    @classmethod
    def fit(cls, scores: FloatArray, labels: NDArray[np.bool_]) -> BetaCalibration:
        """Fit by maximum likelihood on scores (n,) and labels (n,) of both classes.

        A coefficient that comes out negative is dropped and the other fitted alone.
        """
        from sklearn.linear_model import LogisticRegression

        parts, kept = _log_parts(scores), [0, 1]
        coefficients = np.zeros(2)
        while kept:
            fitted = LogisticRegression(C=1e6, max_iter=1000).fit(parts[:, kept], labels)
            lowest = int(np.argmin(fitted.coef_[0]))
            if fitted.coef_[0, lowest] >= 0.0:
                coefficients[kept] = fitted.coef_[0]
                a, b = coefficients.tolist()
                return cls(a, b, float(fitted.intercept_[0]))
            kept.pop(lowest)
        rate = float(np.mean(labels))
        return cls(0.0, 0.0, float(np.log(rate / (1.0 - rate))))

    def apply(self, scores: FloatArray) -> FloatArray:
        """Probabilities of shape (n,), non-decreasing in the scores."""
        log_odds = _log_parts(scores) @ np.array([self.a, self.b]) + self.c
        return _clip(0.5 + 0.5 * np.tanh(0.5 * log_odds))

    def to_json(self) -> dict[str, Any]:
        """Return the map as JSON-able data, the inverse of `calibration_from_json`."""
        return {"name": self.name, "a": self.a, "b": self.b, "c": self.c}


@dataclass(frozen=True, slots=True)
class IsotonicCalibration:
    """Piecewise-linear non-decreasing map through (scores, probabilities) (Zadrozny, Elkan 2002).

    Constant beyond the first and last score.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    name: ClassVar[str] = "isotonic"

    def __post_init__(self) -> None:
        x, y = np.asarray(self.scores), np.asarray(self.probabilities)
        sound = x.shape == y.shape and x.ndim == 1 and len(x) > 0
        if not (sound and np.isfinite(x).all() and (np.diff(x) > 0.0).all()):
            raise ValueError("expected one probability for each of the rising, finite scores")
        if not ((y >= 0.0).all() and (y <= 1.0).all() and (np.diff(y) >= 0.0).all()):
            raise ValueError("expected non-decreasing probabilities in [0, 1]")

    @classmethod
    def fit(cls, scores: FloatArray, labels: NDArray[np.bool_]) -> IsotonicCalibration:
        """Fit by pooling adjacent violators on scores (n,) and labels (n,)."""
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(scores, labels.astype(np.float64))
        return cls(tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist()))

    def apply(self, scores: FloatArray) -> FloatArray:
        """Probabilities of shape (n,), non-decreasing in the scores."""
        return _clip(np.interp(scores, self.scores, self.probabilities))

    def to_json(self) -> dict[str, Any]:
        """Return the map as JSON-able data, the inverse of `calibration_from_json`."""
        return {
            "name": self.name,
            "scores": list(self.scores),
            "probabilities": list(self.probabilities),
        }


METHODS: Final[
    Mapping[str, type[SigmoidCalibration] | type[BetaCalibration] | type[IsotonicCalibration]]
] = {
    "sigmoid": SigmoidCalibration,
    "beta": BetaCalibration,
    "isotonic": IsotonicCalibration,
}


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """The calibration chosen and the held-out log-loss of each method on the main model."""

    chosen: str
    log_loss: dict[str, float]


def choose_calibration(
    scores: FloatArray, labels: NDArray[np.bool_], groups: NDArray[np.int64], seed: int
) -> tuple[str, dict[str, float]]:
    """Name the method with the lowest held-out log-loss, and report each method's log-loss.

    Five folds; `groups` (n,) keeps all rows of one order in one fold. A tie goes to the simpler.
    """
    folds = group_folds(groups, CHOICE_FOLDS, seed)
    losses: dict[str, float] = {}
    for name, method in METHODS.items():
        held_out = np.empty(len(scores))
        for fold in range(CHOICE_FOLDS):
            inside = folds != fold
            # A fold that leaves one class only can be fitted by a constant alone.
            if labels[inside].all() or not labels[inside].any():
                held_out[~inside] = _clip(np.full((~inside).sum(), labels[inside].mean()))
            else:
                fitted = method.fit(scores[inside], labels[inside])
                held_out[~inside] = fitted.apply(scores[~inside])
        losses[name] = log_loss(labels, held_out)
    return min(losses, key=losses.__getitem__), losses


def calibration_from_json(data: Any) -> Calibration:
    """Read what `to_json` wrote.

    Raises
    ------
    ValueError
        If keys, types or values are not those of a known, monotone calibration.
    """
    if not isinstance(data, dict) or data.get("name") not in METHODS:
        raise ValueError(f"expected a calibration named one of {', '.join(METHODS)}")
    values = {key: value for key, value in data.items() if key != "name"}
    if data["name"] == "sigmoid":
        if values.keys() != {"slope", "intercept"} or not _all_floats(values.values()):
            raise ValueError("expected numbers slope and intercept")
        return SigmoidCalibration(**values)
    if data["name"] == "beta":
        if values.keys() != {"a", "b", "c"} or not _all_floats(values.values()):
            raise ValueError("expected numbers a, b and c")
        return BetaCalibration(**values)
    lists = values.keys() == {"scores", "probabilities"} and all(
        isinstance(value, list) and _all_floats(value) for value in values.values()
    )
    if not lists:
        raise ValueError("expected lists of numbers, scores and probabilities")
    return IsotonicCalibration(tuple(values["scores"]), tuple(values["probabilities"]))


def _log_parts(scores: FloatArray) -> FloatArray:
    """Return ln(s) and -ln(1 - s) of s = 1 / (1 + exp(-score)), shape (n, 2), without overflow."""
    return np.stack([-np.logaddexp(0.0, -scores), np.logaddexp(0.0, scores)], axis=1)


def _all_floats(values: Any) -> bool:
    return all(isinstance(value, float) for value in values)


def _clip(probabilities: FloatArray) -> FloatArray:
    return np.clip(probabilities, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
