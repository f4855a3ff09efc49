"""One gradient-boosted ensemble: grown from a matrix, kept as text, scored through a backend."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.evaluation import split_by_time
from models.features import FeatureSchema
from models.forest import Forest
from models.params import AcceptanceParams
from models.scoring import ScoringBackend, get_backend

if TYPE_CHECKING:
    from lightgbm import Booster


class Ensemble:
    """A LightGBM ensemble whose text is the model: what is saved is exactly what is scored.

    LightGBM parses the text on first use; a damaged text can kill the process, so whoever reads
    one from outside verifies its hash first (see `models.persistence`).
    """

    def __init__(self, text: str, threads: int, backend: str | None = None) -> None:
        self.text = text
        self.threads = threads
        self._backend = backend

    @cached_property
    def booster(self) -> Booster:
        """The parsed booster."""
        import lightgbm

        return lightgbm.Booster(model_str=self.text)

    @cached_property
    def forest(self) -> Forest:
        """The trees as checked arrays."""
        return Forest.from_lightgbm(self.text)

    @cached_property
    def backend(self) -> ScoringBackend:
        """The backend that scores."""
        return get_backend(self._backend, self)

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return int(self.booster.num_trees())

    def score(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw log-odds of shape (n,) for a float64 matrix of shape (n, f)."""
        return self.backend.score(matrix)

    @classmethod
    def grow(
        cls,
        matrix: NDArray[np.float64],
        accepted: NDArray[np.bool_],
        offered_at_s: NDArray[np.float64],
        orders: NDArray[np.int64],
        schema: FeatureSchema,
        params: AcceptanceParams,
    ) -> Ensemble:
        """Grow on (n, f) features and (n,) outcomes; same input, same text.

        The number of trees is found on the newest `stop_share` of the rows, no order on both
        sides; then all rows are grown with that number, so that the newest are not wasted.

        Raises
        ------
        TrainingError
            If no order lies wholly in the newest part.
        """
        import lightgbm

        settings = _settings(schema, params)

        def dataset(rows: NDArray[np.intp] | slice) -> Any:
            return lightgbm.Dataset(
                matrix[rows],
                accepted[rows].astype(np.float64),
                feature_name=list(schema.names),
                categorical_feature=[s.name for s in schema.features if s.dtype == "category"],
                params=settings,
            )

        older, newest = split_by_time(
            offered_at_s, orders, (1.0 - params.stop_share, params.stop_share)
        )
        if not (len(older) and len(newest)):
            raise TrainingError(
                "no order lies wholly in the newest part of the log, so nothing tells when to stop "
                "growing; check that offered_at is the time of each offer"
            )
        past = dataset(older)
        stop = lightgbm.early_stopping(params.early_stopping_rounds, verbose=False)
        trial = lightgbm.train(
            settings,
            past,
            num_boost_round=params.max_trees,
            valid_sets=[past.create_valid(matrix[newest], accepted[newest].astype(np.float64))],
            callbacks=[stop],
        )
        grown = lightgbm.train(
            settings, dataset(slice(None)), num_boost_round=max(trial.best_iteration, 1)
        )
        return cls(grown.model_to_string(), params.threads)


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
