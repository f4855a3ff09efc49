"""Courier dispatch: from a snapshot of orders and couriers to a verified plan.

The names below are loaded when first used, so that a command line answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dispatch.config import DispatchConfig, load_config
    from dispatch.domain import Courier, Location, Order, Snapshot
    from dispatch.errors import DispatchError, InvalidInputError, Problem
    from dispatch.hold import HoldPolicy
    from dispatch.operating import AtKnee, ByBound, ByWeights
    from dispatch.pipeline import Dispatcher
    from dispatch.result import Plan
    from dispatch.snapshot import (
        from_frames,
        parse_snapshot,
        read_snapshot,
        to_frames,
        write_snapshot,
    )
    from dispatch.tradeoff import FrontierReport
    from dispatch.validate import validate

_HOME = {
    "AtKnee": "operating",
    "ByBound": "operating",
    "ByWeights": "operating",
    "Courier": "domain",
    "DispatchConfig": "config",
    "DispatchError": "errors",
    "Dispatcher": "pipeline",
    "FrontierReport": "tradeoff",
    "HoldPolicy": "hold",
    "InvalidInputError": "errors",
    "Location": "domain",
    "Order": "domain",
    "Plan": "result",
    "Problem": "errors",
    "Snapshot": "domain",
    "from_frames": "snapshot",
    "load_config": "config",
    "parse_snapshot": "snapshot",
    "read_snapshot": "snapshot",
    "to_frames": "snapshot",
    "validate": "validate",
    "write_snapshot": "snapshot",
}

__all__ = [
    "AtKnee",
    "ByBound",
    "ByWeights",
    "Courier",
    "DispatchConfig",
    "DispatchError",
    "Dispatcher",
    "FrontierReport",
    "HoldPolicy",
    "InvalidInputError",
    "Location",
    "Order",
    "Plan",
    "Problem",
    "Snapshot",
    "from_frames",
    "load_config",
    "parse_snapshot",
    "read_snapshot",
    "to_frames",
    "validate",
    "write_snapshot",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"dispatch.{_HOME[name]}"), name)
