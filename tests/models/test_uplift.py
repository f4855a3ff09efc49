"""What may be claimed for a plan: on paper, on planted truth, and off a log of another policy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.uplift import Candidates, Pick, claim_acceptance, correct_between, doubly_robust

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PAIRS = Candidates(np.array([0, 0, 1, 1]), np.arange(4), n_orders=2)


def best_of_each(p: Floats) -> Ints:
    """The likelier of each order's two columns."""
    return np.array([int(p[1] > p[0]), 2 + int(p[3] > p[2])])


def test_the_correction_is_the_one_worked_out_on_paper() -> None:
    """Fold 1 picks columns 0 and 2, fold 2 picks 0 and 3.

    By their own numbers 1.7 and 1.5, mean 1.6; by the other's 1.3 and 1.3. An average choice is
    worth 0.65 + 0.60 = 1.25. So own gain 0.35, confirmed gain 0.05, reliability 1/7, of two folds
    together 2/7 / (1 + 1/7) = 1/4. The full model claims 1.6 where an average choice is worth 1.3:
    three quarters of that gain of 0.3 are optimism.
    """
    folds = np.array([[0.9, 0.5, 0.8, 0.4], [0.8, 0.4, 0.5, 0.7]])
    full = np.array([0.9, 0.4, 0.7, 0.6])
    claim = claim_acceptance(
        PAIRS, full, np.array([0, 2]), folds, best_of_each, level_rows=1e9, seed=0
    )
    assert claim.naive.value == pytest.approx(1.6)
    assert claim.reliability == pytest.approx(1 / 7)
    assert claim.optimism == pytest.approx(0.225)
    assert claim.corrected.value == pytest.approx(1.375)
    assert claim.corrected.low < claim.corrected.value < claim.corrected.high


def test_a_bundle_counts_all_its_orders() -> None:
    both = Candidates(np.array([0, 1, 0]), np.array([0, 0, 1]), n_orders=3)
    assert both.chosen_value(np.array([0.5, 0.9]), np.array([0])).tolist() == [0.5, 0.5, 0.0]
    assert both.mean_value(np.array([0.5, 0.9])).tolist() == [0.7, 0.5, 0.0]


def test_models_that_agree_leave_the_claim_as_it_is() -> None:
    p = np.array([0.9, 0.4, 0.7, 0.6])
    chosen = best_of_each(p)
    claim = claim_acceptance(
        PAIRS, p, chosen, np.stack([p, p]), best_of_each, level_rows=1e9, seed=0
    )
    assert (claim.optimism, claim.reliability) == (0.0, 1.0)
    assert claim.corrected.value == claim.naive.value


def test_fewer_rows_behind_the_level_widen_the_interval() -> None:
    folds = np.array([[0.9, 0.5, 0.8, 0.4], [0.8, 0.4, 0.5, 0.7]])
    widths = []
    for rows in (100.0, 1000.0):
        claim = claim_acceptance(
            PAIRS, folds[0], np.array([0, 2]), folds, best_of_each, level_rows=rows, seed=0
        )
        widths.append(claim.corrected.high - claim.corrected.low)
    assert widths[0] > widths[1]


