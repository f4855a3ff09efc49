"""Acceptance that may be claimed for a plan: what choosing adds to the model's number, taken off.

A plan that maximises predicted acceptance picks pairs whose probability is overestimated, so the
model that chose it flatters it (Bastani et al., arXiv 2602.08892). Models grown on disjoint orders
do not share that luck: pick with one, judge with another, and the difference is the optimism.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.acceptance import AcceptanceModel
from models.evaluation import REPLICATES, Metric
from models.features import Columns
from models.pairs import PairColumns
from models.scoring.fused import pair_probabilities

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Pick = Callable[[FloatArray], IntArray]

Z90: Final = 1.6449
"""Half of a nominal 90 % interval, in standard errors."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Columns a plan may choose from, and which orders are in each.

    `order` and `column` list the orders of every column, shape (nnz,) each; for single pairs
    `column` is 0 .. k - 1. `n_orders` counts all orders, those in no column included.
    """

    order: IntArray
    column: IntArray
    n_orders: int

    def chosen_value(self, probability: FloatArray, chosen: IntArray) -> FloatArray:
        """Probability of each order's chosen column, 0 where none was, shape (n_orders,)."""
        taken = np.zeros(len(probability), dtype=np.bool_)
        taken[chosen] = True
        inside = taken[self.column]
        value = np.zeros(self.n_orders)
        value[self.order[inside]] = probability[self.column[inside]]
        return value

    def mean_value(self, probability: FloatArray) -> FloatArray:
        """Mean probability over each order's columns, 0 where there is none, shape (n_orders,)."""
        count = np.bincount(self.order, minlength=self.n_orders)
        total = np.bincount(self.order, probability[self.column], minlength=self.n_orders)
        return np.asarray(total / np.maximum(count, 1))


@dataclass(frozen=True, slots=True)
class AcceptanceClaim:
    """Expected number of orders accepted, as claimed and as it may be claimed.

    Attributes
    ----------
    naive
        Sum of the probabilities of the model that chose; its interval knows only that orders vary.
    corrected
        `naive` less `optimism`, with a 90 % interval.
    optimism
        What choosing by a model's own numbers adds to them.
    reliability
        Share of a fold plan's gain over an average choice that other folds confirm, in [0, 1].
    """

    naive: Metric
    corrected: Metric
    optimism: float
    reliability: float


def fold_probabilities(model: AcceptanceModel, columns: Columns) -> FloatArray:
    """Probabilities of every fold model, shape (n_folds, n), for raw columns of shape (n,).

    Raises
    ------
    FeatureError, NotFittedError
        As in `AcceptanceModel.predict_proba`.
    """
    matrix = model.matrix(columns)  # once for all folds
    judges = zip(model.fold_ensembles_, model.fold_calibrations_, strict=True)
    return np.stack([trees.probabilities(matrix, calibration) for trees, calibration in judges])


def fold_pair_probabilities(model: AcceptanceModel, pairs: PairColumns) -> FloatArray:
    """As `fold_probabilities`, shape (n_folds, k), for k courier-order pairs given as tables.

    Raises
    ------
    FeatureError, NotFittedError
        As in `AcceptanceModel.predict_pairs`.
    """
    schema, prior = model.schema_, model.history_prior_
    judges = zip(model.fold_ensembles_, model.fold_calibrations_, strict=True)
    return np.stack(
        [
            pair_probabilities(trees.backend, schema, prior, pairs, calibration)
            for trees, calibration in judges
        ]
    )


def level_rows(model: AcceptanceModel) -> float:
    """Return about how many offers set the level of the model's probabilities.

    The calibration part of `models.train`, told by the shares it was split by.
    """
    params = model.params
    grown = 1.0 - params.calibration_share - params.test_share
    return model.training_.rows * params.calibration_share / grown


