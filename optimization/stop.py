"""Deadlines: one object handed down through every stage of a request."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock by which an answer is due; `inf` means whenever."""

    at_s: float

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """Return the deadline that many seconds from now; None for no deadline."""
        if seconds is None:
            return cls(math.inf)
        if math.isnan(seconds):
            raise ValueError("expected a number of seconds or None, got nan")
        return cls(time.monotonic() + seconds)

    @property
    def timed(self) -> bool:
        """Whether there is one; else work is to be limited, not time."""
        return math.isfinite(self.at_s)

    def remaining(self) -> float:
        """Return the seconds left, never negative, inf without a deadline."""
        return max(0.0, self.at_s - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining() <= 0.0

    def fraction(self, f: float) -> Deadline:
        """Return the deadline after a fraction of what remains.

        Raises
        ------
        ValueError
            If the fraction is outside (0, 1].
        """
        if not 0.0 < f <= 1.0:
            raise ValueError(f"expected f in (0, 1], got {f}")
        return Deadline(time.monotonic() + f * self.remaining()) if self.timed else self


NEVER = Deadline(math.inf)
"""No deadline."""

GRACE_S = 0.01
"""How long after a deadline something better than the least may still take."""
