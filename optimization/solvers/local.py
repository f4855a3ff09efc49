"""The anytime rung: the greedy plan, then insert, swap and eject until nothing improves."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from optimization.pricing.blocks import blocks_of
from optimization.pricing.local import build, empty_state, improve
from optimization.scalar import ScalarProblem, trivial_bound
from optimization.solution import Solution, StopReason
from optimization.solvers.base import conclude
from optimization.solvers.greedy import greedy_columns
from optimization.stop import Deadline
from optimization.structure import usable

CHUNK = 2000
"""Orders looked at between two looks at the clock."""


class LocalSolver:
    """Local improvement of the incumbent, or of a greedy plan.

    Pairs: move, insert, swap and eject one order at a time. Bundles: put in one column and take
    out those it collides with. Without numba the loops over pairs run uncompiled.
    """

    name = "local search"

    def can_solve(self, scalar: ScalarProblem) -> bool:
        """Whether there are no bounds, and couriers add up pairs or hold one column."""
        return not scalar.bounds and (
            scalar.problem.all_pairs or scalar.problem.one_column_per_courier
        )

    def solve(
        self,
        scalar: ScalarProblem,
        deadline: Deadline,
        incumbent: Solution | None = None,
        *,
        bound_value: int | None = None,
    ) -> Solution:
        """Return the best plan by the deadline.

        Parameters
        ----------
        scalar, deadline, incumbent
            As in the protocol.
        bound_value
            A lower bound on the composed value, where one is known.
        """
        started_s = time.monotonic()
        pairs = scalar.problem.all_pairs
        if incumbent is not None:
            columns = incumbent.columns
        else:
            # Pairs are inserted one by one, cheapest first: sooner and better than by rounds.
            columns = np.zeros(0, np.int64) if pairs else greedy_columns(scalar)
        columns = (_pairs if pairs else _bundles)(scalar, columns, deadline)
        if incumbent is not None and scalar.value(incumbent.columns) <= scalar.value(columns):
            return incumbent
        known = trivial_bound(scalar)
        return conclude(
            scalar,
            columns,
            engine=self.name,
            stop_reason=StopReason.DEADLINE if deadline.expired else StopReason.WORK_LIMIT,
            bound_value=min(
                scalar.value(columns), known if bound_value is None else max(known, bound_value)
            ),
            started_s=started_s,
        )


def _pairs(
    scalar: ScalarProblem, columns: NDArray[np.int64], deadline: Deadline
) -> NDArray[np.int64]:
    b = blocks_of(scalar)
    state = empty_state(b)
    known = np.zeros(scalar.problem.n_columns, np.bool_)
    known[columns] = True
    build(b, state, np.flatnonzero(known[b.column]))
    n, moved = state.chosen.size, 1
    while moved and deadline.remaining() > 0.0:
        moved = 0
        for first in range(0, n, CHUNK):
            if deadline.remaining() <= 0.0:
                break
            moved += improve(b, state, first, min(n, first + CHUNK))
    return b.column[state.chosen[state.chosen >= 0]]


def _bundles(
    scalar: ScalarProblem, columns: NDArray[np.int64], deadline: Deadline
) -> NDArray[np.int64]:
    """Put in the column that gains most over what it collides with, until none gains."""
    problem, leave = scalar.problem, scalar.leave_cost
    ids = np.flatnonzero(usable(problem))
    count = problem.orders_per_column
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(scalar.marginal)])
    start = problem.slot_ptr[problem.column_courier]
    value = np.zeros(problem.n_columns, np.int64)
    value[ids] = scalar.column_cost[ids] + total[(start + count)[ids]] - total[start[ids]]
    for price in scalar.work:
        work = problem.work(price.work).column[ids]
        value[ids] += price.rise(problem.column_courier[ids], np.zeros_like(work), work)
    # Worth of a column against leaving its orders; a chosen column put out loses just that.
    worth = value - problem.per_column(leave)
    wide = int(count.max(initial=1))
    rank = np.arange(problem.column_order.size) - np.repeat(problem.column_ptr[:-1], count)
    orders = np.full((problem.n_columns, wide), problem.n_orders, np.int64)
    orders[np.repeat(np.arange(problem.n_columns), count), rank] = problem.column_order
    held = np.full(problem.n_couriers, -1, np.int64)
    served = np.full(problem.n_orders + 1, -1, np.int64)
    for c in columns.tolist():
        held[problem.column_courier[c]] = c
        served[orders[c]] = c
    served[-1] = -1
    lost = np.append(worth, 0)
    while ids.size and not deadline.expired:
        hit = np.column_stack([served[orders[ids]], held[problem.column_courier[ids]]])
        hit.sort(axis=1)
        hit[:, 1:][hit[:, 1:] == hit[:, :-1]] = -1
        change = worth[ids] - lost[hit].sum(axis=1)
        best = int(np.argmin(change))
        if change[best] >= 0:
            break
        for c in hit[best][hit[best] >= 0].tolist():
            held[problem.column_courier[c]] = -1
            served[orders[c]] = -1
        held[problem.column_courier[ids[best]]] = ids[best]
        served[orders[ids[best]]] = ids[best]
        served[-1] = -1
    return np.sort(held[held >= 0])
