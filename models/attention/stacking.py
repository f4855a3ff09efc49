"""The set scorer on top of the acceptance model, where it proves to help."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.acceptance import AcceptanceModel
from models.attention.params import SetParams
from models.attention.scorer import Progress, SetScorer, train_set_scorer
from models.attention.sets import OfferSets, read_sets
from models.calibration import METHODS, Calibration, choose_calibration
from models.errors import TrainingError
from models.evaluation import group_folds, split_by_time
from models.log import OffersLog, read_log
from models.params import AcceptanceParams
from models.reliability import Z90
from models.scoring.mlx import import_mlx
from models.specialists import out_of_fold
from models.training import train

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SetGain:
    """What the set scorer took off the log-loss of the calibration offers, and its standard error.

    Offers of one order count as one, since they share what is hidden of it.
    """

    value: float
    error: float

    @classmethod
    def of(cls, before: FloatArray, after: FloatArray, groups: NDArray[np.int64]) -> SetGain:
        """Compare losses (n,) of the same rows."""
        gain = before - after
        value = float(gain.mean())
        sums = np.bincount(np.unique(groups, return_inverse=True)[1], gain - value)
        return cls(value, float(np.sqrt((sums**2).sum()) / len(gain)))

    @property
    def proven(self) -> bool:
        """Whether it exceeds 1.64 standard errors (one-sided 95 %)."""
        return self.value > Z90 * self.error


@dataclass(frozen=True, slots=True, eq=False)
class SetAwareModel:
    """An acceptance model and, where it was kept, a set scorer whose log-odds are added to its own.

    Attributes
    ----------
    model
        The acceptance model, which knows nothing of sets.
    scorer, calibration
        None where the set scorer did not prove to help: then the model answers alone.
    gain
        By which that was decided.
    """

    model: AcceptanceModel
    scorer: SetScorer | None
    calibration: Calibration | None
    gain: SetGain

    def predict_log(self, log: OffersLog, sets: OfferSets) -> FloatArray:
        """Calibrated probability (n,) of every offer of a log, each beside all of its moment.

        Raises
        ------
        FeatureError
            If the columns break the contract of `models.columns`.
        ValueError
            If log and sets do not have the same rows, or MLX is needed and cannot be imported.
        """
        if len(log) != len(sets.moment):
            raise ValueError(f"expected sets of {len(log)} offers, got {len(sets.moment)}")
        alone = self.model.predict_log(log)
        if self.scorer is None or self.calibration is None:
            return alone
        base = log_odds(alone)
        return self.calibration.apply(base + self.scorer.score(base[:, None], sets))


def train_with_sets(
    offers: pd.DataFrame,
    stops: pd.DataFrame,
    params: AcceptanceParams | None = None,
    set_params: SetParams | None = None,
    progress: Progress | None = None,
) -> SetAwareModel:
    """Train an acceptance model as `models.train` does, then a set scorer on the same offers.

    The scorer learns on the oldest offers what to add to log-odds from fold models that have not
    seen their order. It is kept or dropped by the calibration offers, on which the acceptance model
    was calibrated but it was not, and then calibrated on them too. `offers` and `stops` are as
    `models.attention.read_sets` takes them.

    Raises
    ------
    FeatureError, TrainingError
        As in `models.train` and `read_sets`.
    ValueError
        If MLX cannot be imported.
    """
    # What can be refused is refused before the long part.
    import_mlx()
    sets = read_sets(offers, stops)
    return add_sets(train(offers, params), offers, sets, set_params, progress)


def add_sets(
    model: AcceptanceModel,
    offers: pd.DataFrame,
    sets: OfferSets,
    set_params: SetParams | None = None,
    progress: Progress | None = None,
) -> SetAwareModel:
    """Train a set scorer on top of a model that was trained on the log `offers`; drop it or not.

    Raises
    ------
    FeatureError, TrainingError, ValueError
        As in `train_with_sets`.
    """
    log = read_log(offers, model.schema_.raw_names)
    found = stack(model, log, sets, set_params or SetParams(), progress)
    return found if found.gain.proven else replace(found, scorer=None, calibration=None)


def stack(
    model: AcceptanceModel,
    log: OffersLog,
    sets: OfferSets,
    params: SetParams,
    progress: Progress | None = None,
) -> SetAwareModel:
    """Train, judge and calibrate a set scorer, and keep it whatever the judgement.

    Raises
    ------
    TrainingError, ValueError
        As in `train_with_sets`.
    """
    learned, judged, _ = time_parts(log, model.params)
    base = base_log_odds(model, log, learned)
    scorer = fit_scorer(log, sets, base[:, None], base, learned, params, progress)
    alone = log_odds(model.predict_log(log))
    scores = (alone + scorer.score(alone[:, None], sets))[judged]
    accepted, orders = log.accepted[judged], log.orders[judged]
    sign = np.where(accepted, -1.0, 1.0)
    before, after = np.logaddexp(0.0, sign * alone[judged]), np.logaddexp(0.0, sign * scores)
    chosen, _ = choose_calibration(scores, accepted, orders, model.params.seed)
    calibration = METHODS[chosen].fit(scores, accepted)
    return SetAwareModel(model, scorer, calibration, SetGain.of(before, after, orders))


def fit_scorer(
    log: OffersLog,
    sets: OfferSets,
    known: FloatArray,
    base: FloatArray,
    learned: NDArray[np.intp],
    params: SetParams,
    progress: Progress | None = None,
) -> SetScorer:
    """Train a set scorer on the offers `learned`, the newest of which tell when to stop.

    `known` (n, f) is what it sees of an offer, to add to the log-odds `base` (n,).

    Raises
    ------
    TrainingError
        If no order lies wholly in the newest part of them.
    ValueError
        If MLX cannot be imported.
    """
    shares = (1.0 - params.stop_share, params.stop_share)
    older, newest = split_by_time(log.offered_at_s[learned], log.orders[learned], shares)
    if not (len(older) and len(newest)):
        raise TrainingError(
            "no order lies wholly in the newest part of the log, so nothing tells when to stop "
            "training; check that offered_at is the time of each offer"
        )
    rows, judges = learned[older], learned[newest]
    return train_set_scorer(known, sets, log.accepted, base, rows, judges, params, progress)


def time_parts(log: OffersLog, params: AcceptanceParams) -> tuple[NDArray[np.intp], ...]:
    """Rows that `models.train` fits on, calibrates on and evaluates on."""
    later = (params.calibration_share, params.test_share)
    return split_by_time(log.offered_at_s, log.orders, (1.0 - sum(later), *later))


def base_log_odds(model: AcceptanceModel, log: OffersLog, learned: NDArray[np.intp]) -> FloatArray:
    """Log-odds (n,) of each offer from the fold models that were not grown on its order."""
    folds = np.full(len(log), -1)
    folds[learned] = group_folds(log.orders[learned], model.params.n_folds, model.params.seed)
    each = [
        log_odds(model.predict_proba_fold(log.columns, fold))
        for fold in range(model.params.n_folds)
    ]
    return out_of_fold(np.array(each), folds)


def log_odds(probability: FloatArray) -> FloatArray:
    """Log-odds of probabilities inside (0, 1), shape as given."""
    return np.asarray(np.log(probability) - np.log1p(-probability))
