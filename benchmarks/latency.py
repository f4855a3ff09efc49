"""Real response times: accepted within 300 s or not, given that somebody took it at last."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dispatch.datasets import public_data_dir
from models import AcceptanceParams
from models.calibration import METHODS, choose_calibration

Floats = NDArray[np.float64]
LIMIT_S = 300.0


class Found(NamedTuple):
    """What one model says of the rows kept for judging; `base` is the training part's rate."""

    model: str
    labels: NDArray[np.bool_]
    probability: Floats
    base: float


def sendy() -> list[Found] | str:
    """Nairobi, 15,963 motorbike orders; trained on days 1 to 19, judged on days 25 to 31."""
    table = _read("sendy", "orders.csv.gz")
    if isinstance(table, str):
        return table
    table = table.sort_values(["day_of_month", "placed_s"], kind="stable")
    # Histories of customers and of pickup cells did not help on days 20 to 24, these two did.
    north = table["dropoff_lat"] - table["pickup_lat"]
    east = table["dropoff_lng"] - table["pickup_lng"]
    table = table.assign(beeline=np.hypot(north, east), towards=np.arctan2(north, east))
    x = table[
        [
            "platform_type",
            "business",
            "weekday_mo1",
            "placed_s",
            "distance_km",
            "temperature_c",
            "pickup_lat",
            "pickup_lng",
            "dropoff_lat",
            "dropoff_lng",
            "beeline",
            "towards",
        ]
    ].to_numpy(np.float64)
    y = table["accept_latency_s"].to_numpy(np.float64) <= LIMIT_S
    day = table["day_of_month"].to_numpy()
    return _fit(x, y, day < 20, (day >= 20) & (day < 25), day >= 25)


def deliveryhero() -> list[Found] | str:
    """One day of one city; trained on the first 60 % of its orders, judged on the last 25 %."""
    table = _read("deliveryhero", "orders.csv.gz")
    shifts = _read("deliveryhero", "shifts.csv.gz")
    if isinstance(table, str) or isinstance(shifts, str):
        return str(table)
    table = table[table["rider_accepted_at"].notna()].sort_values("created_at", kind="stable")
    made, taken, pickup, promise = (
        _seconds(table[name])
        for name in (
            "created_at",
            "rider_accepted_at",
            "expected_pickup_at",
            "promised_delivery_time",
        )
    )
    start, end = (_seconds(shifts[f"planned_shift_{side}_at"]) for side in ("start", "end"))
    accepted = np.sort(taken)
    # Known when the order is made (later stamps would tell the answer): how many wait, how many
    # ride, how the last half hour went.
    waiting = np.arange(len(made)) - np.searchsorted(accepted, made)
    riding = np.searchsorted(np.sort(start), made) - np.searchsorted(np.sort(end), made)
    late = np.cumsum((taken - made)[np.argsort(taken)])
    now, before = np.searchsorted(accepted, made), np.searchsorted(accepted, made - 1800.0)
    total = np.concatenate([[0.0], late])
    recent = (total[now] - total[before]) / np.maximum(now - before, 1)
    x = np.stack(
        [
            made % 86_400.0,
            pickup - made,
            promise - made,
            waiting,
            riding,
            waiting / np.maximum(riding, 1),
            recent,
        ],
        axis=1,
    )
    place = np.arange(len(made)) / len(made)
    return _fit(
        x, taken - made <= LIMIT_S, place < 0.6, (place >= 0.6) & (place < 0.75), place >= 0.75
    )


def _fit(
    x: Floats,
    y: NDArray[np.bool_],
    old: NDArray[np.bool_],
    newer: NDArray[np.bool_],
    newest: NDArray[np.bool_],
) -> list[Found]:
    """Grow with this project's settings, calibrate on the middle part, judge on the last."""
    import lightgbm

    p = AcceptanceParams()
    settings = {
        "objective": "binary",
        "num_leaves": p.leaves,
        "learning_rate": p.learning_rate,
        "min_data_in_leaf": p.min_data_in_leaf,
        "lambda_l2": p.l2,
        "verbosity": -1,
        "feature_fraction": p.feature_share,
        "num_threads": 1,
        "seed": 0,
        "deterministic": True,
    }
    rows = np.flatnonzero(old)
    cut = int(len(rows) * (1 - p.stop_share))
    past = lightgbm.Dataset(x[rows[:cut]], y[rows[:cut]].astype(float), params=settings)
    judge = past.create_valid(x[rows[cut:]], y[rows[cut:]].astype(float))
    booster = lightgbm.train(
        settings,
        past,
        p.max_trees,
        valid_sets=[judge],
        callbacks=[lightgbm.early_stopping(p.early_stopping_rounds, verbose=False)],
    )
    score = booster.predict(x, raw_score=True)
    name, _ = choose_calibration(score[newer], y[newer], np.flatnonzero(newer), 0)
    fitted = METHODS[name].fit(score[newer], y[newer])
    known = old | newer
    linear = make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(max_iter=500)
    ).fit(x[known], y[known])
    base = float(y[known].mean())
    return [
        Found(f"LightGBM, {name} calibration", y[newest], fitted.apply(score[newest]), base),
        Found("logistic regression", y[newest], linear.predict_proba(x[newest])[:, 1], base),
    ]


def _read(folder: str, name: str) -> pd.DataFrame | str:
    place = public_data_dir()
    if place is None or not (place / folder / name).is_file():
        return f"data not present: put {folder}/{name} into the folder COURIER_DATA_DIR names"
    return pd.read_csv(place / folder / name)


def _seconds(times: pd.Series) -> Floats:
    parsed = pd.to_datetime(times, utc=True).dt.tz_localize(None)
    return parsed.to_numpy("datetime64[s]").astype(np.float64)
