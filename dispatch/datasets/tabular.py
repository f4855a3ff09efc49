"""Reading tables of public formats: what is missing or malformed is listed, not met later."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from dispatch.errors import MAX_IDS, Problem

Kind = Literal["key", "text", "number", "clock"]

_CLOCK = r"^(\d{1,2}):([0-5]\d)(?::([0-5]\d))?$"


def clock_minutes(clocks: "pd.Series[Any]") -> "pd.Series[float]":
    """Turn clock times (`19:30` or `19:30:00`) into minutes of the day; NaN if malformed."""
    parts = clocks.astype(str).str.extract(_CLOCK).astype(np.float64)
    minutes: pd.Series[float] = parts[0] * 60 + parts[1] + parts[2].fillna(0) / 60
    return minutes.where(minutes < 1440)


def read_table(
    path: Path, columns: Mapping[str, Kind], problems: list[Problem], separator: str = ","
) -> pd.DataFrame:
    """Read the named columns of a delimited file and note in `problems` what is wrong with them.

    A key is a text that occurs once; a clock becomes minutes of the day. Other columns are left
    out. A file that cannot be read gives a table without rows.
    """
    empty = pd.DataFrame({name: [] for name in columns})
    try:
        raw = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    except (OSError, ValueError, EOFError) as error:
        what = "is missing" if isinstance(error, FileNotFoundError) else f"is unreadable: {error}"
        problems.append(Problem(path.name, what))
        return empty
    absent = [name for name in columns if name not in raw.columns]
    if absent:
        problems += [Problem(f"{path.name}.{name}", "column is missing") for name in absent]
        return empty
    if raw.empty:
        problems.append(Problem(path.name, "has no rows"))
    table = pd.DataFrame({name: _convert(raw[name], kind) for name, kind in columns.items()})
    key = next((name for name, kind in columns.items() if kind == "key"), None)
    labels = raw[key] if key is not None else pd.Series(np.arange(len(raw))).astype(str)
    for name, kind in columns.items():
        if kind == "key":
            expect(path.name, name, ~raw[name].duplicated(), "each once", labels, problems)
        sound = table[name].notna() & (table[name] != "")
        expect(path.name, name, sound, _EXPECTED[kind], labels, problems)
    return table


_EXPECTED: Mapping[Kind, str] = {
    "key": "an id",
    "text": "a text",
    "number": "a finite number",
    "clock": "a clock time such as 19:30:00",
}


def _convert(values: "pd.Series[Any]", kind: Kind) -> "pd.Series[Any]":
    if kind == "clock":
        return clock_minutes(values)
    if kind == "number":
        number = pd.to_numeric(values, errors="coerce").astype(np.float64)
        return number.where(np.isfinite(number))
    return values


def expect(
    file: str,
    column: str,
    sound: "pd.Series[bool]",
    expected: str,
    labels: "pd.Series[Any]",
    problems: list[Problem],
) -> None:
    """Note the rows of a column that are not as expected, by the first five labels."""
    bad = labels[~sound.to_numpy(np.bool_)]
    if len(bad):
        ids = tuple(str(label) for label in bad.head(MAX_IDS))
        problems.append(Problem(f"{file}.{column}", f"expected {expected}", ids, len(bad)))
