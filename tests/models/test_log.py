"""An offers log is checked whole before anything is learned from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from models import FeatureError, read_log
from models.columns import RAW_COLUMNS

RAW = tuple(RAW_COLUMNS)


def test_times_become_utc_seconds_whatever_the_zone_and_resolution(world: Any) -> None:
    frame = world.log.head(100)
    local = frame.assign(offered_at=frame["offered_at"].dt.tz_convert("Asia/Tokyo").dt.as_unit("s"))
    expected = [float(int(t.timestamp())) for t in frame["offered_at"]]
    np.testing.assert_array_equal(read_log(local, RAW).offered_at_s, expected)


@pytest.mark.parametrize("kind", [bool, int, float, "boolean", "Int64"])
def test_labels_may_be_bool_or_zero_and_one(world: Any, kind: Any) -> None:
    frame = world.log.head(100)
    read = read_log(frame.assign(accepted=frame["accepted"].astype(kind)), RAW)
    np.testing.assert_array_equal(read.accepted, frame["accepted"])


def test_an_unknown_vehicle_is_empty_in_the_log_and_nan_inside(world: Any) -> None:
    frame = world.log.head(3).assign(vehicle=["car", None, "foot"])
    np.testing.assert_array_equal(read_log(frame, RAW).columns["vehicle"], [4.0, np.nan, 0.0])


def test_all_problems_of_a_log_are_told_at_once_with_offer_ids(world: Any) -> None:
    frame = world.log.head(30).copy()
    frame["offer_id"] = ["f0", *frame["offer_id"][:-1]]
    frame["accepted"] = [2, *[1] * 29]
    frame["offered_at"] = frame["offered_at"].dt.tz_localize(None)
    frame.loc[frame.index[4], "vehicle"] = "rocket"
    frame.loc[frame.index[5], "courier_id"] = None
    frame.loc[frame.index[6], "trip_s"] = np.nan
    frame["wait_s"] = "soon"
    frame["nationality"] = "x"
    frame = frame.drop(columns=["pay", "order_id"])
    with pytest.raises(FeatureError) as caught:
        read_log(frame, RAW)
    text = str(caught.value)
    for told in (
        "forbidden attributes nationality",
        "missing columns order_id",
        "missing columns pay",
        "courier_id: empty in 1 rows, offers f4",
        "offer_id: repeated in 1 rows, offers f0",
        "offered_at: expected timezone-aware times",
        "accepted: expected 0 or 1, got 2 in 1 rows, offers f0",
        "vehicle: expected one of foot, bicycle, ebike, motorcycle, car or empty, got 'rocket'",
        "in 1 rows: f5",
        "wait_s: expected numbers",
    ):
        assert told in text


def test_an_empty_label_or_time_is_refused(world: Any) -> None:
    frame = world.log.head(10).copy()
    frame["accepted"] = frame["accepted"].astype("boolean")
    frame.loc[frame.index[1], "accepted"] = pd.NA
    frame.loc[frame.index[2], "offered_at"] = pd.NaT
    with pytest.raises(FeatureError, match=r"offered_at: empty .* f2[\s\S]*accepted: .* f1"):
        read_log(frame, RAW)
