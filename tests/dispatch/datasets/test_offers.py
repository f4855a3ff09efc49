"""An offers log is read as it was written, or refused with every reason at once."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dispatch.datasets import read_offers, write_offers
from dispatch.errors import InvalidInputError

Change = Callable[[pd.DataFrame], pd.DataFrame]


def put(name: str, value: Any) -> Change:
    """Set a column's rows 3 and 5."""

    def change(log: pd.DataFrame) -> pd.DataFrame:
        log[name] = log[name].astype(object).where(~log.index.isin([3, 5]), value)
        return log

    return change


def write_raw(log: pd.DataFrame, path: Path) -> Path:
    """Write without the writer's help, so that faults survive."""
    log.to_csv(path, index=False)
    return path


def refusal(path: Path) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as refused:
        read_offers(path)
    return refused.value


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_csv_gives_back_the_log_to_six_digits(
    log: pd.DataFrame, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"offers.{ending}"
    write_offers(log, path)
    pd.testing.assert_frame_equal(read_offers(path), log, rtol=1e-5, check_dtype=False)


def test_parquet_gives_back_the_log_exactly(log: pd.DataFrame, tmp_path: Path) -> None:
    write_offers(log, tmp_path / "offers.parquet")
    read = read_offers(tmp_path / "offers.parquet")
    pd.testing.assert_frame_equal(read, log, rtol=0, atol=0, check_dtype=False)


def test_columns_come_with_their_types(log: pd.DataFrame, tmp_path: Path) -> None:
    write_offers(log, tmp_path / "offers.csv")
    read = read_offers(tmp_path / "offers.csv")
    assert read["accepted"].dtype == np.int8
    assert str(read["offered_at"].dtype).endswith("UTC]")
    assert read["attempt"].dtype == np.float64
    assert all(isinstance(name, str) for name in read["courier_id"])


def test_optional_columns_may_be_left_out_and_unknown_numbers_left_empty(
    log: pd.DataFrame, tmp_path: Path
) -> None:
    log = log.drop(columns=["city_id", "merchant_id", "propensity"])
    log["temperature_c"] = np.nan
    log["vehicle"] = None
    read = read_offers(write_raw(log, tmp_path / "offers.csv"))
    assert read["temperature_c"].isna().all()
    assert read["vehicle"].isna().all()


def test_times_with_an_offset_become_utc(log: pd.DataFrame, tmp_path: Path) -> None:
    log["offered_at"] = "2025-03-03T13:00:00+03:00"
    read = read_offers(write_raw(log, tmp_path / "offers.csv"))
    assert (read["offered_at"] == pd.Timestamp("2025-03-03T10:00:00Z")).all()


@pytest.mark.parametrize(
    ("change", "column", "message"),
    [
        (put("accepted", 2), "accepted", "0 or 1"),
        (put("accepted", np.nan), "accepted", "0 or 1"),
        (put("offered_at", "2025-03-03T10:00:00"), "offered_at", "with its offset"),
        (put("offered_at", "yesterday"), "offered_at", "with its offset"),
        (put("offered_at", ""), "offered_at", "with its offset"),
        (put("trip_s", -1.0), "trip_s", "at least 0"),
        (put("trip_s", "soon"), "trip_s", "at least 0"),
        (put("to_pickup_m", np.nan), "to_pickup_m", "never empty"),
        (put("pay", np.inf), "pay", "at least 0"),
        (put("hour", 24.5), "hour", "at most 24"),
        (put("weekday", 2.5), "weekday", "whole"),
        (put("attempt", 0), "attempt", "at least 1"),
        (put("since_offer_s", -5.0), "since_offer_s", "or empty"),
        (put("since_offer_s", "long"), "since_offer_s", "or empty"),
        (put("vehicle", "horse"), "vehicle", "one of"),
        (put("propensity", 0.0), "propensity", "(0, 1]"),
        (put("propensity", 1.1), "propensity", "(0, 1]"),
        (put("propensity", np.nan), "propensity", "(0, 1]"),
        (put("courier_id", ""), "courier_id", "an id"),
        (put("courier_accepted", 10_000.0), "courier_accepted", "at most courier_offers"),
    ],
)
def test_a_faulty_value_is_named_with_its_column_and_offers(
    log: pd.DataFrame, tmp_path: Path, change: Change, column: str, message: str
) -> None:
    (problem,) = refusal(write_raw(change(log), tmp_path / "offers.csv")).problems
    assert problem.path == f"offers.{column}"
    assert message in problem.message
    assert problem.ids == ("f000004", "f000006")
    assert problem.count == 2


@pytest.mark.parametrize(
    ("change", "column", "message"),
    [
        (lambda log: log.drop(columns="trip_s"), "trip_s", "is missing"),
        (lambda log: log.drop(columns="order_id"), "order_id", "is missing"),
        (lambda log: log.assign(grab_lat=0.0), "grab_lat", "is not a column"),
        (lambda log: log.assign(courier_gender="x"), "courier_gender", "forbidden"),
        (lambda log: log.assign(offer_id="f1"), "offer_id", "each once"),
    ],
)
def test_a_faulty_column_is_named(
    log: pd.DataFrame, tmp_path: Path, change: Change, column: str, message: str
) -> None:
    (problem,) = refusal(write_raw(change(log), tmp_path / "offers.csv")).problems
    assert problem.path == f"offers.{column}"
    assert message in problem.message


def test_naive_times_in_parquet_are_refused(log: pd.DataFrame, tmp_path: Path) -> None:
    log["offered_at"] = log["offered_at"].dt.tz_localize(None)
    log.to_parquet(tmp_path / "offers.parquet")
    (problem,) = refusal(tmp_path / "offers.parquet").problems
    assert (problem.path, problem.count, len(problem.ids)) == ("offers.offered_at", 30, 5)


def test_all_problems_are_listed_at_once(log: pd.DataFrame, tmp_path: Path) -> None:
    log = put("accepted", 7)(put("trip_s", -1.0)(log)).drop(columns="pay").assign(religion="x")
    found = {p.path for p in refusal(write_raw(log, tmp_path / "offers.csv")).problems}
    assert found == {f"offers.{name}" for name in ("accepted", "trip_s", "pay", "religion")}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("offers.csv", None, "No such file"),
        ("offers.csv", b"", "unreadable"),
        ("offers.xlsx", b"x", "expected a name that ends in"),
        ("offers.parquet", b"not parquet", "unreadable"),
        ("offers.csv.gz", b"not gzip", "unreadable"),
        ("offers.csv.gz", gzip.compress(b"offer_id\n" * 99, mtime=0)[:20], "unreadable"),
    ],
)
def test_a_file_that_is_no_log_is_refused(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert message in str(refusal(tmp_path / name))


def test_a_log_without_rows_is_refused(log: pd.DataFrame, tmp_path: Path) -> None:
    path = write_raw(log.head(0), tmp_path / "offers.csv")
    assert "has no rows" in str(refusal(path))


def test_an_order_may_have_no_merchant_and_no_zone_but_needs_a_courier(
    log: pd.DataFrame, tmp_path: Path
) -> None:
    log["zone"] = "north"
    log.loc[3, ["merchant_id", "zone"]] = None
    read = read_offers(write_raw(log, tmp_path / "offers.csv"))
    assert read[["merchant_id", "zone"]].isna().sum().tolist() == [1, 1]
    log.loc[4, "courier_id"] = None
    with pytest.raises(InvalidInputError, match="courier_id"):
        read_offers(write_raw(log, tmp_path / "offers.csv"))
