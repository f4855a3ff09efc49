"""What a device kernel does with a row's sum of leaf values: a calibration as it computes one.

Sums are whole numbers and float32 is all that Metal has. Where a step could be steep the sums are
compared as whole numbers, exactly; what is computed in float32 moves no probability by 1e-6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.calibration import (
    PROBABILITY_FLOOR,
    BetaCalibration,
    Calibration,
    IsotonicCalibration,
    SigmoidCalibration,
)
from models.kernels.masks import SUM_BITS

LOWEST: Final = np.nextafter(np.float32(PROBABILITY_FLOOR), np.float32(1))
HIGHEST: Final = np.nextafter(np.float32(1 - PROBABILITY_FLOOR), np.float32(0))
"""What probabilities are kept within, so that as float64 they are within the calibrations' own."""


@dataclass(frozen=True, slots=True, eq=False)
class Ending:
    """A calibration of sums, in one of two forms.

    Attributes
    ----------
    form
        "beta": `curve` is (2 ** -shift, a, b, c), float32, of logit p = a ln(s) - b ln(1 - s) + c
        with s the sigmoid of the score x. Computed as (a if x < 0 else b) x + (b - a) ln(1 +
        exp(-|x|)) + c, nothing cancels; the sigmoid calibration has a = b.
        "knots": straight lines through `heights` (k,) at the sums `knots` (k,), float32 and int64,
        `slopes` (k,) from one to the next; constant outside.
    inputs
        The arrays of the form, by name.
    """

    form: str
    inputs: Mapping[str, NDArray[Any]]


def ending_of(calibration: Calibration, shift: int) -> Ending:
    """Return the calibration of scores as one of sums, which are scores times 2 ** shift.

    Raises
    ------
    ValueError
        If it is of a kind that no kernel has.
    """
    if isinstance(calibration, SigmoidCalibration):
        slope = calibration.slope
        return _beta(slope, slope, calibration.intercept, shift)
    if isinstance(calibration, BetaCalibration):
        return _beta(calibration.a, calibration.b, calibration.c, shift)
    if isinstance(calibration, IsotonicCalibration):
        return _knots(calibration, shift)
    raise ValueError(f"no kernel computes the calibration {calibration.name!r}")


def _beta(a: float, b: float, c: float, shift: int) -> Ending:
    # Scores too small for the power to be a float32 are zero for every curve.
    curve = np.array([np.ldexp(1.0, -shift), a, b, c])
    return Ending("beta", {"curve": curve.astype(np.float32)})


def _knots(calibration: IsotonicCalibration, shift: int) -> Ending:
    scores, heights = np.array(calibration.scores), np.array(calibration.probabilities)
    end = np.ldexp(1.0, SUM_BITS - shift)
    within = scores[np.abs(scores) < end]
    x = np.concatenate([[-end], within, [end]])
    y = np.interp(x, scores, heights)
    most = (1 << SUM_BITS) - 1
    knots = np.rint(np.ldexp(within, shift)).astype(np.int64)
    # Scores closer than sums can tell apart are one step: the last of them counts.
    rise = np.diff(y, append=y[-1])
    width = np.ldexp(np.diff(x, append=np.inf), shift)
    return Ending(
        "knots",
        {
            "knots": np.concatenate([[-most], knots, [most]]),
            "heights": y.astype(np.float32),
            "slopes": (rise / width).astype(np.float32),
        },
    )
