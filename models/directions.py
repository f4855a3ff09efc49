"""What the known directions cost: later offers predicted with them and without."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.calibration import METHODS
from models.ensemble import Ensemble, TrainingRows, grow
from models.evaluation import Metric
from models.log import OffersLog
from models.reliability import Z90

if TYPE_CHECKING:
    from models.acceptance import AcceptanceModel

FloatArray = NDArray[np.float64]


def monotone_cost(
    model: AcceptanceModel, old: OffersLog, newer: OffersLog, newest: OffersLog
) -> Metric:
    """Log-loss that monotone directions add on the newest offers, in nats; negative: they help.

    The model's main ensemble, grown on `old`, against one of as many trees grown on it without
    directions; both are calibrated on `newer` by the model's method. 90 % interval from the spread
    of the difference between orders.

    Raises
    ------
    NotFittedError
        If the model is not calibrated.
    """
    free = replace(model.params, monotone=False)
    rows = TrainingRows.of(old, model.matrix(old.columns), free)
    without = grow(rows, model.schema_, free, model.ensemble_.n_trees)
    method = METHODS[model.calibration_report_.chosen]
    earlier, later = model.matrix(newer.columns), model.matrix(newest.columns)

    def losses(ensemble: Ensemble) -> FloatArray:
        calibration = method.fit(ensemble.score(earlier), newer.accepted)
        p = calibration.apply(ensemble.score(later))
        return np.asarray(-np.log(np.where(newest.accepted, p, 1.0 - p)))

    added = losses(model.ensemble_) - losses(without)
    mean = float(added.mean())
    of_order = np.bincount(np.unique(newest.orders, return_inverse=True)[1], added - mean)
    half = Z90 * float(np.sqrt((of_order**2).sum())) / len(added)
    return Metric(mean, mean - half, mean + half)
