"""A small seeded search for the parameters of growth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from models.ensemble import TrainingRows, grow
from models.evaluation import log_loss, split_by_time
from models.features import build_matrix
from models.history import HistoryPrior
from models.log import read_log
from models.params import AcceptanceParams

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Trial:
    """Parameters that were tried, the log-loss on later offers, and the trees it took."""

    params: AcceptanceParams
    log_loss: float
    n_trees: int


def tune(
    log: pd.DataFrame,
    params: AcceptanceParams | None = None,
    *,
    trials: int = 20,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Trial, ...]:
    """Try `params` and `trials` - 1 random variants; the best first.

    Each grows on the older offers of those that `train` fits on and is judged on the newer, no
    order on both sides; calibration and test offers of `train` are left unseen. Variants are drawn
    by scikit-learn's `ParameterSampler`: random search finds as good a point as a grid of far more
    (Bergstra, Bengio 2012).

    Raises
    ------
    FeatureError, TrainingError
        As in `train`.
    """
    start = params or AcceptanceParams()
    schema = start.schema()
    offers = read_log(log, schema.raw_names)
    later = start.calibration_share + start.test_share
    fit = (1.0 - later) * (1.0 - start.stop_share)
    old, judge, _ = split_by_time(offers.offered_at_s, offers.orders, (fit, 1 - later - fit, later))
    known = offers.take(old)
    prior = HistoryPrior.fit(known.couriers, known.accepted, known.merchants)
    matrix = build_matrix(offers.columns, schema, prior)
    rows = TrainingRows.of(offers, matrix, start)
    past, newer = rows.take(old), rows.take(judge)
    done = []
    for k, tried in enumerate(_variants(start, trials, seed)):
        ensemble = grow(past, schema, tried)
        probability = 0.5 + 0.5 * np.tanh(0.5 * ensemble.score(newer.matrix))
        loss = log_loss(newer.accepted, np.clip(probability, 1e-9, 1 - 1e-9))
        done.append(Trial(tried, loss, ensemble.n_trees))
        if progress is not None:
            progress(k + 1, trials)
    return tuple(sorted(done, key=lambda trial: trial.log_loss))


def _variants(start: AcceptanceParams, trials: int, seed: int) -> Iterator[AcceptanceParams]:
    # Here, since they take longer to import than most of what uses this package.
    from scipy.stats import loguniform, uniform
    from sklearn.model_selection import ParameterSampler

    space = {
        "leaves": [4, 7, 15, 31, 63],
        "learning_rate": loguniform(0.02, 0.1),
        "min_data_in_leaf": loguniform(10, 300),
        "l2": loguniform(0.3, 30.0),
        "feature_share": uniform(0.4, 0.6),
    }
    yield start
    for drawn in ParameterSampler(space, trials - 1, random_state=seed):
        # Slow learners need more trees; stopping early keeps the fast ones short.
        yield replace(
            start,
            leaves=int(drawn["leaves"]),
            learning_rate=round(float(drawn["learning_rate"]), 4),
            min_data_in_leaf=int(drawn["min_data_in_leaf"]),
            l2=round(float(drawn["l2"]), 3),
            feature_share=round(float(drawn["feature_share"]), 2),
            max_trees=max(start.max_trees, 1000),
        )
