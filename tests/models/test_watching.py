"""Reliability, drift, reasons, intervals and the card say what is so on planted worlds."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import (
    AcceptanceModel,
    AcceptanceParams,
    FeatureError,
    NotFittedError,
    check_drift,
    load,
    model_card,
    model_card_markdown,
    read_log,
    reason_codes,
    reliability_by_probability,
    reliability_by_slice,
    save,
    train,
)
from models.columns import RAW_COLUMNS
from models.errors import ArtefactError
from models.forest import Forest
from models.reasons import _REASONS
from models.reference import FeatureReference
from models.reliability import wilson

RAW = tuple(RAW_COLUMNS)
Columns = dict[str, NDArray[np.float64]]


def test_a_wilson_interval_holds_its_own_share_though_all_or_none_were_taken() -> None:
    rows = np.arange(30, 400)
    for taken in (rows, 0 * rows):
        low, high = wilson(taken, rows)
        assert (low <= taken / rows).all()
        assert (high >= taken / rows).all()


def test_nine_in_ten_wilson_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(0)
    rows = np.full(2000, 80.0)
    low, high = wilson(rng.binomial(80, 0.85, 2000), rows)
    # 2,000 draws: three standard deviations are 0.02; the discrete law itself gives 0.88 to 0.92.
    assert ((low <= 0.85) & (high >= 0.85)).mean() == pytest.approx(0.9, abs=0.04)


def test_a_true_model_lies_on_the_diagonal_and_a_shifted_one_does_not(world: Any) -> None:
    labels = world.log["accepted"].to_numpy()
    honest = reliability_by_probability(labels, world.truth)
    assert sum(row.rows for row in honest) == len(labels)
    # Ten bins, each missed with chance 0.1: four misses or more come once in 78 times.
    assert sum(not row.consistent for row in honest) <= 3
    shifted = reliability_by_probability(labels, np.clip(world.truth - 0.1, 0.01, 1.0))
    assert sum(not row.consistent for row in shifted) >= 8


def test_slices_cover_every_row_of_each_column(world: Any) -> None:
    columns = read_log(world.log, RAW).columns
    rows = reliability_by_slice(world.log["accepted"].to_numpy(), world.truth, columns)
    by_title: dict[str, int] = {}
    for row in rows:
        title = row.label.split(" ")[0]
        by_title[title] = by_title.get(title, 0) + row.rows
    assert set(by_title) == {"courier's", "to", "hour"}
    assert all(total > 0.98 * len(world.log) for total in by_title.values())


def test_zones_and_cities_are_slices_and_orders_without_a_zone_are_in_none(
    world: Any, quick_params: AcceptanceParams
) -> None:
    log = world.log.copy()
    log["zone"] = np.resize(["north", "south", None], len(log))
    log["city_id"] = "here"
    sliced = train(log, replace(quick_params, n_bags=0)).slices_
    zones = {row.label: row.rows for row in sliced if row.label.startswith("zone")}
    assert set(zones) == {"zone north", "zone south"}
    newest = sum(row.rows for row in sliced if row.label.startswith("hour"))
    assert sum(zones.values()) == pytest.approx(2 / 3 * newest, rel=0.02)
    assert not any(row.label.startswith("city") for row in sliced)  # one city is the whole


def test_psi_is_zero_for_the_same_values_and_large_for_moved_ones() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=5000)
    values[:500] = np.nan
    reference = FeatureReference.of("x", values, 1.0)
    assert reference.psi(values) == pytest.approx(0.0, abs=1e-12)
    assert reference.psi(rng.normal(size=5000)) > 0.1  # the gaps are gone
    assert reference.psi(values + 1.0) > 0.25
    codes = FeatureReference.of("code", rng.integers(0, 3, 1000).astype(float), 0.0)
    assert len(codes.shares) == 4


def test_the_log_a_model_was_made_on_raises_no_alarm(model: AcceptanceModel, world: Any) -> None:
    report = check_drift(model, world.log)
    assert report.verdict != "alarm", report.why
    assert len(report.periods) == 14
    assert sum(p.rows for p in report.periods) == report.overall.rows == len(world.log)


def test_couriers_who_stop_accepting_raise_an_alarm(model: AcceptanceModel, world: Any) -> None:
    rng = np.random.default_rng(2)
    log = world.log.tail(2000)
    log = log.assign(accepted=log["accepted"] & (rng.random(len(log)) < 0.8))
    report = check_drift(model, log)
    assert report.verdict == "alarm"
    assert "over the whole log" in report.why[0]


def test_a_moved_feature_raises_an_alarm_and_a_short_log_no_false_one(
    model: AcceptanceModel, world: Any
) -> None:
    log = world.log.tail(1500)
    far = check_drift(model, log.assign(to_pickup_m=log["to_pickup_m"] + 2500.0))
    assert far.verdict == "alarm"
    assert any("to_pickup_m has moved" in why for why in far.why)
    clock = {f.name: f.judged for f in check_drift(model, log).features}
    assert not clock["weekday"]
    assert clock["pay"]


def test_an_uncalibrated_model_is_not_checked(world: Any) -> None:
    with pytest.raises(NotFittedError):
        check_drift(AcceptanceModel(), world.log)


def test_every_feature_belongs_to_exactly_one_reason(model: AcceptanceModel) -> None:
    told = list(itertools.chain.from_iterable(features for features, _ in _REASONS.values()))
    assert sorted(told) == sorted(model.schema_.names)


def test_all_reasons_and_the_base_value_add_up_to_the_score(
    model: AcceptanceModel, columns: Columns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.reasons.FAINT", 0.0)
    found = reason_codes(model, columns, top=len(_REASONS))
    base = model.ensemble_.contributions(model.matrix(columns))[:, -1]
    total = [sum(reason.log_odds for reason in row) for row in found]
    np.testing.assert_allclose(
        total + base, model.ensemble_.score(model.matrix(columns)), rtol=0.0, atol=1e-6
    )


def test_a_far_pickup_is_given_as_the_reason(model: AcceptanceModel, columns: Columns) -> None:
    columns["to_pickup_m"][0], columns["to_pickup_s"][0] = 6000.0, 1500.0
    first = reason_codes(model, columns)[0]
    assert len(first) <= 3
    assert first[0].code == "to_pickup"
    assert first[0].words == "25 minutes to the pickup"
    assert first[0].log_odds < 0.0


def test_unknown_values_have_words_too(model: AcceptanceModel, columns: Columns) -> None:
    for name in ("slack_s", "precipitation_mm_h", "temperature_c", "vehicle", "since_offer_s"):
        columns[name][:] = np.nan
    told = {r.words for row in reason_codes(model, columns, top=19) for r in row}
    assert not [words for words in told if "nan" in words]


def _shapley(forest: Forest, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shapley values by their definition: every subset of the features used, tree by tree."""
    total = np.zeros(len(x))
    split_at = leaf_at = 0
    for n in forest.leaves.tolist():
        splits, ends = slice(split_at, split_at + n - 1), slice(leaf_at, leaf_at + n)
        feature, left, right = forest.feature[splits], forest.left[splits], forest.right[splits]
        value, count = forest.leaf_value[ends], forest.leaf_count[ends].astype(float)
        one = Forest(
            leaves=forest.leaves[[0]] * 0 + n,
            **{
                name: getattr(forest, name)[splits]
                for name in ("feature", "threshold", "decision", "left", "right", "words")
            },
            category_words=forest.category_words[:0],
            leaf_value=value,
            leaf_count=forest.leaf_count[ends],
        )

        def rows(node: int) -> float:
            return count[~node] if node < 0 else rows(left[node]) + rows(right[node])  # noqa: B023

        def follows(node: int) -> int:
            low = one._below(x[[feature[node]]], np.array([node]))[0]  # noqa: B023
            return int(left[node] if low else right[node])  # noqa: B023

        def expected(node: int, known: frozenset[int]) -> float:
            if node < 0:
                return float(value[~node])  # noqa: B023
            if feature[node] in known:  # noqa: B023
                return expected(follows(node), known)
            sides = (int(left[node]), int(right[node]))  # noqa: B023
            shares = [rows(side) for side in sides]
            parts = [s * expected(side, known) for s, side in zip(shares, sides, strict=True)]
            return sum(parts) / sum(shares)

        used = sorted(set(feature.tolist()))
        for f in used:
            others = [g for g in used if g != f]
            for size in range(len(others) + 1):
                weight = math.factorial(size) * math.factorial(len(used) - size - 1)
                for chosen in itertools.combinations(others, size):
                    gain = expected(0, frozenset((*chosen, f))) - expected(0, frozenset(chosen))
                    total[f] += weight / math.factorial(len(used)) * gain
        split_at, leaf_at = split_at + n - 1, leaf_at + n
    return total


