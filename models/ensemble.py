"""One gradient-boosted ensemble: grown by LightGBM, kept as checked arrays, scored by a backend."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration
from models.errors import TrainingError
from models.evaluation import split_by_time
from models.features import FeatureSchema
from models.forest import Forest
from models.log import OffersLog, inverse_propensities
from models.params import AcceptanceParams
from models.scoring import CalibratingBackend, ScoringBackend, get_backend

if TYPE_CHECKING:
    from lightgbm import Booster

FloatArray = NDArray[np.float64]


class Ensemble:
    """A forest and what scores it: what is saved is exactly what is scored.

    LightGBM parses nothing but what the checked arrays are written out to.
    """

    def __init__(
        self, forest: Forest, names: tuple[str, ...], threads: int, backend: str | None = None
    ) -> None:
        self.forest = forest
        self.names = names
        self.threads = threads
        self._backend = backend

    @cached_property
    def booster(self) -> Booster:
        """The forest as LightGBM holds it."""
        import lightgbm

        return lightgbm.Booster(model_str=self.forest.to_lightgbm(self.names))

    @cached_property
    def backend(self) -> ScoringBackend:
        """The backend that scores."""
        return get_backend(self._backend, self)

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return self.forest.n_trees

    def score(self, matrix: FloatArray) -> FloatArray:
        """Raw log-odds of shape (n,) for a float64 matrix of shape (n, f)."""
        return self.backend.score(matrix)

    def probabilities(self, matrix: FloatArray, calibration: Calibration) -> FloatArray:
        """Calibrated scores (n,) of a matrix (n, f), by the backend where it calibrates itself."""
        if isinstance(self.backend, CalibratingBackend):
            return self.backend.probabilities(matrix, calibration)
        return calibration.apply(self.score(matrix))

    def contributions(self, matrix: FloatArray) -> FloatArray:
        """TreeSHAP contributions (n, f + 1), the base value last; each row adds up to its score.

        Exact and path-dependent (Lundberg et al. 2020), computed by LightGBM.
        """
        if not len(matrix):
            return np.empty((0, len(self.names) + 1))
        found = self.booster.predict(matrix, pred_contrib=True, num_threads=self.threads)
        return np.asarray(found, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRows:
    """What an ensemble is grown on: features (n, f), and of each row (n,) the rest.

    `weights` are relative and average 1; `base` is the log-odds that the trees add to, where they
    only correct another model.
    """

    matrix: FloatArray
    accepted: NDArray[np.bool_]
    offered_at_s: FloatArray
    orders: NDArray[np.int64]
    weights: FloatArray | None = None
    base: FloatArray | None = None

    @classmethod
    def of(cls, log: OffersLog, matrix: FloatArray, params: AcceptanceParams) -> TrainingRows:
        """Put the answers of a log to its features, weighed where the parameters say so.

        Raises
        ------
        FeatureError
            If the parameters ask for propensity weights and the log carries no propensities.
        """
        weights = inverse_propensities(log) if params.propensity_weights else None
        return cls(matrix, log.accepted, log.offered_at_s, log.orders, weights)

    def take(self, rows: NDArray[np.intp]) -> TrainingRows:
        """Return the rows named by index, in that order."""
        return TrainingRows(
            self.matrix[rows],
            self.accepted[rows],
            self.offered_at_s[rows],
            self.orders[rows],
            None if self.weights is None else self.weights[rows],
            None if self.base is None else self.base[rows],
        )

    def dataset(self, schema: FeatureSchema, settings: dict[str, Any]) -> Any:
        """Hand the rows to LightGBM."""
        import lightgbm

        return lightgbm.Dataset(
            self.matrix,
            self.accepted.astype(np.float64),
            weight=self.weights,
            init_score=self.base,
            feature_name=list(schema.names),
            categorical_feature=[s.name for s in schema.features if s.dtype == "category"],
            params=settings,
        )


def grow(
    rows: TrainingRows, schema: FeatureSchema, params: AcceptanceParams, n_trees: int | None = None
) -> Ensemble:
    """Grow an ensemble; same input, same trees.

    Unless given, the number of trees is found on the newest `stop_share` of the rows, no order on
    both sides; then all rows are grown with that number, so that the newest are not wasted.

    Raises
    ------
    TrainingError
        If no order lies wholly in the newest part.
    """
    import lightgbm

    settings = _settings(schema, params)
    if n_trees is None:
        n_trees = _best_size(rows, schema, params, settings)
    grown = lightgbm.train(settings, rows.dataset(schema, settings), num_boost_round=n_trees)
    return Ensemble(Forest.from_lightgbm(grown.model_to_string()), schema.names, params.threads)


def _best_size(
    rows: TrainingRows, schema: FeatureSchema, params: AcceptanceParams, settings: dict[str, Any]
) -> int:
    import lightgbm

    older, newest = split_by_time(
        rows.offered_at_s, rows.orders, (1.0 - params.stop_share, params.stop_share)
    )
    if not (len(older) and len(newest)):
        raise TrainingError(
            "no order lies wholly in the newest part of the log, so nothing tells when to stop "
            "growing; check that offered_at is the time of each offer"
        )
    past, judge = rows.take(older).dataset(schema, settings), rows.take(newest)
    trial = lightgbm.train(
        settings,
        past,
        num_boost_round=params.max_trees,
        valid_sets=[
            past.create_valid(
                judge.matrix,
                judge.accepted.astype(np.float64),
                weight=judge.weights,
                init_score=judge.base,
            )
        ],
        callbacks=[lightgbm.early_stopping(params.early_stopping_rounds, verbose=False)],
    )
    return max(int(trial.best_iteration), 1)


def _settings(schema: FeatureSchema, params: AcceptanceParams) -> dict[str, Any]:
    directions = [spec.monotone for spec in schema.features]
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "num_leaves": params.leaves,
        "learning_rate": params.learning_rate,
        "min_data_in_leaf": params.min_data_in_leaf,
        "lambda_l2": params.l2,
        "feature_fraction": params.feature_share,
        "monotone_constraints": directions if params.monotone else None,
        "seed": params.seed,
        "num_threads": params.threads,
        # LightGBM promises the same trees for the same data only with all three.
        "deterministic": True,
        "force_row_wise": True,
        "feature_pre_filter": False,
        "verbosity": -1,
    }
