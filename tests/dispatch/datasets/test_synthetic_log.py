"""The synthetic past keeps its promises: planted truth, honest history, known propensities."""

from collections import defaultdict
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from dispatch.columns import local_clock
from dispatch.datasets import PlantedLaw, SyntheticCity, offers_log, write_offers
from dispatch.datasets.synthetic import TIMEZONE, World
from dispatch.errors import InvalidInputError
from models.columns import RAW_COLUMNS, VEHICLES

MEASURED = [
    name for name, column in RAW_COLUMNS.items() if not column.may_lack or name == "local_demand"
]

Past = tuple[pd.DataFrame, pd.DataFrame]
CITY = SyntheticCity(seed=11)


def test_acceptance_agrees_with_the_planted_truth_in_every_tenth_of_it(past: Past) -> None:
    log, truth = past
    p = truth["true_probability"].to_numpy()
    order = np.argsort(p)
    for rows in [order, *np.array_split(order, 10)]:
        sd = np.sqrt((p[rows] * (1 - p[rows])).sum())
        off = log["accepted"].to_numpy()[rows].sum() - p[rows].sum()
        assert abs(off) < 4 * sd


def test_the_truth_is_the_law_of_the_logged_columns(past: Past) -> None:
    log, truth = past
    columns = {name: log[name].to_numpy() for name in MEASURED if name != "vehicle"}
    effects = dict(zip(World(CITY).fleet.ids, World(CITY).fleet.effect, strict=True))
    effect = log["courier_id"].map(effects).to_numpy(np.float64)
    np.testing.assert_array_equal(effect, truth["courier_effect"])
    np.testing.assert_allclose(
        CITY.law.probability(columns, effect), truth["true_probability"], rtol=1e-12
    )


def test_a_shorter_log_is_the_beginning_of_a_longer_one(past: Past) -> None:
    """So no row knows anything of what comes after it."""
    log, truth = past
    short_log, short_truth = offers_log(CITY, 1_700)
    pd.testing.assert_frame_equal(short_log, log.head(1_700))
    pd.testing.assert_frame_equal(short_truth, truth.head(1_700))


def test_history_counts_the_couriers_earlier_offers_of_seven_local_days() -> None:
    log, _ = offers_log(SyntheticCity(seed=3, n_couriers=12, orders_per_day=60), 900)
    days = log["offered_at"].dt.tz_convert(ZoneInfo(TIMEZONE)).dt.date.map(date.toordinal)
    assert days.max() - days.min() > 8
    earlier: dict[str, list[tuple[int, int]]] = defaultdict(list)
    rows = (log[name].tolist() for name in ("courier_id", "accepted"))
    offers, acceptances = [], []
    for courier, accepted, day in zip(*rows, days.tolist(), strict=True):
        window = [answer for when, answer in earlier[courier] if when > day - 7]
        offers.append(len(window))
        acceptances.append(sum(window))
        earlier[courier].append((day, accepted))
    assert log["courier_offers"].tolist() == offers
    assert log["courier_accepted"].tolist() == acceptances


def test_the_log_has_the_raw_columns_and_ids_and_nothing_that_gives_the_truth_away(
    past: Past,
) -> None:
    log, truth = past
    ids = ["offer_id", "order_id", "courier_id", "city_id", "merchant_id"]
    assert set(log.columns) == {*MEASURED, *ids, "offered_at", "accepted", "propensity"}
    assert not {"lat", "lon", "courier_effect", "true_probability"} & set(log.columns)
    assert list(truth.columns) == ["offer_id", "true_probability", "courier_effect"]
    assert list(truth["offer_id"]) == list(log["offer_id"])
    assert set(log["vehicle"]) == set(VEHICLES)


def test_propensities_are_probabilities_and_certain_where_nobody_else_could_go(past: Past) -> None:
    share = past[0]["propensity"]
    assert ((share > 0) & (share <= 1)).all()
    assert 0.1 < share.median() < 0.9
    assert (share == 1).any()


