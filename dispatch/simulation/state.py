"""What is true right now: couriers and orders as the environment keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from dispatch.domain import (
    BoardStop,
    Courier,
    Handover,
    Location,
    Order,
    PendingOffer,
    Refusal,
    StopKind,
)
from dispatch.fairness import Ledger
from dispatch.simulation.day import DayRules, Shift, moment
from dispatch.simulation.policy import Proposal
from dispatch.simulation.timeline import TimedStop

_SAME_S = 1e-3  # below which two moments are one


class Fate(Enum):
    """Where an order is."""

    WAITING = "waiting"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class OrderState:
    """An order since it was placed."""

    order: Order
    fate: Fate = Fate.WAITING
    asked: dict[str, int] = field(default_factory=dict)  # by courier
    refusals: list[Refusal] = field(default_factory=list)

    def blocked(self, now_s: float, block_s: float) -> dict[str, Refusal]:
        """Return the refusals that still block, by courier; a courier's last one counts."""
        return {r.courier_id: r for r in self.refusals if r.at.timestamp() + block_s > now_s}

    def shown(self, now_s: float, block_s: float) -> Order:
        """Show the order with the refusals that still block."""
        if not self.refusals:
            return self.order
        recent = tuple(self.blocked(now_s, block_s).values())
        return replace(self.order, attempt=1 + len(self.refusals), refusals=recent)


@dataclass(slots=True)
class OfferState:
    """An offer until it is answered."""

    offer_id: str
    proposal: Proposal
    offered_s: float
    expires_s: float

    def shown(self) -> PendingOffer:
        """Show the offer as pending."""
        return PendingOffer(
            self.offer_id,
            self.proposal.order_ids,
            moment(self.offered_s),
            moment(self.expires_s),
        )


def same_visit(a: TimedStop, b: TimedStop) -> bool:
    """Whether two pickups are made in one visit."""
    return a.kind is b.kind is StopKind.PICKUP and (a.arrive_s, a.place) == (b.arrive_s, b.place)


@dataclass(slots=True)
class CourierState:
    """A courier while logged on.

    `place` and `free_s` are where and when the last stop was left, or where they logged on or were
    sent; `stops` are those to make, with their times.
    """

    shift: Shift
    row: int
    place: Location
    free_s: float
    stops: list[TimedStop] = field(default_factory=list)
    offers: dict[str, OfferState] = field(default_factory=dict)
    last_offer_s: float | None = None
    idle_since_s: float = 0.0
    patience_s: float = float("inf")
    leaving: bool = False  # the shift is over, or patience was

    @property
    def idle(self) -> bool:
        """Whether there is no stop to make and nothing on offer."""
        return not self.stops and not self.offers

    def after(self, stops: Sequence[TimedStop], now_s: float) -> tuple[Location, float]:
        """Return where and when the courier is free after some first part of their stops."""
        if not stops:
            return self.place, max(self.free_s, now_s)
        return stops[-1].place.location, max(stops[-1].leave_s, now_s)

    def split(self, now_s: float) -> tuple[list[TimedStop], list[TimedStop]]:
        """Return the stops that are made or ridden to, and those that may still be moved."""
        begun = sum(stop.arrive_s - stop.ride_s < now_s - _SAME_S for stop in self.stops)
        while 0 < begun < len(self.stops) and same_visit(*self.stops[begun - 1 : begun + 1]):
            begun += 1
        return self.stops[:begun], self.stops[begun:]

    def holds(self, stop: TimedStop) -> bool:
        """Whether a stop is still to be made at its times."""
        return any(mine is stop for mine in self.stops)

    def ahead(self, now_s: float) -> tuple[Location, float, list[TimedStop]]:
        """Return where and when the courier could be told something else, and the stops after that.

        A courier who is riding arrives first; one who is at a stop leaves it first.
        """
        after = [stop for stop in self.stops if stop.arrive_s > now_s]
        under_way = self.stops[: len(self.stops) - len(after)]
        if after and not under_way:
            return after[0].place.location, after[0].arrive_s, after
        return *self.after(under_way, now_s), after


def board_stops(stops: list[TimedStop], rules: DayRules) -> tuple[BoardStop, ...]:
    """Show stops still to make, so that riding them in sequence gives the times they will have."""
    shown: list[BoardStop] = []
    for k, stop in enumerate(stops):
        place, ready_s = stop.place, stop.order.ready_at.timestamp()
        if rules.one_visit_per_place and stop.kind is StopKind.PICKUP:
            if k and same_visit(stops[k - 1], stop):
                place = Handover(place.location)
            else:
                ready_s = max(
                    s.order.ready_at.timestamp() for s in stops[k:] if same_visit(stop, s)
                )
        pickup = stop.kind is StopKind.PICKUP
        shown.append(
            BoardStop(
                kind=stop.kind,
                order_id=stop.order.id,
                place=place,
                ready_at=moment(ready_s) if pickup else None,
                due_at=None if pickup else stop.order.due_at,
                size=stop.order.size,
            )
        )
    return tuple(shown)


def show_courier(state: CourierState, ledger: Ledger, now_s: float, rules: DayRules) -> Courier:
    """Show a courier; orders on board are not past work yet."""
    base = state.shift.courier
    place, from_s, ahead = state.ahead(now_s)
    if rules.finish_first:
        (place, from_s), ahead = state.after(state.stops, now_s), []
    open_orders = {s.order.id: s.order.size for s in ahead}
    return Courier(
        id=base.id,
        position=place,
        vehicle=base.vehicle,
        capacity=base.capacity,
        available_at=moment(from_s) if from_s > now_s else None,
        shift_end=base.shift_end,
        skills=base.skills,
        on_board=board_stops(ahead, rules) if ahead else (),
        pending_offers=tuple(offer.shown() for offer in state.offers.values()),
        load_size=sum(open_orders.values()),
        last_offer_at=None if state.last_offer_s is None else moment(state.last_offer_s),
        past_work=ledger.past_work(state.row, now_s, shown_on_board=len(open_orders)),
    )
