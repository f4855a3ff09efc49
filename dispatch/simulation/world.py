"""The world: orders placed, couriers logging on and off and riding; no policy and no offers."""

from collections.abc import Callable, Sequence
from functools import partial

from dispatch.domain import Location, Order, StopKind
from dispatch.fairness import Ledger
from dispatch.simulation.behaviour import Behaviour, Draws
from dispatch.simulation.day import Day, Shift
from dispatch.simulation.events import Agenda, Event, Kind, Rank
from dispatch.simulation.state import CourierState, Fate, OrderState
from dispatch.simulation.timeline import TimedStop, ride_to

_RECHECK_S = 60.0  # of somebody out of patience who holds an offer

Progress = Callable[[int, int], None]
"""Called with the orders settled (delivered or cancelled) and all orders of the day."""


class World:
    """What is true at `now_s`, what has happened, and what will.

    Attributes
    ----------
    online
        Couriers logged on or finishing their last job, by id.
    open
        Orders placed and not yet accepted, by id, in the sequence they were placed.
    rows
        Row of every courier of the day in the ledger, by id.
    listener
        Told of every event as it happens.
    """

    def __init__(
        self, day: Day, behaviour: Behaviour, draws: Draws, progress: Progress | None
    ) -> None:
        self.day = day
        self.now_s = day.start_at.timestamp()
        self.agenda = Agenda()
        self.events: list[Event] = []
        self.ledger = Ledger([s.courier.id for s in day.shifts])
        self.rows = {s.courier.id: row for row, s in enumerate(day.shifts)}
        self.online: dict[str, CourierState] = {}
        self.open: dict[str, OrderState] = {}
        self.listener: Callable[[Kind], None] = lambda _: None
        self._behaviour, self._draws, self._progress = behaviour, draws, progress
        self._settled = 0
        self._unplaced, self._unstarted = len(day.orders), len(day.shifts)
        for order in day.orders:
            self.agenda.add(order.placed_at.timestamp(), Rank.PLACE, partial(self._place, order))
        for shift in day.shifts:
            at_s = shift.start_at.timestamp()
            self.agenda.add(at_s, Rank.LOG_ON, partial(self._log_on, shift))

    @property
    def over(self) -> bool:
        """Whether there is nothing left to decide: no orders to come or open, or nobody to ask."""
        nobody = not self._unstarted and all(state.leaving for state in self.online.values())
        return nobody or (not self._unplaced and not self.open)

    def log(
        self,
        kind: Kind,
        order_id: str = "",
        courier_id: str = "",
        offer_id: str = "",
        value: float = float("nan"),
        note: str = "",
    ) -> None:
        """Write down what happens now."""
        self.events.append(Event(self.now_s, kind, order_id, courier_id, offer_id, value, note))
        self.listener(kind)

    def ride(
        self, state: CourierState, kept: Sequence[TimedStop], stops: Sequence[TimedStop]
    ) -> None:
        """Let a courier make `stops` after those they keep, and none of the others any more."""
        if not state.stops:
            self.ledger.start_work(state.row, self.now_s)
        state.stops = [*kept, *stops]
        for stop in stops:
            for at_s, action in (
                (stop.arrive_s, self._arrive),
                (stop.event_s, self._hand_over),
                (stop.leave_s, self._leave),
            ):
                self.agenda.add(at_s, Rank.STOP, partial(action, state, stop))

    def move(self, state: CourierState, end: Location) -> None:
        """Send an idle courier somewhere; they can be told something else once there."""
        start, start_s = state.after((), self.now_s)
        ride_s = ride_to(state.shift.courier, start, end, self.day.travel)
        state.place, state.free_s = end, start_s + ride_s
        self.log(Kind.MOVED, courier_id=state.shift.courier.id, value=ride_s)

    def give_up_if_late(self, state: OrderState) -> None:
        """Cancel a waiting order whose customer has lost patience."""
        give_up_s = self.day.rules.give_up_s
        waited_s = self.now_s - state.order.placed_at.timestamp()
        if give_up_s is not None and waited_s >= give_up_s and state.fate is Fate.WAITING:
            del self.open[state.order.id]
            state.fate = Fate.CANCELLED
            self.log(Kind.CANCELLED, state.order.id, value=waited_s)
            self._settle()

    def _settle(self) -> None:
        self._settled += 1
        if self._progress is not None:
            self._progress(self._settled, len(self.day.orders))

    def _place(self, order: Order) -> None:
        self._unplaced -= 1
        state = self.open[order.id] = OrderState(order)
        self.log(Kind.PLACED, order.id, value=order.ready_at.timestamp() - self.now_s)
        if self.day.rules.give_up_s is not None:
            at_s = self.now_s + self.day.rules.give_up_s
            self.agenda.add(at_s, Rank.ANSWER, partial(self.give_up_if_late, state))

    def _log_on(self, shift: Shift) -> None:
        self._unstarted -= 1
        courier = shift.courier
        rng = self._draws.generator("patience", courier.id)
        state = CourierState(
            shift=shift,
            row=self.rows[courier.id],
            place=courier.position,
            free_s=self.now_s,
            idle_since_s=self.now_s,
            patience_s=self._behaviour.patience(courier, rng),
        )
        self.online[courier.id] = state
        self.ledger.log_on(state.row, self.now_s)
        self.log(Kind.LOGGED_ON, courier_id=courier.id)
        self.agenda.add(shift.end_s, Rank.LOG_OFF, partial(self._end_shift, state))
        self._watch_patience(state)

    def _end_shift(self, state: CourierState) -> None:
        if not state.leaving:
            state.leaving = True
            if not state.stops:
                self._log_off(state, Kind.LOGGED_OFF)

    def _log_off(self, state: CourierState, kind: Kind, value: float = float("nan")) -> None:
        del self.online[state.shift.courier.id]
        self.ledger.log_off(state.row, self.now_s)
        self.log(kind, courier_id=state.shift.courier.id, value=value)

    def _watch_patience(self, state: CourierState) -> None:
        since_s = state.idle_since_s
        if state.patience_s != float("inf"):
            at_s = since_s + state.patience_s
            self.agenda.add(at_s, Rank.LOG_OFF, partial(self._lose_patience, state, since_s))

    def _lose_patience(self, state: CourierState, since_s: float) -> None:
        if state.leaving or state.stops or state.idle_since_s != since_s:
            return
        if state.offers:
            again_s = self.now_s + _RECHECK_S
            self.agenda.add(again_s, Rank.LOG_OFF, partial(self._lose_patience, state, since_s))
            return
        state.leaving = True
        self._log_off(state, Kind.DROPPED_OUT, self.now_s - since_s)

    def _arrive(self, state: CourierState, stop: TimedStop) -> None:
        if state.holds(stop):
            self.log(Kind.ARRIVED, stop.order.id, state.shift.courier.id, value=stop.ride_m)

    def _hand_over(self, state: CourierState, stop: TimedStop) -> None:
        if not state.holds(stop):
            return
        name, order = state.shift.courier.id, stop.order
        if stop.kind is StopKind.PICKUP:
            self.log(Kind.PICKED_UP, order.id, name, value=stop.wait_s)
            return
        self.ledger.pay(state.row, order.pay)
        taken_s = self.now_s - order.placed_at.timestamp()
        self.log(Kind.DELIVERED, order.id, name, value=taken_s)
        self._settle()

    def _leave(self, state: CourierState, stop: TimedStop) -> None:
        if not state.holds(stop):
            return
        state.place, state.free_s = state.after(state.stops[:1], self.now_s)
        del state.stops[0]
        if state.stops:
            return
        state.idle_since_s = self.now_s
        self.ledger.end_work(state.row, self.now_s)
        self.log(Kind.FREED, courier_id=state.shift.courier.id)
        if state.leaving:
            self._log_off(state, Kind.LOGGED_OFF)
        else:
            self._watch_patience(state)
