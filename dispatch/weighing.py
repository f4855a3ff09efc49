"""Weights as people give them, per order and per minute, and as the optimizer takes them."""

from collections.abc import Mapping

from dispatch.config import DispatchConfig
from dispatch.notions import NOTIONS
from dispatch.operating import ByWeights
from optimization import Weights

EFFICIENCY = ("acceptance", "delivery_time", "lateness")
PER_SECOND = {"acceptance": 1.0, "delivery_time": 60.0, "lateness": 60.0, "fairness": 1.0}
"""Display units in one unit of the optimizer's term, 1 where not named; its times are seconds."""


def display_weights(config: DispatchConfig, point: ByWeights | None = None) -> dict[str, float]:
    """Return the configuration's weights (per order, per minute), replaced where the point says."""
    given, objective = point or ByWeights(), config.objective
    usual = NOTIONS[config.fairness.notion].weight
    weights = {
        "acceptance": objective.acceptance,
        "delivery_time": objective.delivery_time,
        "lateness": objective.lateness,
        "fairness": usual if objective.fairness is None else objective.fairness,
    }
    own = {name: getattr(given, name) for name in weights}
    return weights | {name: value for name, value in own.items() if value is not None}


def internal_weights(weights: Mapping[str, float]) -> Weights:
    """Turn weights per minute into the optimizer's weights per second."""
    return Weights({name: value / PER_SECOND.get(name, 1.0) for name, value in weights.items()})
