"""What happened: the kinds of events, their log, and the clock they are taken from."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


class Kind(StrEnum):
    """What can happen; what `value` means is said beside each kind."""

    PLACED = "placed"  # ready, seconds from now
    LOGGED_ON = "logged_on"
    LOGGED_OFF = "logged_off"
    DROPPED_OUT = "dropped_out"  # idle for this many seconds
    DECIDED = "decided"  # orders waiting
    HELD = "held"
    OFFERED = "offered"  # the policy's probability
    ACCEPTED = "accepted"  # seconds since offered
    REFUSED = "refused"  # seconds since offered
    IGNORED = "ignored"  # seconds since offered
    VOID = "void"  # seconds since offered
    ARRIVED = "arrived"  # metres ridden from the stop before
    PICKED_UP = "picked_up"  # seconds waited for the order
    DELIVERED = "delivered"  # seconds since placement
    FREED = "freed"
    MOVED = "moved"  # seconds it takes
    CANCELLED = "cancelled"  # seconds since placement


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; empty ids where none is concerned, NaN where no value is."""

    at_s: float
    kind: Kind
    order_id: str = ""
    courier_id: str = ""
    offer_id: str = ""
    value: float = float("nan")
    note: str = ""


def events_table(events: list[Event]) -> "pa.Table":
    """Write events as an Arrow table, one per row, in the sequence they happened."""
    import pyarrow as pa

    text = ("kind", "order_id", "courier_id", "offer_id", "note")
    return pa.table(
        {
            name: pa.array(
                [getattr(e, name) for e in events],
                pa.string() if name in text else pa.float64(),
            )
            for name in Event.__slots__
        }
    )


class Rank(IntEnum):
    """What comes first at the same moment; decisions see everything that has happened by then."""

    STOP = 0
    LOG_ON = 1
    PLACE = 2
    ANSWER = 3
    LOG_OFF = 4
    DECIDE = 5


Action = Callable[[], None]


@dataclass(slots=True)
class Agenda:
    """Actions to come, by time; at the same time by rank, then in the sequence they were added."""

    _heap: list[tuple[float, int, int, Action]] = field(default_factory=list)
    _added: int = 0

    def add(self, at_s: float, rank: Rank, action: Action) -> None:
        """Plan an action."""
        heapq.heappush(self._heap, (at_s, rank, self._added, action))
        self._added += 1

    def pop(self) -> tuple[float, Action] | None:
        """Take the next action and its time, or None when nothing is left."""
        if not self._heap:
            return None
        at_s, _, _, action = heapq.heappop(self._heap)
        return at_s, action
