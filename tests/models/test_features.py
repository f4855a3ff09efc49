"""One builder for training and serving, and a schema that refuses what it should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import (
    CATALOGUE,
    AcceptanceModel,
    AcceptanceParams,
    FeatureError,
    FeatureSchema,
    HistoryPrior,
    build_matrix,
    default_schema,
    forbidden_columns,
    past_counts,
    read_log,
    train,
)
from models.columns import RAW_COLUMNS

Columns = dict[str, NDArray[np.float64]]
PRIOR = HistoryPrior(3.0, 1.0)


def test_a_log_row_and_its_serving_columns_give_the_same_features_bit_for_bit(
    world: Any, model: AcceptanceModel
) -> None:
    frame = world.log.head(500)
    trained_on = model.matrix(read_log(frame, model.schema_.raw_names).columns)
    codes = {"foot": 0.0, "bicycle": 1.0, "ebike": 2.0, "motorcycle": 3.0, "car": 4.0}
    served = {n: frame[n].to_numpy(np.float64) for n in model.schema_.raw_names if n != "vehicle"}
    served["vehicle"] = np.array([codes[v] for v in frame["vehicle"]])
    for part in (slice(0, 500), slice(17, 18)):
        rows = model.matrix({name: values[part] for name, values in served.items()})
        assert rows.tobytes() == trained_on[part].tobytes()


def test_a_merchant_without_a_history_gets_the_prior_and_one_with_it_is_shrunk_to_it() -> None:
    prior = HistoryPrior(3.0, 1.0, merchant_accepted=8.0, merchant_refused=2.0)
    offers, accepted = np.array([np.nan, 0.0, 10.0]), np.array([np.nan, 0.0, 2.0])
    np.testing.assert_allclose(prior.merchant_rate(accepted, offers), [np.nan, 0.8, 0.5])


def test_what_merchants_orders_met_with_is_learned_and_served(world: Any) -> None:
    """Half the merchants' orders are refused more: only their history tells which."""
    rng = np.random.default_rng(3)
    merchant = rng.integers(40, size=len(world.log))
    disliked = merchant < 20
    accepted = world.log["accepted"].to_numpy() & ~(disliked & (rng.random(len(merchant)) < 0.5))
    at_s = world.log["offered_at"].astype("int64").to_numpy() / 1e9
    offers, taken = past_counts(merchant, at_s, accepted, answer_s=1.0)
    log = world.log.assign(
        accepted=accepted, merchant_id=merchant, merchant_offers=offers, merchant_accepted=taken
    )
    # couriers' counts are of the answers before: take them out of the comparison
    model = train(log, AcceptanceParams(n_bags=0, use_courier_history=False))
    known = read_log(log.tail(500), model.schema_.raw_names)
    predicted = model.predict_log(known)
    gap = predicted[~disliked[-500:]].mean() - predicted[disliked[-500:]].mean()
    assert gap > 0.2
    new = {**known.columns, "merchant_offers": np.zeros(500), "merchant_accepted": np.zeros(500)}
    assert np.isfinite(model.predict_proba(new)).all()
    assert model.history_prior_.merchant_accepted != model.history_prior_.accepted


def test_derived_features_follow_their_published_formulas(columns: Columns) -> None:
    schema = default_schema()
    matrix = build_matrix(columns, schema, PRIOR)
    got = dict(zip(schema.names, matrix.T, strict=True))
    c = columns
    busy_s = np.maximum(c["to_pickup_s"] + c["wait_s"] + c["trip_s"], 60.0)
    np.testing.assert_allclose(got["pay_per_min"], c["pay"] / (busy_s / 60.0))
    ride_m = np.maximum(c["to_pickup_m"] + c["trip_m"], 100.0)
    np.testing.assert_allclose(got["pay_per_km"], c["pay"] / (ride_m / 1000.0))
    shrunk = (c["courier_accepted"] + 3.0) / (c["courier_offers"] + 4.0)
    np.testing.assert_allclose(got["courier_rate"], shrunk)
    np.testing.assert_array_equal(got["weekend"], np.isin(c["weekday"], [5.0, 6.0]))
    np.testing.assert_array_equal(got["trip_s"], c["trip_s"])


def test_pay_rates_stay_finite_for_a_courier_at_the_door(columns: Columns) -> None:
    for name in ("to_pickup_s", "wait_s", "trip_s", "to_pickup_m", "trip_m"):
        columns[name][:] = 0.0
    schema = default_schema()
    matrix = build_matrix(columns, schema, PRIOR)
    rates = matrix[:, [schema.names.index("pay_per_min"), schema.names.index("pay_per_km")]]
    np.testing.assert_allclose(rates, columns["pay"][:, None] * [1.0, 10.0])


def test_every_raw_column_is_used_and_every_feature_has_its_inputs() -> None:
    schema = default_schema()
    assert set(schema.raw_names) == set(RAW_COLUMNS)
    assert all(set(spec.inputs) <= set(RAW_COLUMNS) for spec in schema.features)


