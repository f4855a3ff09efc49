"""Where to send couriers who have nothing to do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dispatch.domain import Location, Snapshot
from dispatch.tables import Points
from dispatch.travel import great_circle_m


@dataclass(frozen=True, slots=True)
class Stay:
    """Leave couriers where their last job ended."""

    def moves(self, snapshot: Snapshot) -> Sequence[tuple[str, Location]]:  # noqa: ARG002
        """Move nobody."""
        return ()


class BackToPickups:
    """Send idle couriers back to the nearest place where an order was picked up or waited.

    Only places seen in this day's snapshots so far; couriers within `near_m` of one stay.
    """

    def __init__(self, near_m: float = 500.0) -> None:
        self._near_m = near_m
        self._seen: dict[Location, None] = {}

    def moves(self, snapshot: Snapshot) -> Sequence[tuple[str, Location]]:
        """Return every idle courier who is far from all places seen, and the nearest of those."""
        self._seen.update((order.pickup.location, None) for order in snapshot.orders)
        idle = [
            c
            for c in snapshot.couriers
            if not c.on_board and not c.pending_offers and c.available_at is None
        ]
        if not idle or not self._seen:
            return ()
        places = list(self._seen)
        here = Points.of((courier.position for courier in idle), {})
        there = Points.of(places, {})
        row, column = np.divmod(np.arange(len(idle) * len(places)), len(places))
        away_m = great_circle_m(here[row], there[column]).reshape(len(idle), len(places))
        nearest = away_m.argmin(axis=1)
        return [
            (courier.id, places[k])
            for courier, k, metres in zip(
                idle, nearest.tolist(), away_m.min(axis=1).tolist(), strict=True
            )
            if metres > self._near_m
        ]
