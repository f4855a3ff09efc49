"""A day replayed under a policy: rolling horizon, couriers who answer, and what came of it.

The names below are loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dispatch.simulation.behaviour import AlwaysAccept, Answer, Behaviour, Draws, Question
    from dispatch.simulation.day import Day, DayRules, Shift
    from dispatch.simulation.environment import DayLog, Environment, Timing
    from dispatch.simulation.events import Event, Kind, events_table
    from dispatch.simulation.offers import PolicyError
    from dispatch.simulation.policy import (
        Assign,
        Decision,
        HeldOrder,
        Outcome,
        Policy,
        Proposal,
        Reposition,
        When,
        Whom,
    )
    from dispatch.simulation.reposition import BackToPickups, Stay
    from dispatch.simulation.rolling import Commitment, RollingHorizon
    from dispatch.simulation.scorers import Constant
    from dispatch.simulation.when import Every, OnEvents
    from dispatch.simulation.whom import Everyone, UrgentFirst

_HOME = {
    "AlwaysAccept": "behaviour",
    "Answer": "behaviour",
    "Assign": "policy",
    "BackToPickups": "reposition",
    "Behaviour": "behaviour",
    "Commitment": "rolling",
    "Constant": "scorers",
    "Day": "day",
    "DayLog": "environment",
    "DayRules": "day",
    "Decision": "policy",
    "Draws": "behaviour",
    "Environment": "environment",
    "Event": "events",
    "Every": "when",
    "Everyone": "whom",
    "HeldOrder": "policy",
    "Kind": "events",
    "OnEvents": "when",
    "Outcome": "policy",
    "Policy": "policy",
    "PolicyError": "offers",
    "Proposal": "policy",
    "Question": "behaviour",
    "Reposition": "policy",
    "RollingHorizon": "rolling",
    "Shift": "day",
    "Stay": "reposition",
    "Timing": "environment",
    "UrgentFirst": "whom",
    "When": "policy",
    "Whom": "policy",
    "events_table": "events",
}

__all__ = [
    "AlwaysAccept",
    "Answer",
    "Assign",
    "BackToPickups",
    "Behaviour",
    "Commitment",
    "Constant",
    "Day",
    "DayLog",
    "DayRules",
    "Decision",
    "Draws",
    "Environment",
    "Event",
    "Every",
    "Everyone",
    "HeldOrder",
    "Kind",
    "OnEvents",
    "Outcome",
    "Policy",
    "PolicyError",
    "Proposal",
    "Question",
    "Reposition",
    "RollingHorizon",
    "Shift",
    "Stay",
    "Timing",
    "UrgentFirst",
    "When",
    "Whom",
    "events_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"dispatch.simulation.{_HOME[name]}"), name)