def test_propensities_are_the_chances_of_being_chosen() -> None:
    """Where eight couriers could go, one over the chosen one's chance is eight on average.

    A crowded quarter, once the shifts have begun: sum over the eight of p * 1 / p.
    """
    log, _ = offers_log(SyntheticCity(seed=4, n_couriers=600, n_clusters=1), 700)
    inverse = 1 / log["propensity"].to_numpy()[200:]
    assert 4 * inverse.std() / np.sqrt(len(inverse)) < 1
    assert abs(inverse.mean() - 8) < 4 * inverse.std() / np.sqrt(len(inverse))


def test_orders_are_offered_until_somebody_accepts_and_never_twice_to_the_same(past: Past) -> None:
    log = past[0]
    by_order = log.groupby("order_id")
    assert (by_order.cumcount() + 1 == log["attempt"]).all()
    assert not log.duplicated(["order_id", "courier_id"]).any()
    assert not log.duplicated(["courier_id", "offered_at"]).any()
    later = by_order["accepted"].shift(-1)
    assert later[log["accepted"] == 1].isna().all()
    assert log["offered_at"].is_monotonic_increasing


def test_logged_clock_is_the_local_one_and_times_stay_in_shifts(past: Past) -> None:
    log = past[0]
    seconds = log["offered_at"].astype("int64").to_numpy() / 1e6
    unit = {"us": 1.0, "ns": 1e3}[log["offered_at"].dt.unit]
    hour, weekday = local_clock(seconds / unit, TIMEZONE)
    np.testing.assert_array_equal(log["hour"], hour)
    np.testing.assert_array_equal(log["weekday"], weekday)
    assert (log["shift_left_s"] > 0).all()
    assert not (log["since_offer_s"] < 60).any()


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        write_offers(offers_log(SyntheticCity(seed=seed), 200)[0], folder / f"{name}.csv.gz")
    a, b, c = ((folder / f"{name}.csv.gz").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_where_the_courier_alone_decides_each_courier_has_one_probability() -> None:
    city = SyntheticCity(seed=2, law=PlantedLaw(strength=0))
    log, truth = offers_log(city, 800)
    assert (truth.groupby(log["courier_id"])["true_probability"].nunique() == 1).all()
    assert truth["true_probability"].nunique() > 50


def test_without_hidden_effects_the_couriers_are_alike() -> None:
    _, truth = offers_log(SyntheticCity(seed=2, courier_sd=0), 50)
    assert (truth["courier_effect"] == 0).all()


@pytest.mark.parametrize("n_offers", [0, -3, 10**9])
def test_an_impossible_number_of_offers_is_refused(n_offers: int) -> None:
    with pytest.raises(InvalidInputError, match="n_offers"):
        offers_log(CITY, n_offers)


def test_a_city_out_of_range_is_refused_with_every_reason() -> None:
    with pytest.raises(InvalidInputError) as refused:
        SyntheticCity(n_couriers=0, courier_sd=-1, radius_m=float("inf"))
    assert {p.path for p in refused.value.problems} == {"n_couriers", "courier_sd", "radius_m"}


def test_a_city_in_which_nobody_is_ever_asked_is_given_up() -> None:
    sparse = SyntheticCity(seed=1, n_couriers=1, orders_per_day=1, radius_m=20_000)
    with pytest.raises(InvalidInputError, match="no offer in 30 days"):
        offers_log(sparse, 5_000)


def test_offers_of_one_minute_know_how_scarce_couriers_are_around_each(past: Past) -> None:
    """What is of the moment alone is the same for all of them; demand is not."""
    log, _ = past
    minutes = log.groupby("offered_at")
    assert (minutes["temperature_c"].nunique() == 1).all()
    several = minutes["local_demand"].nunique()[minutes.size() > 3]
    assert (several > 1).mean() > 0.5
