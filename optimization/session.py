"""A flow kept solved while orders come and go and scores change."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimization.errors import ProblemError, SolverError, first_five
from optimization.network.ready import warm_up
from optimization.problem import AssignmentProblem
from optimization.scalar import ScalarProblem, dominance_of, scalarize
from optimization.solution import Solution, StopReason
from optimization.solvers.base import conclude
from optimization.structure import Kind, recognise
from optimization.ties import settle_ties
from optimization.weights import Weights

HEADROOM = 4
"""How far re-scored costs may widen before the price of leaving has to be raised."""


class SolverSession:
    """The optimum of one problem under one set of weights, restored exactly after each change.

    The problem stays as it is; the session holds what changes: which orders are present, what a
    column costs, how many orders a courier may still get. The optimum is restored at each change,
    ties are settled when it is read, so what is read does not depend on the way there.

    Parameters
    ----------
    problem, weights
        What to choose from and how. Must be a flow: single pairs, size caps that cannot bind.
    present
        (n,) which orders are there at the start; all by default.

    Raises
    ------
    SolverError
        If the problem is no flow or numba is absent.
    """

    def __init__(
        self, problem: AssignmentProblem, weights: Weights, present: ArrayLike | None = None
    ) -> None:
        if warm_up() == float("inf"):
            raise SolverError("a session needs numba: pip install numba")
        from optimization.network.build import flow_of

        scalar = scalarize(problem, weights)
        structure = recognise(scalar)
        if structure.kind is not Kind.FLOW:
            raise SolverError(f"a session takes flows only: {structure.reason}")
        self._scalar = replace(scalar, dominance=HEADROOM * scalar.dominance)
        self._flow, self._column = flow_of(self._scalar)
        here = np.ones(problem.n_orders, np.bool_) if present is None else np.asarray(present)
        if here.shape != (problem.n_orders,) or here.dtype != np.bool_:
            raise ProblemError(
                [f"present: expected {problem.n_orders} booleans, got {here.dtype} {here.shape}"]
            )
        self._present = here.copy()
        self._first = problem.column_order[problem.column_ptr[:-1]]
        self._measure(scalar.dominance)
        self._flow.solve(self._present)
        self._on: NDArray[np.int64] | None = None

    @property
    def columns(self) -> NDArray[np.int64]:
        """Sorted ids of the columns of the optimum as it stands."""
        on = self._settled
        return np.sort(self._column[on[on >= 0]])

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n,) which orders take part."""
        return self._present.copy()

    @property
    def courier_price(self) -> NDArray[np.float64]:
        """(m,) what one more order's room of each courier is worth, in the weighted unit."""
        return self._flow.courier_price / self._scalar.scale

    def column_of(self, order: int) -> int | None:
        """Return the column an order is on, None where it is left or absent."""
        pair = int(self._settled[self._order(order)])
        return int(self._column[pair]) if pair >= 0 else None

    def insert(self, order: int) -> None:
        """Let an absent order take part; ProblemError if it does already."""
        if self._present[self._order(order)]:
            raise ProblemError([f"order {order} takes part already"])
        self._on = None
        self._flow.insert(order)
        self._present[order] = True

    def cancel(self, order: int) -> None:
        """Take an order out; ProblemError if it takes no part."""
        if not self._present[self._order(order)]:
            raise ProblemError([f"order {order} takes no part"])
        self._on = None
        self._flow.cancel(order)
        self._present[order] = False

    def limit(self, courier: int, room: int) -> None:
        """Let a courier get at most that many orders, 0 when he logs off."""
        if not 0 <= courier < self._scalar.problem.n_couriers:
            raise ProblemError([f"no courier {courier}"])
        self._on = None
        self._flow.limit(courier, room)

    def reprice(self, columns: ArrayLike, cost: ArrayLike) -> None:
        """Replace what columns cost: (c,) ids and (c,) weighted sums of their terms.

        Raises
        ------
        ProblemError
            If an id is unknown or repeats, or a cost is not finite.
        """
        ids, costs = np.asarray(columns), np.asarray(cost, dtype=np.float64)
        problem = self._scalar.problem
        faults = []
        if ids.shape != costs.shape or ids.ndim != 1 or ids.dtype.kind not in "iu":
            faults.append("reprice: expected as many integer column ids as costs")
        elif ids.size and (ids.min() < 0 or ids.max() >= problem.n_columns):
            faults.append(f"columns: outside [0, {problem.n_columns})")
        elif np.unique(ids).size < ids.size:
            faults.append("columns: repeated ids; give each one cost")
        steps = np.rint(costs * self._scalar.scale)
        bad = np.flatnonzero(~(np.abs(steps) < 2.0**50))
        if bad.size:
            faults.append(f"cost: not finite or too large at {first_five(bad)}")
        if faults:
            raise ProblemError(faults)
        column_cost = self._scalar.column_cost.copy()
        column_cost[ids] = steps.astype(np.int64)
        self._scalar = replace(self._scalar, column_cost=column_cost)
        self._keep_dominance(ids, column_cost[ids])
        self._on = None
        self._flow.reprice(column_cost[self._column], self._scalar.leave_cost)

    @property
    def _settled(self) -> NDArray[np.int64]:
        """(n,) pair of each order: of all optima the one that the rule of ties names."""
        if self._on is None:
            self._on, _ = settle_ties(self._flow.plan, self._flow.courier_price)
        return self._on

    def _measure(self, needed: int) -> None:
        """Note the dominance that the costs at hand need, and between what they lie by order."""
        low, high = np.zeros((2, self._scalar.problem.n_orders), np.int64)
        np.minimum.at(low, self._first, self._scalar.column_cost)
        np.maximum.at(high, self._first, self._scalar.column_cost)
        self._needed, self._low, self._high = needed, low, high
        self._width = float(np.sum(high - low, dtype=np.float64))

    def _keep_dominance(self, ids: NDArray[np.int64], cost: NDArray[np.int64]) -> None:
        """Raise the price of leaving where re-scored columns could come to outweigh it.

        Looks at the re-scored columns only: the terms as `dominance_of` adds them up widen by no
        more than the ends of the orders' costs move apart.
        """
        np.minimum.at(self._low, self._first[ids], cost)
        np.maximum.at(self._high, self._first[ids], cost)
        width = float(np.sum(self._high - self._low, dtype=np.float64))
        wider = width - self._width + 1e-9 * width
        scalar = self._scalar
        step = int(np.gcd.reduce(scalar.problem.leave, initial=0))
        if step == 0 or wider < step * (scalar.dominance - self._needed - 1):
            return
        self._measure(dominance_of(scalar.problem, scalar.column_cost, scalar.marginal))
        if self._needed > scalar.dominance:
            self._scalar = replace(scalar, dominance=HEADROOM * self._needed)

    def solution(self) -> Solution:
        """Return the optimum as a solution, proven by its prices; absent orders count nothing.

        Raises
        ------
        SolverError
            If the certificate fails.
        """
        started_s = time.monotonic()
        self._flow.certify()
        scalar = self._counted()
        columns = self.columns
        return conclude(
            scalar,
            columns,
            engine="courier-dispatch:session",
            stop_reason=StopReason.PROVEN,
            bound_value=scalar.value(columns),
            started_s=started_s,
        )

    def _counted(self) -> ScalarProblem:
        """Return the scalar problem in which leaving an absent order is free."""
        if self._present.all():
            return self._scalar
        leave = np.where(self._present, self._scalar.problem.leave, 0)
        return replace(self._scalar, problem=self._scalar.problem.replace(leave=leave))

    def _order(self, order: int) -> int:
        if not 0 <= order < self._present.size:
            raise ProblemError([f"no order {order}; there are {self._present.size}"])
        return order
