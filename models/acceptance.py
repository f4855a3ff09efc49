"""The acceptance model: the chance that a courier takes an order."""

from __future__ import annotations

import hashlib
import json
from copy import copy
from dataclasses import asdict, replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.calibration import METHODS, Calibration, CalibrationReport, choose_calibration
from models.ensemble import Ensemble, TrainingRows, grow
from models.errors import FeatureError, NotFittedError
from models.evaluation import Metric, evaluate_probabilities, group_folds
from models.features import Columns, FeatureSchema, build_matrix
from models.history import HistoryPrior
from models.intervals import (
    bag_share,
    grow_bags,
    probability_interval,
    resampled_calibrations,
)
from models.leakage import leakage_problems
from models.log import (
    LogSummary,
    OffersLog,
    need_both_classes,
    read_log,
)
from models.pairs import PairColumns
from models.params import AcceptanceParams
from models.reference import FeatureReference, describe
from models.reliability import ReliabilityRow
from models.scoring.fused import pair_probabilities, score_pairs
from models.selftest import choose_probe
from models.specialists import choose_specialists, grow_specialists, out_of_fold

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


class AcceptanceModel:
    """Calibrated probability that a courier accepts an order.

    `fit`, then `calibrate` on later offers, then `evaluate` on still later ones; `train` does all
    three. Beside the main ensemble stand `n_folds` fold ensembles, each grown and calibrated on
    orders of its own, so that a plan picked with one can be judged with another, and `n_bags`
    ensembles on resampled orders, whose spread gives the intervals.

    Attributes
    ----------
    schema_, history_prior_, ensemble_, fold_ensembles_, bag_ensembles_, training_
        Set by `fit`.
    reference_, probe_
        Set by `fit`: what each feature looked like and how much it counts, and the feature rows by
        which a saved model proves itself when it is loaded.
    city_ensembles_
        Trees that a city adds to the main ensemble, by city; set by `fit`, chosen by `calibrate`.
    calibration_, fold_calibrations_, bag_calibrations_, calibration_report_
        Set by `calibrate`; those of the bags are of the main ensemble, on resampled orders.
    metrics_, monotone_cost_, reliability_, slices_
        Held-out measures and tables set by `train`; empty until then. The cost is None also where
        directions are off (`models.directions`).
    """

    schema_: FeatureSchema
    history_prior_: HistoryPrior
    ensemble_: Ensemble
    fold_ensembles_: tuple[Ensemble, ...]
    bag_ensembles_: tuple[Ensemble, ...]
    city_ensembles_: dict[str, Ensemble]
    probe_: FloatArray
    training_: LogSummary
    calibration_: Calibration
    fold_calibrations_: tuple[Calibration, ...]
    bag_calibrations_: tuple[Calibration, ...]
    calibration_report_: CalibrationReport
    reference_: tuple[FeatureReference, ...]
    metrics_: dict[str, Metric]
    monotone_cost_: Metric | None
    reliability_: tuple[ReliabilityRow, ...]
    slices_: tuple[ReliabilityRow, ...]

    def __init__(self, params: AcceptanceParams | None = None) -> None:
        self.params = params or AcceptanceParams()
        self._city: str | None = None

    def fit(self, log: pd.DataFrame | OffersLog) -> AcceptanceModel:
        """Grow the main and the fold ensembles on an offers log (see `models.log.read_log`).

        Raises
        ------
        FeatureError
            If the log breaks the column contract or gives its answers away (`models.leakage`).
        TrainingError
            If the log, or a fold of it, has too few rows or one class only.
        """
        schema = self.params.schema()
        offers = log if isinstance(log, OffersLog) else read_log(log, schema.raw_names)
        return self._fit(offers, schema)

    def calibrate(self, log: pd.DataFrame | OffersLog) -> AcceptanceModel:
        """Choose and fit the calibration on offers that `fit` has not seen.

        Sigmoid, beta or isotonic is chosen by held-out log-loss, cross-validated over orders, and
        refit on all rows; each fold ensemble is calibrated by the same method on orders of its own.

        Raises
        ------
        FeatureError, TrainingError
            As in `fit`.
        NotFittedError
            If called before `fit`.
        """
        return self._calibrate(self._read(log))

    def evaluate(self, log: pd.DataFrame | OffersLog) -> dict[str, Metric]:
        """AUC, log-loss, Brier score and calibration error with 90 % intervals by order.

        Raises
        ------
        FeatureError, TrainingError
            As in `fit`.
        NotFittedError
            If called before `calibrate`.
        """
        offers = self._read(log)
        need_both_classes("evaluate", offers.accepted, [])
        return evaluate_probabilities(
            offers.accepted, self.predict_log(offers), offers.orders, self.params.seed
        )

    def predict_proba(self, columns: Columns) -> FloatArray:
        """Calibrated probability of acceptance, shape (n,), for raw columns of shape (n,) each.

        Raises
        ------
        FeatureError
            If the columns break the contract of `models.columns`.
        NotFittedError
            If called before `calibrate`.
        """
        self._need("calibration_")
        matrix = self.matrix(columns)
        if len(self.summed()) == 1:
            return self.ensemble_.probabilities(matrix, self.calibration_)
        return self.calibration_.apply(self._score(matrix))

    def predict_log(self, log: OffersLog) -> FloatArray:
        """Calibrated probability of every offer of a log (n,), each as its city would give it.

        Raises
        ------
        FeatureError, NotFittedError
            As in `predict_proba`.
        """
        self._need("calibration_")
        return self.calibration_.apply(self._score_log(self.matrix(log.columns), log))

    def predict_interval(
        self, columns: Columns, level: float = 0.9
    ) -> tuple[FloatArray, FloatArray]:
        """Interval for each probability, two arrays of shape (n,) around `predict_proba`.

        The spread of the bags and of the calibration, widened by a fixed factor
        (`models.intervals`). It speaks of what these features can tell, not of anything about a
        courier that they leave out.

        Raises
        ------
        FeatureError
            As in `predict_proba`.
        NotFittedError
            If called before `calibrate`, or the model was grown with fewer than two bags.
        ValueError
            If `level` is not in (0, 1).
        """
        self._need("calibration_")
        if not 0.0 < level < 1.0:
            raise ValueError(f"expected level in (0, 1), got {level}")
        if len(self.bag_ensembles_) < 2:
            raise NotFittedError("no intervals: train with n_bags of 2 or more")
        matrix = self.matrix(columns)
        return probability_interval(
            self.calibration_,
            self.bag_calibrations_,
            self._score(matrix),
            np.array([bag.score(matrix) for bag in self.bag_ensembles_]),
            bag_share(self.training_.rows),
            level,
        )

    def of_city(self, city: str) -> AcceptanceModel:
        """Return the model as it stands for one city; a city it has no trees for uses the rest."""
        own = copy(self)
        own._city = city
        return own

    def predict_pairs(self, pairs: PairColumns) -> FloatArray:
        """As `predict_proba`, shape (k,), for k courier-order pairs given as tables.

        Raises
        ------
        FeatureError, NotFittedError
            As in `predict_proba`.
        """
        self._need("calibration_")
        schema, prior = self.schema_, self.history_prior_
        if len(self.summed()) == 1:
            backend = self.ensemble_.backend
            return pair_probabilities(backend, schema, prior, pairs, self.calibration_)
        scores = [score_pairs(trees.backend, schema, prior, pairs) for trees in self.summed()]
        return self.calibration_.apply(reduce(np.add, scores))

    def predict_proba_fold(self, columns: Columns, fold: int) -> FloatArray:
        """As `predict_proba`, from the ensemble that knows the orders of one fold only.

        Raises
        ------
        FeatureError, NotFittedError
            As in `predict_proba`.
        ValueError
            If there is no such fold.
        """
        self._need("fold_calibrations_")
        if not 0 <= fold < len(self.fold_ensembles_):
            raise ValueError(f"expected fold in [0, {len(self.fold_ensembles_) - 1}], got {fold}")
        calibration = self.fold_calibrations_[fold]
        return self.fold_ensembles_[fold].probabilities(self.matrix(columns), calibration)

    def matrix(self, columns: Columns) -> FloatArray:
        """Feature matrix (n, f) as the ensembles see it.

        Raises
        ------
        FeatureError, NotFittedError
            As in `predict_proba`, after `fit` alone.
        """
        self._need("schema_")
        return build_matrix(columns, self.schema_, self.history_prior_)

    @property
    def version(self) -> str:
        """First 12 hex digits of a SHA-256 over all that decides a probability.

        Raises
        ------
        NotFittedError
            If called before `calibrate`.
        """
        self._need("calibration_")
        fitted = (self.calibration_, *self.fold_calibrations_, *self.bag_calibrations_)
        maps = [each.to_json() for each in fitted]
        settings = json.dumps([asdict(self.history_prior_), maps, sorted(self.city_ensembles_)])
        parts = [self.schema_.sha256.encode(), settings.encode()]
        forests = (each.forest.to_bytes() for each in self.ensembles().values())
        digest = hashlib.sha256()
        for part in (*parts, *forests):
            digest.update(hashlib.sha256(part).digest())
        return digest.hexdigest()[:12]

    def ensembles(self) -> dict[str, Ensemble]:
        """Every ensemble by the name it is saved under: main, folds, bags and cities.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        """
        self._need("schema_")
        cities = (self.city_ensembles_[city] for city in sorted(self.city_ensembles_))
        groups = {"fold": self.fold_ensembles_, "bag": self.bag_ensembles_, "city": cities}
        named = {f"{kind}_{k}": e for kind, group in groups.items() for k, e in enumerate(group)}
        return {"model": self.ensemble_, **named}

    def summary(self) -> str:
        """Say what the model learned from and how well it does, in a few lines.

        Raises
        ------
        NotFittedError
            If called before `calibrate`.
        """
        self._need("calibration_")
        log = self.training_
        period = " to ".join(
            str(np.datetime64(int(at_s), "s")) for at_s in (log.first_offer_s, log.last_offer_s)
        )
        lines = [
            f"acceptance model {self.version}",
            f"{log.rows} offers of {log.orders} orders to {log.couriers} couriers, {period} UTC, "
            f"{log.base_rate:.1%} accepted",
            f"{self.ensemble_.n_trees} trees, {len(self.schema_.features)} features, "
            f"{self.calibration_.name} calibration, {len(self.fold_ensembles_)} fold models",
        ]
        if self.city_ensembles_:
            lines.append(f"trees of their own: {', '.join(sorted(self.city_ensembles_))}")
        lines += [
            f"{name} {metric.value:.4f} [{metric.low:.4f}, {metric.high:.4f}]"
            for name, metric in self.metrics_.items()
        ]
        if (cost := self.monotone_cost_) is not None:
            lines.append(
                f"monotone directions add {cost.value:+.4f} [{cost.low:+.4f}, {cost.high:+.4f}] to "
                "the log-loss"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        state = self.version if hasattr(self, "calibration_") else "not calibrated"
        return f"AcceptanceModel({state})"

    def summed(self) -> tuple[Ensemble, ...]:
        """Return the ensembles whose scores add up to the city's."""
        own = self.city_ensembles_.get(self._city) if self._city is not None else None
        return (self.ensemble_,) if own is None else (self.ensemble_, own)

    def _score(self, matrix: FloatArray) -> FloatArray:
        return reduce(np.add, [trees.score(matrix) for trees in self.summed()])

    def _score_log(self, matrix: FloatArray, log: OffersLog) -> FloatArray:
        """Score rows of several cities, each as its city would be."""
        scores = self.ensemble_.score(matrix)
        for city in self.city_ensembles_.keys() & set(log.city_names):
            own = np.flatnonzero(log.cities == log.city_names.index(city))
            scores[own] += self.city_ensembles_[city].score(matrix[own])
        return scores

    def _fit(self, log: OffersLog, schema: FeatureSchema) -> AcceptanceModel:
        folds = group_folds(log.orders, self.params.n_folds, self.params.seed)
        parts = [np.flatnonzero(folds == fold) for fold in range(self.params.n_folds)]
        need_both_classes("fit", log.accepted, [log.accepted[part] for part in parts])
        if problems := leakage_problems(log):
            raise FeatureError("offers log gives its answers away", problems)
        self.schema_ = schema
        self.history_prior_ = HistoryPrior.fit(log.couriers, log.accepted, log.merchants)
        rows = TrainingRows.of(log, self.matrix(log.columns), self.params)
        self.ensemble_ = grow(rows, schema, self.params)
        self.fold_ensembles_ = tuple(grow(rows.take(part), schema, self.params) for part in parts)
        self.bag_ensembles_ = grow_bags(rows, schema, self.params, self.ensemble_.n_trees)
        self.city_ensembles_ = {}
        if self.params.cities and len(log.city_names) > 1:
            scores = np.array([each.score(rows.matrix) for each in self.fold_ensembles_])
            rows = replace(rows, base=out_of_fold(scores, folds))
            self.city_ensembles_ = grow_specialists(
                rows, log.cities, log.city_names, schema, self.params
            )
        self.probe_ = choose_probe([e.forest for e in self.ensembles().values()], rows.matrix)
        self.reference_ = describe(self.ensemble_, rows.matrix, self.params.seed)
        self.training_ = LogSummary.of(log)
        # A calibration belongs to the ensembles it was fitted on.
        for name in ("calibration_", "fold_calibrations_", "bag_calibrations_"):
            self.__dict__.pop(name, None)
        self._forget_judgement()
        return self

    def _calibrate(self, log: OffersLog) -> AcceptanceModel:
        folds = group_folds(log.orders, len(self.fold_ensembles_), self.params.seed)
        parts = [np.flatnonzero(folds == fold) for fold in range(len(self.fold_ensembles_))]
        need_both_classes("calibrate", log.accepted, [log.accepted[part] for part in parts])
        matrix = self.matrix(log.columns)
        self.city_ensembles_ = choose_specialists(
            self.city_ensembles_,
            matrix,
            self.ensemble_.score(matrix),
            log.accepted,
            log.cities,
            log.city_names,
        )
        scores = self._score_log(matrix, log)
        chosen, losses = choose_calibration(scores, log.accepted, log.orders, self.params.seed)
        method = METHODS[chosen]
        self.calibration_ = method.fit(scores, log.accepted)
        self.fold_calibrations_ = tuple(
            method.fit(ensemble.score(matrix[part]), log.accepted[part])
            for ensemble, part in zip(self.fold_ensembles_, parts, strict=True)
        )
        self.bag_calibrations_ = resampled_calibrations(
            method.fit, scores, log.accepted, log.orders, self.params.seed, self.params.n_bags
        )
        self.calibration_report_ = CalibrationReport(chosen, losses)
        self._forget_judgement()
        return self

    def _forget_judgement(self) -> None:
        self.metrics_, self.reliability_, self.slices_ = {}, (), ()
        self.monotone_cost_ = None

    def _read(self, log: pd.DataFrame | OffersLog) -> OffersLog:
        self._need("schema_")
        if isinstance(log, OffersLog):
            return log
        return read_log(log, self.schema_.raw_names)

    def _need(self, attribute: str) -> None:
        if not hasattr(self, attribute):
            step = "fit" if attribute == "schema_" else "calibrate"
            raise NotFittedError(f"call {step}(log) first, or load a saved model")
