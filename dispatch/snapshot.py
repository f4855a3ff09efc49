"""Reading and writing snapshots: JSON, DataFrames, Parquet. All of them lead through one parser.

Frames carry one row per order and per courier; nested fields are dotted columns
(`pickup.location.lat`), lists stay lists. On disk a snapshot is a JSON file, or a folder with
`orders.parquet`, `couriers.parquet` and `snapshot.json` for the rest.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from dispatch.domain import Courier, Snapshot
from dispatch.errors import MAX_IDS, InvalidInputError, Problem
from dispatch.jsontext import repeated_field
from dispatch.validate import (
    Finding,
    as_problems,
    printable,
    semantic_findings,
    structural_findings,
)

Mode = Literal["strict", "lenient"]

_SNAPSHOT = TypeAdapter(Snapshot)
_COURIER = TypeAdapter(Courier)
_TABLES = ("orders", "couriers")

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Intake:
    """A snapshot as read and found sound, and (lenient only) what was set aside and why."""

    snapshot: Snapshot
    problems: tuple[Problem, ...] = ()
    rejected_orders: tuple[str, ...] = ()
    rejected_couriers: tuple[str, ...] = ()


def parse_snapshot(text: str | bytes, mode: Mode = "strict", *, unrepeated: bool = False) -> Intake:
    """Read a snapshot from JSON text.

    Strict refuses the whole input when anything is wrong. Lenient sets aside the orders and
    couriers with problems and names them; a problem of the snapshot itself still raises. The text
    is not walked for fields given twice where that has been done (`unrepeated`).

    Raises
    ------
    InvalidInputError
        Listing every problem found.
    """
    repeated = None if unrepeated else repeated_field(text)
    if repeated is not None:
        raise InvalidInputError("snapshot", [repeated])
    try:
        snapshot = _SNAPSHOT.validate_json(text)
    except ValidationError as error:
        findings = structural_findings(error)
        if mode == "strict" or any(f.row < 0 for f in findings):
            raise InvalidInputError("snapshot", _with_ids(text, findings)) from None
        return _without_broken_rows(text, findings)
    return _check_meaning(Intake(snapshot), mode)


def _check_meaning(intake: Intake, mode: Mode) -> Intake:
    while findings := semantic_findings(intake.snapshot):
        snapshot = intake.snapshot
        problems = as_problems(
            findings, [o.id for o in snapshot.orders], [c.id for c in snapshot.couriers]
        )
        if mode == "strict" or any(f.row < 0 for f in findings):
            raise InvalidInputError("snapshot", problems)
        bad_orders = {f.row for f in findings if f.room == "orders"}
        bad_couriers = {f.row for f in findings if f.room == "couriers"}
        held = {
            name
            for j in bad_couriers
            for name in _order_names(_COURIER.dump_python(snapshot.couriers[j], mode="json"))
        }
        intake = _set_aside(
            intake,
            problems,
            [snapshot.orders[i].id for i in sorted(bad_orders)],
            [snapshot.couriers[j].id for j in sorted(bad_couriers)],
            replace(
                snapshot,
                orders=_kept(snapshot.orders, bad_orders),
                couriers=_kept(snapshot.couriers, bad_couriers),
            ),
            held,
        )
    return intake


def _set_aside(
    intake: Intake,
    problems: Iterable[Problem],
    orders: Iterable[str],
    couriers: Iterable[str],
    kept: Snapshot,
    held: set[str],
) -> Intake:
    """Add to what is set aside; orders `held` by a courier set aside go with it.

    Somebody is carrying or has been offered those: offering them again would double them.
    """
    theirs = [o.id for o in kept.orders if o.id in held]
    if theirs:
        message = "is with, or offered to, a courier that was set aside"
        more = Problem("orders[*].id", message, tuple(theirs[:MAX_IDS]), len(theirs))
        problems = (*problems, more)
        kept = replace(kept, orders=tuple(o for o in kept.orders if o.id not in held))
    return Intake(
        snapshot=kept,
        problems=(*intake.problems, *problems),
        rejected_orders=(*intake.rejected_orders, *orders, *theirs),
        rejected_couriers=(*intake.rejected_couriers, *couriers),
    )


def _order_names(courier: object) -> set[str]:
    """Orders that a raw courier, however broken, has on board or pending."""
    names: set[str] = set()
    if isinstance(courier, dict):
        for field, key in (("pending_offers", "order_ids"), ("on_board", "order_id")):
            entries = courier.get(field)
            for entry in entries if isinstance(entries, list) else []:
                value = entry.get(key) if isinstance(entry, dict) else None
                names |= {
                    v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str)
                }
    return names


def _kept(rows: Iterable[Row], bad: set[int]) -> tuple[Row, ...]:
    return tuple(row for i, row in enumerate(rows) if i not in bad)


def _row_names(rows: object) -> list[str]:
    """Ids of raw rows for error texts; a row without a usable id is named by its place."""
    if not isinstance(rows, list):
        return []
    return [
        printable(row["id"])
        if isinstance(row, dict) and isinstance(row.get("id"), str) and row["id"]
        else f"#{place}"
        for place, row in enumerate(rows)
    ]


def _raw(text: str | bytes) -> dict[str, Any]:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _with_ids(text: str | bytes, findings: list[Finding]) -> list[Problem]:
    raw = _raw(text)
    return as_problems(findings, _row_names(raw.get("orders")), _row_names(raw.get("couriers")))


def _without_broken_rows(text: str | bytes, findings: list[Finding]) -> Intake:
    raw = _raw(text)
    names = {room: _row_names(raw.get(room)) for room in _TABLES}
    bad = {room: {f.row for f in findings if f.room == room} for room in _TABLES}
    held = {name for j in bad["couriers"] for name in _order_names(raw["couriers"][j])}
    for room in _TABLES:
        raw[room] = [row for i, row in enumerate(raw[room]) if i not in bad[room]]
    kept = _SNAPSHOT.validate_json(json.dumps(raw))
    intake = _set_aside(
        Intake(kept),
        as_problems(findings, names["orders"], names["couriers"]),
        [names["orders"][i] for i in sorted(bad["orders"])],
        [names["couriers"][j] for j in sorted(bad["couriers"])],
        kept,
        held,
    )
    return _check_meaning(intake, "lenient")


def to_json(snapshot: Snapshot, *, indent: int | None = None) -> str:
    """Write a snapshot as JSON text, times in UTC, fields in the order of the schema."""
    return _SNAPSHOT.dump_json(snapshot, indent=indent).decode()


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a snapshot."""
    schema = _SNAPSHOT.json_schema()
    del schema["title"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Courier dispatch snapshot",
        **schema,
    }


