"""Trips: stop sequences of couriers, timed stop by stop."""

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dispatch.availability import Availability
from dispatch.config import CandidateRules
from dispatch.tables import Floats, Ints, Points, Tables
from dispatch.travel import Legs, TravelTimes

Flags = NDArray[np.bool_]
T = TypeVar("T", np.float64, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Trips:
    """Couriers with the same number q of new orders and c of open stops, b of them, c + 2q = s.

    Attributes
    ----------
    courier, pairs
        Courier rows, shape (b,), and the candidate pairs each was given, shape (b, q).
    order, board, is_pickup
        The stops in sequence: order row of the new ones, else -1; row in the board table of the
        open ones, else -1; and kind, shape (b, s).
    arrive_s, event_s, leave_s
        Epoch seconds of each stop, shape (b, s).
    leg_s, leg_m
        Seconds and metres of riding to each stop, shape (b, s).
    delay_s, late_s
        What open doors are later than without the new orders, and later past their promises, added
        over the trip, seconds, shape (b,).
    feasible
        Whether shift and range allow the whole trip, shape (b,).
    """

    courier: Ints
    pairs: Ints
    order: Ints
    board: Ints
    is_pickup: Flags
    arrive_s: Floats
    event_s: Floats
    leave_s: Floats
    leg_s: Floats
    leg_m: Floats
    delay_s: Floats
    late_s: Floats
    feasible: Flags

    def __len__(self) -> int:
        return len(self.courier)

    def __getitem__(self, rows: Ints) -> "Trips":
        return Trips(*(getattr(self, field.name)[rows] for field in fields(self)))

    def where_feasible(self, made: Flags) -> "Trips":
        """Call trips infeasible that cannot be made for other reasons, shape (b,)."""
        return replace(self, feasible=self.feasible & made)

    @property
    def first(self) -> Ints:
        """Place of the first new stop in the sequence, shape (b,)."""
        return np.asarray((self.order >= 0).argmax(axis=1))

    @property
    def last(self) -> Ints:
        """Place of the last new stop in the sequence, shape (b,)."""
        return np.asarray(self.order.shape[1] - 1 - (self.order >= 0)[:, ::-1].argmax(axis=1))

    def at(self, place: Ints, values: NDArray[T]) -> NDArray[T]:
        """Pick one stop's value of each trip, shape (b,)."""
        picked: NDArray[T] = values[np.arange(len(self)), place]
        return picked

    def new_legs(self, values: Floats) -> Floats:
        """Add up what the legs from the first to the last new stop take, shape (b,)."""
        place = np.arange(values.shape[1])
        inside = (place >= self.first[:, None]) & (place <= self.last[:, None])
        return np.asarray(np.where(inside, values, 0.0).sum(axis=1))

    def begun(self, tables: Tables, free: Availability) -> tuple[Points, Floats]:
        """Where and when the courier turns to the first new stop, shape (b,) each."""
        start, before = free.start[self.courier], np.maximum(self.first - 1, 0)
        rows = np.arange(len(self))
        # what comes before the first new stop is open
        stop, early = self.board[rows, before], self.first > 0
        if not early.any():
            return start, free.start_s[self.courier]
        there = tables.board.place
        place = Points(
            *(
                np.where(early, getattr(there, axis)[stop], getattr(start, axis))
                for axis in ("lat", "lon", "row")
            )
        )
        return place, np.where(early, self.leave_s[rows, before], free.start_s[self.courier])


def time_sequences(
    tables: Tables,
    free: Availability,
    courier: Ints,
    order: Ints,
    node: Ints,
    travel: TravelTimes,
    rules: CandidateRules,
    *,
    pairs: Ints,
    one_visit_per_place: bool = False,
) -> Trips:
    """Time given stop sequences.

    Parameters
    ----------
    tables, free, travel, rules
        The snapshot, where couriers start, and how shifts count.
    courier, order
        Who takes which orders, shape (b,) and (b, q).
    node
        Stops in sequence, shape (b, c + 2q), of couriers with c open stops: 1..c are these, then
        come the pickups, then the dropoffs, in the sequence of `order`.
    pairs
        Candidate pairs of the orders, shape (b, q), to be kept with the trips.
    one_visit_per_place
        Whether pickups in a row at one place are one visit: service before and after it once, all
        orders handed over when the last of them is ready.
    """
    (b, q), s = order.shape, node.shape[1]
    c = s - 2 * q
    is_new = node > c
    order = np.where(is_new, np.take_along_axis(order, (node - c - 1) % q, axis=1), -1)
    board = np.where(is_new, -1, free.first_open[courier][:, None] + node - 1)
    is_pickup = is_new & (node <= c + q)
    is_pickup[~is_new] = tables.board.is_pickup[board[~is_new]]
    before, after, earliest = _services(tables, order, board, is_pickup)
    goes_on = np.zeros((b, s), np.bool_)  # a pickup of the same visit as the stop before
    if one_visit_per_place:
        goes_on = _goes_on(tables.orders.pickup, order, is_pickup)
        for k in range(s - 2, -1, -1):
            later = np.where(goes_on[:, k + 1], earliest[:, k + 1], -np.inf)
            earliest[:, k] = np.maximum(earliest[:, k], later)
    legs = _along(tables, free, courier, order, board, is_pickup, travel)
    arrive, event, leave = (np.empty((b, s)) for _ in range(3))
    now = free.start_s[courier]
    for k in range(s):
        arrive[:, k] = now + legs.seconds[:, k]
        event[:, k] = np.maximum(arrive[:, k] + before[:, k], earliest[:, k])
        if k:  # who is there already neither arrives nor is served again
            same = goes_on[:, k]
            arrive[same, k], event[same, k] = arrive[same, k - 1], event[same, k - 1]
        now = leave[:, k] = event[:, k] + after[:, k]
    if rules.shift_covers == "pickup":
        covered = np.where(is_pickup, event, -np.inf).max(axis=1)
    else:
        covered = leave[:, -1]
    # a courier without shift end or range (NaN) is never too late or too far
    couriers = tables.couriers
    late = covered > couriers.shift_end_s[courier]
    far = free.start_m[courier] + legs.metres.sum(axis=1) > couriers.range_m[courier]
    delay, later = _delays(tables, free, board, is_pickup, event)
    return Trips(
        courier=courier,
        pairs=pairs,
        order=order,
        board=board,
        is_pickup=is_pickup,
        arrive_s=arrive,
        event_s=event,
        leave_s=leave,
        leg_s=legs.seconds,
        leg_m=legs.metres,
        delay_s=delay,
        late_s=later,
        feasible=~(late | far),
    )


def same_place(a: Points, b: Points) -> Flags:
    """Say which points are the same place, shape (n,)."""
    return np.asarray((a.lat == b.lat) & (a.lon == b.lon))


def _services(
    tables: Tables, order: Ints, board: Ints, is_pickup: Flags
) -> tuple[Floats, Floats, Floats]:
    """Service before and after each stop and the earliest handover, shape (b, s) each."""
    orders, stops, old = tables.orders, tables.board, board >= 0
    before = np.where(is_pickup, orders.pickup_before_s[order], orders.dropoff_before_s[order])
    after = np.where(is_pickup, orders.pickup_after_s[order], orders.dropoff_after_s[order])
    earliest = np.where(is_pickup, orders.ready_s[order], -np.inf)
    rows = board[old]
    before[old], after[old] = stops.before_s[rows], stops.after_s[rows]
    earliest[old] = np.fmax(stops.ready_s[rows], -np.inf)  # NaN: ready at any time
    return before, after, earliest


def _delays(
    tables: Tables, free: Availability, board: Ints, is_pickup: Flags, event_s: Floats
) -> tuple[Floats, Floats]:
    """Seconds that open doors are later, and later past their promises, added up, shape (b,)."""
    delay, late = np.zeros(event_s.shape), np.zeros(event_s.shape)
    door = (board >= 0) & ~is_pickup
    planned, due = free.stop_event_s[board[door]], tables.board.due_s[board[door]]
    delay[door] = event_s[door] - planned
    late[door] = np.fmax(event_s[door] - due, 0.0) - np.fmax(planned - due, 0.0)
    # a detour that is a short cut, where travel times are odd, is no gain of the new orders
    return np.maximum(delay.sum(axis=1), 0.0), np.maximum(late.sum(axis=1), 0.0)


def _goes_on(pickup: Points, order: Ints, is_pickup: Flags) -> Flags:
    """Mark pickups that go on with the visit of the stop before, shape (b, stops)."""
    here, before = order[:, 1:], order[:, :-1]
    together = same_place(pickup[here.ravel()], pickup[before.ravel()]).reshape(here.shape)
    first = np.zeros((len(order), 1), np.bool_)
    return np.concatenate((first, together & is_pickup[:, 1:] & is_pickup[:, :-1]), axis=1)


def _along(
    tables: Tables,
    free: Availability,
    courier: Ints,
    order: Ints,
    board: Ints,
    is_pickup: Flags,
    travel: TravelTimes,
) -> Legs:
    """Travel to every stop from the one before, shape (b, stops)."""
    start, orders = free.start[courier], tables.orders
    stops, old = order.shape[1], board >= 0
    columns = []
    for axis in ("lat", "lon", "row"):
        pickup, dropoff = getattr(orders.pickup, axis), getattr(orders.dropoff, axis)
        stop = np.where(is_pickup, pickup[order], dropoff[order])
        stop[old] = getattr(tables.board.place, axis)[board[old]]
        columns.append(np.concatenate((getattr(start, axis)[:, None], stop), axis=1))
    lat, lon, row = columns
    who = np.repeat(courier, stops)
    legs = travel.legs(
        Points(lat[:, :-1].ravel(), lon[:, :-1].ravel(), row[:, :-1].ravel()),
        Points(lat[:, 1:].ravel(), lon[:, 1:].ravel(), row[:, 1:].ravel()),
        tables.couriers.kind[who],
        tables.couriers.speed_mps[who],
    )
    shape = order.shape
    return Legs(legs.seconds.reshape(shape), legs.metres.reshape(shape))
