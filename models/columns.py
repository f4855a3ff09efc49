"""Raw columns: the contract between `dispatch`, which measures, and `models`, which learns.

Serving and the training log use the same names and units. Every column is float64 of shape (n,);
NaN means unknown and is accepted only where `optional` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Source = Literal["courier", "order", "pair", "context"]

VEHICLES: Final = ("foot", "bicycle", "ebike", "motorcycle", "car")

HISTORIES: Final = {
    "courier_offers": "courier_accepted",
    "merchant_offers": "merchant_accepted",
}
"""Counts of past offers, and of the accepted ones among them."""

LARGEST: Final = float(np.finfo(np.float64).max)
"""Default bound of a column: any finite number, and no infinity."""


@dataclass(frozen=True, slots=True)
class RawColumn:
    """One measured column: its unit, whose property it is, and the values it may take.

    An `optional` one may be NaN; one that `may_lack` may be left out altogether, which says the
    same of every row: logs of platforms that never measured it stay usable.
    """

    name: str
    unit: str
    source: Source
    description: str
    low: float = 0.0
    high: float = LARGEST
    optional: bool = False
    integral: bool = False
    may_lack: bool = False


_TABLE: Final = (
    RawColumn("to_pickup_s", "s", "pair", "travel from where the courier will be free to pickup"),
    RawColumn("to_pickup_m", "m", "pair", "distance from where the courier will be free to pickup"),
    RawColumn("trip_s", "s", "pair", "travel from pickup to dropoff with the courier's vehicle"),
    RawColumn("trip_m", "m", "order", "distance from pickup to dropoff"),
    RawColumn("detour_s", "s", "pair", "to_pickup + trip - direct travel to the dropoff"),
    RawColumn(
        "heading_off_deg",
        "deg",
        "pair",
        "angle between the courier's heading and the way to the pickup",
        high=180.0,
        optional=True,
        may_lack=True,
    ),
    RawColumn("until_free_s", "s", "courier", "time until the stops on board are done"),
    RawColumn("wait_s", "s", "pair", "expected wait at the pickup for the order to be ready"),
    RawColumn(
        "slack_s",
        "s",
        "pair",
        "due minus expected door time, negative = late, NaN = no promise",
        low=-LARGEST,
        optional=True,
    ),
    RawColumn("load_orders", "1", "courier", "orders on board"),
    RawColumn("load_size", "size", "courier", "size on board"),
    RawColumn("pay", "money", "order", "courier pay for the order"),
    RawColumn("value", "money", "order", "value of the order"),
    RawColumn("order_size", "size", "order", "size of the order"),
    RawColumn("attempt", "1", "order", "which offer of this order, 1 = the first", low=1.0),
    RawColumn("hour", "h", "context", "local hour of day with its fraction", high=24.0),
    RawColumn("weekday", "1", "context", "local weekday, 0 = Monday", high=6.0, integral=True),
    RawColumn("precipitation_mm_h", "mm/h", "context", "precipitation rate", optional=True),
    RawColumn(
        "temperature_c", "°C", "context", "air temperature", low=-273.15, high=100.0, optional=True
    ),
    RawColumn(
        "local_demand",
        "1",
        "order",
        "waiting orders per courier online around the pickup",
        optional=True,
        may_lack=True,
    ),
    RawColumn(
        "shift_left_s", "s", "courier", "time until the shift ends", low=-LARGEST, optional=True
    ),
    RawColumn(
        "since_offer_s", "s", "courier", "time since the courier's last offer", optional=True
    ),
    RawColumn(
        "vehicle",
        "code",
        "courier",
        "vehicle class as its place in VEHICLES (a string in an offers log)",
        high=len(VEHICLES) - 1.0,
        optional=True,
        integral=True,
    ),
    RawColumn("courier_offers", "1", "courier", "offers in the window before this offer"),
    RawColumn("courier_accepted", "1", "courier", "accepted offers in the same window"),
    RawColumn(
        "merchant_offers",
        "1",
        "order",
        "offers of the merchant's orders before this one, in a window of their own",
        optional=True,
        may_lack=True,
    ),
    RawColumn(
        "merchant_accepted",
        "1",
        "order",
        "accepted ones of them",
        optional=True,
        may_lack=True,
    ),
)

RAW_COLUMNS: Final[Mapping[str, RawColumn]] = {column.name: column for column in _TABLE}

# EU Directive 2024/2831, Article 7(1), and the grounds of the Charter of Fundamental Rights,
# Article 21(1); "age" and "race" are whole words here, so "average" or "trace" pass.
FORBIDDEN_WORDS: Final = frozenset(
    {
        "age",
        "belief",
        "beliefs",
        "biometric",
        "birth",
        "birthdate",
        "birthday",
        "conversation",
        "conversations",
        "disability",
        "emotion",
        "emotional",
        "emotions",
        "ethnic",
        "ethnicity",
        "fatigue",
        "gender",
        "genetic",
        "health",
        "illness",
        "married",
        "marital",
        "migrant",
        "migration",
        "mood",
        "nationality",
        "opinion",
        "opinions",
        "orientation",
        "political",
        "politics",
        "pregnancy",
        "pregnant",
        "psychological",
        "race",
        "racial",
        "religion",
        "religious",
        "sex",
        "sexual",
        "sexuality",
        "stress",
        "strike",
        "union",
    }
)


def forbidden_columns(names: Iterable[str]) -> list[str]:
    """Names that hold a forbidden word, such as `gender`, `courierAge` or `union_member`.

    Source: EU Directive 2024/2831, Article 7(1); Charter of Fundamental Rights, Article 21(1).
    """
    words = {name: re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name) for name in names}
    return [name for name, found in words.items() if FORBIDDEN_WORDS & {w.lower() for w in found}]


def forbidden_problem(names: Iterable[str]) -> list[str]:
    """Return no line or one line that names the forbidden columns and says what to do."""
    found = forbidden_columns(names)
    if not found:
        return []
    return [
        f"forbidden attributes {', '.join(found)}: acceptance may not be predicted from protected "
        "or private traits; drop them (rename a column that only sounds like one)"
    ]


def with_unknown(
    columns: Mapping[str, NDArray[np.float64]], names: Iterable[str], n_rows: int
) -> dict[str, NDArray[np.float64]]:
    """Return the columns with those that may lack added as unknown where they do."""
    lacking = (n for n in names if n not in columns and RAW_COLUMNS[n].may_lack)
    return {**columns, **{name: np.full(n_rows, np.nan) for name in lacking}}


def column_problems(
    columns: Mapping[str, NDArray[Any]], names: Sequence[str], row_ids: Sequence[object]
) -> list[str]:
    """Say, one line a column, what keeps `columns` from being the raw columns `names`.

    `row_ids` has one label per row, used to name the first five offending rows.
    """
    problems = forbidden_problem(columns)
    missing = [n for n in names if n not in columns and not RAW_COLUMNS[n].may_lack]
    if missing:
        problems.append(f"missing columns {', '.join(missing)}: supply one float64 array each")
    present = [name for name in names if name in columns]
    for name in present:
        values = np.asarray(columns[name])
        if values.dtype.kind not in "buif":
            problems.append(f"{name}: expected numbers, got dtype {values.dtype}")
        elif values.shape != (len(row_ids),):
            problems.append(f"{name}: expected shape ({len(row_ids)},), got {values.shape}")
        else:
            problems += _value_problems(RAW_COLUMNS[name], values, row_ids)
    if problems:
        return problems
    for offers, accepted in HISTORIES.items():
        if {offers, accepted} <= set(present):
            above = np.asarray(columns[accepted]) > np.asarray(columns[offers])
            problems += _rows(f"{accepted} exceeds {offers}", above, row_ids)
    return problems


def _value_problems(
    column: RawColumn, values: NDArray[Any], row_ids: Sequence[object]
) -> list[str]:
    # Two passes without a temporary settle almost every column; NaN fails both comparisons.
    within = len(values) and values.min() >= column.low and values.max() <= column.high
    if within and not column.integral:
        return []
    sound = (values >= column.low) & (values <= column.high)
    if column.integral:
        sound &= values == np.floor(values)
    if column.optional:
        sound |= np.isnan(values)
    if sound.all():
        return []
    bounds = [
        "any finite number" if column.low == -LARGEST else f"at least {column.low:g}",
        "" if column.high == LARGEST else f"at most {column.high:g}",
        "whole" if column.integral else "",
        "or NaN for unknown" if column.optional else "never NaN",
    ]
    expected = ", ".join(bound for bound in bounds if bound)
    first = ", ".join(f"{v:g}" for v in values[~sound][:5].astype(np.float64))
    what = f"{column.name}: expected {expected} ({column.unit}), got {first}"
    return _rows(what, ~sound, row_ids)


def _rows(what: str, bad: NDArray[np.bool_], row_ids: Sequence[object]) -> list[str]:
    at = np.flatnonzero(bad)
    if not len(at):
        return []
    return [f"{what} in {len(at)} rows: {', '.join(str(row_ids[i]) for i in at[:5])}"]
