"""Snapshots survive JSON, frames and Parquet, and mean the same however they were read."""

import json
from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest

from dispatch.datasets import SyntheticCity, synthetic_snapshot
from dispatch.domain import Snapshot
from dispatch.errors import InvalidInputError
from dispatch.pipeline import Dispatcher
from dispatch.snapshot import (
    from_frames,
    json_schema,
    parse_snapshot,
    read_snapshot,
    snapshot_hash,
    to_frames,
    to_json,
    write_snapshot,
)
from dispatch.validate import validate


@pytest.fixture(scope="module")
def city() -> Snapshot:
    return synthetic_snapshot(SyntheticCity(seed=5), n_orders=30, n_couriers=40)


def test_json_reads_back_as_the_same_snapshot(small_snapshot: Snapshot, city: Snapshot) -> None:
    for snapshot in (small_snapshot, city):
        assert parse_snapshot(to_json(snapshot)).snapshot == snapshot


def test_frames_read_back_as_the_same_snapshot(small_snapshot: Snapshot, city: Snapshot) -> None:
    for snapshot in (small_snapshot, city):
        assert from_frames(*to_frames(snapshot)).snapshot == snapshot


@pytest.mark.parametrize("name", ["snapshot.json", "folder"])
def test_files_of_either_kind_give_the_same_plan(
    name: str, city: Snapshot, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    write_snapshot(city, tmp_path / name)
    read = read_snapshot(tmp_path / name)
    assert read.snapshot == city
    direct = dispatcher.assign(city)
    assert dispatcher.assign(read).to_json(timings=False) == direct.to_json(timings=False)


def test_frames_of_plain_columns_need_no_nested_ones(small_snapshot: Snapshot) -> None:
    """An analyst's frame with the required columns alone takes every default."""
    orders, couriers, _ = to_frames(small_snapshot)
    wanted = ["id", "pickup.location.lat", "pickup.location.lon", "dropoff.location.lat"]
    orders = orders[[*wanted, "dropoff.location.lon", "placed_at", "ready_at"]]
    couriers = couriers[["id", "position.lat", "position.lon"]]
    snapshot = from_frames(orders, couriers, {"now": "2026-03-06T18:30:00Z"}).snapshot
    assert [o.id for o in snapshot.orders] == ["o1", "o2", "o3", "o4", "o5", "o6"]
    assert snapshot.couriers[0].capacity.orders == 1


def test_frames_report_problems_by_the_same_paths(small_snapshot: Snapshot) -> None:
    orders, couriers, rest = to_frames(small_snapshot)
    orders.loc[2, "pickup.location.lat"] = 95.0
    orders["ready_at"] = orders["ready_at"].dt.tz_localize(None)
    with pytest.raises(InvalidInputError) as refused:
        from_frames(orders, couriers, rest)
    found = {p.path: (p.ids, p.count) for p in refused.value.problems}
    assert found["orders[*].pickup.location.lat"] == (("o3",), 1)
    assert found["orders[*].ready_at"] == (("o1", "o2", "o3", "o4", "o5"), 6)


def test_the_hash_sees_through_offsets_and_trailing_zeros(small_snapshot: Snapshot) -> None:
    first = small_snapshot.orders[0]
    abroad = timezone(timedelta(hours=5, minutes=30))
    same = replace(first, placed_at=first.placed_at.astimezone(abroad), pay=Decimal("4.8000"))
    moved = replace(first, pay=Decimal("4.81"))

    def with_first(order: Any) -> Snapshot:
        return replace(small_snapshot, orders=(order, *small_snapshot.orders[1:]))

    assert snapshot_hash(with_first(same)) == snapshot_hash(small_snapshot)
    assert snapshot_hash(with_first(moved)) != snapshot_hash(small_snapshot)


def test_the_published_schema_accepts_what_is_written_and_refuses_strangers(
    small_raw: dict[str, Any],
) -> None:
    checker = jsonschema.Draft202012Validator(json_schema())
    checker.check_schema(json_schema())
    checker.validate(small_raw)
    small_raw["orders"][0]["colour"] = "red"
    assert list(checker.iter_errors(small_raw))


def test_all_problems_are_told_at_once_with_the_first_five_ids(small_raw: dict[str, Any]) -> None:
    for order in small_raw["orders"]:
        order["pickup"]["location"]["lat"] = 123.456
    small_raw["couriers"][1]["capacity"]["size"] = -4
    del small_raw["now"]
    with pytest.raises(InvalidInputError) as refused:
        parse_snapshot(json.dumps(small_raw))
    text = str(refused.value)
    assert text.startswith("snapshot: 3 problems")
    assert "(o1, o2, o3, o4, o5 and 1 more)" in text
    assert "couriers[*].capacity.size" in text
    assert "now: required field is missing" in text
    assert "123.456" not in text


def test_a_snapshot_built_in_python_is_checked_as_thoroughly(small_snapshot: Snapshot) -> None:
    first = small_snapshot.orders[0]
    bad = replace(
        small_snapshot,
        orders=(
            replace(first, placed_at=first.placed_at.replace(tzinfo=None)),
            replace(first, size=-1),
        ),
        timezone="Mars/Olympus",
    )
    with pytest.raises(InvalidInputError) as refused:
        validate(bad)
    assert {p.path for p in refused.value.problems} >= {"orders[*].placed_at", "orders[*].size"}


def test_lenient_keeps_the_sound_rows_and_names_the_others(
    small_raw: dict[str, Any], dispatcher: Dispatcher
) -> None:
    small_raw["orders"][2]["pay"] = "-3"
    small_raw["orders"][3]["due_at"] = "2026-03-06T17:00:00Z"
    small_raw["couriers"][1]["skills"] = ["juggling"]
    intake = parse_snapshot(json.dumps(small_raw), "lenient")
    assert set(intake.rejected_orders) == {"o3", "o4"}
    assert intake.rejected_couriers == ("c2",)
    plan = dispatcher.assign(intake)
    reasons = {u.order_id: u.reason for u in plan.unassigned}
    assert reasons["o3"] == reasons["o4"] == "rejected_input"
    assert len(plan.warnings) == 3


def test_a_damaged_parquet_folder_is_an_input_error(city: Snapshot, tmp_path: Path) -> None:
    write_snapshot(city, tmp_path / "folder")
    (tmp_path / "folder" / "couriers.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(InvalidInputError, match="folder"):
        read_snapshot(tmp_path / "folder")


def test_frames_are_typed_for_analysis(small_snapshot: Snapshot) -> None:
    orders, couriers, _ = to_frames(small_snapshot)
    assert isinstance(orders["placed_at"].dtype, pd.DatetimeTZDtype)
    assert orders["pay"].dtype == float
    assert couriers["past_work.earnings"].sum() == pytest.approx(101.5)
