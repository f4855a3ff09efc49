"""Candidate pairs and their probabilities as an assignment problem of integers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dispatch.availability import Availability
from dispatch.bundling import Bundles
from dispatch.config import DispatchConfig
from dispatch.notions import Account, fairness_term, pair_work, trip_work
from dispatch.pairs import CandidatePairs
from dispatch.tables import Floats, Ints, Tables
from optimization import (
    AssignmentProblem,
    Term,
    acceptance_term,
    delivery_time_term,
)

NORMAL_ORDER = 1000  # coverage price of leaving one order of priority 1
MOST_ORDERS = 3  # in one bundle
BONUS = "courier_bonus"  # the term of favoured couriers; its weight is always 1


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """What the terms are made of, kept for re-timing and explaining.

    `door_in_s` and `late_s` per pair, shape (k,), and what the pair delays orders on board by,
    `delay_s`, and how far past their promises, `delay_late_s`; `wait_s` and `wait_late_s` per
    order, shape (n,): what an order counts that is refused, held or left.
    """

    probability: Floats
    door_in_s: Floats
    late_s: Floats
    delay_s: Floats
    delay_late_s: Floats
    wait_s: Floats
    wait_late_s: Floats

    def __getitem__(self, pairs: Ints) -> "Costs":
        return replace(
            self,
            probability=self.probability[pairs],
            door_in_s=self.door_in_s[pairs],
            late_s=self.late_s[pairs],
            delay_s=self.delay_s[pairs],
            delay_late_s=self.delay_late_s[pairs],
        )


@dataclass(frozen=True, slots=True, eq=False)
class ScoredBundles:
    """Bundles, their raw columns and the chance that the courier takes each, shape (b,)."""

    bundles: Bundles
    columns: Mapping[str, Floats]
    probability: Floats

    @property
    def pairs(self) -> Ints:
        """Candidate pairs of each bundle, padded with -1, shape (b, 3)."""
        return np.concatenate(
            [padded(trips.pairs) for trips in self.bundles.trips]
            or [np.empty((0, MOST_ORDERS), dtype=np.int64)]
        )

    def among(self, of_pair: NDArray[np.bool_]) -> "ScoredBundles":
        """Keep the bundles of these pairs only, and number the pairs anew; `of_pair` is (k,)."""
        number = np.cumsum(of_pair) - 1
        whole = [of_pair[trips.pairs].all(axis=1) for trips in self.bundles.trips]
        kept = np.concatenate([*whole, np.zeros(0, dtype=np.bool_)])
        bundles = replace(
            self.bundles,
            trips=[
                replace(trips[rows], pairs=number[trips.pairs[rows]])
                for trips, rows in zip(self.bundles.trips, map(np.flatnonzero, whole), strict=True)
            ],
            door_in_s=self.bundles.door_in_s[kept],
            late_s=self.bundles.late_s[kept],
        )
        columns = {name: values[kept] for name, values in self.columns.items()}
        return ScoredBundles(bundles, columns, self.probability[kept])


def padded(pairs: Ints) -> Ints:
    """Widen rows of candidate pairs to `MOST_ORDERS` with -1."""
    missing = MOST_ORDERS - pairs.shape[1]
    return np.pad(pairs, ((0, 0), (0, missing)), constant_values=-1)


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
        delay_s=pairs.alone.delay_s,
        delay_late_s=pairs.alone.late_s,
        wait_s=wait,
        wait_late_s=np.where(orders.locked, 0.0, lateness(wait, due_in)),
    )


def lateness(door_in_s: Floats, due_in_s: Floats) -> Floats:
    """Seconds past the promise; none without a promise (NaN)."""
    return np.fmax(door_in_s - due_in_s, 0.0) * ~np.isnan(due_in_s)


def bonus_terms(bonus: Floats | None, courier: Ints, count: Ints, max_orders: Ints) -> list[Term]:
    """Build the term of favoured couriers, if there are any: less per order offered to them.

    `bonus` has shape (m,), `courier` and `count`, a column's courier and orders, shape (k,).
    """
    if bonus is None:
        return []
    column = np.rint(-1000 * bonus[courier] * count).astype(np.int64)
    return [Term.linear(BONUS, "of the weighted sum", 1000, column, max_orders)]


def formulate(
    tables: Tables,
    free: Availability,
    pairs: CandidatePairs,
    costs: Costs,
    account: Account,
    config: DispatchConfig,
    single: Ints,
    bonus: Floats | None = None,
) -> AssignmentProblem:
    """Build the problem of adding up single pairs.

    Parameters
    ----------
    account
        The couriers' work so far, of the kind that fairness is about.
    single
        Courier rows that may take one order only, because a joint trip of theirs was infeasible.
    bonus
        What offering an order to each courier is worth besides, shape (m,), if anything.
    """
    orders, m = tables.orders, len(tables.couriers)
    work = pair_work(account.notion, tables, pairs)
    # before couriers are limited, so that the target of fairness stays where it was
    most = _most_orders(tables, free, pairs.courier, config)
    expected = _expected_work(pairs, work, most)
    max_orders = _capped(most, account)
    max_orders[single] = np.minimum(max_orders[single], 1)
    spread, works = fairness_term(account, work, pairs.courier, max_orders, expected)
    late_s = costs.late_s + costs.delay_late_s
    late = np.rint(1000 * costs.probability * (late_s - costs.wait_late_s[pairs.order]))
    return AssignmentProblem.from_pairs(
        pairs.order,
        pairs.courier,
        order_size=orders.size,
        max_orders=max_orders,
        max_size=free.room_size,
        leave=np.where(orders.locked, 0, NORMAL_ORDER * orders.priority),
        terms=(
            acceptance_term(costs.probability, np.ones(len(pairs), dtype=np.int64), max_orders),
            delivery_time_term(
                costs.probability,
                costs.door_in_s + costs.delay_s,
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
            spread,
            *bonus_terms(bonus, pairs.courier, np.ones(len(pairs), np.int64), max_orders),
        ),
        works=works,
    )


def formulate_bundles(
    tables: Tables,
    free: Availability,
    pairs: CandidatePairs,
    costs: Costs,
    scored: ScoredBundles,
    account: Account,
    config: DispatchConfig,
    bonus: Floats | None = None,
) -> AssignmentProblem:
    """Build the problem of one column per courier: every candidate pair alone, then the bundles.

    Nothing is estimated: each column's times are those of its stop sequence.
    """
    orders = tables.orders
    member = np.concatenate((padded(np.arange(len(pairs))[:, None]), scored.pairs))
    count = (member >= 0).sum(axis=1)
    ptr = np.concatenate(([0], np.cumsum(count)))
    order = pairs.order[member[member >= 0]]
    courier = pairs.courier[member[:, 0]]
    probability = np.concatenate((costs.probability, scored.probability))
    most = _most_orders(tables, free, courier, config)
    alone = pair_work(account.notion, tables, pairs)
    works_of = [trip_work(account.notion, tables, free, pairs, t) for t in scored.bundles.trips]
    max_orders = _capped(most, account)
    spread, works = fairness_term(
        account,
        np.concatenate([alone, *works_of]),
        courier,
        max_orders,
        _expected_work(pairs, alone, most),
    )
    late = np.concatenate((costs.late_s + costs.delay_late_s, scored.bundles.late_s))
    waited = np.add.reduceat(costs.wait_late_s[order], ptr[:-1]) if len(pairs) else late
    return AssignmentProblem(
        n_orders=len(orders),
        n_couriers=len(tables.couriers),
        column_courier=courier.astype(np.int32),
        column_ptr=ptr,
        column_order=order.astype(np.int32),
        order_size=orders.size,
        max_orders=max_orders,
        max_size=free.room_size,
        leave=np.where(orders.locked, 0, NORMAL_ORDER * orders.priority),
        terms=(
            acceptance_term(probability, count, max_orders),
            delivery_time_term(
                probability,
                np.concatenate((costs.door_in_s + costs.delay_s, scored.bundles.door_in_s)),
                costs.wait_s,
                np.zeros(len(tables.couriers)),
                max_orders,
                order,
                ptr,
            ),
            Term.linear(
                "lateness",
                "s",
                1000,
                np.rint(1000 * probability * (late - waited)).astype(np.int64),
                max_orders,
                constant=round(1000 * float(costs.wait_late_s.sum())),
            ),
            spread,
            *bonus_terms(bonus, courier, count, max_orders),
        ),
        one_column_per_courier=True,
        works=works,
    )


def _most_orders(tables: Tables, free: Availability, courier: Ints, config: DispatchConfig) -> Ints:
    """Most new orders per courier, shape (m,); none without a column."""
    most = np.minimum(free.room_orders, config.candidates.max_new_orders)
    most[np.bincount(courier, minlength=len(tables.couriers)) == 0] = 0
    return most


def _capped(most: Ints, account: Account) -> Ints:
    """Keep a cap on orders by the number of orders; other work has limits of its own."""
    return np.minimum(most, account.room()) if account.notion.name == "orders" else most.copy()


def _expected_work(pairs: CandidatePairs, work: Ints, most: Ints) -> float:
    """Count the steps of work if as many orders as can be go to their average candidates."""
    count = np.bincount(pairs.order)
    mean = np.bincount(pairs.order, work)[count > 0] / count[count > 0]
    coverable = min(len(mean), int(most.sum()))
    return coverable * float(mean.mean()) if coverable else 0.0


def _queueing_s(pairs: CandidatePairs, probability: Floats, m: int) -> Floats:
    """Estimate the wait behind one order more of the same courier, shape (m,).

    The courier's mean time from handover to handover over its candidates, times their mean chance:
    as if trips were made one after the other.
    """
    timing = pairs.timing
    busy = (timing.done_s - timing.picked_up_s) + pairs.trip.pickup_before_s
    count = np.maximum(np.bincount(pairs.courier, minlength=m), 1)
    return np.asarray(np.bincount(pairs.courier, probability * busy, minlength=m) / count)


def expected_time_s(
    pairs: CandidatePairs, costs: Costs, chosen: Ints, probability: Floats, door_in_s: Floats
) -> float:
    """Sum expected seconds to the door over all waiting orders, given when each offer's door is.

    `chosen` pairs and the `probability` of their offers have shape (c,); `door_in_s` is per pair,
    shape (k,), what orders on board are delayed by included; only the chosen ones are read.
    """
    wait = costs.wait_s[pairs.order[chosen]]
    gained = probability * (door_in_s[chosen] - wait)
    return float(costs.wait_s.sum() + gained.sum())