@pytest.mark.parametrize("shape", [(1, 4), (2, 3)])
def test_judging_takes_two_folds_of_the_same_columns(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected fold probabilities of shape"):
        claim_acceptance(
            PAIRS, np.ones(4), np.array([0, 2]), np.ones(shape), best_of_each, level_rows=1, seed=0
        )


def matching(n: int) -> tuple[Candidates, Pick]:
    """Every order with every courier, one each, for the most expected acceptances."""
    order = np.repeat(np.arange(n), n)

    def pick(p: Floats) -> Ints:
        rows, columns = linear_sum_assignment(p.reshape(n, n), maximize=True)
        return np.asarray(rows * n + columns, dtype=np.int64)

    return Candidates(order, np.arange(n * n), n), pick


@pytest.mark.parametrize("n_folds", [2, 3, 5])
@pytest.mark.parametrize("signal", [0.0, 0.03, 0.1])
def test_the_corrected_claim_is_near_the_truth_where_the_naive_one_is_not(
    signal: float, n_folds: int
) -> None:
    """Truth 0.6 plus a known signal; fold models see it through noise, the full one through less.

    Means of 20 draws; a standard error of the mean is below half a point.
    """
    n, noise = 40, 0.12
    candidates, pick = matching(n)
    naive, corrected = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth = 0.6 + signal * rng.normal(size=n * n)
        # what K models of a K-th of the rows each see, and what a model of all rows sees
        folds = truth + noise * rng.normal(size=(n_folds, n * n))
        full = folds.mean(axis=0)
        chosen = pick(full)
        claim = claim_acceptance(candidates, full, chosen, folds, pick, level_rows=1e6, seed=seed)
        naive.append((claim.naive.value - truth[chosen].sum()) / n)
        corrected.append((claim.corrected.value - truth[chosen].sum()) / n)
    assert np.mean(naive) > 0.04
    assert abs(np.mean(corrected)) < 0.1 * np.mean(naive)


def minding(cost: Floats, pick: Pick) -> Pick:
    """Pick by acceptance less a cost of every column."""
    return lambda p: pick(p - cost)


@pytest.mark.parametrize("signal", [0.0, 0.05])
@pytest.mark.parametrize("minded", [0.1, 0.3, 0.6])
def test_claims_of_its_ends_correct_the_plans_of_a_frontier(signal: float, minded: float) -> None:
    """A second cost of spread 0.1 is minded, from not at all to five times; means of 20 draws."""
    n, noise = 40, 0.12
    candidates, pick = matching(n)
    naive_errs, errs = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth = 0.6 + signal * rng.normal(size=n * n)
        folds = truth + noise * rng.normal(size=(2, n * n))
        full = folds.mean(axis=0)
        other = 0.1 * rng.normal(size=n * n)
        picks = [minding(w * other, pick) for w in (0.0, minded, 5.0)]
        plans = [each(full) for each in picks]
        ends = [
            claim_acceptance(candidates, full, plans[k], folds, picks[k], level_rows=1e6, seed=seed)
            for k in (0, 2)
        ]
        naive = np.array([full[plan].sum() for plan in plans])
        true = np.array([truth[plan].sum() for plan in plans])
        naive_errs.append((naive - true) / n)
        errs.append((correct_between(naive, *ends) - true) / n)
    assert np.mean(naive_errs, axis=0)[1] > 0.04
    assert (np.abs(np.mean(errs, axis=0)) < 0.015).all()


def explored_log(n: int, seed: int) -> tuple[Floats, Ints, Floats, Floats]:
    """Three couriers an offer, asked with chances 0.6, 0.3, 0.1, accepting with 0.5, 0.6, 0.9."""
    rng = np.random.default_rng(seed)
    propensity = np.array([0.6, 0.3, 0.1])
    asked = rng.choice(3, size=n, p=propensity)
    truth = np.array([0.5, 0.6, 0.9])
    return (rng.uniform(size=n) < truth[asked]).astype(np.float64), asked, propensity[asked], truth


def test_doubly_robust_covers_the_value_of_another_policy_though_predictions_are_wrong() -> None:
    """The judged policy always asks courier 2, whose 0.9 the model takes for 0.5."""
    inside = 0
    for seed in range(100):
        accepted, asked, propensity, truth = explored_log(2000, seed)
        found = doubly_robust(
            accepted == 1.0,
            propensity,
            (asked == 2).astype(np.float64),
            np.full(2000, 0.5),
            np.full(2000, 0.5),
            np.arange(2000) // 2,
            seed,
        )
        inside += found.low <= truth[2] <= found.high
    assert inside >= 82  # binomial(100, 0.9): below 82 once in 150


def test_doubly_robust_covers_where_a_few_rows_carry_all_weight() -> None:
    """One offer in 200 explored what the judged policy does: four of 800."""
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        asked = rng.uniform(size=800) < 1 / 200
        accepted = rng.uniform(size=800) < 0.85
        found = doubly_robust(
            accepted,
            np.full(800, 1 / 200),
            asked.astype(np.float64),
            np.full(800, 0.85),
            np.full(800, 0.85),
            np.arange(800),
            seed,
        )
        inside += found.low <= 0.85 <= found.high
    assert inside >= 85  # binomial(100, 0.9): below 85 once in 25; resampling alone covers 66


def test_doubly_robust_needs_no_weights_where_predictions_are_right() -> None:
    accepted, asked, propensity, truth = explored_log(4000, 1)
    found = doubly_robust(
        accepted == 1.0,
        propensity,
        (asked == 2).astype(np.float64),
        truth[asked],
        np.full(4000, truth[2]),
        np.arange(4000),
        1,
    )
    assert found.value == pytest.approx(truth[2], abs=0.03)


def test_a_log_that_never_explored_judges_no_other_policy() -> None:
    ones, half = np.ones(4), np.full(4, 0.5)
    with pytest.raises(ValueError, match="never explored"):
        doubly_robust(ones == 1, ones, np.array([1.0, 0, 1, 1]), half, half, np.arange(4), 0)


def test_a_propensity_of_zero_is_refused() -> None:
    ones, half = np.ones(2), np.full(2, 0.5)
    with pytest.raises(ValueError, match=r"propensities in \(0, 1\]"):
        doubly_robust(ones == 1, np.array([0.0, 0.5]), ones, half, half, np.arange(2), 0)
