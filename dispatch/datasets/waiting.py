"""Which orders of a public data set wait at a moment: they say when placed, not when assigned."""

import numpy as np
from numpy.typing import NDArray

from dispatch.errors import InvalidInputError, Problem
from dispatch.tables import Floats

WAITING_MINUTES = 10.0


def is_waiting(placed_min: Floats, minute: float, waiting_minutes: float) -> NDArray[np.bool_]:
    """Say which orders were placed within the last `waiting_minutes`, this minute included.

    `placed_min` are minutes of the day, shape (n,). An order that old is taken to have been
    dispatched already.

    Raises
    ------
    InvalidInputError
        If `waiting_minutes` is not in (0, 1440].
    """
    if not 0 < waiting_minutes <= 1440:
        message = f"expected waiting_minutes in (0, 1440], got {waiting_minutes!r}"
        raise InvalidInputError("waiting orders", [Problem("waiting_minutes", message)])
    return np.asarray((placed_min <= minute) & (placed_min > minute - waiting_minutes))


def busiest_minute(placed_min: Floats, waiting_minutes: float) -> int:
    """Return the first minute at which most orders wait in the sense of `is_waiting`."""
    placed = np.sort(placed_min)
    minutes = np.arange(np.floor(placed.min()), np.ceil(placed.max()) + 1)
    waiting = np.searchsorted(placed, minutes, side="right")
    waiting = waiting - np.searchsorted(placed, minutes - waiting_minutes, side="right")
    return int(minutes[np.argmax(waiting)])
