"""The last rung: a feasible plan for every problem, fast, without proof."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

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
    column = np.flatnonzero(usable(problem))
    base = problem.per_column(scalar.leave_cost)
    base = _at(np.subtract(scalar.column_cost, base, out=base), column)
    room, load = problem.max_orders.copy(), problem.max_size.copy()
    price = np.concatenate([np.zeros(1, np.int64), np.cumsum(scalar.marginal)])
    open_order = np.ones(problem.n_orders, np.bool_)
    added = {work.name: np.zeros(problem.n_couriers, np.int64) for work in problem.works}
    best = np.zeros(0, np.int64) if start is None else start
    taken = [best]
    while True:
        if best.size:
            owner, order = problem.entries(best)
            holder = problem.column_courier[best][owner]
            room -= np.bincount(holder, minlength=room.size)
            np.subtract.at(load, holder, problem.order_size[order])
            for name, total in added.items():
                total += problem.added(name, best)
            if problem.one_column_per_courier:
                room[holder] = 0
            open_order[order] = False
            fits = _fitting(problem, column, open_order, room, load, added)
            column, base = column[fits], base[fits]
        courier = _at(problem.column_courier, column)
        first = problem.slot_ptr[1:] - room
        if problem.all_pairs:
            onward = (price[np.minimum(first + 1, price.size - 1)] - price[first])[courier]
        else:
            count = problem.orders_per_column[column]
            onward = price[first[courier] + count] - price[first][courier]
        cost = np.add(base, onward, out=onward)
        for priced in scalar.work:
            more = problem.work(priced.work).column[column]
            cost += priced.rise(courier, added[priced.work][courier], more)
        pays = column
        if np.any(cost >= 0):
            pays, cost = column[cost < 0], cost[cost < 0]
        each = cost if problem.all_pairs else cost / problem.orders_per_column[pays]
        best = _choices(problem, pays, each)
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


def _fitting(
    problem: AssignmentProblem,
    column: NDArray[np.int64],
    open_order: NDArray[np.bool_],
    room: NDArray[np.int64],
    load: NDArray[np.int64],
    added: Mapping[str, NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Find the places of the columns whose orders are open and who fit their courier."""
    # Places rather than marks: half the time where about half of all stay.
    if problem.all_pairs:
        place = np.flatnonzero(open_order[_at(problem.column_order, column)])
    else:
        owner, order = problem.entries(column)
        is_open = np.ones(column.size, np.bool_)
        is_open[owner[~open_order[order]]] = False
        place = np.flatnonzero(is_open)
    column = column[place]
    courier = problem.column_courier[column]
    if problem.all_pairs:
        fits = (room > 0)[courier]
        fits &= load[courier] >= problem.order_size[problem.column_order[column]]
    else:
        fits = room[courier] >= problem.orders_per_column[column]
        fits &= load[courier] >= problem.column_size[column]
    for work in problem.works:
        fits &= added[work.name][courier] + work.column[column] <= work.limit[courier]
    return place[np.flatnonzero(fits)]


def _at(values: NDArray[Any], column: NDArray[np.int64]) -> NDArray[Any]:
    """Take the values of some columns; of all without a copy, for new memory is what takes time."""
    return values if column.size == values.size else values[column]


def _choices(
    problem: AssignmentProblem,
    column: NDArray[np.int64],
    cost: NDArray[np.int64] | NDArray[np.float64],
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
                first = key == _least(groups, _at(group, column), key)
            else:
                owner, order = problem.entries(column)
                keys, first = key[owner], np.ones(column.size, np.bool_)
                first[owner[keys > _least(problem.n_orders, order, keys)]] = False
            first = np.flatnonzero(first)
            column, cost = column[first], cost[first]
    return column


def _least(n: int, group: NDArray[np.int32], key: NDArray[Any]) -> NDArray[Any]:
    """Give for each key the least one of its group."""
    least = np.full(n, key.max(initial=0), key.dtype)
    np.minimum.at(least, group, key)
    return least[group]
