"""What each feature added to a courier's score for an order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.acceptance import AcceptanceModel
from models.features import Columns


def contributions(model: AcceptanceModel, columns: Columns) -> NDArray[np.float64]:
    """TreeSHAP contributions of shape (n, f + 1): features in schema order, then the base value.

    Each row adds up to the raw score (log-odds before calibration) of the main ensemble.

    Raises
    ------
    FeatureError, NotFittedError
        As in `AcceptanceModel.predict_proba`.
    """
    return model.ensemble_.contributions(model.matrix(columns))
