"""Splits do not leak and measures agree with scikit-learn and with arithmetic on paper."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as reference_log_loss

from models import evaluate_probabilities, group_folds, split_by_time
from models.evaluation import MEASURES, auc, brier, calibration_error, log_loss

SHARES = (0.7, 0.15, 0.15)


def _draw(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.0, 1e6, n).round(-2), rng.integers(0, n // 3, n)


@pytest.mark.parametrize("seed", range(20))
def test_no_order_is_on_both_sides_and_every_part_is_older_than_the_next(seed: int) -> None:
    times, groups = _draw(900, seed)
    parts = split_by_time(times, groups, SHARES)
    kept = np.concatenate(parts)
    assert len(np.unique(kept)) == len(kept)
    for i, part in enumerate(parts):
        assert len(part)
        assert (np.diff(times[part]) >= 0.0).all()
        for later in parts[i + 1 :]:
            assert not set(groups[part]) & set(groups[later])
            assert times[part].max() < times[later].min()


def test_an_order_across_a_boundary_stays_with_its_first_offer() -> None:
    # Ten offers, one a second; order 9 is offered at 4 s and again at 7 s, the boundary is at 5 s.
    groups = np.array([0, 1, 2, 3, 9, 5, 6, 9, 8, 10])
    older, newer = split_by_time(np.arange(10.0), groups, (0.5, 0.5))
    assert older.tolist() == [0, 1, 2, 3, 4]
    assert newer.tolist() == [5, 6, 8, 9]


def test_equal_times_are_never_divided() -> None:
    times = np.repeat([1.0, 2.0, 3.0], [2, 6, 2])
    older, newer = split_by_time(times, np.arange(10), (0.5, 0.5))
    assert older.tolist() == [0, 1]
    assert newer.tolist() == [2, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("fractions", [(0.5, 0.4), (1.0, 0.0), (0.5, 0.7, -0.2)])
def test_fractions_must_divide_the_whole(fractions: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="adding up to 1"):
        split_by_time(np.arange(10.0), np.arange(10), fractions)


def test_nothing_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        split_by_time(np.empty(0), np.empty(0, dtype=np.int64), (0.5, 0.5))


def test_folds_keep_orders_whole_are_even_and_follow_the_seed() -> None:
    _, groups = _draw(3000, 0)
    folds = group_folds(groups, 3, seed=4)
    per_group = {(g, f) for g, f in zip(groups.tolist(), folds.tolist(), strict=True)}
    assert len(per_group) == len(np.unique(groups))
    sizes = np.bincount([f for _, f in per_group])
    assert sizes.max() - sizes.min() <= 1
    assert (folds == group_folds(groups, 3, seed=4)).all()
    assert (folds != group_folds(groups, 3, seed=5)).any()


@pytest.mark.parametrize("seed", range(5))
def test_measures_agree_with_scikit_learn_weighted_and_with_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.95, 400).round(2)
    y = rng.random(400) < p
    for w in (None, rng.integers(0, 4, 400).astype(np.float64)):
        assert auc(y, p, w) == pytest.approx(roc_auc_score(y, p, sample_weight=w))
        assert log_loss(y, p, w) == pytest.approx(reference_log_loss(y, p, sample_weight=w))
        assert brier(y, p, w) == pytest.approx(brier_score_loss(y, p, sample_weight=w))


def test_calibration_error_on_paper() -> None:
    # One probability, 0.6, and three of four accepted: off by 0.15. Two: 0.5 * 0.1 + 0.5 * 0.2.
    assert calibration_error(np.array([1, 1, 1, 0], bool), np.full(4, 0.6)) == pytest.approx(0.15)
    y = np.repeat([True, False, True, False], [5, 5, 9, 1])
    p = np.repeat([0.4, 0.7], 10)
    assert calibration_error(y, p) == pytest.approx(0.15)


def test_a_weight_counts_like_so_many_copies() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.1, 0.9, 200)
    y = rng.random(200) < p
    for name, measure in MEASURES.items():
        twice = measure(np.tile(y, 2), np.tile(p, 2), np.ones(400))
        assert measure(y, p, np.full(200, 2.0)) == pytest.approx(twice), name


def test_intervals_hold_the_value_and_repeat_with_the_seed() -> None:
    rng = np.random.default_rng(1)
    p = rng.uniform(0.2, 0.9, 1500)
    y = rng.random(1500) < p
    groups = np.arange(1500) // 2
    first = evaluate_probabilities(y, p, groups, seed=3)
    assert first == evaluate_probabilities(y, p, groups, seed=3)
    assert all(m.low <= m.value <= m.high and m.low < m.high for m in first.values())


def test_log_loss_intervals_cover_the_truth_about_nine_times_in_ten() -> None:
    # Nominal 90 % over 100 draws: fewer than 81 covered has probability 0.2 % (binomial).
    truth_p = 0.7
    entropy = -(truth_p * np.log(truth_p) + (1 - truth_p) * np.log(1 - truth_p))
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y = rng.random(300) < truth_p
        p = np.full(300, truth_p)
        metric = evaluate_probabilities(y, p, np.arange(300), seed)["log_loss"]
        covered += metric.low <= entropy <= metric.high
    assert covered >= 81


def test_rows_of_one_order_that_agree_widen_the_interval() -> None:
    # Ten equal rows an order carry the information of one: sqrt(10) times the width.
    y = np.repeat(np.random.default_rng(2).random(200) < 0.5, 10)
    p = np.full(2000, 0.7)
    by_order = evaluate_probabilities(y, p, np.arange(2000) // 10, seed=0)["log_loss"]
    by_row = evaluate_probabilities(y, p, np.arange(2000), seed=0)["log_loss"]
    ratio = (by_order.high - by_order.low) / (by_row.high - by_row.low)
    assert ratio == pytest.approx(np.sqrt(10.0), rel=0.3)
    assert by_row.value == by_order.value


@pytest.mark.parametrize("label", [True, False])
def test_one_class_cannot_be_evaluated(label: bool) -> None:
    with pytest.raises(ValueError, match="both accepted and refused"):
        evaluate_probabilities(np.full(10, label), np.full(10, 0.5), np.arange(10), seed=0)
