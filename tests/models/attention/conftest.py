"""One small planted world in which sets matter, and the models trained on it once."""

from __future__ import annotations

import pytest

from dispatch.datasets.law import PlantedLaw
from dispatch.datasets.worlds_sets import DrawnSets, SetLaw
from models import AcceptanceModel, AcceptanceParams, train
from models.attention import SetAwareModel, SetParams, add_sets, read_sets

QUICK = AcceptanceParams(max_trees=150, learning_rate=0.1, n_bags=0)
QUICK_SETS = SetParams(width=16, hidden=16, epochs=12, patience=12, learning_rate=0.005)


@pytest.fixture(scope="session")
def drawn() -> DrawnSets:
    """Effects twice as strong as by default, so that few offers show them."""
    law = SetLaw(alone=PlantedLaw(intercept=2.2), along=1.5, rivals=1.5)
    return DrawnSets(law, 8_000, seed=4)


@pytest.fixture(scope="session")
def model(drawn: DrawnSets) -> AcceptanceModel:
    return train(drawn.log, QUICK)


@pytest.fixture(scope="session")
def aware(drawn: DrawnSets, model: AcceptanceModel) -> SetAwareModel:
    pytest.importorskip(
        "mlx.core", reason="needs MLX: pip install 'courier-dispatch[mlx]'", exc_type=ImportError
    )
    return add_sets(model, drawn.log, read_sets(drawn.log, drawn.stops), QUICK_SETS)


@pytest.fixture
def quick_sets() -> SetParams:
    return QUICK_SETS


@pytest.fixture
def quick_params() -> AcceptanceParams:
    return QUICK
