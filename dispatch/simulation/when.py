"""When to decide: once a period, or when something happens."""

import math
from dataclasses import dataclass

from dispatch.simulation.events import Kind


@dataclass(frozen=True, slots=True)
class Every:
    """Decide once a period, on multiples of it since the day's start."""

    period_s: float

    def first(self, start_s: float) -> float:
        """Return the day's start."""
        return start_s

    def next(self, now_s: float) -> float:
        """Return a period later."""
        return now_s + self.period_s

    def after(self, event: Kind, now_s: float) -> float | None:  # noqa: ARG002 - the protocol's
        """Add nothing."""
        return None


@dataclass(frozen=True, slots=True)
class OnEvents:
    """Decide when something happens, on multiples of `gap_s`, and every `period_s` besides."""

    gap_s: float = 15.0
    period_s: float = 300.0
    kinds: frozenset[Kind] = frozenset(
        {Kind.PLACED, Kind.FREED, Kind.LOGGED_ON, Kind.REFUSED, Kind.IGNORED, Kind.VOID}
    )

    def first(self, start_s: float) -> float:
        """Return the day's start."""
        return start_s

    def next(self, now_s: float) -> float:
        """Return a period later."""
        return now_s + self.period_s

    def after(self, event: Kind, now_s: float) -> float | None:
        """Return the next multiple of the gap since 1970."""
        return math.ceil(now_s / self.gap_s) * self.gap_s if event in self.kinds else None
