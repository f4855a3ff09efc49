"""The set scorer learns what depends on the set, is dropped where nothing does, and is safe."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dispatch.datasets.worlds_sets import DrawnSets, SetLaw
from models import AcceptanceModel, AcceptanceParams, ArtefactError, NotFittedError, read_log, train
from models.attention import (
    SetAwareModel,
    SetParams,
    add_sets,
    load_sets,
    read_sets,
    save_sets,
    train_with_sets,
)
from models.attention.stacking import SetGain, base_log_odds, log_odds, time_parts
from models.evaluation import log_loss

Array = np.ndarray
Parts = tuple[Array, Array, Array]


def judged(drawn: DrawnSets, aware: SetAwareModel) -> Parts:
    """Answers of the newest offers, and their probabilities alone and beside their moment."""
    log = read_log(drawn.log, aware.model.schema_.raw_names)
    *_, newest = time_parts(log, aware.model.params)
    beside = aware.predict_log(log, read_sets(drawn.log, drawn.stops))
    return log.accepted[newest], aware.model.predict_log(log)[newest], beside[newest]


def test_where_sets_matter_the_scorer_is_kept_and_halves_what_was_missed(
    drawn: DrawnSets, aware: SetAwareModel
) -> None:
    """On offers later than all that was learned, calibrated or chosen by."""
    assert aware.gain.proven
    accepted, alone, beside = judged(drawn, aware)
    best = log_loss(accepted, drawn.truth[-len(accepted) :])
    missed, left = log_loss(accepted, alone) - best, log_loss(accepted, beside) - best
    assert left < 0.5 * missed


@pytest.mark.usefixtures("aware")
@pytest.mark.parametrize("seed", [1, 2])
def test_where_nothing_depends_on_the_set_the_scorer_is_dropped(
    seed: int, quick_params: AcceptanceParams, quick_sets: SetParams
) -> None:
    plain = DrawnSets(SetLaw(along=0.0, rivals=0.0), 5_000, seed)
    aware = train_with_sets(plain.log, plain.stops, quick_params, quick_sets)
    assert aware.scorer is None
    _, alone, beside = judged(plain, aware)
    np.testing.assert_array_equal(alone, beside)


def test_probabilities_of_the_kept_scorer_are_calibrated(
    drawn: DrawnSets, aware: SetAwareModel
) -> None:
    accepted, _, beside = judged(drawn, aware)
    error = np.sqrt((beside * (1 - beside)).sum()) / len(beside)
    assert abs(beside.mean() - accepted.mean()) < 4 * error


def test_the_same_offers_train_the_same_scorer_to_the_bit_and_progress_is_told(
    drawn: DrawnSets, model: AcceptanceModel, aware: SetAwareModel, quick_sets: SetParams
) -> None:
    told: list[tuple[int, int]] = []
    sets = read_sets(drawn.log, drawn.stops)
    again = add_sets(model, drawn.log, sets, quick_sets, lambda *step: told.append(step))
    assert aware.scorer is not None
    assert again.scorer is not None
    for name, weights in aware.scorer.weights.items():
        np.testing.assert_array_equal(weights, again.scorer.weights[name])
    assert told == [(k + 1, quick_sets.epochs) for k in range(len(again.scorer.losses))]


def test_answers_of_later_offers_do_not_reach_what_is_learned(
    drawn: DrawnSets, model: AcceptanceModel, aware: SetAwareModel, quick_sets: SetParams
) -> None:
    """They are seen beside earlier ones only as offers."""
    log = read_log(drawn.log, model.schema_.raw_names)
    learned, *_ = time_parts(log, model.params)
    changed = drawn.log.copy()
    later = np.setdiff1d(np.arange(len(log)), learned)
    changed.loc[later, "accepted"] = 1 - changed.loc[later, "accepted"]
    other = add_sets(model, changed, read_sets(drawn.log, drawn.stops), quick_sets)
    assert aware.scorer is not None
    assert other.gain != aware.gain
    assert not other.gain.proven or other.scorer is not None
    assert other.scorer is None or other.scorer.losses == aware.scorer.losses


def test_the_log_odds_to_add_to_come_from_models_that_have_not_seen_the_order(
    drawn: DrawnSets, model: AcceptanceModel
) -> None:
    """Those of the fold that has are closer to the answers, offer for offer."""
    log = read_log(drawn.log, model.schema_.raw_names)
    learned, *_ = time_parts(log, model.params)
    base = base_log_odds(model, log, learned)[learned]
    both = sum(log_odds(model.predict_proba_fold(log.columns, fold)) for fold in (0, 1))[learned]
    sign = np.where(log.accepted[learned], -1.0, 1.0)
    unseen, seen = (np.logaddexp(0.0, sign * score).mean() for score in (base, both - base))
    assert seen < unseen - 0.02


def test_the_order_of_offers_and_stops_in_the_log_does_not_matter(
    drawn: DrawnSets, aware: SetAwareModel
) -> None:
    rng = np.random.default_rng(3)
    turn, names = rng.permutation(len(drawn.log)), aware.model.schema_.raw_names
    sets = read_sets(drawn.log, drawn.stops)
    before = aware.predict_log(read_log(drawn.log, names), sets)
    log, stops = drawn.log.iloc[turn], drawn.stops.sample(frac=1.0, random_state=1)
    after = aware.predict_log(read_log(log, names), read_sets(log, stops))
    np.testing.assert_allclose(after, before[turn], rtol=0, atol=1e-5)


def test_gain_counts_an_order_once_and_asks_for_more_than_noise() -> None:
    """Two orders of two offers, gains 1, 1 and 3, 3: mean 2, error sqrt(2^2 + 2^2) / 4."""
    gain = SetGain.of(np.array([1.0, 1.0, 3.0, 3.0]), np.zeros(4), np.array([7, 7, 9, 9]))
    assert gain.value == 2.0
    assert gain.error == pytest.approx(np.sqrt(8.0) / 4)
    assert gain.proven
    assert not replace(gain, error=1.3).proven


def test_a_saved_scorer_answers_as_before_and_its_bytes_repeat(
    drawn: DrawnSets, aware: SetAwareModel, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        save_sets(aware, tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    loaded = load_sets(tmp_path / "one", aware.model)
    for before, after in zip(judged(drawn, aware), judged(drawn, loaded), strict=True):
        np.testing.assert_array_equal(before, after)
    assert loaded.gain == aware.gain


def test_a_damaged_scorer_or_one_of_another_model_is_refused(
    drawn: DrawnSets, aware: SetAwareModel, tmp_path: Path, quick_params: AcceptanceParams
) -> None:
    save_sets(aware, tmp_path / "sets")
    other = train(drawn.log.head(4_000), quick_params)
    with pytest.raises(ArtefactError, match="made for model"):
        load_sets(tmp_path / "sets", other)
    file = tmp_path / "sets" / "weights.bin"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtefactError, match="SHA-256"):
        load_sets(tmp_path / "sets", aware.model)


def test_a_dropped_scorer_cannot_be_saved(aware: SetAwareModel, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match="was dropped"):
        save_sets(replace(aware, scorer=None), tmp_path / "sets")


def test_sets_of_other_rows_are_refused(drawn: DrawnSets, aware: SetAwareModel) -> None:
    log = read_log(drawn.log.head(300), aware.model.schema_.raw_names)
    with pytest.raises(ValueError, match="expected sets of 300 offers, got 8000"):
        aware.predict_log(log, read_sets(drawn.log, drawn.stops))


def test_without_mlx_the_error_says_what_to_install(
    drawn: DrawnSets, model: AcceptanceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlx", None)
    monkeypatch.setitem(sys.modules, "mlx.core", None)
    with pytest.raises(ValueError, match=r"install courier-dispatch\[mlx\]"):
        add_sets(model, drawn.log, read_sets(drawn.log, drawn.stops))


def test_a_log_told_at_one_time_alone_is_refused(drawn: DrawnSets, model: AcceptanceModel) -> None:
    log: pd.DataFrame = drawn.log.assign(order_id="o")
    with pytest.raises(ValueError, match=r"no order lies wholly|expected at least one row"):
        add_sets(model, log, read_sets(drawn.log, drawn.stops))
