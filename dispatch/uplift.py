"""The acceptance a plan may claim: its own model's number, less what choosing by it adds."""

from dataclasses import dataclass, replace

import numpy as np

from dispatch.config import DispatchConfig
from dispatch.decide import Decision, make_problem
from dispatch.frontier import Traced
from dispatch.prepare import AcceptanceScorer, Prepared, Stopwatch
from dispatch.tables import Floats, Ints
from dispatch.tradeoff import FrontierReport
from dispatch.weighing import internal_weights
from models import AcceptanceModel
from models.uplift import (
    AcceptanceClaim,
    Candidates,
    claim_acceptance,
    correct_between,
    fold_pair_probabilities,
    fold_probabilities,
    level_rows,
)
from optimization import AssignmentProblem, Deadline, Weights, solve

_FAIREST = 1000.0  # how much more the range of fairness counts than that of efficiency


@dataclass(frozen=True, slots=True, eq=False)
class Choosing:
    """A plan's columns, what they were chosen from, and by which weights."""

    problem: AssignmentProblem
    columns: Ints
    weights: Weights


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
    spent_s = sum(watch.seconds[stage] for stage in ("probability", "problem", "solve"))
    chosen = Choosing(decision.problem, decision.columns, internal_weights(decision.report.weights))
    return _claim(ready, chosen, model, config, deadline, spent_s)


def correct_frontier(
    ready: Prepared,
    problem: AssignmentProblem,
    traced: Traced,
    model: AcceptanceScorer,
    config: DispatchConfig,
    deadline: Deadline,
    watch: Stopwatch,
) -> FrontierReport:
    """Correct the acceptance of every point by what the folds say of the first and the last.

    The fairest plan is judged as weights find it that hardly mind anything else. Uncorrected where
    `claim_of_plan` would be None.
    """
    report = traced.report
    spent_s = sum(watch.seconds[stage] for stage in ("probability", "problem"))
    spent_s += watch.seconds["frontier"] / len(report.points)
    (best, spread), (worst, most) = report.ideal, report.nadir
    even = (worst - best) / (most - spread) if most > spread else 0.0
    fairest = Weights({**traced.efficiency.values, "fairness": _FAIREST * even})
    first, last = (
        _claim(ready, Choosing(problem, columns, weights), model, config, deadline, 2 * spent_s)
        for columns, weights in zip(traced.ends, (traced.efficiency, fairest), strict=True)
    )
    if first is None or last is None:
        return report
    naive = np.array([point.naive_acceptances for point in report.points])
    return report.corrected(
        correct_between(naive, first, last).tolist(),
        f"naive, less {first.optimism:.2f} orders of optimism in the first plan and "
        f"{last.optimism:.2f} in the last, found by letting models of disjoint orders choose and "
        "judge each other's plans, and in proportion between them",
    )


def _claim(
    ready: Prepared,
    chosen: Choosing,
    model: AcceptanceScorer,
    config: DispatchConfig,
    deadline: Deadline,
    spent_s: float,
) -> AcceptanceClaim | None:
    if not isinstance(model, AcceptanceModel) or not len(chosen.columns):
        return None
    if len(model.fold_ensembles_) * spent_s > deadline.remaining():
        return None
    problem = chosen.problem
    single = np.flatnonzero(problem.max_orders == 1)
    folds = fold_pair_probabilities(model, ready.columns)
    if ready.bundles is not None:
        folds = np.hstack((folds, fold_probabilities(model, ready.bundles.columns)))

    def pick(probability: Floats) -> Ints:
        own = make_problem(_rescored(ready, probability), config, single)
        if not own.one_column_per_courier:
            # A flow, always fast: a little more freedom to choose, so no less optimism to find.
            own = own.replace(max_size=np.full_like(own.max_size, own.order_size.sum()))
        return solve(own, chosen.weights, deadline=deadline).columns

    claim = claim_acceptance(
        _candidates(problem),
        _scored(ready),
        chosen.columns,
        folds,
        pick,
        level_rows=level_rows(model),
        seed=model.params.seed,
    )
    # a fold that was cut short chose less well than the plan did, and shows too little optimism
    return None if deadline.expired else claim


def _candidates(problem: AssignmentProblem) -> Candidates:
    return Candidates(
        order=problem.column_order.astype(np.int64),
        column=np.repeat(np.arange(problem.n_columns), problem.orders_per_column),
        n_orders=problem.n_orders,
    )


def _scored(ready: Prepared) -> Floats:
    """Return the probability of every column: the pairs', then the bundles'."""
    if ready.bundles is None:
        return ready.costs.probability
    return np.concatenate((ready.costs.probability, ready.bundles.probability))


def _rescored(ready: Prepared, probability: Floats) -> Prepared:
    """Put other probabilities to the columns: the pairs', then the bundles'."""
    pairs = len(ready.pairs)
    bundles = ready.bundles
    return replace(
        ready,
        costs=replace(ready.costs, probability=probability[:pairs]),
        bundles=None if bundles is None else replace(bundles, probability=probability[pairs:]),
    )
