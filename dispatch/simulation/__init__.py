"""A day replayed under a policy: rolling horizon, couriers who answer, and what came of it."""

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
        Every,
        Everyone,
        Outcome,
        Policy,
        Proposal,
        Reposition,
        Stay,
        When,
        Whom,
    )
    from dispatch.simulation.rolling import Commitment, RollingHorizon
    from dispatch.simulation.scorers import Constant

_HOME = {
    "AlwaysAccept": "behaviour",
    "Answer": "behaviour",
    "Assign": "policy",
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
    "Every": "policy",
    "Everyone": "policy",
    "Kind": "events",
    "Outcome": "policy",
    "Policy": "policy",
    "PolicyError": "offers",
    "Proposal": "policy",
    "Question": "behaviour",
    "Reposition": "policy",
    "RollingHorizon": "rolling",
    "Shift": "day",
    "Stay": "policy",
    "Timing": "environment",
    "When": "policy",
    "Whom": "policy",
    "events_table": "events",
}

__all__ = [
    "AlwaysAccept",
    "Answer",
    "Assign",
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
    "Kind",
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
    "When",
    "Whom",
    "events_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"dispatch.simulation.{_HOME[name]}"), name)
