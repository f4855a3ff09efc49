"""Near-ties decided at random, so that the log can tell what other choices would have brought."""

from dataclasses import replace

import numpy as np

from dispatch.config import DispatchConfig
from dispatch.decide import Decision
from dispatch.formulate import padded
from dispatch.prepare import Prepared
from dispatch.routes import time_trips
from dispatch.snapshot import snapshot_hash
from dispatch.tables import Ints
from optimization import Term, verify


def explore(ready: Prepared, decision: Decision, config: DispatchConfig) -> Decision:
    """Give some orders to a courier who would be left without one and is nearly as good.

    Each courier without an offer stands by for one order at most, the one it costs least more for,
    so that orders are drawn independently and each propensity is exact given the plan: with k
    couriers standing by, the plan's own choice stays with chance 1 - e + e / (k + 1) and each of
    them comes in with e / (k + 1), e the share explored. A swap cannot break a plan: who comes in
    could take the order alone, and a trip with a stop less is no later.
    """
    rules, chosen = config.offers, decision.chosen
    stand_in = _near_ties(ready, decision, rules.near_tie)
    place = np.full(len(ready.tables.orders), -1)
    place[ready.pairs.order[chosen]] = np.arange(len(chosen))
    for_choice = place[ready.pairs.order[stand_in]]
    count = np.bincount(for_choice, minlength=len(chosen))

    rng = np.random.default_rng([rules.explore_seed, int(snapshot_hash(ready.snapshot)[:16], 16)])
    random = rng.uniform(size=len(chosen)) < rules.explored
    drawn = np.where(random, rng.integers(count + 1), 0)  # 0: the plan's own choice
    by_choice = np.argsort(for_choice, kind="stable")
    first = np.cumsum(count) - count
    swapped = np.flatnonzero(drawn)
    taken = by_choice[first[swapped] + drawn[swapped] - 1]
    columns, propensity = chosen.copy(), 1 - rules.explored * count / (count + 1)
    columns[swapped] = stand_in[taken]
    propensity[swapped] = rules.explored / (count[swapped] + 1)

    verify(decision.problem, columns).raise_if_faulty()
    trips = time_trips(
        ready.tables, ready.free, ready.pairs, columns, ready.travel, config.candidates
    )
    report = decision.report
    objective = report.objective + _value(decision, columns) - _value(decision, chosen)
    if len(swapped):
        gap = (objective - report.bound) / max(abs(objective), 1e-9)
        report = replace(report, objective=objective, status="feasible", gap=gap)
    note = f"{len(swapped)} of {np.count_nonzero(count)} near-ties decided otherwise, at random"
    report = replace(report, message="; ".join(part for part in (report.message, note) if part))
    return replace(
        decision,
        columns=columns,
        offered=padded(columns[:, None]),
        probability=ready.costs.probability[columns],
        propensity=propensity,
        trips=trips,
        report=report,
    )


def _weight(decision: Decision, term: Term) -> float:
    return decision.report.weights[term.name] / (60.0 if term.unit == "s" else 1.0)


def _value(decision: Decision, columns: Ints) -> float:
    """Weighted sum of the terms."""
    values = decision.problem.term_values(columns)
    return sum(
        _weight(decision, term) * term.in_unit(values[term.name]) for term in decision.problem.terms
    )


def _near_ties(ready: Prepared, decision: Decision, near: float) -> Ints:
    """Find pairs of couriers without an offer that could each stand in for a chosen pair."""
    problem, pairs, chosen = decision.problem, ready.pairs, decision.chosen
    column, marginal = np.zeros(len(pairs)), np.zeros(len(problem.terms[0].marginal))
    for term in problem.terms:
        weight = _weight(decision, term)
        column += weight * term.column / term.scale
        marginal += weight * term.marginal / term.scale
    given = problem.committed(chosen)
    first, orders = problem.slot_ptr[:-1], ready.pairs.order
    own = np.full(len(ready.tables.orders), np.nan)
    last = first[pairs.courier[chosen]] + given[pairs.courier[chosen]] - 1
    own[orders[chosen]] = column[chosen] + marginal[last]
    idle = np.flatnonzero(
        (given[pairs.courier] == 0)
        & (problem.max_orders[pairs.courier] > 0)
        & ~np.isnan(own[orders])
    )
    more = column[idle] + marginal[first[pairs.courier[idle]]] - own[orders[idle]]
    close = more <= near
    idle, more = idle[close], more[close]
    # the cheapest of each courier's pairs
    by_courier = np.lexsort((more, pairs.courier[idle]))
    _, head = np.unique(pairs.courier[idle][by_courier], return_index=True)
    kept = np.sort(by_courier[head])
    return np.asarray(idle[kept])
