"""What a policy decides, one protocol per decision point; it sees snapshots and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dispatch.domain import Location, Snapshot, StopKind
from dispatch.simulation.events import Kind
from dispatch.simulation.reposition import Stay
from dispatch.simulation.when import Every
from dispatch.simulation.whom import Everyone

Stops = tuple[tuple[StopKind, str], ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """An offer to make now: these orders in this stop sequence, taken or refused whole.

    `backups` are asked one after the other, with the same orders and stops, as soon as the one
    before refuses or does not answer; those who are offline or hold an offer by then are skipped.
    Of several proposals to one courier, `route` is the sequence of all their stops if all are
    accepted, with the stops on board where new ones come before some of these; what is accepted by
    then and not begun is put into it. Without one, new stops come last.
    """

    courier_id: str
    stops: Stops
    route: Stops = ()
    expires_after_s: float = 90.0
    probability: float = float("nan")
    backups: tuple[str, ...] = ()

    @property
    def order_ids(self) -> tuple[str, ...]:
        """The orders, in the sequence of their pickups."""
        return tuple(name for kind, name in self.stops if kind is StopKind.PICKUP)


@dataclass(frozen=True, slots=True)
class HeldOrder:
    """An order kept for the next epoch on purpose, and why."""

    order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now; an order in neither list waits for the next epoch, too."""

    proposals: tuple[Proposal, ...] = ()
    held: tuple[HeldOrder, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an offer: `accepted`, `refused`, `ignored` (ran out) or `void`.

    Void: when the answer came, the shift was too short for the work, or the courier had gone.
    """

    offer_id: str
    courier_id: str
    order_ids: tuple[str, ...]
    answer: str
    offered_s: float
    answered_s: float
    probability: float


class When(Protocol):
    """When to decide."""

    def first(self, start_s: float) -> float:
        """Return the first epoch at or after the day's start."""
        ...

    def next(self, now_s: float) -> float:
        """Return the next epoch after one at `now_s`."""
        ...

    def after(self, event: Kind, now_s: float) -> float | None:
        """Return an epoch to add because of an event, or None."""
        ...


class Whom(Protocol):
    """Whom and what to consider: may leave orders and couriers out, or raise priorities."""

    def consider(self, snapshot: Snapshot) -> Snapshot:
        """Return what to decide on."""
        ...


class Assign(Protocol):
    """Assign or hold."""

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """Learn what became of offers since the last decision."""
        ...

    def decide(self, snapshot: Snapshot, next_epoch_s: float) -> Decision:
        """Decide what to offer now; what is left is decided again at `next_epoch_s`."""
        ...


class Reposition(Protocol):
    """Where to send couriers who have nothing to do."""

    def moves(self, snapshot: Snapshot) -> Sequence[tuple[str, Location]]:
        """Return couriers and where they go; those who hold work or an offer are skipped."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy per decision point; a policy that learns serves one run only."""

    assign: Assign
    when: When = field(default_factory=lambda: Every(60.0))
    whom: Whom = field(default_factory=Everyone)
    reposition: Reposition = field(default_factory=Stay)
    name: str = "policy"