def claim_acceptance(
    candidates: Candidates,
    probability: FloatArray,
    chosen: IntArray,
    folds: FloatArray,
    pick: Pick,
    *,
    level_rows: float,
    seed: int,
) -> AcceptanceClaim:
    """Correct the acceptance that a model claims for the plan it chose, by cross-fitting.

    Every fold model picks a plan, and every other fold judges it: r is the share of a plan's gain
    over an average choice, by its own model's numbers, that the others confirm. A fold knows a K-th
    of the orders that the full model knows. Noise shrinks with the rows and signal does not, so of
    the full model's gain a share K r / (1 + (K - 1) r) is true (Spearman 1910, Brown 1910: the
    reliability of K parts put together); the rest is optimism.

    The interval adds three variances: of the orders (bootstrap by order), of the level, binomial
    on the `level_rows` offers that the models were calibrated on, and of the judges (between folds,
    at least that of the level). The last two overlap, on the safe side: neither knows the couriers'
    hidden effects.

    Parameters
    ----------
    probability, chosen
        Of the model that chose, shape (k,), and the columns of its plan.
    folds
        Probabilities of K models grown and calibrated on disjoint orders, shape (K, k), K >= 2.
    pick
        Chooses columns given probabilities (k,), the way `chosen` was.

    Raises
    ------
    ValueError
        If there are fewer than two folds, or shapes do not fit.
    """
    n_folds = len(folds)
    if n_folds < 2 or folds.shape[1:] != probability.shape:
        raise ValueError(
            f"expected fold probabilities of shape (at least 2, {len(probability)}), "
            f"got {folds.shape}"
        )
    average = np.mean([candidates.mean_value(p) for p in folds], axis=0)
    judged = np.zeros((n_folds, n_folds, candidates.n_orders))  # [picked by, judged by, order]
    covered = np.zeros((n_folds, candidates.n_orders), dtype=np.bool_)
    for i, own in enumerate(folds):
        plan = pick(own)
        covered[i] = candidates.chosen_value(np.ones_like(own), plan) > 0.0
        judged[i] = [candidates.chosen_value(p, plan) for p in folds]
    others = ~np.eye(n_folds, dtype=np.bool_)
    ordinary = (covered * average).mean(axis=0)
    own_gain = judged[~others].mean(axis=0) - ordinary
    others_gain = judged[others].mean(axis=0) - ordinary
    naive = candidates.chosen_value(probability, chosen)
    offered = candidates.chosen_value(np.ones_like(probability), chosen) > 0.0
    full_gain = naive - offered * candidates.mean_value(probability)

    # Orders that no plan offers are no part of what varies.
    in_plan = np.flatnonzero(covered.any(axis=0) | offered)
    n = len(in_plan)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, np.full(n, 1.0 / max(n, 1)), REPLICATES).astype(np.float64)
    weights = np.vstack([np.ones(n), draws])
    claimed, gained, own, confirmed = (
        weights @ each[in_plan] for each in (naive, full_gain, own_gain, others_gain)
    )
    reliability = _reliability(own, confirmed)
    true_share = n_folds * reliability / (1.0 + (n_folds - 1) * reliability)
    optimism = (1.0 - true_share) * np.maximum(gained, 0.0)
    corrected = claimed - optimism

    n_offered = float(offered.sum())
    rate = corrected[0] / max(n_offered, 1.0)
    judge = np.array([judged[others[:, j], j].sum(axis=1).mean() for j in range(n_folds)])
    level = n_offered**2 * max(rate * (1.0 - rate), 0.0) / level_rows
    # Judges agree no better than the binomial luck of their own calibration: less is chance.
    judges = max(judge.var(ddof=1) / n_folds, level)
    variance = corrected[1:].var() + judges + level
    return AcceptanceClaim(
        naive=_interval(claimed[0], claimed[1:].std(), n_offered),
        corrected=_interval(corrected[0], float(np.sqrt(variance)), n_offered),
        optimism=float(optimism[0]),
        reliability=float(reliability[0]),
    )


def correct_between(naive: FloatArray, first: AcceptanceClaim, last: AcceptanceClaim) -> FloatArray:
    """Correct what one model claims for the plans of a frontier, (n,), given claims of its ends.

    From the first plan to the last, optimism moves from one end's to the other's in proportion to
    the naive acceptance given up.
    """
    given_up = naive[0] - naive
    part = np.clip(given_up / given_up[-1], 0.0, 1.0) if given_up[-1] > 0.0 else 0.0 * naive
    return np.asarray(naive - (1.0 - part) * first.optimism - part * last.optimism)


def _reliability(own: FloatArray, confirmed: FloatArray) -> FloatArray:
    """Share of the gains by a fold's own numbers that others confirm, (replicates,) each."""
    # A plan that gains nothing by its own model was not chosen for acceptance: nothing to take off.
    gains = own > 0.0
    return np.clip(np.where(gains, confirmed / np.where(gains, own, 1.0), 1.0), 0.0, 1.0)


def _interval(value: float, error: float, offered: float) -> Metric:
    low, high = value - Z90 * error, value + Z90 * error
    return Metric(float(value), float(max(low, 0.0)), float(min(high, max(offered, value))))


def doubly_robust(
    accepted: NDArray[np.bool_],
    propensity: FloatArray,
    target: FloatArray,
    predicted: FloatArray,
    predicted_target: FloatArray,
    orders: IntArray,
    seed: int,
) -> Metric:
    """Estimate what share of logged offers another policy would have had accepted.

    mean of  predicted_target + target / propensity * (accepted - predicted): right if either the
    predictions or the propensities are (Dudik, Langford, Li 2011). The predictions must come from a
    model that has not seen these rows.

    90 % interval from resampled orders. Where few rows carry large weights their answers often
    happen to vary less than answers do, so the variance of the weighted answers is taken to be at
    least what the predictions say it is.

    Parameters
    ----------
    accepted, propensity
        The answer, and the chance with which the logged policy made this very offer, (n,).
    target
        Chance with which the judged policy would have made the same offer, (n,).
    predicted, predicted_target
        Predicted acceptance of the logged offer, and of what the judged policy would have offered
        in the same moment (its mean, if it draws), (n,).
    orders
        Order of each offer, (n,); resampled whole.

    Raises
    ------
    ValueError
        If propensities are not in (0, 1], or are all 1 while the judged policy differs: a log that
        never explored cannot say what else would have been accepted.
    """
    if not ((propensity > 0.0) & (propensity <= 1.0)).all():
        raise ValueError("expected propensities in (0, 1]; drop offers without one")
    if (propensity == 1.0).all() and (target < 1.0).any():
        raise ValueError(
            "every propensity is 1: the log never explored, so it cannot say what other offers "
            "would have brought; switch exploration on and collect a new log"
        )
    weight = target / propensity
    score = predicted_target + weight * (accepted - predicted)
    names, inverse = np.unique(orders, return_inverse=True)
    total = np.bincount(inverse, score)
    count = np.bincount(inverse).astype(np.float64)
    rng = np.random.default_rng(seed)
    draws = np.empty(REPLICATES)
    for replicate in range(REPLICATES):
        drawn = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        draws[replicate] = (drawn @ total) / (drawn @ count)
    seen = weight**2 @ (accepted - predicted) ** 2
    expected = weight**2 @ (predicted * (1.0 - predicted))
    unseen = max(float(expected - seen), 0.0) / len(score) ** 2
    value, half = float(score.mean()), Z90 * float(np.sqrt(draws.var() + unseen))
    # an estimate may lie outside [0, 1], the share that it is of may not
    return Metric(value, min(max(value - half, 0.0), value), max(min(value + half, 1.0), value))
