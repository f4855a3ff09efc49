"""The last rung: a feasible plan for every problem, fast, without proof."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from optimization.scalar import ScalarProblem, trivial_bound
from optimization.solution import Solution, StopReason
from optimization.solvers.base import conclude
from optimization.stop import Deadline
from optimization.structure import usable


class GreedySolver:
    """Take columns by price covered, then cost, whatever still fits.

    Bounds are not its business: it takes problems without them.
    """

    name = "greedy"

    def can_solve(self, scalar: ScalarProblem) -> bool:
        """Whether there are no bounds: everything else it can serve."""
        return not scalar.bounds

    def solve(
        self,
        scalar: ScalarProblem,
        deadline: Deadline,  # noqa: ARG002 - always fast enough to answer
        incumbent: Solution | None = None,
    ) -> Solution:
        """Return the greedy plan, or the incumbent where that is cheaper, with a trivial bound."""
        started_s = time.monotonic()
        columns = greedy_columns(scalar)
        if incumbent is not None and scalar.value(incumbent.columns) <= scalar.value(columns):
            return incumbent
        return conclude(
            scalar,
            columns,
            engine=self.name,
            stop_reason=StopReason.GREEDY_FALLBACK,
            bound_value=trivial_bound(scalar),
            started_s=started_s,
        )


def greedy_columns(scalar: ScalarProblem) -> NDArray[np.int64]:
    """Choose columns in rounds: the cheapest that fits each courier, no order twice.

    Within a round every courier names its cheapest column per order at its present marginals, and
    of those that share an order the cheapest is taken; so a round is array code, and there are at
    most as many rounds as orders. A column that would not pay for itself is never taken.
    """
    problem = scalar.problem
    size, count = problem.column_size, problem.orders_per_column
    column = np.flatnonzero(usable(problem))
    open_order = np.ones(problem.n_orders, np.bool_)
    room, load = problem.max_orders.copy(), problem.max_size.copy()
    free = np.ones(problem.n_couriers, np.bool_)
    gain = problem.per_column(scalar.leave_cost)
    price = np.concatenate([np.zeros(1, np.int64), np.cumsum(scalar.marginal)])
    entry = np.repeat(np.arange(problem.n_columns), count)
    added = {work.name: np.zeros(problem.n_couriers, np.int64) for work in problem.works}
    taken = []
    while column.size:
        courier = problem.column_courier[column]
        slot = (problem.slot_ptr[1:] - room)[courier]
        cost = scalar.column_cost[column] - gain[column]
        cost = cost + price[slot + count[column]] - price[slot]
        for priced in scalar.work:
            more = problem.work(priced.work).column[column]
            cost = cost + priced.rise(courier, added[priced.work][courier], more)
        column, cost = column[cost < 0], cost[cost < 0]
        # One column per courier, then no order twice: first in the order of cost per order wins.
        ranked = np.lexsort((column, cost / count[column]))
        column, courier = column[ranked], problem.column_courier[column[ranked]]
        best = column[np.unique(courier, return_index=True)[1]]
        best = _disjoint(problem.column_ptr, problem.column_order, best, column)
        if not best.size:
            break
        taken.append(best)
        np.subtract.at(room, problem.column_courier[best], count[best])
        np.subtract.at(load, problem.column_courier[best], size[best])
        for work in problem.works:
            np.add.at(added[work.name], problem.column_courier[best], work.column[best])
        free[problem.column_courier[best]] = not problem.one_column_per_courier
        chosen = np.zeros(problem.n_columns, np.bool_)
        chosen[best] = True
        open_order[problem.column_order[chosen[entry]]] = False
        blocked = np.zeros(problem.n_columns, np.bool_)
        blocked[entry[~open_order[problem.column_order]]] = True
        courier = problem.column_courier[column]
        fits = np.ones(column.size, np.bool_)
        for work in problem.works:
            fits &= added[work.name][courier] + work.column[column] <= work.limit[courier]
        column = column[
            fits
            & ~blocked[column]
            & free[courier]
            & (count[column] <= room[courier])
            & (size[column] <= load[courier])
        ]
    return np.sort(np.concatenate(taken)) if taken else np.zeros(0, np.int64)


def _disjoint(
    ptr: NDArray[np.int64],
    orders: NDArray[np.int32],
    best: NDArray[np.int64],
    ranked: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Keep the best columns that share no order with a better ranked one of them."""
    place = np.full(ptr.size - 1, ranked.size, np.int64)
    place[ranked] = np.arange(ranked.size)
    best = best[np.argsort(place[best])]
    length = ptr[best + 1] - ptr[best]
    owner = np.repeat(np.arange(best.size), length)
    entry = np.arange(owner.size) - np.repeat(np.cumsum(length) - length, length)
    order = orders[np.repeat(ptr[best], length) + entry]
    first_owner = np.full(int(orders.max(initial=-1)) + 1, best.size, np.int64)
    np.minimum.at(first_owner, order, owner)
    clash = np.zeros(best.size, np.bool_)
    clash[owner[first_owner[order] < owner]] = True
    return best[~clash]
