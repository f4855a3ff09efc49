"""An offers log in somebody's own columns, read through a mapping file.

The mapping is TOML; every table but `columns` is optional::

    [columns]              # ours = theirs
    offer_id = "id"
    offered_at = "created"
    accepted = "status"

    [values.accepted]      # theirs -> ours, for columns of words
    taken = 1
    declined = 0

    [scale]                # theirs times this is ours, by our name: minutes to seconds
    to_pickup_s = 60

    [constant]             # one value for every row, where a column is not known at all
    load_size = 0

    [time]                 # of columns without an offset: an IANA zone; or "s", "ms" of the epoch
    timezone = "Europe/Vienna"
    unit = "s"

    [history]              # count past offers of couriers and merchants from the log itself
    answer_s = 120         # earlier by this much, so that the answer was there
    window_s = 604800      # and not before; without: all that came before
    half_life_s = 259200   # an offer this old counts half; without: all alike
"""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dispatch.datasets.offers import LOG_COLUMNS, check_offers, read_offers_table
from dispatch.errors import InvalidInputError, Problem
from dispatch.tables import Floats
from models import past_counts
from models.columns import HISTORIES, RAW_COLUMNS

_TABLES = {"columns", "values", "scale", "constant", "time", "history"}
_OURS = {*(c.name for c in LOG_COLUMNS), *RAW_COLUMNS}
_TIMES = tuple(c.name for c in LOG_COLUMNS if c.kind == "time")
_COUNTED = {"courier_id": "courier_offers", "merchant_id": "merchant_offers"}
_HISTORY_KEYS = {"answer_s", "window_s", "half_life_s"}


def read_mapped_offers(path: str | Path, mapping: str | Path) -> pd.DataFrame:
    """Read an offers log through a mapping file; what comes back is as from `read_offers`.

    Columns that the mapping does not name are left out, so no forbidden attribute or later stamp
    comes along unasked.

    Raises
    ------
    InvalidInputError
        Naming everything wrong with the mapping, or then with the log.
    """
    given = _read_mapping(Path(mapping))
    raw = read_offers_table(Path(path), text=())
    problems = _mapping_problems(given, raw)
    if problems:
        raise InvalidInputError(Path(mapping).name, problems)
    log = pd.DataFrame({ours: raw[theirs] for ours, theirs in given["columns"].items()})
    for name, table in given.get("values", {}).items():
        log[name] = log[name].astype(str).map({str(k): v for k, v in table.items()})
    for name, factor in given.get("scale", {}).items():
        log[name] = pd.to_numeric(log[name], errors="coerce") * factor
    for name in (name for name in _TIMES if name in log):
        log[name] = _times(log[name], given.get("time", {}))
    for name in (c.name for c in LOG_COLUMNS if c.kind == "text" and c.name in log):
        log[name] = log[name].astype("string").astype(object)
    log = log.assign(**given.get("constant", {}))
    log = log.sort_values("offered_at", kind="stable").reset_index(drop=True)
    if "history" in given:
        log = log.assign(**_history(log, given["history"]))
    return check_offers(log, Path(path).name)


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        problem = Problem(str(path), (error.strerror or "cannot be read").lower())
    except ValueError as error:
        problem = Problem(str(path), f"is not valid TOML: {error}")
    raise InvalidInputError("mapping", [problem])


def _mapping_problems(given: dict[str, Any], raw: pd.DataFrame) -> list[Problem]:
    problems = [
        Problem(name, f"is not a table of a mapping; known are {', '.join(sorted(_TABLES))}")
        for name in sorted(given.keys() - _TABLES)
    ]
    problems += [
        Problem(name, "is not a table") for name, v in given.items() if not isinstance(v, dict)
    ]
    if problems:
        return problems
    columns = given.get("columns", {})
    for table in ("columns", "constant"):
        problems += [
            Problem(f"{table}.{name}", "is not a column of an offers log")
            for name in given.get(table, {})
            if name not in _OURS
        ]
    for table in ("values", "scale"):
        problems += [
            Problem(f"{table}.{name}", "is not among the mapped columns")
            for name in given.get(table, {})
            if name not in columns
        ]
    problems += [
        Problem(f"columns.{ours}", f"names {theirs!r}, which the log does not have")
        for ours, theirs in columns.items()
        if theirs not in raw.columns
    ]
    needed = {c.name for c in LOG_COLUMNS if c.required}
    problems += [
        Problem(f"columns.{name}", "is needed") for name in sorted(needed - columns.keys())
    ]
    if "history" in given:
        twice = [name for pair in HISTORIES.items() for name in pair if name in columns]
        problems += [Problem(f"history.{name}", "is mapped as well; keep one") for name in twice]
        if given["history"].keys() - _HISTORY_KEYS or "answer_s" not in given["history"]:
            message = "expected answer_s, and window_s and half_life_s if any"
            problems.append(Problem("history", message))
    if given.get("time", {}).keys() - {"timezone", "unit"}:
        problems.append(Problem("time", "expected timezone or unit"))
    return problems


def _times(values: "pd.Series[Any]", how: dict[str, str]) -> "pd.Series[Any]":
    try:
        if "unit" in how:
            return pd.to_datetime(pd.to_numeric(values), unit=how["unit"], utc=True)  # type: ignore[call-overload,no-any-return]
        moments = pd.to_datetime(values)
        if moments.dt.tz is not None:
            return moments.dt.tz_convert("UTC")
        return moments.dt.tz_localize(how["timezone"]).dt.tz_convert("UTC")
    except (ValueError, TypeError, KeyError) as error:
        message = f"cannot be read as times ({error}); set time.unit or time.timezone"
        raise InvalidInputError("mapping", [Problem(f"columns.{values.name}", message)]) from None


def _history(log: pd.DataFrame, how: dict[str, float]) -> dict[str, Floats]:
    """Count what every courier, and every merchant where the log names them, did before."""
    seconds = log["offered_at"].dt.tz_convert("UTC").dt.tz_localize(None)
    at_s = seconds.to_numpy("datetime64[us]").astype(np.int64) / 1e6
    counted = {}
    try:
        accepted = pd.to_numeric(log["accepted"]).to_numpy(np.float64) == 1.0
        for who, name in _COUNTED.items():
            if who in log:
                group = pd.factorize(log[who])[0].astype(np.int64)
                offers, taken = past_counts(
                    group,
                    at_s,
                    accepted,
                    answer_s=how["answer_s"],
                    window_s=how.get("window_s", np.inf),
                    half_life_s=how.get("half_life_s", np.inf),
                )
                nobody = group < 0
                counted[name] = np.where(nobody, np.nan, offers)
                counted[HISTORIES[name]] = np.where(nobody, np.nan, taken)
    except (ValueError, TypeError) as error:
        raise InvalidInputError("mapping", [Problem("history", str(error))]) from None
    return counted
