"""What monotone directions cost is told, and is a cost only where they are wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from models import AcceptanceParams, train


def test_true_directions_cost_no_more_than_chance(
    world: Any, quick_params: AcceptanceParams
) -> None:
    cost = train(world.log, replace(quick_params, n_bags=0)).monotone_cost_
    assert cost is not None
    assert cost.low < cost.value < cost.high
    assert cost.low < 0.0


def test_directions_that_are_wrong_cost_log_loss(
    world: Any, quick_params: AcceptanceParams
) -> None:
    """Couriers who like far pickups, which the directions forbid the model to learn."""
    truth = 1.0 / (1.0 + np.exp(1.5 - world.log["to_pickup_m"] / 1000.0))
    log = world.log.assign(accepted=np.random.default_rng(3).random(len(world.log)) < truth)
    # the histories are of other answers
    log = log.assign(courier_offers=0.0, courier_accepted=0.0)
    log = log.drop(columns=["merchant_offers", "merchant_accepted"])
    cost = train(log, replace(quick_params, n_bags=0)).monotone_cost_
    assert cost is not None
    assert cost.low > 0.01


def test_without_directions_there_is_no_cost(world: Any, quick_params: AcceptanceParams) -> None:
    assert train(world.log, replace(quick_params, n_bags=0, monotone=False)).monotone_cost_ is None
