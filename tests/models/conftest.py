"""A small planted world: acceptance follows a known logit, so the truth of every row is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models import AcceptanceModel, AcceptanceParams, read_log, train
from models.columns import RAW_COLUMNS, VEHICLES
from models.forest import Forest

QUICK = AcceptanceParams(max_trees=150, learning_rate=0.1, n_bags=2)


class World(NamedTuple):
    """An offers log and, row by row, the probability with which it was accepted."""

    log: pd.DataFrame
    truth: NDArray[np.float64]


def make_world(n_rows: int, seed: int) -> World:
    """Offers over 14 days, one order in five offered twice; couriers differ in a hidden way."""
    rng = np.random.default_rng(seed)
    couriers = rng.integers(120, size=n_rows)
    hidden = rng.normal(0.0, 0.5, 120)
    # An order's second offer follows some offers after its first.
    orders = np.arange(n_rows)
    again = rng.random(n_rows) < 0.2
    orders[again] = np.maximum(orders[again] - rng.integers(1, 40, again.sum()), 0)
    at_s = np.sort(rng.uniform(0.0, 14 * 86_400.0, n_rows)).round(3)
    speed_mps = rng.choice([1.4, 4.0, 5.0, 7.0, 6.0], n_rows)
    vehicle = np.searchsorted([1.4, 4.0, 5.0, 6.0, 7.0], speed_mps)
    vehicle = np.array([0, 1, 2, 4, 3])[vehicle]
    to_pickup_m = rng.gamma(2.0, 700.0, n_rows)
    trip_m = rng.gamma(2.0, 1000.0, n_rows)
    log = {
        "to_pickup_m": to_pickup_m,
        "to_pickup_s": to_pickup_m / speed_mps,
        "trip_m": trip_m,
        "trip_s": trip_m / speed_mps,
        "detour_s": rng.gamma(1.0, 120.0, n_rows),
        "until_free_s": rng.gamma(1.0, 200.0, n_rows) * (rng.random(n_rows) < 0.5),
        "wait_s": rng.gamma(1.0, 150.0, n_rows),
        "slack_s": np.where(rng.random(n_rows) < 0.1, np.nan, rng.normal(600.0, 400.0, n_rows)),
        "load_orders": rng.integers(0, 3, n_rows),
        "load_size": rng.uniform(0.0, 3.0, n_rows),
        "pay": 2.5 + trip_m / 1000.0 + rng.gamma(2.0, 0.8, n_rows),
        "value": rng.gamma(3.0, 8.0, n_rows),
        "order_size": rng.uniform(0.2, 2.0, n_rows),
        "attempt": 1.0 + again,
        "hour": at_s % 86_400.0 / 3600.0,
        "weekday": at_s // 86_400.0 % 7.0,
        "precipitation_mm_h": np.where(rng.random(n_rows) < 0.1, np.nan, rng.gamma(0.3, 1, n_rows)),
        "temperature_c": rng.normal(15.0, 6.0, n_rows),
        "local_demand": rng.gamma(4.0, 0.25, n_rows),
        "shift_left_s": rng.uniform(0.0, 14_400.0, n_rows),
        "since_offer_s": np.where(rng.random(n_rows) < 0.1, np.nan, rng.gamma(1, 600, n_rows)),
    }
    turn = np.random.default_rng((seed, 1))
    log["heading_off_deg"] = np.where(
        turn.random(n_rows) < 0.3, np.nan, turn.uniform(0.0, 180.0, n_rows)
    )
    pay_per_min = log["pay"] * 60.0 / (log["to_pickup_s"] + log["wait_s"] + log["trip_s"] + 60.0)
    logit = (
        1.6
        - 0.9 * to_pickup_m / 1000.0
        - 0.004 * log["detour_s"]
        - 0.5 * log["load_orders"]
        + 2.0 * pay_per_min
        - 0.4 * np.nan_to_num(log["precipitation_mm_h"])
        + 0.3 * np.cos((log["hour"] - 19.0) / 24.0 * 2.0 * np.pi)
        + hidden[couriers]
    )
    truth = 1.0 / (1.0 + np.exp(-logit))
    accepted = rng.random(n_rows) < truth
    frame = pd.DataFrame(log)
    frame["vehicle"] = np.array(VEHICLES)[vehicle]
    past = pd.DataFrame({"courier": couriers, "taken": accepted}).groupby("courier")
    frame["courier_offers"] = past.cumcount().astype(float)
    frame["courier_accepted"] = past["taken"].cumsum() - accepted
    merchant = turn.integers(60, size=n_rows)
    sold = pd.DataFrame({"merchant": merchant, "taken": accepted}).groupby("merchant")
    frame["merchant_id"] = [f"m{i}" for i in merchant]
    frame["merchant_offers"] = sold.cumcount().astype(float)
    frame["merchant_accepted"] = sold["taken"].cumsum() - accepted
    frame["offer_id"] = [f"f{i}" for i in range(n_rows)]
    frame["order_id"] = [f"o{i}" for i in orders]
    frame["courier_id"] = [f"c{i}" for i in couriers]
    start = pd.Timestamp("2026-03-02", tz="UTC")
    frame["offered_at"] = start + pd.to_timedelta(at_s, unit="s")
    frame["accepted"] = accepted
    return World(frame, truth)


@pytest.fixture(scope="session")
def world() -> World:
    return make_world(6000, seed=1)


@pytest.fixture(scope="session")
def model(world: World) -> AcceptanceModel:
    return train(world.log, QUICK)


@pytest.fixture(scope="session")
def fresh() -> World:
    """Rows of another draw of the same law (other couriers, same days)."""
    return make_world(6000, seed=2)


@pytest.fixture
def columns(world: World) -> dict[str, NDArray[np.float64]]:
    """Serving columns of the first 50 rows."""
    return {
        name: values.copy()
        for name, values in read_log(world.log.head(50), tuple(RAW_COLUMNS)).columns.items()
    }


@pytest.fixture
def quick_params() -> AcceptanceParams:
    return QUICK


@pytest.fixture(scope="session")
def world_of() -> Callable[[int, int], World]:
    return make_world


FOREST_KINDS = {
    "31 leaves": {"num_leaves": 31},
    "three words a tree": {"num_leaves": 90},
    "zero is missing": {"num_leaves": 31, "zero_as_missing": True},
    "nothing is missing": {"num_leaves": 31, "use_missing": False},
    "a stump": {"num_leaves": 2},
}


def _raw_rows() -> NDArray[np.float64]:
    """Rows with NaN, zeros, two decimals, and a category of 70 values in column 5."""
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(3000, 8)).round(2)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    rows[:, 5] = rng.integers(70, size=len(rows))
    rows[:, 7] *= rng.random(len(rows)) < 0.6
    return rows


@lru_cache(maxsize=8)
def _grown(settings: tuple[tuple[str, int], ...]) -> Forest:
    import lightgbm

    rows, rng = _raw_rows(), np.random.default_rng(8)
    logit = np.nan_to_num(rows[:, 0]) * np.sin(rows[:, 5]) + np.nan_to_num(rows[:, 7])
    fixed = {
        "objective": "binary",
        "verbosity": -1,
        "min_data_in_leaf": 5,
        "min_data_per_group": 5,
        "cat_smooth": 1.0,
        "num_threads": 1,
    }
    data = lightgbm.Dataset(rows, logit + rng.normal(size=len(rows)) > 0, categorical_feature=[5])
    booster = lightgbm.train(fixed | dict(settings), data, num_boost_round=20)
    return Forest.from_lightgbm(booster.model_to_string())


@pytest.fixture(params=FOREST_KINDS)
def forest(request: pytest.FixtureRequest) -> Forest:
    """Forests of every kind of split, of small and of large trees."""
    return _grown(tuple(FOREST_KINDS[request.param].items()))


@pytest.fixture
def forest_of() -> Callable[[int], Forest]:
    """Forests by their number of leaves."""
    return lambda leaves: _grown((("num_leaves", leaves),))


@pytest.fixture
def hard_rows(request: pytest.FixtureRequest) -> NDArray[np.float64]:
    """Rows drawn from thresholds, their neighbours in float64 and what is odd, after plain ones."""
    found = (
        request.getfixturevalue("forest")
        if "forest" in request.fixturenames
        else _grown((("num_leaves", 31),))
    )
    cuts = np.unique(found.threshold)
    odd = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-35, -1e-35, 1.1e-35, 5e-324, -0.5, -1.0]
    odd += [31.5, 69.0, 70.0, 96.0, 1e9, 1e300]
    pool = np.concatenate([cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf), odd])
    rng = np.random.default_rng(9)
    drawn = rng.choice(pool, (500, 8))
    drawn[::2, 5] = rng.integers(-2, 75, 250)
    return np.vstack([_raw_rows()[:201], drawn])
