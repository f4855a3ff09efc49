"""Calibrations are monotone, stay inside (0, 1), and the better one is chosen."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import IsotonicCalibration, SigmoidCalibration, choose_calibration
from models.calibration import METHODS, PROBABILITY_FLOOR, calibration_from_json
from models.evaluation import calibration_error

SCORES = np.linspace(-40.0, 40.0, 2001)


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-x))


def _planted(law: str, n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.0, 2.0, n)
    if law == "sigmoid":
        truth = _sigmoid(0.6 * scores + 0.4)
    else:
        truth = np.where(scores < -1.0, 0.1, np.where(scores < 1.0, 0.55, 0.65))
    return scores, rng.random(n) < truth


def test_the_sigmoid_finds_a_planted_line() -> None:
    # 20,000 rows: standard errors about 0.011 (slope) and 0.016 (intercept); four of each.
    found = SigmoidCalibration.fit(*_planted("sigmoid", 20_000, 0))
    assert found.slope == pytest.approx(0.6, abs=0.045)
    assert found.intercept == pytest.approx(0.4, abs=0.065)


@pytest.mark.parametrize("law", ["sigmoid", "steps"])
def test_the_method_that_fits_the_law_is_chosen(law: str) -> None:
    scores, labels = _planted(law, 6000, 1)
    chosen, losses = choose_calibration(scores, labels, np.arange(6000) // 2, seed=0)
    assert chosen == ("sigmoid" if law == "sigmoid" else "isotonic")
    assert set(losses) == set(METHODS)
    assert losses[chosen] == min(losses.values())


@pytest.mark.parametrize("method", list(METHODS.values()))
@pytest.mark.parametrize("law", ["sigmoid", "steps"])
def test_probabilities_rise_with_the_score_and_stay_inside(method: Any, law: str) -> None:
    fitted = method.fit(*_planted(law, 3000, 2))
    p = fitted.apply(SCORES)
    assert (np.diff(p) >= 0.0).all()
    assert p.min() >= PROBABILITY_FLOOR
    assert p.max() <= 1.0 - PROBABILITY_FLOOR


@pytest.mark.parametrize("method", list(METHODS.values()))
def test_held_out_probabilities_are_calibrated_for_the_isotonic_or_its_own_law(
    method: Any,
) -> None:
    # Noise alone gives sum over 15 bins of |binomial error|: about 0.007 at 20,000 rows.
    fitted = method.fit(*_planted("sigmoid", 20_000, 3))
    scores, labels = _planted("sigmoid", 20_000, 4)
    assert calibration_error(labels, fitted.apply(scores)) < 0.02


def test_scores_that_separate_the_classes_give_finite_steep_sigmoids() -> None:
    scores = np.linspace(-1.0, 1.0, 100)
    fitted = SigmoidCalibration.fit(scores, scores > 0.0)
    assert np.isfinite(fitted.slope)
    assert fitted.apply(np.array([-5.0, 5.0])).tolist() == [1e-4, 1.0 - 1e-4]


@pytest.mark.parametrize("method", list(METHODS.values()))
def test_scores_that_rank_backwards_fall_back_to_the_base_rate(method: Any) -> None:
    scores = np.linspace(-1.0, 1.0, 200)
    labels = scores < 0.5
    np.testing.assert_allclose(method.fit(scores, labels).apply(SCORES), labels.mean(), atol=1e-9)


@pytest.mark.parametrize("method", list(METHODS.values()))
def test_a_calibration_survives_json_bit_for_bit(method: Any) -> None:
    fitted = method.fit(*_planted("steps", 2000, 5))
    again = calibration_from_json(json.loads(json.dumps(fitted.to_json())))
    assert again == fitted


@pytest.mark.parametrize(
    "data",
    [
        None,
        {"name": "beta"},
        {"name": "sigmoid", "slope": 1.0},
        {"name": "sigmoid", "slope": -1.0, "intercept": 0.0},
        {"name": "sigmoid", "slope": float("nan"), "intercept": 0.0},
        {"name": "sigmoid", "slope": "1", "intercept": 0.0},
        {"name": "isotonic", "scores": [0.0, 1.0], "probabilities": [0.5]},
        {"name": "isotonic", "scores": [1.0, 0.0], "probabilities": [0.1, 0.5]},
        {"name": "isotonic", "scores": [0.0, 1.0], "probabilities": [0.5, 0.1]},
        {"name": "isotonic", "scores": [0.0, 1.0], "probabilities": [0.5, 1.1]},
        {"name": "isotonic", "scores": [], "probabilities": []},
        {"name": "isotonic", "scores": [0.0], "probabilities": [0.5], "more": 1.0},
    ],
)
def test_a_malformed_calibration_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        calibration_from_json(data)


def test_a_fold_of_one_class_does_not_stop_the_choice() -> None:
    labels = np.zeros(50, dtype=bool)
    labels[0] = True
    chosen, losses = choose_calibration(np.arange(50.0), labels, np.arange(50), seed=0)
    assert chosen in METHODS
    assert all(np.isfinite(list(losses.values())))


def test_isotonic_is_constant_beyond_its_last_scores() -> None:
    fitted = IsotonicCalibration((0.0, 1.0), (0.2, 0.6))
    np.testing.assert_allclose(fitted.apply(np.array([-9.0, 0.5, 9.0])), [0.2, 0.4, 0.6])
