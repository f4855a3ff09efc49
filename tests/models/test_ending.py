"""Probabilities made where the sums are made are those of the calibration, to a millionth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models.calibration import (
    PROBABILITY_FLOOR,
    BetaCalibration,
    Calibration,
    IsotonicCalibration,
    SigmoidCalibration,
)
from models.forest import Forest
from models.kernels.ending import ending_of
from models.kernels.masks import MaskForest
from models.scoring.mlx import MLXBackend

Matrix = np.ndarray
STEEP = np.nextafter(0.3, 1.0)
CALIBRATIONS: dict[str, Calibration] = {
    "sigmoid": SigmoidCalibration(1.3, -0.4),
    "flat": SigmoidCalibration(0.0, 2.0),
    "steep": SigmoidCalibration(90.0, 7.0),
    "beta": BetaCalibration(0.7, 2.1, 0.3),
    "half a beta": BetaCalibration(0.0, 1.1, -0.2),
    "isotonic": IsotonicCalibration((-1.5, -0.2, 0.1, 1.4), (0.02, 0.3, 0.9, 0.999)),
    "a step between neighbours": IsotonicCalibration((0.3, float(STEEP)), (0.1, 0.9)),
    "a constant": IsotonicCalibration((0.0,), (0.6,)),
    "knots beyond every score": IsotonicCalibration((-1e9, 1e12), (0.0, 1.0)),
}


@pytest.fixture(params=CALIBRATIONS)
def calibration(request: pytest.FixtureRequest) -> Calibration:
    return CALIBRATIONS[request.param]


def test_probabilities_of_mlx_are_the_calibrations_to_a_millionth(
    forest: Forest, hard_rows: Matrix, calibration: Calibration
) -> None:
    pytest.importorskip("mlx.core", reason="needs MLX", exc_type=ImportError)
    backend = MLXBackend(forest)
    found = backend.probabilities(hard_rows, calibration)
    expected = calibration.apply(backend.score(hard_rows))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert found.dtype == np.float64
    assert PROBABILITY_FLOOR <= found.min() <= found.max() <= 1 - PROBABILITY_FLOOR


def test_knots_stand_at_the_sums_of_their_scores_and_the_ends_are_the_curves_own(
    forest_of: Callable[[int], Forest],
) -> None:
    masks = MaskForest(forest_of(31))
    calibration = IsotonicCalibration((-1.5, 0.25), (0.2, 0.7))
    inputs = ending_of(calibration, masks.shift).inputs
    assert masks.score(inputs["knots"][1:-1]).tolist() == [-1.5, 0.25]
    assert inputs["heights"].tolist() == np.float32([0.2, 0.2, 0.7, 0.7]).tolist()
    assert inputs["slopes"][[0, 2, 3]].tolist() == [0, 0, 0]


def test_a_calibration_that_no_kernel_has_is_refused() -> None:
    class Other:
        name = "other"

    with pytest.raises(ValueError, match="no kernel computes the calibration 'other'"):
        ending_of(Other(), 3)  # type: ignore[arg-type]
