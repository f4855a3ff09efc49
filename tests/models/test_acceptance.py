"""The acceptance model against worlds whose law is known."""

from __future__ import annotations

import subprocess
import sys
import time
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
    TrainingError,
    read_log,
    split_by_time,
    train,
)
from models.columns import RAW_COLUMNS
from models.evaluation import auc, calibration_error, log_loss

Columns = dict[str, NDArray[np.float64]]
RAW = tuple(RAW_COLUMNS)


def test_held_out_auc_is_near_the_best_possible(world: Any, model: AcceptanceModel) -> None:
    """Within 0.05 of the planted law's own AUC on the newest rows.

    The law knows each courier's hidden effect, which 35 offers a courier reveal in part only.
    """
    newest = world.log.tail(900)
    p = model.predict_proba(read_log(newest, RAW).columns)
    labels = newest["accepted"].to_numpy()
    best = auc(labels, world.truth[-900:])
    assert best - 0.05 < auc(labels, p) <= best + 0.01
    base = np.full(900, labels.mean())
    assert log_loss(labels, p) < 0.9 * log_loss(labels, base)


def test_probabilities_can_be_used_as_probabilities(
    world: Any, model: AcceptanceModel, fresh: Any
) -> None:
    """On 6,000 rows of another draw ECE is below 0.04; sampling noise alone makes it 0.015."""
    p = model.predict_proba(read_log(fresh.log, RAW).columns)
    assert calibration_error(fresh.log["accepted"].to_numpy(), p) < 0.04
    assert abs(p.mean() - fresh.truth.mean()) < 0.03
    assert model.metrics_["calibration_error"].low < 0.06


def test_more_offers_bring_the_model_closer_to_the_law(
    world_of: Callable[[int, int], Any], model: AcceptanceModel, quick_params: AcceptanceParams
) -> None:
    """20,000 offers train within 15 CPU seconds and come within 0.025 of the law's own AUC."""
    large = world_of(20_000, 1)
    begun_s = time.process_time()
    better = train(large.log, quick_params)
    assert time.process_time() - begun_s < 15.0
    newest = large.log.tail(3000)
    labels = newest["accepted"].to_numpy()
    found = auc(labels, better.predict_proba(read_log(newest, RAW).columns))
    assert auc(labels, large.truth[-3000:]) - found < 0.025


def test_metrics_are_those_of_the_newest_offers_alone(
    world: Any, model: AcceptanceModel, quick_params: AcceptanceParams
) -> None:
    log = read_log(world.log, RAW)
    parts = split_by_time(log.offered_at_s, log.orders, (0.7, 0.15, 0.15))
    old, newer, newest = (world.log.iloc[rows] for rows in parts)
    by_hand = AcceptanceModel(quick_params).fit(old).calibrate(newer)
    assert by_hand.version == model.version
    assert by_hand.evaluate(newest) == model.metrics_
    assert model.training_.rows == len(old)
    assert model.training_.last_offer_s < log.offered_at_s[parts[1]].min()


@pytest.mark.parametrize(
    ("name", "sign"), [("to_pickup_s", -1), ("to_pickup_m", -1), ("detour_s", -1), ("pay", 1)]
)
def test_farther_is_never_more_likely_and_more_pay_never_less(
    model: AcceptanceModel, columns: Columns, name: str, sign: int
) -> None:
    grid = np.linspace(0.0, 1.5 * columns[name].max(), 200)
    rows = {key: np.repeat(values[:20], 200) for key, values in columns.items()}
    rows[name] = np.tile(grid, 20)
    for p in (model.predict_proba(rows), model.predict_proba_fold(rows, 0)):
        assert (sign * np.diff(p.reshape(20, 200), axis=1) >= 0.0).all()
        assert np.ptp(p) > 0.01


def test_without_the_constraint_the_direction_is_not_promised(
    world: Any, quick_params: AcceptanceParams, columns: Columns
) -> None:
    """The constraint is what makes the grid above monotone: without it some row turns back."""
    free = train(world.log, replace(quick_params, monotone=False))
    grid = np.linspace(0.0, 1.5 * columns["to_pickup_s"].max(), 200)
    rows = {key: np.repeat(values[:20], 200) for key, values in columns.items()}
    rows["to_pickup_s"] = np.tile(grid, 20)
    assert (np.diff(free.predict_proba(rows).reshape(20, 200), axis=1) > 0.0).any()


def test_fold_models_know_only_their_own_orders(
    world: Any, model: AcceptanceModel, quick_params: AcceptanceParams
) -> None:
    """Flipping every label of one fold's orders leaves the other fold's ensemble as it was."""
    from models import group_folds

    log = read_log(world.log, RAW)
    old = world.log.iloc[split_by_time(log.offered_at_s, log.orders, (0.7, 0.15, 0.15))[0]]
    inside = group_folds(read_log(old, RAW).orders, 2, quick_params.seed) == 0
    flipped = old.assign(accepted=old["accepted"].to_numpy() ^ inside)
    # The history priors are the one thing all ensembles share, and they move with labels.
    without = replace(quick_params, use_courier_history=False, refused=("merchant_rate",))
    first = AcceptanceModel(without).fit(old)
    second = AcceptanceModel(without).fit(flipped)
    assert first.fold_ensembles_[0].forest.to_bytes() != second.fold_ensembles_[0].forest.to_bytes()
    assert first.fold_ensembles_[1].forest.to_bytes() == second.fold_ensembles_[1].forest.to_bytes()