def test_all_problems_of_the_columns_are_told_at_once(columns: Columns) -> None:
    del columns["pay"], columns["hour"]
    columns["trip_s"][[3, 7]] = np.nan
    columns["wait_s"][5] = -1.0
    columns["weekday"][2] = 2.5
    columns["to_pickup_m"][4] = np.inf
    columns["value"] = columns["value"][:-1]
    columns["gender"] = np.zeros(50)
    with pytest.raises(FeatureError) as caught:
        build_matrix(columns, default_schema(), PRIOR)
    text = str(caught.value)
    assert "missing columns pay, hour" in text
    assert "trip_s" in text
    assert "in 2 rows: 3, 7" in text
    assert "wait_s: expected at least 0, never NaN (s), got -1 in 1 rows: 5" in text
    assert "weekday: expected at least 0, at most 6, whole, never NaN (1), got 2.5" in text
    assert "to_pickup_m" in text
    assert "value: expected shape (50,), got (49,)" in text
    assert "forbidden attributes gender" in text
    assert len(caught.value.problems) == 7


OPTIONAL = [n for n, column in RAW_COLUMNS.items() if column.optional]


@pytest.mark.parametrize("name", OPTIONAL)
def test_unknown_is_allowed_where_the_contract_says_so(columns: Columns, name: str) -> None:
    columns[name][:] = np.nan
    matrix, schema = build_matrix(columns, default_schema(), PRIOR), default_schema()
    feature = "merchant_rate" if name.startswith("merchant") else name
    assert np.isnan(matrix[:, schema.names.index(feature)]).all()


@pytest.mark.parametrize("name", list(RAW_COLUMNS))
def test_infinity_is_never_a_measurement(columns: Columns, name: str) -> None:
    columns[name][0] = np.inf
    with pytest.raises(FeatureError, match=name):
        build_matrix(columns, default_schema(), PRIOR)


def test_more_acceptances_than_offers_are_refused(columns: Columns) -> None:
    columns["courier_accepted"][9] = columns["courier_offers"][9] + 1.0
    with pytest.raises(FeatureError, match="courier_accepted exceeds courier_offers in 1 rows: 9"):
        build_matrix(columns, default_schema(), PRIOR)


def test_no_rows_give_an_empty_matrix(columns: Columns) -> None:
    empty = {name: values[:0] for name, values in columns.items()}
    assert build_matrix(empty, default_schema(), PRIOR).shape == (0, len(CATALOGUE))


def test_without_courier_history_the_builder_does_not_ask_for_it(columns: Columns) -> None:
    del columns["courier_offers"], columns["courier_accepted"]
    schema = default_schema(use_courier_history=False)
    assert build_matrix(columns, schema, PRIOR).shape == (50, len(CATALOGUE) - 1)
    assert schema.sha256 != default_schema().sha256


@pytest.mark.parametrize(
    "name", ["gender", "courierAge", "union_member", "Religion", "HEALTH", "courier_ethnicity"]
)
def test_protected_attributes_are_recognised_in_any_spelling(name: str) -> None:
    assert forbidden_columns([name]) == [name]


@pytest.mark.parametrize("name", [*RAW_COLUMNS, "average_pay", "package", "trace_id", "coverage"])
def test_innocent_names_are_not_taken_for_protected_attributes(name: str) -> None:
    assert forbidden_columns([name]) == []


def test_a_schema_survives_json() -> None:
    schema = default_schema()
    again = FeatureSchema.from_json(schema.to_json())
    assert again == schema
    assert again.sha256 == schema.sha256


def _set(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        data["features"][0][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_set("monotone", 1), "to_pickup_s: defined otherwise"),
        (_set("name", "speed_limit"), "speed_limit: not a feature of this version"),
        (_set("name", "courier_age"), "forbidden attributes courier_age"),
        (_set("name", 7), "not the shape"),
        (_set("extra", 7), "not the shape"),
        (_set("status", "forbidden"), "to_pickup_s: marked forbidden"),
        (lambda data: data.pop("use_courier_history"), "not the shape"),
        (lambda data: data["features"].append(data["features"][0]), "named twice"),
        (lambda data: data.update(features=[]), "no features"),
        (lambda data: data.update(use_courier_history=False), "courier_rate: courier history"),
    ],
)
def test_a_changed_schema_is_refused_with_its_reason(
    change: Callable[[dict[str, Any]], None], told: str
) -> None:
    data = default_schema().to_json()
    change(data)
    with pytest.raises(FeatureError, match=told):
        FeatureSchema.from_json(data)


def test_a_new_courier_gets_the_prior_and_a_known_one_nearly_their_own_rate() -> None:
    rates = PRIOR.rate(np.array([0.0, 100.0]), np.array([0.0, 1000.0]))
    np.testing.assert_allclose(rates, [0.75, 103.0 / 1004.0])


def test_the_prior_finds_the_planted_spread_of_couriers() -> None:
    # 400 couriers, rates from Beta(6, 2), 50 offers each: the mean is known to about 0.008
    # (0.144 / sqrt(400)) and the strength of 8 to about 10 %; four standard errors allowed.
    rng = np.random.default_rng(5)
    couriers = np.repeat(np.arange(400), 50)
    accepted = rng.random(20_000) < rng.beta(6.0, 2.0, 400)[couriers]
    prior = HistoryPrior.fit(couriers, accepted)
    strength = prior.accepted + prior.refused
    assert prior.accepted / strength == pytest.approx(0.75, abs=0.032)
    assert strength == pytest.approx(8.0, rel=0.4)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_prior_must_be_proper(bad: float) -> None:
    with pytest.raises(ValueError, match="positive finite"):
        replace(PRIOR, accepted=bad)
