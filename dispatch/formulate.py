"""Candidate pairs and their probabilities as an assignment problem of integers."""

from dataclasses import dataclass

import numpy as np

from dispatch.config import DispatchConfig
from dispatch.pairs import CandidatePairs
from dispatch.tables import Floats, Ints, Tables
from optimization import (
    AssignmentProblem,
    Term,
    acceptance_term,
    convex_spread,
    delivery_time_term,
)

NORMAL_ORDER = 1000  # coverage price of leaving one order of priority 1


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """What the terms are made of, kept for re-timing and explaining.

    `door_in_s` and `late_s` per pair, shape (k,); `wait_s` and `wait_late_s` per order, shape
    (n,): what an order counts that is refused, held or left.
    """

    probability: Floats
    door_in_s: Floats
    late_s: Floats
    wait_s: Floats
    wait_late_s: Floats


def price(
    tables: Tables, pairs: CandidatePairs, probability: Floats, config: DispatchConfig
) -> Costs:
    """Price every candidate pair and every order's wait for the next epoch.

    Waiting costs `retry_s` more than the order's slowest candidate (of an order without candidates:
    than the slowest candidate of all), so leaving an order never looks faster than offering it.
    """
    orders = tables.orders
    door_in = pairs.timing.door_s - tables.now_s
    slowest = np.full(len(orders), -1.0)
    np.maximum.at(slowest, pairs.order, door_in)
    slowest[slowest < 0] = door_in.max(initial=0.0)
    wait = np.where(orders.locked, 0.0, config.objective.retry_s + slowest)
    due_in = orders.due_s - tables.now_s
    return Costs(
        probability=probability,
        door_in_s=door_in,
        late_s=lateness(door_in, due_in[pairs.order]),
        wait_s=wait,
        wait_late_s=np.where(orders.locked, 0.0, lateness(wait, due_in)),
    )


def lateness(door_in_s: Floats, due_in_s: Floats) -> Floats:
    """Seconds past the promise; none without a promise (NaN)."""
    return np.fmax(door_in_s - due_in_s, 0.0) * ~np.isnan(due_in_s)


def spread_term(
    tables: Tables, config: DispatchConfig, max_orders: Ints, n_columns: int, expected: int
) -> Term:
    """Build the fairness term over the work committed to every online courier.

    Past and on-board orders count as done; the target is the rate if `expected` orders are added.
    """
    couriers = tables.couriers
    return convex_spread(
        couriers.past_orders + couriers.load_orders,
        couriers.online_s,
        max_orders,
        n_columns,
        expected_orders=expected,
        floor_s=config.objective.online_floor_s,
    )


def formulate(
    tables: Tables,
    pairs: CandidatePairs,
    costs: Costs,
    config: DispatchConfig,
    single: Ints,
) -> AssignmentProblem:
    """Build the problem of adding up single pairs.

    Parameters
    ----------
    single
        Courier rows that may take one order only, because a joint trip of theirs was infeasible.
    """
    orders, couriers = tables.orders, tables.couriers
    m = len(couriers)
    max_orders = np.minimum(couriers.free_orders, config.candidates.max_new_orders)
    max_orders[np.bincount(pairs.courier, minlength=m) == 0] = 0
    # before couriers are limited, so that the target of fairness stays where it was
    coverable = min(len(np.unique(pairs.order)), int(max_orders.sum()))
    max_orders[single] = np.minimum(max_orders[single], 1)
    late = np.rint(1000 * costs.probability * (costs.late_s - costs.wait_late_s[pairs.order]))
    return AssignmentProblem.from_pairs(
        pairs.order,
        pairs.courier,
        order_size=orders.size,
        max_orders=max_orders,
        max_size=couriers.free_size,
        leave=np.where(orders.locked, 0, NORMAL_ORDER * orders.priority),
        terms=(
            acceptance_term(costs.probability, np.ones(len(pairs), dtype=np.int64), max_orders),
            delivery_time_term(
                costs.probability,
                costs.door_in_s,
                costs.wait_s,
                _queueing_s(pairs, costs.probability, m),
                max_orders,
                pairs.order,
            ),
            Term.linear(
                "lateness",
                "s",
                1000,
                late.astype(np.int64),
                max_orders,
                constant=round(1000 * float(costs.wait_late_s.sum())),
            ),
            spread_term(tables, config, max_orders, len(pairs), coverable),
        ),
    )


def _queueing_s(pairs: CandidatePairs, probability: Floats, m: int) -> Floats:
    """Estimate the wait behind one order more of the same courier, shape (m,).

    The courier's mean time from handover to handover over its candidates, times their mean chance:
    as if trips were made one after the other.
    """
    timing = pairs.timing
    busy = (timing.done_s - timing.picked_up_s) + pairs.trip.pickup_before_s
    count = np.maximum(np.bincount(pairs.courier, minlength=m), 1)
    return np.asarray(np.bincount(pairs.courier, probability * busy, minlength=m) / count)


def expected_time_s(pairs: CandidatePairs, costs: Costs, chosen: Ints, door_in_s: Floats) -> float:
    """Sum expected seconds to the door over all waiting orders, given when each offer's door is.

    `door_in_s` is per pair, shape (k,); only the chosen ones are read.
    """
    wait = costs.wait_s[pairs.order[chosen]]
    gained = costs.probability[chosen] * (door_in_s[chosen] - wait)
    return float(costs.wait_s.sum() + gained.sum())
