"""Beside what an offer was made: the other offers of that moment, and the stops on board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from models.errors import FeatureError

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PLACES: Final = ("pickup_east_m", "pickup_north_m", "dropoff_east_m", "dropoff_north_m")
"""Columns of an offer: metres from where the courier is at that moment."""

STOPS: Final = ("east_m", "north_m")
"""Columns of a stop on board, likewise."""

MOMENT: Final = ("courier_id", "offered_at")
"""Offers alike in these were put to one courier together."""

MOST_BESIDE: Final = 64
"""Offers and stops of one moment; more is a log whose moments were lost."""


@dataclass(frozen=True, slots=True, eq=False)
class OfferSets:
    """The moments of a log's offers, aligned with its rows.

    Attributes
    ----------
    moment, places
        Of each offer (n,) the number of its moment, and its `PLACES` (n, 4).
    stop_moment, stops
        Of each stop on board (s,) the number of its moment, and its `STOPS` (s, 2).
    """

    moment: IntArray
    places: FloatArray
    stop_moment: IntArray
    stops: FloatArray

    @property
    def n_moments(self) -> int:
        """Number of moments."""
        return int(self.moment.max(initial=-1)) + 1


def read_sets(offers: pd.DataFrame, stops: pd.DataFrame) -> OfferSets:
    """Check and read the moments of an offers log.

    `offers` is the log itself with `PLACES` beside its other columns; `stops` has the columns
    `courier_id` and `offered_at` of the moment, and `STOPS`. Couriers who carry nothing have none.

    Raises
    ------
    FeatureError
        Naming every problem at once, with the first five offers or stops.
    """
    import pandas as pd

    problems = [
        f"{table}: missing columns {', '.join(missing)}"
        for table, frame, names in (("offers", offers, PLACES), ("stops", stops, STOPS))
        if (missing := [name for name in (*MOMENT, *names) if name not in frame])
    ]
    if problems:
        raise FeatureError("sets refused", problems)
    places, at = _numbers(offers, PLACES), _numbers(stops, STOPS)
    for table, values in (("offers", places), ("stops", at)):
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            problems.append(f"{table}: expected finite metres in {_rows(bad)}")
    keys = pd.MultiIndex.from_frame(offers[list(MOMENT)])
    moment, moments = pd.factorize(keys)
    stop_moment = moments.get_indexer(pd.MultiIndex.from_frame(stops[list(MOMENT)]))
    lost = np.flatnonzero(stop_moment < 0)
    if len(lost):
        problems.append(f"stops: no offer was made at the moment of {_rows(lost)}")
    beside = np.bincount(moment) + np.bincount(
        stop_moment[stop_moment >= 0], minlength=len(moments)
    )
    crowded = np.flatnonzero(beside > MOST_BESIDE)
    if len(crowded):
        names = ", ".join(str(moments[k]) for k in crowded[:5])
        problems.append(f"more than {MOST_BESIDE} offers and stops at {names}; separate moments")
    if problems:
        raise FeatureError("sets refused", problems)
    return OfferSets(moment.astype(np.int64), places, stop_moment.astype(np.int64), at)


def _numbers(frame: pd.DataFrame, names: tuple[str, ...]) -> FloatArray:
    import pandas as pd

    columns: list[Any] = [pd.to_numeric(frame[name], errors="coerce") for name in names]
    return np.column_stack([column.to_numpy(dtype=np.float64) for column in columns])


def _rows(bad: NDArray[np.intp]) -> str:
    return f"{len(bad)} rows: {', '.join(map(str, bad[:5]))}"
