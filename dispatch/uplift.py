"""The acceptance a plan may claim: its own model's number, less what choosing by it adds."""

from dataclasses import replace

import numpy as np

from dispatch.config import DispatchConfig
from dispatch.decide import Decision, make_problem
from dispatch.prepare import AcceptanceScorer, Prepared, Stopwatch
from dispatch.tables import Floats, Ints
from dispatch.weighing import internal_weights
from models import AcceptanceModel
from models.uplift import (
    AcceptanceClaim,
    Candidates,
    claim_acceptance,
    fold_pair_probabilities,
    fold_probabilities,
    level_rows,
)
from optimization import Deadline, solve


def claim_of_plan(
    ready: Prepared,
    decision: Decision,
    model: AcceptanceScorer,
    config: DispatchConfig,
    deadline: Deadline,
    watch: Stopwatch,
) -> AcceptanceClaim | None:
    """Solve the snapshot again with each fold model and judge every plan with the others.

    None where the model has no fold models, where nothing was offered, or where scoring and
    solving took so long that doing it again would miss the deadline. The folds choose by the
    weights of the plan; a bound on an objective is left out, and of added-up pairs size limits too.
    """
    if not isinstance(model, AcceptanceModel) or not len(decision.chosen):
        return None
    problem = decision.problem
    n_folds = len(model.fold_ensembles_)
    spent_s = sum(watch.seconds[stage] for stage in ("probability", "problem", "solve"))
    if n_folds * spent_s > deadline.remaining():
        return None
    weights = internal_weights(decision.report.weights)
    single = np.flatnonzero(problem.max_orders == 1)
    scored = ready.costs.probability
    folds = fold_pair_probabilities(model, ready.columns)
    if ready.bundles is not None:
        scored = np.concatenate((scored, ready.bundles.probability))
        folds = np.hstack((folds, fold_probabilities(model, ready.bundles.columns)))

    def pick(probability: Floats) -> Ints:
        own = make_problem(_rescored(ready, probability), config, single)
        if not own.one_column_per_courier:
            # A flow, always fast: a little more freedom to choose, so no less optimism to find.
            own = own.replace(max_size=np.full_like(own.max_size, own.order_size.sum()))
        return solve(own, weights, deadline=deadline).columns

    claim = claim_acceptance(
        Candidates(
            order=problem.column_order.astype(np.int64),
            column=np.repeat(np.arange(problem.n_columns), problem.orders_per_column),
            n_orders=problem.n_orders,
        ),
        scored,
        decision.columns,
        folds,
        pick,
        level_rows=level_rows(model),
        seed=model.params.seed,
    )
    # a fold that was cut short chose less well than the plan did, and shows too little optimism
    return None if deadline.expired else claim


def _rescored(ready: Prepared, probability: Floats) -> Prepared:
    """Put other probabilities to the columns: the pairs', then the bundles'."""
    pairs = len(ready.pairs)
    bundles = ready.bundles
    return replace(
        ready,
        costs=replace(ready.costs, probability=probability[:pairs]),
        bundles=None if bundles is None else replace(bundles, probability=probability[pairs:]),
    )
