"""Plain offers logs on disk: strict to read, the same bytes each time they are written."""

import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dispatch.errors import MAX_IDS, InvalidInputError, Problem
from models.columns import HISTORIES, LARGEST, RAW_COLUMNS, VEHICLES, RawColumn, forbidden_columns

FLOAT_FORMAT = "%.6g"


@dataclass(frozen=True, slots=True)
class LogColumn:
    """A column of an offers log beside the raw columns of `models`."""

    name: str
    kind: str
    meaning: str
    required: bool = True
    may_be_empty: bool = False


LOG_COLUMNS = (
    LogColumn("offer_id", "text", "one per row"),
    LogColumn("order_id", "text", "orders refused once are offered again"),
    LogColumn("courier_id", "text", "who was asked"),
    LogColumn("city_id", "text", "where", required=False),
    LogColumn("zone", "text", "where in the city", required=False, may_be_empty=True),
    LogColumn("merchant_id", "text", "who prepared the order", required=False, may_be_empty=True),
    LogColumn("offered_at", "time", "RFC 3339 with its offset; read as UTC"),
    LogColumn("accepted", "0 or 1", "the answer; no answer counts as 0"),
    LogColumn("answered_at", "time", "when the answer came", required=False),
    LogColumn(
        "propensity", "(0, 1]", "chance with which the policy chose this courier", required=False
    ),
)

_MAY_BE_EMPTY = {column.name for column in LOG_COLUMNS if column.may_be_empty}


