"""New stops among those a courier has on board: the legs between them, and single orders so taken.

A courier's open stops (`Availability`) keep their sequence; new ones may come before any of them,
within what is promised to the orders on board and what fits after every stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from dispatch.availability import Availability
from dispatch.columns import Timing, Trip
from dispatch.config import CandidateRules
from dispatch.tables import Floats, Ints, Points, Tables
from dispatch.travel import Legs, TravelTimes
from dispatch.trips import Flags, Trips, time_sequences
from optimization import stop_sequences
from optimization.bundling import EdgeLegs, Lanes, OpenStops, TripData, sequence_trips

_ROUNDING_S = 1e-3  # so that the times as planned keep their own promise
_LEGS = ("free_s", "to_pickup_s", "to_pickup_m", "trip_s", "trip_m", "direct_s")
Columns = TypeVar("Columns", Trip, Timing)


@dataclass(frozen=True, slots=True, eq=False)
class Alone:
    """Couriers taking one order each in the best stop sequence, shape (k,).

    Attributes
    ----------
    trip, timing
        From where the courier turns to the pickup, and when they would be where. Stops on board may
        come between pickup and door: `trip.trip_s` is the riding, `timing` has all of it.
    sequence
        Row of `stop_sequences(1, opened)` of the courier; -1 where the open stops leave none.
    delay_s, late_s
        What orders on board are later for it, and later past their promises, seconds.
    work_s
        By how much later the courier is done with everything, seconds.
    """

    trip: Trip
    timing: Timing
    sequence: Ints
    delay_s: Floats
    late_s: Floats
    work_s: Floats

    def __getitem__(self, rows: Ints) -> "Alone":
        return Alone(*(getattr(self, field.name)[rows] for field in fields(self)))

    @staticmethod
    def joined(parts: Sequence["Alone"]) -> "Alone":
        """Put some of them one after the other; there must be at least one."""
        own = ("sequence", "delay_s", "late_s", "work_s")
        return Alone(
            _joined([part.trip for part in parts]),
            _joined([part.timing for part in parts]),
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in own},
        )


def _joined(parts: Sequence[Columns]) -> Columns:
    names = [field.name for field in fields(parts[0])]
    return type(parts[0])(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})


def take_alone(
    tables: Tables,
    free: Availability,
    travel: TravelTimes,
    rules: CandidateRules,
    order: Ints,
    courier: Ints,
    trip: Trip,
) -> Alone:
    """Put each order where it is best among its courier's open stops.

    `trip` is the courier taking it after all of them, and stays where none are open.
    """
    timing, k = trip.timing(), len(order)
    alone = Alone(
        trip,
        timing,
        np.zeros(k, np.int64),
        np.zeros(k),
        np.zeros(k),
        timing.done_s - trip.free_s,
    )
    rows = np.flatnonzero(free.opened[courier])
    if not len(rows):
        return alone
    data = trip_data(tables, free, travel, rules, order[rows], courier[rows])
    own = np.arange(len(rows))
    none = np.zeros((8, 0))
    lanes = Lanes(own, own[:, None], np.zeros((len(rows), 0), np.int64), 0)
    found, _ = sequence_trips(data, lanes, EdgeLegs(none, none))
    alone.sequence[rows] = found
    changed = {name: getattr(trip, name).copy() for name in _LEGS}
    moments = {field.name: getattr(timing, field.name).copy() for field in fields(Timing)}
    for c in np.unique(free.opened[courier[rows]]).tolist():
        some = rows[(free.opened[courier[rows]] == c) & (found >= 0)]
        trips = time_sequences(
            tables,
            free,
            courier[some],
            order[some][:, None],
            stop_sequences(1, c)[alone.sequence[some]],
            travel,
            rules,
            pairs=some[:, None],
        )
        _describe(tables, free, travel, trips, some, changed, moments)
        alone.delay_s[some], alone.late_s[some] = trips.delay_s, trips.late_s
        alone.work_s[some] = np.maximum(trips.leave_s[:, -1] - free.free_s[trips.courier], 0.0)
        alone.sequence[some[~trips.feasible]] = -1
    return replace(alone, trip=replace(trip, **changed), timing=Timing(**moments))


def _describe(
    tables: Tables,
    free: Availability,
    travel: TravelTimes,
    trips: Trips,
    rows: Ints,
    trip: dict[str, Floats],
    timing: dict[str, Floats],
) -> None:
    """Write what trips of one order are like into rows of the columns of `Trip` and `Timing`."""
    place, free_s = trips.begun(tables, free)
    up, down = trips.first, trips.last
    kind = tables.couriers.kind[trips.courier]
    speed = tables.couriers.speed_mps[trips.courier]
    door = tables.orders.dropoff[trips.at(down, trips.order)]
    trip["free_s"][rows] = free_s
    trip["to_pickup_s"][rows] = trips.at(up, trips.leg_s)
    trip["to_pickup_m"][rows] = trips.at(up, trips.leg_m)
    trip["trip_s"][rows] = trips.new_legs(trips.leg_s) - trip["to_pickup_s"][rows]
    trip["trip_m"][rows] = trips.new_legs(trips.leg_m) - trip["to_pickup_m"][rows]
    trip["direct_s"][rows] = travel.legs(place, door, kind, speed).seconds
    timing["arrive_s"][rows] = trips.at(up, trips.arrive_s)
    timing["picked_up_s"][rows] = trips.at(up, trips.event_s)
    timing["door_s"][rows] = trips.at(down, trips.event_s)
    timing["done_s"][rows] = trips.at(down, trips.leave_s)


def trip_data(
    tables: Tables,
    free: Availability,
    travel: TravelTimes,
    rules: CandidateRules,
    order: Ints,
    courier: Ints,
    rows: Ints | None = None,
) -> TripData:
    """State what timing trips of candidate pairs needs, seconds from now.

    Parameters
    ----------
    tables, free, travel, rules
        The snapshot, where couriers start, and how shifts count.
    order, courier
        Candidate pairs, rows of the tables, shape (k,).
    rows
        Order rows to keep, sorted; all by default. The orders of the data are these.
    """
    orders, couriers, now_s = tables.orders, tables.couriers, tables.now_s
    kept = np.arange(len(orders)) if rows is None else rows
    kind, speed = couriers.kind[courier], couriers.speed_mps[courier]
    to_pickup = travel.legs(free.start[courier], orders.pickup[order], kind, speed)
    own = travel.legs(orders.pickup[order], orders.dropoff[order], kind, speed)
    shift_end = _or_never(couriers.shift_end_s - now_s)
    never = np.full(len(couriers), np.inf)
    by_pickup = rules.shift_covers == "pickup"
    pickup_end = shift_end if by_pickup else never
    return TripData(
        order=np.searchsorted(kept, order).astype(np.int64),
        courier=courier,
        to_pickup_s=to_pickup.seconds,
        own_s=own.seconds,
        ready_s=orders.ready_s[kept] - now_s,
        due_s=_or_never(orders.due_s[kept] - now_s),
        pickup_before_s=orders.pickup_before_s[kept],
        pickup_after_s=orders.pickup_after_s[kept],
        dropoff_before_s=orders.dropoff_before_s[kept],
        dropoff_after_s=orders.dropoff_after_s[kept],
        free_s=free.start_s - now_s,
        pickup_end_s=pickup_end,
        end_s=never if by_pickup else shift_end,
        range_m=_or_never(couriers.range_m - free.start_m),
        to_pickup_m=to_pickup.metres,
        own_m=own.metres,
        opened=_open_stops(tables, free, travel, order, courier, kept, pickup_end)
        if free.opened[courier].any()
        else None,
    )


def _or_never(limit: Floats) -> Floats:
    return np.where(np.isnan(limit), np.inf, limit)


def _open_stops(
    tables: Tables,
    free: Availability,
    travel: TravelTimes,
    order: Ints,
    courier: Ints,
    kept: Ints,
    pickup_end_s: Floats,
) -> OpenStops:
    board, couriers, now_s = tables.board, tables.couriers, tables.now_s
    most = int(free.opened.max())
    place = np.arange(most)
    real = place < free.opened[:, None]
    stop = np.where(real, free.first_open[:, None] + place, 0)

    def padded(values: Floats, otherwise: float) -> Floats:
        return np.where(real, values[stop], otherwise)

    is_door = real & ~board.is_pickup[stop]
    latest = np.where(is_door, padded(free.stop_latest_s - now_s, np.inf) + _ROUNDING_S, np.inf)
    load, change = _load(tables, free, stop, real)
    chain = np.zeros((2, *real.shape))
    row = np.cumsum(free.opened[courier] > 0) - 1
    row[free.opened[courier] == 0] = -1
    opened = np.flatnonzero(row >= 0)
    away = np.zeros((4, 2, most, len(opened)))  # seconds and metres from, seconds and metres to
    ends = (tables.orders.pickup[order[opened]], tables.orders.dropoff[order[opened]])
    for s in range(most):
        who = np.flatnonzero(real[:, s])
        before = board.place[stop[who, s - 1]] if s else free.start[who]
        legs = _ride(tables, travel, who, before, board.place[stop[who, s]])
        chain[:, who, s] = legs.seconds, legs.metres
        some = np.flatnonzero(real[courier[opened], s])
        who = courier[opened[some]]
        here = board.place[stop[who, s]]
        for kind, end in enumerate(ends):
            out = _ride(tables, travel, who, here, end[some])
            back = _ride(tables, travel, who, end[some], here)
            away[:, kind, s, some] = out.seconds, out.metres, back.seconds, back.metres
    return OpenStops(
        count=free.opened,
        is_door=is_door,
        earliest_s=np.fmax(padded(board.ready_s - now_s, -np.inf), -np.inf),
        latest_s=np.where(real & ~is_door, pickup_end_s[:, None], latest),
        due_s=np.where(is_door, _or_never(padded(board.due_s - now_s, np.inf)), np.inf),
        planned_s=padded(free.stop_event_s - now_s, 0.0),
        before_s=padded(board.before_s, 0.0),
        after_s=padded(board.after_s, 0.0),
        chain_s=chain[0],
        chain_m=chain[1],
        load=load,
        load_change=change,
        room=np.stack((couriers.most_orders, couriers.most_size)),
        order_size=tables.orders.size[kept],
        row=row,
        from_s=away[0],
        from_m=away[1],
        to_s=away[2],
        to_m=away[3],
    )


def _ride(
    tables: Tables, travel: TravelTimes, courier: Ints, origin: Points, destination: Points
) -> Legs:
    couriers = tables.couriers
    return travel.legs(origin, destination, couriers.kind[courier], couriers.speed_mps[courier])


def _load(tables: Tables, free: Availability, stop: Ints, real: Flags) -> tuple[Ints, Ints]:
    """Orders and size on board before the open stops, (2, m), and what each changes, (2, m, K).

    Where a size is not known, all of `load_size` counts until the last stop.
    """
    board = tables.board
    sign = np.where(real, np.where(board.is_pickup[stop], 1, -1), 0)
    known: Flags = np.asarray(((board.size[stop] >= 0) | ~real).all(axis=1))
    size = np.where(known[:, None], sign * board.size[stop], 0)
    last = np.arange(stop.shape[1]) == free.opened[:, None] - 1
    load_size = tables.couriers.load_size
    size = np.where(last & ~known[:, None], -load_size[:, None], size)
    change = np.stack((sign, size))
    carried = np.maximum(-change.sum(axis=2), 0)
    return carried, change
