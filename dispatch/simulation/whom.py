"""Whom and what to consider: everything, or what has waited long before all else."""

from dataclasses import dataclass, replace

from dispatch.domain import Snapshot


@dataclass(frozen=True, slots=True)
class Everyone:
    """Consider everything."""

    def consider(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot as it is."""
        return snapshot


@dataclass(frozen=True, slots=True)
class UrgentFirst:
    """Raise an order's priority by one for every `step_s` that it has waited, to 10 at most.

    Where couriers are short, those who have waited longest are served first.
    """

    step_s: float = 600.0

    def consider(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with priorities raised."""
        orders = tuple(
            replace(order, priority=min(10, order.priority + steps)) if steps else order
            for order in snapshot.orders
            for steps in [int((snapshot.now - order.placed_at).total_seconds() // self.step_s)]
        )
        return replace(snapshot, orders=orders)
