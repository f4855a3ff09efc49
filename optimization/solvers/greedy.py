"""The last rung: a feasible plan for every problem, fast, without proof."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from optimization.problem import AssignmentProblem
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


def greedy_columns(
    scalar: ScalarProblem, start: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Choose columns in rounds, the cheapest per order first, no order and no courier twice.

    In a round a column is taken if none of its orders, and then nothing its courier is the choice
    of, has a cheaper one at the courier's present marginals; the cheapest of all always is. A round
    is array code without sorting, and columns that no longer fit leave before the next. One that
    would not pay for itself is never taken. A feasible selection to start with is kept.
    """
    problem = scalar.problem
    size, count = problem.column_size, problem.orders_per_column
    column = np.flatnonzero(usable(problem))
    room, load = problem.max_orders.copy(), problem.max_size.copy()
    base = scalar.column_cost - problem.per_column(scalar.leave_cost)
    price = np.concatenate([np.zeros(1, np.int64), np.cumsum(scalar.marginal)])
    open_order = np.ones(problem.n_orders, np.bool_)
    added = {work.name: np.zeros(problem.n_couriers, np.int64) for work in problem.works}
    best = np.zeros(0, np.int64) if start is None else start
    taken = [best]
    while True:
        if best.size:
            holder = problem.column_courier[best]
            np.subtract.at(room, holder, count[best])
            np.subtract.at(load, holder, size[best])
            for work in problem.works:
                np.add.at(added[work.name], holder, work.column[best])
            if problem.one_column_per_courier:
                room[holder] = 0
            open_order[_entries(problem, best)[1]] = False
            owner, order = _entries(problem, column)
            fits = np.ones(column.size, np.bool_)
            fits[owner[~open_order[order]]] = False
            column = column[fits]
            courier = problem.column_courier[column]
            fits = (count[column] <= room[courier]) & (size[column] <= load[courier])
            for work in problem.works:
                fits &= added[work.name][courier] + work.column[column] <= work.limit[courier]
            column = column[fits]
        courier, orders = problem.column_courier[column], count[column]
        slot = problem.slot_ptr[1:] - room
        if problem.all_pairs:
            onward = price[np.minimum(slot + 1, price.size - 1)] - price[slot]
            cost = base[column] + onward[courier]
        else:
            cost = base[column] + price[slot[courier] + orders] - price[slot][courier]
        for priced in scalar.work:
            more = problem.work(priced.work).column[column]
            cost = cost + priced.rise(courier, added[priced.work][courier], more)
        pays = np.flatnonzero(cost < 0)
        best = _choices(problem, column[pays], (cost / orders)[pays])
        if not best.size:
            return np.sort(np.concatenate(taken))
        taken.append(best)


def within_sizes(problem: AssignmentProblem, columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep of each courier's single pairs the smallest that fit its size together."""
    courier, size = problem.column_courier[columns], problem.column_size[columns]
    ranked = np.lexsort((columns, size, courier))
    courier, total = courier[ranked], np.cumsum(size[ranked])
    before = np.searchsorted(courier, courier)
    load = total - np.append(0, total)[before]
    return np.sort(columns[ranked[load <= problem.max_size[courier]]])


def _choices(
    problem: AssignmentProblem, column: NDArray[np.int64], cost: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Keep the columns that are first in cost, then id, at all of their orders and their courier.

    What is not the first choice of all its orders does not stand in another's way at the courier.
    """
    for by_courier in (False, True):
        for by_id in (False, True):
            key = column if by_id else cost
            if by_courier or problem.all_pairs:
                group = problem.column_courier if by_courier else problem.column_order
                groups = problem.n_couriers if by_courier else problem.n_orders
                worse = key > _least(groups, group[column], key)
            else:
                owner, order = _entries(problem, column)
                worse = np.zeros(column.size, np.bool_)
                keys = key[owner]
                worse[owner[keys > _least(problem.n_orders, order, keys)]] = True
            column, cost = column[~worse], cost[~worse]
    return column


def _least(
    n: int, group: NDArray[np.int32], key: NDArray[np.int64] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give for each key the least one of its group."""
    least = np.full(n, np.inf)
    np.minimum.at(least, group, key)
    return least[group]


def _entries(
    problem: AssignmentProblem, column: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """List the orders of some columns, and for each the place of its column among them."""
    if problem.all_pairs:
        return np.arange(column.size), problem.column_order[column]
    begin = problem.column_ptr[column]
    length = problem.column_ptr[column + 1] - begin
    owner = np.repeat(np.arange(column.size), length)
    within = np.arange(owner.size) - np.repeat(np.cumsum(length) - length, length)
    return owner, problem.column_order[np.repeat(begin, length) + within]
