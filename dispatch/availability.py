"""Where and when each courier is free: after the stops on board, or before those still open."""

from dataclasses import dataclass

import numpy as np

from dispatch.config import BundleRules
from dispatch.tables import Floats, Ints, Points, Tables
from dispatch.travel import TravelTimes


@dataclass(frozen=True, slots=True, eq=False)
class Availability:
    """The state new work starts from, per courier; shape (m,).

    Attributes
    ----------
    place, free_s, metres
        Where and when the courier is done with all stops on board, epoch seconds, and the distance
        still to ride for these.
    begun
        Whether the first stop on board is ridden to or made already, 0 or 1.
    opened, first_open
        How many of the last stops on board new ones may come before, and the first of their rows in
        the snapshot's board table.
    start, start_s, start_m
        As `place`, `free_s` and `metres`, before the open stops.
    stop_arrive_s, stop_event_s, stop_leave_s
        Times of the rows of the board table if nothing new comes between, shape (s,).
    stop_latest_s
        Until when each of them may change hands, shape (s,); inf for any time.
    room_orders, room_size
        How many new orders and how much size each courier can take: beside all that is on board, or
        as much as there is place for where stops may be open, for then the load is looked at stop
        by stop.
    """

    place: Points
    free_s: Floats
    metres: Floats
    begun: Ints
    opened: Ints
    first_open: Ints
    start: Points
    start_s: Floats
    start_m: Floats
    stop_arrive_s: Floats
    stop_event_s: Floats
    stop_leave_s: Floats
    stop_latest_s: Floats
    room_orders: Ints
    room_size: Ints


def availability(
    tables: Tables, travel: TravelTimes, bundling: BundleRules | None = None
) -> Availability:
    """Ride every courier's stops on board, all couriers at once, stop by stop.

    The last `bundling.reopened` stops of each courier stay open, but for one the courier is riding
    to or making: the first, unless the courier is still busy elsewhere.
    """
    rules = bundling or BundleRules()
    couriers, board = tables.couriers, tables.board
    clock = np.fmax(tables.now_s, couriers.available_s)
    lat, lon, row = (
        couriers.position.lat.copy(),
        couriers.position.lon.copy(),
        couriers.position.row.copy(),
    )
    metres = np.zeros(len(couriers))
    arrive, event, leave = (np.zeros(len(board.courier)) for _ in range(3))
    total = np.bincount(board.courier, minlength=len(couriers))
    begun = _begun(tables, total)
    opened = np.minimum(rules.reopened, total - begun)
    start, start_s, start_m = (
        Points(lat.copy(), lon.copy(), row.copy()),
        clock.copy(),
        metres.copy(),
    )
    for position in range(int(board.position.max(initial=-1)) + 1):
        stops = np.flatnonzero(board.position == position)
        who, place = board.courier[stops], board.place[stops]
        legs = travel.legs(
            Points(lat[who], lon[who], row[who]),
            place,
            couriers.kind[who],
            couriers.speed_mps[who],
        )
        arrive[stops] = clock[who] + legs.seconds
        event[stops] = np.fmax(arrive[stops] + board.before_s[stops], board.ready_s[stops])
        leave[stops] = event[stops] + board.after_s[stops]
        clock[who] = leave[stops]
        metres[who] += legs.metres
        lat[who], lon[who], row[who] = place.lat, place.lon, place.row
        fixed = who[position < (total - opened)[who]]
        start.lat[fixed], start.lon[fixed], start.row[fixed] = lat[fixed], lon[fixed], row[fixed]
        start_s[fixed], start_m[fixed] = clock[fixed], metres[fixed]
    return Availability(
        place=Points(lat, lon, row),
        free_s=clock,
        metres=metres,
        begun=begun,
        opened=opened,
        first_open=np.cumsum(total) - opened,
        start=start,
        start_s=start_s,
        start_m=start_m,
        stop_arrive_s=arrive,
        stop_event_s=event,
        stop_leave_s=leave,
        stop_latest_s=_latest_s(tables, event, rules.delay_on_board_s),
        room_orders=couriers.most_orders if rules.reopened else couriers.free_orders,
        room_size=couriers.most_size if rules.reopened else couriers.free_size,
    )


def _begun(tables: Tables, total: Ints) -> Ints:
    """Count the first stops that are ridden to or made already, 0 or 1 each, shape (m,)."""
    couriers, board = tables.couriers, tables.board
    begun = np.minimum(total, 1)
    busy = couriers.available_s > tables.now_s
    first = np.cumsum(total) - total
    rows = np.flatnonzero(busy & (total > 0))
    at, there = couriers.position[rows], board.place[first[rows]]
    begun[rows[(at.lat != there.lat) | (at.lon != there.lon)]] = 0
    return begun


def _latest_s(tables: Tables, event_s: Floats, delay_s: float) -> Floats:
    """Until when orders on board must be at their doors: a promise is kept if it would have been.

    Nobody waits longer than `delay_s` beyond what was planned, shape (s,).
    """
    board = tables.board
    promised = np.where(event_s <= board.due_s, board.due_s, np.inf)  # NaN: nothing is promised
    latest = np.minimum(event_s + delay_s, promised)
    return np.where(board.is_pickup, np.inf, latest)
