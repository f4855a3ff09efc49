"""A small planted world: acceptance follows a known logit, so the truth of every row is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models import AcceptanceModel, AcceptanceParams, read_log, train
from models.columns import RAW_COLUMNS, VEHICLES

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
        "demand_ratio": rng.gamma(4.0, 0.25, n_rows),
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
