"""The acceptance model: the chance that a courier takes an order."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.calibration import METHODS, Calibration, choose_calibration
from models.ensemble import Ensemble
from models.errors import NotFittedError, TrainingError
from models.evaluation import Metric, evaluate_probabilities, group_folds, split_by_time
from models.features import Columns, FeatureSchema, build_matrix, default_schema
from models.history import HistoryPrior
from models.log import OffersLog, read_log
from models.pairs import PairColumns
from models.params import AcceptanceParams
from models.scoring.fused import score_pairs

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

MIN_ROWS = 200
"""Fewer offers, in all or in a part, teach or tell nothing that would hold tomorrow."""


@dataclass(frozen=True, slots=True)
class LogSummary:
    """What was learned from: `rows`, `orders`, `couriers`, share accepted, and the period.

    Times are UTC epoch seconds of the first and last offer.
    """

    rows: int
    orders: int
    couriers: int
    base_rate: float
    first_offer_s: float
    last_offer_s: float

    @classmethod
    def of(cls, log: OffersLog) -> LogSummary:
        """Summarise a checked log."""
        return cls(
            rows=len(log),
            orders=len(np.unique(log.orders)),
            couriers=len(np.unique(log.couriers)),
            base_rate=float(log.accepted.mean()),
            first_offer_s=float(log.offered_at_s.min()),
            last_offer_s=float(log.offered_at_s.max()),
        )


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """The calibration chosen and the held-out log-loss of each method on the main model."""

    chosen: str
    log_loss: dict[str, float]


class AcceptanceModel:
    """Calibrated probability that a courier accepts an order.

    `fit`, then `calibrate` on later offers, then `evaluate` on still later ones; `train` does all
    three. Beside the main ensemble stand `n_folds` fold ensembles, each grown and calibrated on
    orders of its own, so that a plan picked with one can be judged with another.

    Attributes
    ----------
    schema_, history_prior_, ensemble_, fold_ensembles_, training_
        Set by `fit`.
    calibration_, fold_calibrations_, calibration_report_
        Set by `calibrate`.
    metrics_
        Held-out metrics set by `train`; empty until then.
    """

    schema_: FeatureSchema
    history_prior_: HistoryPrior
    ensemble_: Ensemble
    fold_ensembles_: tuple[Ensemble, ...]
    training_: LogSummary
    calibration_: Calibration
    fold_calibrations_: tuple[Calibration, ...]
    calibration_report_: CalibrationReport
    metrics_: dict[str, Metric]

    def __init__(self, params: AcceptanceParams | None = None) -> None:
        self.params = params or AcceptanceParams()

    def fit(self, log: pd.DataFrame) -> AcceptanceModel:
        """Grow the main and the fold ensembles on an offers log (see `models.log.read_log`).

        Raises
        ------
        FeatureError
            If the log breaks the column contract.
        TrainingError
            If the log, or a fold of it, has too few rows or one class only.
        """
        schema = default_schema(use_courier_history=self.params.use_courier_history)
        return self._fit(read_log(log, schema.raw_names), schema)

    def calibrate(self, log: pd.DataFrame) -> AcceptanceModel:
        """Choose and fit the calibration on offers that `fit` has not seen.

        Sigmoid or isotonic is chosen by held-out log-loss, cross-validated over orders, and refit
        on all rows; each fold ensemble is calibrated by the same method on orders of its own.

        Raises
        ------
        FeatureError, TrainingError
            As in `fit`.
        NotFittedError
            If called before `fit`.
        """
        return self._calibrate(self._read(log))

    def evaluate(self, log: pd.DataFrame) -> dict[str, Metric]:
        """AUC, log-loss, Brier score and calibration error with 90 % intervals by order.

        Raises
        ------
        FeatureError, TrainingError
            As in `fit`.
        NotFittedError
            If called before `calibrate`.
        """
        return self._evaluate(self._read(log))

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
        return self.calibration_.apply(self.ensemble_.score(self.matrix(columns)))

    def predict_pairs(self, pairs: PairColumns) -> FloatArray:
        """As `predict_proba`, shape (k,), for k courier-order pairs given as tables.

        Raises
        ------
        FeatureError, NotFittedError
            As in `predict_proba`.
        """
        self._need("calibration_")
        scores = score_pairs(self.ensemble_.backend, self.schema_, self.history_prior_, pairs)
        return self.calibration_.apply(scores)

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
        scores = self.fold_ensembles_[fold].score(self.matrix(columns))
        return self.fold_calibrations_[fold].apply(scores)

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
        maps = [each.to_json() for each in (self.calibration_, *self.fold_calibrations_)]
        parts = [self.schema_.sha256, json.dumps([asdict(self.history_prior_), maps])]
        parts += [member.text for member in (self.ensemble_, *self.fold_ensembles_)]
        digest = hashlib.sha256()
        for part in parts:
            digest.update(hashlib.sha256(part.encode()).digest())
        return digest.hexdigest()[:12]

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
        lines += [
            f"{name} {metric.value:.4f} [{metric.low:.4f}, {metric.high:.4f}]"
            for name, metric in self.metrics_.items()
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        state = self.version if hasattr(self, "calibration_") else "not calibrated"
        return f"AcceptanceModel({state})"

    def _fit(self, log: OffersLog, schema: FeatureSchema) -> AcceptanceModel:
        folds = group_folds(log.orders, self.params.n_folds, self.params.seed)
        parts = [np.flatnonzero(folds == fold) for fold in range(self.params.n_folds)]
        _need_both_classes("fit", log.accepted, [log.accepted[part] for part in parts])
        self.schema_ = schema
        self.history_prior_ = HistoryPrior.fit(log.couriers, log.accepted)
        matrix = self.matrix(log.columns)

        def grow(rows: NDArray[np.intp]) -> Ensemble:
            return Ensemble.grow(
                matrix[rows],
                log.accepted[rows],
                log.offered_at_s[rows],
                log.orders[rows],
                schema,
                self.params,
            )

        self.ensemble_ = grow(np.arange(len(log)))
        self.fold_ensembles_ = tuple(grow(part) for part in parts)
        self.training_ = LogSummary.of(log)
        self.metrics_ = {}
        # A calibration belongs to the ensembles it was fitted on.
        for name in ("calibration_", "fold_calibrations_", "calibration_report_"):
            self.__dict__.pop(name, None)
        return self

    def _calibrate(self, log: OffersLog) -> AcceptanceModel:
        folds = group_folds(log.orders, len(self.fold_ensembles_), self.params.seed)
        parts = [np.flatnonzero(folds == fold) for fold in range(len(self.fold_ensembles_))]
        _need_both_classes("calibrate", log.accepted, [log.accepted[part] for part in parts])
        matrix = self.matrix(log.columns)
        scores = self.ensemble_.score(matrix)
        chosen, losses = choose_calibration(scores, log.accepted, log.orders, self.params.seed)
        method = METHODS[chosen]
        self.calibration_ = method.fit(scores, log.accepted)
        self.fold_calibrations_ = tuple(
            method.fit(ensemble.score(matrix[part]), log.accepted[part])
            for ensemble, part in zip(self.fold_ensembles_, parts, strict=True)
        )
        self.calibration_report_ = CalibrationReport(chosen, losses)
        self.metrics_ = {}
        return self

    def _evaluate(self, log: OffersLog) -> dict[str, Metric]:
        _need_both_classes("evaluate", log.accepted, [])
        probabilities = self.predict_proba(log.columns)
        return evaluate_probabilities(log.accepted, probabilities, log.orders, self.params.seed)

    def _read(self, log: pd.DataFrame) -> OffersLog:
        self._need("schema_")
        return read_log(log, self.schema_.raw_names)

    def _need(self, attribute: str) -> None:
        if not hasattr(self, attribute):
            step = "fit" if attribute == "schema_" else "calibrate"
            raise NotFittedError(f"call {step}(log) first, or load a saved model")


def train(log: pd.DataFrame, params: AcceptanceParams | None = None) -> AcceptanceModel:
    """Fit on the oldest offers, calibrate on later ones, evaluate on the newest.

    Parts are time-ordered and share no order; the metrics go to `metrics_`.

    Raises
    ------
    FeatureError, TrainingError
        As in `AcceptanceModel.fit`.
    """
    model = AcceptanceModel(params)
    schema = default_schema(use_courier_history=model.params.use_courier_history)
    offers = read_log(log, schema.raw_names)
    later = (model.params.calibration_share, model.params.test_share)
    parts = split_by_time(offers.offered_at_s, offers.orders, (1.0 - sum(later), *later))
    old, newer, newest = (offers.take(rows) for rows in parts)
    model._fit(old, schema)._calibrate(newer)
    model.metrics_ = model._evaluate(newest)
    return model


def _need_both_classes(
    step: str, accepted: NDArray[np.bool_], folds: list[NDArray[np.bool_]]
) -> None:
    if len(accepted) < MIN_ROWS:
        raise TrainingError(
            f"{step}: expected at least {MIN_ROWS} offers, got {len(accepted)}; give a longer log"
        )
    if any(part.all() or not part.any() for part in (accepted, *folds)):
        raise TrainingError(
            f"{step}: expected accepted and refused offers in every fold, got one class only "
            f"({int(accepted.sum())} of {len(accepted)} accepted); give a longer log"
        )