def test_contributions_are_shapley_values_by_their_definition(world: Any) -> None:
    params = AcceptanceParams(
        max_trees=6, leaves=6, learning_rate=0.3, n_bags=0, refused=("vehicle",)
    )
    model = train(world.log, params)
    matrix = model.matrix(read_log(world.log.head(5), RAW).columns)
    for row, found in zip(matrix, model.ensemble_.contributions(matrix), strict=True):
        np.testing.assert_allclose(
            found[:-1], _shapley(model.ensemble_.forest, row), rtol=0.0, atol=1e-6
        )


def test_nominal_intervals_cover_the_planted_truth(world_of: Callable[[int, int], Any]) -> None:
    """Nominal 90 %. The rows of one world share one model, so coverage varies between worlds more
    than a binomial of its rows would; two worlds together must lie in [0.85, 0.97]."""
    covered = []
    for seed in (31, 32):
        w = world_of(6000, seed)
        model = train(w.log, AcceptanceParams(max_trees=120, learning_rate=0.1))
        columns = read_log(w.log.tail(900), RAW).columns
        low, high = model.predict_interval(columns)
        p = model.predict_proba(columns)
        assert ((low <= p) & (p <= high)).all()
        covered.append((low <= w.truth[-900:]) & (w.truth[-900:] <= high))
    assert 0.85 <= np.mean(covered) <= 0.97


