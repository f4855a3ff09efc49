"""Meituan's public format becomes an offers log that knows nothing of the answers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dispatch.datasets import read_meituan_offers
from dispatch.demand import CITY_COURIERS, neighbours, squares
from dispatch.errors import InvalidInputError
from dispatch.tables import Points
from models import leakage_problems, read_log
from models.columns import RAW_COLUMNS

N = 1200
START = 1_665_964_800


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Offers of a made-up district in the format's own columns, positions 0 at the refusals."""
    rng = np.random.default_rng(0)
    at = START + np.sort(rng.integers(0, 4 * 3600, N))
    grabbed = rng.random(N) < 0.85
    order = np.arange(N)
    order[1::10] = order[0::10]  # a second offer of the order before

    def place(axis: float) -> np.ndarray:
        return ((axis + rng.normal(0, 0.02, N)) * 1e6).astype(np.int64)

    rider_lng, rider_lat = place(174.5), place(45.9)
    rows = pd.DataFrame(
        {
            "dt": 20221017,
            "order_id": order,
            "waybill_id": np.arange(N) + 5000,
            "courier_id": rng.integers(0, 40, N),
            "da_id": rng.integers(0, 3, N),
            "is_courier_grabbed": grabbed.astype(int),
            "is_weekend": 0,
            "estimate_arrived_time": at + 2400,
            "is_prebook": 0,
            "poi_id": rng.integers(0, 99, N),
            "sender_lng": place(174.5),
            "sender_lat": place(45.9),
            "recipient_lng": place(174.5),
            "recipient_lat": place(45.9),
            "grab_lng": rider_lng * grabbed,
            "grab_lat": rider_lat * grabbed,
            "dispatch_time": at,
            "grab_time": (at + rng.integers(5, 60, N)) * grabbed,
            "fetch_time": (at + 600) * grabbed,
            "arrive_time": (at + 1500) * grabbed,
            "estimate_meal_prepare_time": at + 500,
            "order_push_time": at - 30,
            "platform_order_time": at - 90,
        }
    )
    rows.iloc[::-1].to_csv(tmp_path / "all_waybill_info_meituan_0322.csv", index=False)
    riders = rows[["dt", "dispatch_time", "courier_id"]].assign(
        rider_lng=rider_lng, rider_lat=rider_lat, courier_waybills="[]"
    )
    riders.to_csv(tmp_path / "dispatch_rider_meituan.csv", index=False)
    return tmp_path


def test_every_offer_becomes_a_row_in_time_order(folder: Path) -> None:
    log = read_meituan_offers(folder)
    assert len(log) == N
    assert log["offered_at"].is_monotonic_increasing
    assert log["accepted"].mean() == pytest.approx(0.85, abs=0.04)
    assert log["attempt"].max() == 2.0
    assert log["hour"].between(8, 12).all()  # Shanghai is eight hours ahead
    assert log["to_pickup_m"].between(0, 40_000).all()
    assert log["slack_s"].notna().all()


def test_the_log_gives_no_answer_away(folder: Path) -> None:
    log = read_log(read_meituan_offers(folder), tuple(RAW_COLUMNS))
    assert leakage_problems(log) == []


def test_loads_and_histories_are_those_of_earlier_rows(folder: Path) -> None:
    log = read_meituan_offers(folder)
    for row in log.iloc[[50, 600, N - 1]].itertuples():
        own = log[log["courier_id"] == row.courier_id]
        age = (row.offered_at - own["offered_at"]).dt.total_seconds()
        assert row.courier_offers == (age >= 120).sum()
        assert row.courier_accepted == own["accepted"][age >= 120].sum()
        theirs = log[log["merchant_id"] == row.merchant_id]
        before = (row.offered_at - theirs["offered_at"]).dt.total_seconds() >= 120
        assert row.merchant_offers == before.sum()
        assert row.merchant_accepted == theirs["accepted"][before].sum()
        answered = (row.offered_at - own["answered_at"]).dt.total_seconds()
        on_board = (answered > 0) & (age < 1500)
        assert row.load_orders == on_board.sum()


def test_changing_the_future_changes_no_earlier_row(folder: Path) -> None:
    before = read_meituan_offers(folder).head(500)
    file = next(folder.glob("all_waybill*"))
    rows = pd.read_csv(file).sort_values("dispatch_time", kind="stable").reset_index(drop=True)
    later = rows.index[600:]
    rows.loc[later, "is_courier_grabbed"] = 1 - rows.loc[later, "is_courier_grabbed"]
    rows.loc[later, ["grab_time", "arrive_time"]] = 0
    for names in (["order_id"], ["courier_id"], ["sender_lng", "sender_lat", "poi_id"]):
        rows.loc[later, names] = rows.loc[later[::-1], names].to_numpy()
    rows.to_csv(file, index=False)
    after = read_meituan_offers(folder).head(500)
    names = [name for name in RAW_COLUMNS if name in before]
    pd.testing.assert_frame_equal(
        before.sort_values("offer_id")[names].reset_index(drop=True),
        after.sort_values("offer_id")[names].reset_index(drop=True),
    )


def test_positions_that_tell_the_answer_are_refused(folder: Path) -> None:
    next(folder.glob("dispatch_rider*")).unlink()
    with pytest.raises(InvalidInputError, match="0 exactly where the offer was refused"):
        read_meituan_offers(folder)


def test_a_folder_without_the_files_or_columns_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="has no all_waybill_info"):
        read_meituan_offers(tmp_path / "elsewhere")
    file = next(folder.glob("all_waybill*"))
    pd.read_csv(file).drop(columns=["poi_id", "grab_time"]).to_csv(file, index=False)
    with pytest.raises(InvalidInputError, match="2 problems"):
        read_meituan_offers(folder)


def test_demand_is_what_was_offered_around_the_pickup_in_ten_minutes(folder: Path) -> None:
    """Against one row at a time: each order and courier counts where it was last offered."""
    log = read_meituan_offers(folder)
    riders = (
        pd.read_csv(next(folder.glob("dispatch_rider*")))
        .drop(columns="dt")
        .drop_duplicates(["dispatch_time", "courier_id"])
    )
    rows = pd.read_csv(next(folder.glob("all_waybill*"))).merge(
        riders, on=["dispatch_time", "courier_id"]
    )
    rows = rows.sort_values("dispatch_time", kind="stable").set_index("waybill_id")
    where = {
        name: squares(Points(rows[f"{side}_lat"] / 1e6, rows[f"{side}_lng"] / 1e6, rows["dt"]))
        for name, side in (("order_id", "sender"), ("courier_id", "rider"))
    }
    rows = rows.assign(**{f"{name}_square": squared for name, squared in where.items()})
    for k in (0, 1, 300, 700, N - 1):
        own = rows.loc[int(log["offer_id"].iloc[k])]
        ago = own["dispatch_time"] - rows["dispatch_time"]
        lately = rows[(ago >= 0) & (ago < 600)]
        last = {name: lately.groupby(name).last() for name in where}
        near = neighbours(np.array([own["order_id_square"]], dtype=np.int64))[0]
        orders, couriers = (last[name][f"{name}_square"].isin(near).sum() for name in where)
        city = CITY_COURIERS * len(last["order_id"]) / len(last["courier_id"])
        expected = (orders + city) / (couriers + CITY_COURIERS)
        assert log["local_demand"].iloc[k] == pytest.approx(expected)
