"""From an offers log to a model that has been judged on offers later than all it learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.acceptance import AcceptanceModel
from models.directions import monotone_cost
from models.evaluation import split_by_time
from models.log import read_log
from models.params import AcceptanceParams
from models.reliability import (
    reliability_by_group,
    reliability_by_probability,
    reliability_by_slice,
)

if TYPE_CHECKING:
    import pandas as pd


def train(log: pd.DataFrame, params: AcceptanceParams | None = None) -> AcceptanceModel:
    """Fit on the oldest offers, calibrate on later ones, evaluate on the newest.

    Parts are time-ordered and share no order; what the newest show goes to `metrics_`,
    `monotone_cost_`, `reliability_` and `slices_`.

    Raises
    ------
    FeatureError, TrainingError
        As in `AcceptanceModel.fit`.
    """
    model = AcceptanceModel(params)
    offers = read_log(log, model.params.schema().raw_names)
    later = (model.params.calibration_share, model.params.test_share)
    parts = split_by_time(offers.offered_at_s, offers.orders, (1.0 - sum(later), *later))
    old, newer, newest = (offers.take(rows) for rows in parts)
    model.fit(old).calibrate(newer)
    model.metrics_ = model.evaluate(newest)
    if model.params.monotone:
        model.monotone_cost_ = monotone_cost(model, old, newer, newest)
    predicted = model.predict_log(newest)
    model.reliability_ = reliability_by_probability(newest.accepted, predicted)
    model.slices_ = (
        *reliability_by_slice(newest.accepted, predicted, newest.columns),
        *reliability_by_group(newest.accepted, predicted, "city", newest.cities, newest.city_names),
        *reliability_by_group(newest.accepted, predicted, "zone", newest.zones, newest.zone_names),
    )
    return model