def write_offers(log: pd.DataFrame, path: str | Path) -> None:
    """Write an offers log: Parquet, CSV or CSV.gz by the name's ending.

    CSV holds floats to six significant digits; Parquet holds them whole.
    """
    place = Path(path)
    if place.suffix == ".parquet":
        log.to_parquet(place, index=False)
        return
    text = io.StringIO()
    table = log.copy()
    for name in table.select_dtypes(include=["datetimetz"]):
        table[name] = table[name].dt.tz_convert("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    table.to_csv(text, index=False, float_format=FLOAT_FORMAT, lineterminator="\n")
    data = text.getvalue().encode()
    place.write_bytes(gzip.compress(data, mtime=0) if place.suffix == ".gz" else data)


def read_offers(path: str | Path) -> pd.DataFrame:
    """Read an offers log from CSV, CSV.gz or Parquet.

    Columns are `LOG_COLUMNS` and the raw columns of `models` (`vehicle` by name), in any order.
    Returned are text ids, UTC times, int8 answers and float64 raw columns.

    Raises
    ------
    InvalidInputError
        Naming every column with something wrong, and the first five offers where it is.
    """
    place = Path(path)
    text = (*(c.name for c in LOG_COLUMNS if c.kind in ("text", "time")), "vehicle")
    return check_offers(read_offers_table(place, text), place.name)


def check_offers(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Check a table of an offers log; `source` names it in errors.

    Raises
    ------
    InvalidInputError
        As `read_offers`.
    """
    names = [str(name) for name in table.columns]
    known = {c.name for c in LOG_COLUMNS} | set(RAW_COLUMNS)
    needed = [c.name for c in LOG_COLUMNS if c.required]
    needed += [c.name for c in RAW_COLUMNS.values() if not c.may_lack]
    forbidden = forbidden_columns(names)
    problems = [
        _problem(name, "is a forbidden attribute: acceptance may not be predicted from it; drop it")
        for name in forbidden
    ]
    problems += [
        _problem(name, "is not a column of an offers log; drop or rename it")
        for name in names
        if name not in known and name not in forbidden
    ]
    problems += [_problem(name, "is missing") for name in needed if name not in names]
    if not len(table):
        problems.append(Problem("offers", "has no rows"))
    checker = _Checker(table, problems)
    log = pd.DataFrame({name: checker.column(name) for name in names if name in known})
    checker.across(log)
    if problems:
        raise InvalidInputError(source, problems)
    return log


def _problem(name: str, message: str) -> Problem:
    return Problem(f"offers.{name}", message)


def read_offers_table(place: Path, text: tuple[str, ...]) -> pd.DataFrame:
    """Read a CSV, CSV.gz or Parquet file as it is, the columns of `text` as text.

    Raises
    ------
    InvalidInputError
        If it cannot be read, or its name ends otherwise.
    """
    try:
        if place.suffix == ".parquet":
            return pd.read_parquet(place)
        if place.suffixes[-1:] == [".csv"] or place.suffixes[-2:] == [".csv", ".gz"]:
            return pd.read_csv(
                place,
                dtype=dict.fromkeys(text, "str"),
                keep_default_na=False,
                na_values=[""],
                low_memory=False,
            )
    except (OSError, ValueError, EOFError) as error:
        raise InvalidInputError(place.name, [Problem(str(place), f"unreadable: {error}")]) from None
    message = "expected a name that ends in .csv, .csv.gz or .parquet"
    raise InvalidInputError(place.name, [Problem(str(place), message)])


class _Checker:
    """Turns columns into what they should be and notes where they are not."""

    def __init__(self, table: pd.DataFrame, problems: list[Problem]) -> None:
        self._table, self._problems = table, problems
        has_ids = "offer_id" in table
        self._ids = table["offer_id"] if has_ids else pd.Series(np.arange(len(table)))

    def column(self, name: str) -> "pd.Series[Any]":
        """Check one known column and return it with its dtype."""
        values = self._table[name]
        if name in ("offered_at", "answered_at"):
            return self._time(name, values)
        if name == "vehicle":
            self._expect(name, values.isna() | values.isin(VEHICLES), f"one of {VEHICLES} or empty")
            return values.astype(object)
        if name in RAW_COLUMNS:
            return self._number(RAW_COLUMNS[name], values)
        if name == "accepted":
            sound = values.isin([0, 1])
            self._expect(name, sound, "0 or 1")
            return values.where(sound, 0).astype(np.int8)
        if name == "propensity":
            share = pd.to_numeric(values, errors="coerce").astype(np.float64)
            self._expect(name, (share > 0) & (share <= 1), "a number in (0, 1]")
            return share
        given = values.notna() & (values.astype(str) != "")
        if name in _MAY_BE_EMPTY:
            return values.where(given, None).astype(object)
        self._expect(name, given, "an id")
        return values.astype(object)

    def across(self, log: pd.DataFrame) -> None:
        """Check what columns say together."""
        if "offer_id" in log:
            once = ~log["offer_id"].duplicated()
            self._expect("offer_id", once | log["offer_id"].isna(), "each once")
        for offers, accepted in HISTORIES.items():
            if {offers, accepted} <= set(log):
                self._expect(accepted, ~(log[accepted] > log[offers]), f"at most {offers}")

    def _expect(self, name: str, sound: "pd.Series[bool]", expected: str) -> None:
        at = np.flatnonzero(~sound.to_numpy(np.bool_))
        if len(at):
            ids = tuple(str(i) for i in self._ids.iloc[at[:MAX_IDS]])
            self._problems.append(Problem(f"offers.{name}", f"expected {expected}", ids, len(at)))

    def _number(self, column: RawColumn, values: "pd.Series[Any]") -> "pd.Series[float]":
        number = pd.to_numeric(values, errors="coerce").astype(np.float64)
        sound = number.between(column.low, column.high)
        if column.integral:
            sound &= number == np.floor(number)
        if column.optional:
            sound |= values.isna()
        bounds = [
            "a number" if column.low == -LARGEST else f"at least {column.low:g}",
            "" if column.high == LARGEST else f"at most {column.high:g}",
            "whole" if column.integral else "",
            "or empty" if column.optional else "never empty",
        ]
        self._expect(column.name, sound, f"{', '.join(b for b in bounds if b)} ({column.unit})")
        return number

    def _time(self, name: str, values: "pd.Series[Any]") -> "pd.Series[Any]":
        moment: pd.Series[Any]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            moment = values.dt.tz_convert("UTC")
            aware = values.notna()
        else:
            text = values.astype(str)
            moment = pd.to_datetime(text, utc=True, format="ISO8601", errors="coerce")
            aware = moment.notna() & text.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$")
        if name == "answered_at":  # never answered
            aware |= values.isna()
        self._expect(name, aware, "a time with its offset, such as 2025-03-03T10:00:00Z")
        return moment
