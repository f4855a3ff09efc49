"""Somebody's own columns become an offers log, or the mapping says what it lacks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dispatch.datasets import load_sample_offers, read_mapped_offers
from dispatch.errors import InvalidInputError
from models.columns import RAW_COLUMNS

MEASURED = [name for name, column in RAW_COLUMNS.items() if not column.may_lack]
HISTORY = ("courier_offers", "courier_accepted")


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return load_sample_offers().head(800)


@pytest.fixture
def theirs(sample: pd.DataFrame, tmp_path: Path) -> Path:
    """The sample as another platform might keep it: minutes, words, local times, a birthday."""
    log = sample.rename(columns={"offer_id": "id", "to_pickup_s": "minutes away"})
    log["minutes away"] /= 60
    log["status"] = np.where(log.pop("accepted") == 1, "taken", "declined")
    local = log.pop("offered_at").dt.tz_convert("Europe/Vienna").dt.tz_localize(None)
    log["created"] = local.astype(str)
    log["birthday"] = "1990-01-01"
    log = log.drop(columns=[*HISTORY, "load_size"])
    log.iloc[::-1].to_csv(tmp_path / "theirs.csv", index=False)
    return tmp_path / "theirs.csv"


def _mapping(**changes: str) -> str:
    same = [n for n in MEASURED if n not in (*HISTORY, "to_pickup_s", "load_size")]
    columns = {name: name for name in ("order_id", "courier_id", *same)}
    columns |= {"offer_id": "id", "offered_at": "created", "accepted": "status"}
    columns |= {"to_pickup_s": "minutes away"}
    parts = {
        "columns": "\n".join(f'{ours} = "{name}"' for ours, name in columns.items()),
        "values.accepted": "taken = 1\ndeclined = 0",
        "scale": "to_pickup_s = 60",
        "constant": "load_size = 0",
        "time": 'timezone = "Europe/Vienna"',
        "history": "answer_s = 60\nwindow_s = 604800",
    }
    return "\n".join(f"[{name}]\n{text}" for name, text in (parts | changes).items() if text)


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    (tmp_path / "map.toml").write_text(_mapping())
    return tmp_path / "map.toml"


def test_their_log_comes_out_as_ours(sample: pd.DataFrame, theirs: Path, mapping: Path) -> None:
    log = read_mapped_offers(theirs, mapping)
    ours = sample.set_index("offer_id").loc[log["offer_id"]]
    assert log["offered_at"].is_monotonic_increasing
    for name in ("to_pickup_s", "pay", "slack_s"):
        np.testing.assert_allclose(log[name], ours[name], rtol=1e-9)
    assert log["accepted"].tolist() == ours["accepted"].tolist()
    assert (log["offered_at"].to_numpy() == ours["offered_at"].to_numpy()).all()
    assert (log["load_size"] == 0).all()
    assert "birthday" not in log


def test_histories_are_counted_from_earlier_answers(theirs: Path, mapping: Path) -> None:
    log = read_mapped_offers(theirs, mapping)
    row = log.iloc[-1]
    earlier = log[
        (log["courier_id"] == row["courier_id"])
        & (log["offered_at"] <= row["offered_at"] - pd.Timedelta(seconds=60))
    ]
    assert row["courier_offers"] == len(earlier)
    assert row["courier_accepted"] == earlier["accepted"].sum()


def test_merchants_are_counted_where_they_are_named_and_old_offers_fade(
    theirs: Path, tmp_path: Path
) -> None:
    names = _mapping().replace(
        'order_id = "order_id"', 'order_id = "order_id"\nmerchant_id = "merchant_id"'
    )
    fading = names.replace("window_s = 604800", "half_life_s = 3600")
    (tmp_path / "map.toml").write_text(fading)
    log = read_mapped_offers(theirs, tmp_path / "map.toml")
    row = log.iloc[-1]
    age_s = (row["offered_at"] - log["offered_at"]).dt.total_seconds()
    for who, count in (("courier_id", "courier"), ("merchant_id", "merchant")):
        weight = 0.5 ** (age_s / 3600) * ((log[who] == row[who]) & (age_s >= 60))
        assert row[f"{count}_offers"] == pytest.approx(weight.sum())
        assert row[f"{count}_accepted"] == pytest.approx((weight * log["accepted"]).sum())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"colums": "a = 1"}, "not a table of a mapping"),
        ({"scale": "pay_min = 60"}, "scale.pay_min: is not among the mapped columns"),
        ({"constant": "shoe_size = 1"}, "constant.shoe_size: is not a column of an offers log"),
        ({"columns": 'offer_id = "nr"'}, "names 'nr', which the log does not have"),
        ({"history": "window_s = 3"}, "expected answer_s"),
        ({"history": "answer_s = 0"}, "answer_s > 0"),
        ({"time": ""}, "set time.unit or time.timezone"),
        ({"time": 'timezone = "Mars/Base"'}, "cannot be read as times"),
        ({"values.accepted": "taken = 1"}, "accepted: expected 0 or 1"),
        ({"constant": ""}, "load_size: is missing"),
        ({"columns": "="}, "is not valid TOML"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(
    theirs: Path, tmp_path: Path, changes: dict[str, str], told: str
) -> None:
    (tmp_path / "map.toml").write_text(_mapping(**changes))
    with pytest.raises(InvalidInputError) as caught:
        read_mapped_offers(theirs, tmp_path / "map.toml")
    assert told in str(caught.value)


def test_a_mapping_that_is_not_there_is_told(theirs: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no such file"):
        read_mapped_offers(theirs, tmp_path / "none.toml")
