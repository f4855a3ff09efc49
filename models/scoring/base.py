"""The scoring protocol: one file per backend behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration
from models.forest import Forest

if TYPE_CHECKING:
    from lightgbm import Booster


class ScoringBackend(Protocol):
    """Turns a feature matrix into raw scores; calibration follows outside."""

    @property
    def name(self) -> str:
        """Short name, as asked for in the registry and reported to users."""

    def score(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw log-odds of shape (n,) for a C-contiguous float64 matrix of shape (n, f)."""


@runtime_checkable
class CalibratingBackend(ScoringBackend, Protocol):
    """A backend that calibrates scores where it makes them."""

    def probabilities(
        self, matrix: NDArray[np.float64], calibration: Calibration
    ) -> NDArray[np.float64]:
        """Return the calibration of the scores of a matrix (n, f), within 1e-6, shape (n,)."""


class Trees(Protocol):
    """What a backend is made from: checked arrays, and the same as LightGBM holds it."""

    @property
    def forest(self) -> Forest:
        """The ensemble as checked arrays."""

    @property
    def booster(self) -> Booster:
        """The ensemble as LightGBM holds it; made when first asked for."""

    @property
    def threads(self) -> int:
        """Most threads that LightGBM may use."""
