"""Where and when each courier is free: after the stops already on board."""

from dataclasses import dataclass

import numpy as np

from dispatch.tables import Floats, Points, Tables
from dispatch.travel import TravelTimes


@dataclass(frozen=True, slots=True, eq=False)
class Availability:
    """The state new work starts from, per courier; shape (m,).

    `free_s` is an epoch second, `metres` the distance still to ride for the stops on board.
    `stop_arrive_s` and `stop_leave_s` time the rows of the snapshot's board table, shape (s,).
    """

    place: Points
    free_s: Floats
    metres: Floats
    stop_arrive_s: Floats
    stop_event_s: Floats
    stop_leave_s: Floats


def availability(tables: Tables, travel: TravelTimes) -> Availability:
    """Ride every courier's stops on board, all couriers at once, stop by stop."""
    couriers, board = tables.couriers, tables.board
    clock = np.fmax(tables.now_s, couriers.available_s)
    lat, lon, row = (
        couriers.position.lat.copy(),
        couriers.position.lon.copy(),
        couriers.position.row.copy(),
    )
    metres = np.zeros(len(couriers))
    arrive, event, leave = (np.zeros(len(board.courier)) for _ in range(3))
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
    return Availability(Points(lat, lon, row), clock, metres, arrive, event, leave)
