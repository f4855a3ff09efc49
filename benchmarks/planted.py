"""Planted offers logs whose Bayes probabilities are known, made of arrays alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, log_expit, logsumexp

from models.columns import VEHICLES

Floats = NDArray[np.float64]
SPEED_MPS = np.array([1.4, 4.0, 5.0, 7.0, 6.0])
NODES = 33
OFFERS_PER_COURIER = 150


class Planted(NamedTuple):
    """A log and, row by row, the best probability that what is observable then allows."""

    log: pd.DataFrame
    bayes: Floats


def planted(n: int, base_rate: float, seed: int, courier_sd: float = 0.5) -> Planted:
    """Draw `n` offers over four weeks, accepted at `base_rate` on average.

    The log-odds are smooth in distance, detour, load, pay per minute, rain and hour, plus an
    effect of the courier, normal with `courier_sd`, that shows in its past answers only.
    """
    rng = np.random.default_rng(seed)
    n_couriers = max(n // OFFERS_PER_COURIER, 20)
    courier = rng.integers(n_couriers, size=n)
    effect = rng.normal(0.0, courier_sd, n_couriers)
    order = np.arange(n)
    again = rng.random(n) < 0.1
    order[again] = np.maximum(order[again] - rng.integers(1, 40, again.sum()), 0)
    at_s = np.sort(rng.uniform(0.0, 28 * 86_400.0, n))
    vehicle = rng.integers(len(VEHICLES), size=n)
    to_pickup_m, trip_m = rng.gamma(2.0, 700.0, n), rng.gamma(2.0, 1000.0, n)
    c = {
        "to_pickup_s": to_pickup_m / SPEED_MPS[vehicle],
        "to_pickup_m": to_pickup_m,
        "trip_s": trip_m / SPEED_MPS[vehicle],
        "trip_m": trip_m,
        "detour_s": rng.gamma(1.0, 120.0, n),
        "until_free_s": rng.gamma(1.0, 200.0, n) * (rng.random(n) < 0.5),
        "wait_s": rng.gamma(1.0, 150.0, n),
        "slack_s": np.where(rng.random(n) < 0.1, np.nan, rng.normal(600.0, 400.0, n)),
        "load_orders": rng.integers(0, 3, n).astype(float),
        "load_size": rng.integers(0, 4, n).astype(float),
        "pay": 2.5 + trip_m / 1000.0 + rng.gamma(2.0, 0.8, n),
        "value": rng.gamma(3.0, 8.0, n),
        "order_size": rng.integers(1, 5, n).astype(float),
        "attempt": 1.0 + again,
        "hour": at_s % 86_400.0 / 3600.0,
        "weekday": np.floor(at_s / 86_400.0) % 7.0,
        "precipitation_mm_h": rng.gamma(0.3, 1.0, n),
        "temperature_c": rng.normal(15.0, 6.0, n),
        "local_demand": rng.gamma(4.0, 0.25, n),
        "shift_left_s": rng.uniform(0.0, 14_400.0, n),
        "since_offer_s": rng.gamma(1.0, 600.0, n),
    }
    work_min = (c["to_pickup_s"] + c["wait_s"] + c["trip_s"] + 60.0) / 60.0
    logit = (
        -0.9 * to_pickup_m / 1000.0
        - 0.004 * c["detour_s"]
        - 0.5 * c["load_orders"]
        + 2.0 * c["pay"] / work_min
        - 0.4 * c["precipitation_mm_h"]
        + 0.3 * np.cos((c["hour"] - 19.0) / 24.0 * 2.0 * np.pi)
    )
    logit += brentq(lambda b: expit(logit + effect[courier] + b).mean() - base_rate, -20, 20)
    accepted = rng.random(n) < expit(logit + effect[courier])
    frame = pd.DataFrame(c)
    frame["vehicle"] = np.array(VEHICLES)[vehicle]
    past = pd.DataFrame({"courier": courier, "taken": accepted}).groupby("courier")
    frame["courier_offers"] = past.cumcount().astype(float)
    frame["courier_accepted"] = (past["taken"].cumsum() - accepted).astype(float)
    frame["offer_id"] = np.arange(n)
    frame["order_id"] = order
    frame["courier_id"] = courier
    frame["offered_at"] = pd.Timestamp("2026-03-02", tz="UTC") + pd.to_timedelta(at_s, unit="s")
    frame["accepted"] = accepted
    return Planted(frame, bayes_chance(logit, accepted, courier, np.arange(n), courier_sd))


def bayes_chance(
    logit: Floats,
    accepted: NDArray[np.bool_],
    courier: NDArray[np.int64],
    moment: NDArray[np.int64],
    sd: float,
) -> Floats:
    """Integrate each courier's effect over its posterior from the answers before the moment.

    Rows are in time order; those of one moment, which are one courier's, stand together.
    """
    if sd == 0.0:
        return np.asarray(expit(logit))
    node = np.linspace(-4.0 * sd, 4.0 * sd, NODES)
    turn = np.argsort(courier, kind="stable")
    each = logit[turn, None] + node
    told = log_expit(np.where(accepted[turn, None], each, -each))
    before = np.cumsum(told, axis=0) - told
    start = np.flatnonzero(np.diff(courier[turn], prepend=-1))
    before -= np.repeat(before[start], np.diff(np.append(start, len(turn))), axis=0)
    at = np.flatnonzero(np.diff(moment[turn], prepend=-1))
    before = np.repeat(before[at], np.diff(np.append(at, len(turn))), axis=0)
    weight = before - 0.5 * (node / sd) ** 2
    weight -= logsumexp(weight, axis=1, keepdims=True)
    found = np.empty(len(logit))
    found[turn] = (np.exp(weight) * expit(each)).sum(axis=1)
    return found