def test_wider_levels_give_wider_intervals_and_no_bags_give_none(
    model: AcceptanceModel, columns: Columns, world: Any, quick_params: AcceptanceParams
) -> None:
    narrow, wide = model.predict_interval(columns, 0.5), model.predict_interval(columns, 0.95)
    assert (wide[0] <= narrow[0]).all()
    assert (wide[1] >= narrow[1]).all()
    with pytest.raises(ValueError, match="level"):
        model.predict_interval(columns, 1.0)
    bare = train(world.log, replace(quick_params, n_bags=0))
    with pytest.raises(NotFittedError, match="n_bags"):
        bare.predict_interval(columns)


def test_the_card_names_what_matters_and_is_json(model: AcceptanceModel) -> None:
    facts = json.loads(json.dumps(model_card(model)))
    assert facts["version"] == model.version
    assert sum(f["importance"] for f in facts["features"]) == pytest.approx(1.0)
    text = model_card_markdown(model)
    assert model.monotone_cost_ is not None
    assert facts["monotone_cost"]["value"] == model.monotone_cost_.value
    parts = ("Monotone directions add", "Reliability", "By slice", "Limits", "to_pickup_s")
    for part in (model.version, "log loss", *parts):
        assert part in text


def test_a_refused_column_feeds_no_feature_and_a_deployment_may_refuse_a_model(
    world: Any, quick_params: AcceptanceParams, tmp_path: Any, model: AcceptanceModel
) -> None:
    blind = train(world.log, replace(quick_params, refused=("hour", "pay_per_km"), n_bags=0))
    assert {"hour", "pay_per_km"}.isdisjoint(blind.schema_.names)
    assert "hour" not in blind.schema_.raw_names
    save(blind, tmp_path / "blind")
    save(model, tmp_path / "seeing")
    assert load(tmp_path / "blind", refused=("hour",)).params.refused == ("hour", "pay_per_km")
    with pytest.raises(ArtefactError, match="hour: refused by this deployment"):
        load(tmp_path / "seeing", refused=("hour",))
    with pytest.raises(FeatureError, match="age_band: neither a feature nor a raw column"):
        AcceptanceModel(AcceptanceParams(refused=("age_band",))).fit(world.log)


def test_a_city_with_a_law_of_its_own_gets_trees_and_others_do_not(
    world_of: Callable[[int, int], Any], quick_params: AcceptanceParams, tmp_path: Any
) -> None:
    """In `odd` acceptance rises with the size of the order; in the others it does not matter."""
    w = world_of(15_000, 41)
    log, rng = w.log, np.random.default_rng(5)
    city = rng.choice(["even", "odd", "plain"], len(log))
    truth = w.truth.copy()
    odd = city == "odd"
    logit = np.log(truth / (1 - truth)) + 4.0 * (log["order_size"].to_numpy() - 1.1)
    truth[odd] = 1.0 / (1.0 + np.exp(-logit[odd]))
    log["accepted"] = rng.random(len(log)) < truth
    log["city_id"] = city
    model = train(log, quick_params)
    assert "odd" in model.city_ensembles_
    save(model, tmp_path / "cities")
    again = load(tmp_path / "cities")
    columns = read_log(log.tail(500), RAW).columns
    own, rest = again.of_city("odd"), again.of_city("elsewhere")
    np.testing.assert_array_equal(rest.predict_proba(columns), model.predict_proba(columns))
    here = odd[-500:]
    error = np.abs(np.stack([m.predict_proba(columns) for m in (own, rest)]) - truth[-500:])
    assert error[0, here].mean() < error[1, here].mean()
    assert any(row.label == "city odd" for row in model.slices_)


def test_inverse_propensities_find_the_law_of_everyone(
    world_of: Callable[[int, int], Any], quick_params: AcceptanceParams
) -> None:
    """Weights pull the mean prediction of seldom offered pairs towards their own rate."""
    log = world_of(4000, 51).log
    params = replace(quick_params, propensity_weights=True)
    with pytest.raises(FeatureError, match="propensity: missing"):
        train(log, params)
    even = train(log.assign(propensity=0.25), params)
    assert even.version == train(log, quick_params).version  # equal weights change nothing
    skewed = train(log.assign(propensity=np.where(log["pay"] > 6.0, 0.9, 0.1)), params)
    assert skewed.version != even.version