def test_fold_probabilities_differ_from_the_main_ones_yet_predict(
    model: AcceptanceModel, fresh: Any
) -> None:
    columns = read_log(fresh.log, RAW).columns
    labels = fresh.log["accepted"].to_numpy()
    main = model.predict_proba(columns)
    folds = [model.predict_proba_fold(columns, fold) for fold in range(2)]
    assert not np.allclose(folds[0], folds[1])
    for p in folds:
        assert not np.allclose(p, main)
        assert auc(labels, p) > 0.7
        assert calibration_error(labels, p) < 0.06
    with pytest.raises(ValueError, match=r"expected fold in \[0, 1\], got 2"):
        model.predict_proba_fold(columns, 2)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_input_gives_the_same_model_with_any_number_of_threads(
    world: Any, model: AcceptanceModel, quick_params: AcceptanceParams, threads: int
) -> None:
    again = train(world.log, replace(quick_params, threads=threads))
    columns = read_log(world.log, RAW).columns
    np.testing.assert_array_equal(again.predict_proba(columns), model.predict_proba(columns))
    assert again.metrics_ == model.metrics_
    assert again.version == model.version


def test_batch_size_does_not_change_a_probability(model: AcceptanceModel, fresh: Any) -> None:
    columns = read_log(fresh.log, RAW).columns
    whole = model.predict_proba(columns)
    assert len(whole) > 1024
    few = model.predict_proba({name: values[:7] for name, values in columns.items()})
    np.testing.assert_array_equal(few, whole[:7])
    assert model.predict_proba({name: v[:0] for name, v in columns.items()}).shape == (0,)


def test_policy_can_switch_courier_history_off(
    world: Any, quick_params: AcceptanceParams, columns: Columns
) -> None:
    log = world.log.drop(columns=["courier_offers", "courier_accepted"])
    model = train(log, replace(quick_params, use_courier_history=False))
    assert "courier_rate" not in model.schema_.names
    del columns["courier_offers"], columns["courier_accepted"]
    assert model.predict_proba(columns).shape == (50,)


def test_training_warns_of_nothing(world: Any, quick_params: AcceptanceParams) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(world.log.head(2000), quick_params)


@pytest.mark.parametrize("column", ["gender", "courier_age", "trade_union"])
def test_a_log_with_a_protected_attribute_is_refused(world: Any, column: str) -> None:
    with pytest.raises(FeatureError, match=f"forbidden attributes {column}"):
        train(world.log.assign(**{column: 0.0}))


def test_too_few_offers_are_refused(world: Any, model: AcceptanceModel) -> None:
    with pytest.raises(TrainingError, match="fit: expected at least 200 offers, got 140"):
        train(world.log.head(200))
    with pytest.raises(TrainingError, match="evaluate: expected at least 200 offers, got 5"):
        model.evaluate(world.log.head(5))


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_refused(world: Any, label: int) -> None:
    with pytest.raises(TrainingError, match="one class only"):
        train(world.log.assign(accepted=label))


def test_a_log_without_order_in_time_is_refused(world: Any) -> None:
    same = world.log.assign(offered_at=world.log["offered_at"].iloc[0])
    with pytest.raises(TrainingError, match="no order lies wholly in the newest part"):
        AcceptanceModel().fit(same)


def test_each_step_says_which_step_comes_before(
    world: Any, quick_params: AcceptanceParams, columns: Columns
) -> None:
    model = AcceptanceModel(quick_params)
    for unfitted in (lambda: model.calibrate(world.log), lambda: model.matrix(columns)):
        with pytest.raises(NotFittedError, match=r"call fit\(log\) first"):
            unfitted()
    model.fit(world.log)
    for uncalibrated in (
        lambda: model.predict_proba(columns),
        lambda: model.predict_proba_fold(columns, 0),
        lambda: model.evaluate(world.log),
        lambda: model.version,
        model.summary,
    ):
        with pytest.raises(NotFittedError, match=r"call calibrate\(log\) first"):
            uncalibrated()


def test_a_new_fit_drops_the_calibration_of_the_old_one(
    world: Any, quick_params: AcceptanceParams, columns: Columns
) -> None:
    model = train(world.log, quick_params).fit(world.log)
    assert model.metrics_ == {}
    with pytest.raises(NotFittedError):
        model.predict_proba(columns)


def test_the_summary_names_version_period_and_metrics(model: AcceptanceModel) -> None:
    text = model.summary()
    for told in (model.version, "4200 offers", "2026-03-02T00:0", "auc 0.", "calibration_error"):
        assert told in text
    assert model.version in repr(model)


def test_importing_the_room_loads_no_heavy_library() -> None:
    code = (
        "import sys, models; "
        "print([m for m in ('lightgbm', 'sklearn', 'pandas', 'scipy', 'shap') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