def snapshot_hash(snapshot: Snapshot) -> str:
    """SHA-256 of the snapshot's JSON text; the same snapshot read any way has the same hash."""
    return hashlib.sha256(_SNAPSHOT.dump_json(snapshot)).hexdigest()


def to_frames(snapshot: Snapshot) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Split a snapshot into an orders frame, a couriers frame and everything else."""
    raw = _SNAPSHOT.dump_python(snapshot, mode="json")
    frames = [pd.DataFrame([_flatten(row) for row in raw.pop(room)]) for room in _TABLES]
    for frame in frames:
        for column in frame.columns:
            if column.endswith("_at") or column == "shift_end":
                frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601")
            elif column in ("pay", "value", "past_work.earnings"):
                frame[column] = frame[column].astype(np.float64)
    return frames[0], frames[1], raw


def from_frames(
    orders: pd.DataFrame,
    couriers: pd.DataFrame,
    rest: Mapping[str, Any],
    mode: Mode = "strict",
) -> Intake:
    """Build a snapshot from frames as `to_frames` writes them; missing cells take defaults."""
    raw = {**rest, "orders": _records(orders), "couriers": _records(couriers)}
    return parse_snapshot(json.dumps(raw, default=_plain), mode)


def _flatten(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    for row in frame.to_dict(orient="records"):
        nested: dict[str, Any] = {}
        for key, value in row.items():
            if _is_missing(value):
                continue
            *parents, leaf = str(key).split(".")
            place = nested
            for parent in parents:
                place = place.setdefault(parent, {})
            place[leaf] = _plain(value)
        records.append(nested)
    return records


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and value != value)


def _plain(value: object) -> object:
    """Turn NumPy and pandas scalars and arrays into what JSON knows."""
    match value:
        case np.ndarray():
            return [_plain(item) for item in value.tolist()]
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {k: _plain(v) for k, v in value.items() if not _is_missing(v)}
        case np.generic():
            return _plain(value.item())
        case datetime():
            return value.isoformat()
        case Decimal():
            return str(value)
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def read_snapshot(path: str | Path, mode: Mode = "strict") -> Intake:
    """Read a snapshot from a JSON file or a Parquet folder.

    Raises
    ------
    InvalidInputError
        Listing every problem found, a missing or unreadable file included.
    """
    place = Path(path)
    try:
        if place.is_dir():
            return from_frames(
                pd.read_parquet(place / "orders.parquet"),
                pd.read_parquet(place / "couriers.parquet"),
                json.loads((place / "snapshot.json").read_bytes()),
                mode,
            )
        return parse_snapshot(place.read_bytes(), mode)
    except OSError as error:
        reason = error.strerror or "not readable as Parquet"
        raise InvalidInputError("snapshot", [Problem(str(path), reason.lower())]) from None
    except InvalidInputError:
        raise
    except ValueError as error:
        raise InvalidInputError(
            "snapshot", [Problem(str(path), f"cannot be read: {error}")]
        ) from None


def write_snapshot(snapshot: Snapshot, path: str | Path) -> None:
    """Write a snapshot: a `.json` file, or a folder of Parquet files for any other name."""
    place = Path(path)
    if place.suffix == ".json":
        place.write_text(to_json(snapshot, indent=1) + "\n")
        return
    orders, couriers, rest = to_frames(snapshot)
    place.mkdir(parents=True, exist_ok=True)
    orders.to_parquet(place / "orders.parquet")
    couriers.to_parquet(place / "couriers.parquet")
    (place / "snapshot.json").write_text(json.dumps(rest, indent=1) + "\n")
