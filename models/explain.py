"""What each feature added to a courier's score for an order."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from models.acceptance import AcceptanceModel
from models.features import Columns

FloatArray = NDArray[np.float64]


def contributions(model: AcceptanceModel, columns: Columns) -> FloatArray:
    """TreeSHAP contributions of shape (n, f + 1): features in schema order, then the base value.

    Each row adds up to the raw score (log-odds before calibration), that of the city where the
    model is of one (`AcceptanceModel.of_city`).

    Raises
    ------
    FeatureError, NotFittedError
        As in `AcceptanceModel.predict_proba`.
    """
    return matrix_contributions(model, model.matrix(columns))


def matrix_contributions(model: AcceptanceModel, matrix: FloatArray) -> FloatArray:
    """As `contributions`, for a feature matrix (n, f) from `AcceptanceModel.matrix`."""
    return reduce(np.add, [trees.contributions(matrix) for trees in model.summed()])
