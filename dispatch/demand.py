"""How scarce couriers are around a pickup: waiting orders per courier online.

Around is the square of a fixed grid that the pickup lies in, with its eight neighbours: three
kilometres across. The grid is that of the earth and not of a snapshot, and the counts are whole
orders and couriers, so whoever keeps a log can repeat them.
"""

from typing import Final

import numpy as np

from dispatch.tables import Floats, Ints, Points
from dispatch.travel import EARTH_RADIUS_M

SQUARE_M: Final = 1_000.0

CITY_COURIERS: Final = 5.0
"""Couriers that the ratio of the whole city counts for beside those who are around."""

_ROUND_M: Final = 2 * np.pi * EARTH_RADIUS_M
_IN_ROW: Final = 100_000
"""More than the squares of any row: the equator has 40,030."""


def local_demand(pickup: Points, courier: Points) -> Floats:
    """Divide waiting orders by couriers around each pickup, shape (n,), for n orders, m couriers.

    `courier` is where each of all couriers online will be free. The order itself counts.
    """
    own, who = squares(pickup), squares(courier)
    here, back = np.unique(own, return_inverse=True)
    around = neighbours(here)
    waiting, online = (_count(places, around) for places in (own, who))
    return ratio(waiting, online, len(own) / max(len(who), 1))[back]


def ratio(waiting: Floats, online: Floats, of_city: Floats | float) -> Floats:
    """Divide orders by couriers, drawn to the city's ratio where there are few couriers, (n,)."""
    return np.asarray((waiting + CITY_COURIERS * of_city) / (online + CITY_COURIERS))


def squares(points: Points) -> Ints:
    """Return the number of the square that each point lies in, shape (n,)."""
    row = np.floor((points.lat + 90.0) / 360.0 * _ROUND_M / SQUARE_M)
    return _numbered(row, points.lon / 360.0)


def neighbours(square: Ints) -> Ints:
    """Return the numbers of each square and of those that touch it, shape (n, 9)."""
    row, column = np.divmod(square, _IN_ROW)
    middle = (column + 0.5) / _in_row(row)
    rows = row[:, None] + np.array([-1, 0, 1])
    step = 1.0 / _in_row(rows)
    return np.concatenate(
        [_numbered(rows, middle[:, None] + aside * step) for aside in (-1, 0, 1)], axis=1
    )


def _numbered(row: Ints | Floats, turn: Floats) -> Ints:
    """Squares of some rows, at that share of the way round the earth."""
    column = np.floor(turn % 1.0 * _in_row(row))
    return np.asarray(row * _IN_ROW + column, dtype=np.int64)


def _in_row(row: Ints | Floats) -> Floats:
    """Squares of a row; at least three, so that no neighbour is met twice."""
    lat = (row + 0.5) * SQUARE_M / EARTH_RADIUS_M - np.pi / 2
    return np.asarray(np.maximum(np.round(np.cos(lat) * _ROUND_M / SQUARE_M), 3.0))


def _count(places: Ints, around: Ints) -> Floats:
    """Count the places in each row of squares, shape (n,)."""
    places = np.sort(places)
    found = np.searchsorted(places, around, side="right") - np.searchsorted(places, around)
    return np.asarray(found.sum(axis=1), dtype=np.float64)
