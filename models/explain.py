"""What each feature added to a courier's score for an order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.acceptance import AcceptanceModel
from models.features import Columns


def contributions(model: AcceptanceModel, columns: Columns) -> NDArray[np.float64]:
    """TreeSHAP contributions of shape (n, f + 1): features in schema order, then the base value.

    Each row adds up to the raw score (log-odds before calibration) of the main ensemble. Exact
    path-dependent TreeSHAP (Lundberg et al. 2020), computed by LightGBM.

    Raises
    ------
    FeatureError, NotFittedError
        As in `AcceptanceModel.predict_proba`.
    """
    matrix = model.matrix(columns)
    if not len(matrix):
        return np.empty((0, matrix.shape[1] + 1))
    found = model.ensemble_.booster.predict(
        matrix, pred_contrib=True, num_threads=model.ensemble_.threads
    )
    return np.asarray(found, dtype=np.float64)
