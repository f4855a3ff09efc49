"""Why orders are left, and the cheapest single change that would assign each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from optimization.errors import ProblemError, first_five
from optimization.scalar import ScalarProblem
from optimization.structure import Kind, courier_slots, recognise

NEVER = 2**61
"""Stands for the cost of what cannot be reached."""


class Reason(Enum):
    """Why an order is left."""

    NO_COLUMN = "no courier is a candidate"
    TOO_LARGE = "no candidate could carry it even alone"
    CAPACITY = "every courier that could take it, or make room by passing orders on, is full"
    PRICED_OUT = "there is room, and using it costs more than leaving the order"


class Remedy(Enum):
    """A single change to the problem."""

    PRICE = "raise the price of leaving it"
    PLACE = "one more place at a courier"
    DROP = "leave another order instead"


@dataclass(frozen=True, slots=True)
class Change:
    """One change that would assign an order, and what the plan then costs.

    Attributes
    ----------
    remedy
        What to change.
    courier
        Who ends with one order more (PRICE, PLACE) or gives one up (DROP).
    order
        The order left instead; -1 unless the remedy is DROP.
    cost
        What the weighted terms rise by, in steps of the scalar problem; coverage is apart. With
        PLACE the new place costs what the courier's last one does.
    """

    remedy: Remedy
    courier: int
    order: int
    cost: int


@dataclass(frozen=True, slots=True)
class Unassigned:
    """One order that is left.

    Attributes
    ----------
    order, reason
        Which and why.
    full
        Candidate couriers without a free place for it.
    changes
        The cheapest change of each remedy there is, cheapest first.
    """

    order: int
    reason: Reason
    full: tuple[int, ...]
    changes: tuple[Change, ...]


def diagnose(
    scalar: ScalarProblem, columns: NDArray[np.int64], orders: Iterable[int] | None = None
) -> tuple[Unassigned, ...]:
    """Explain the orders that a plan leaves.

    A change may pass orders on from courier to courier: the cheapest chain is a shortest path in
    the residual network of the plan (Ahuja, Magnanti and Orlin, Network Flows, 1993, section 9.3),
    so for flows at their optimum the costs are exact: solving again with the change gives them,
    as long as the orders served stay served and the others left stay left.
    Where size or work limits couriers, or columns hold several orders, orders stay where they are
    and a change is only looked for at the candidates themselves, within those limits.

    Parameters
    ----------
    scalar
        What was solved, without bounds.
    columns
        The plan; its costs are the best ones only if it is optimal.
    orders
        Which of the orders left; all by default.

    Raises
    ------
    ProblemError
        If an order asked for is not left.
    """
    problem = scalar.problem
    left = problem.left(columns)
    asked = np.flatnonzero(left) if orders is None else np.array(list(orders), dtype=np.int64)
    wrong = asked[~left[asked]]
    if wrong.size:
        raise ProblemError([f"orders {first_five(wrong)} are not left: the plan serves them"])
    view = _View(scalar, columns)
    return tuple(view.explain(order) for order in asked.tolist())


@dataclass(frozen=True, slots=True, eq=False)
class _Ends:
    """Cost of the cheapest chain that starts with one order too many at a courier, (m,).

    `at` is the courier where it ends, (m,); NEVER where there is none.
    """

    cost: NDArray[np.int64]
    at: NDArray[np.int64]


class _View:
    """The plan as a residual network over couriers."""

    def __init__(self, scalar: ScalarProblem, columns: NDArray[np.int64]) -> None:
        self.scalar, problem = scalar, scalar.problem
        self.courier = problem.column_courier.astype(np.int64)
        single = problem.orders_per_column == 1
        self.first_order = problem.column_order[problem.column_ptr[:-1]].astype(np.int64)
        # Couriers without any place count: a place there may be the cheapest change.
        self.carried = problem.column_size <= problem.max_size[self.courier]
        for work in problem.works:
            self.carried &= work.column <= work.limit[self.courier]
        self.able = self.carried & single
        self.count = problem.committed(columns)
        self.most = courier_slots(problem)
        self.free = self.count < self.most
        if problem.one_column_per_courier:
            self.free &= np.bincount(self.courier[columns], minlength=self.most.size) == 0
        # What the next place costs: past the last one, as much as the last one.
        start = problem.slot_ptr[:-1]
        paid = np.append(scalar.marginal, 0)
        place = start + np.minimum(self.count, np.maximum(problem.max_orders - 1, 0))
        self.next_place = np.where(problem.max_orders > 0, paid[place], 0)
        self.fits = self._fits(columns)
        self.worked = {price.work: problem.added(price.work, columns) for price in scalar.work}
        held = columns[single[columns]]
        self.held, self.holder = self.first_order[held], self.courier[held]
        self.held_cost = scalar.column_cost[held]
        self.chained = recognise(scalar).kind is Kind.FLOW
        own = np.full(problem.n_orders, -1, np.int64)
        own[self.held] = held
        arc = np.flatnonzero(self.able & (own[self.first_order] >= 0)) if self.chained else held[:0]
        arc = arc[arc != own[self.first_order[arc]]]
        self.tail, self.head = self.courier[own[self.first_order[arc]]], self.courier[arc]
        self.arc_cost = scalar.column_cost[arc] - scalar.column_cost[own[self.first_order[arc]]]
        self.column = np.repeat(np.arange(problem.n_columns), problem.orders_per_column)
        self.by_order = np.argsort(problem.column_order, kind="stable")
        self.first = np.searchsorted(
            problem.column_order[self.by_order], np.arange(problem.n_orders + 1)
        )
        # Chains are followed from their ends, once for all orders.
        self.room = self._toward(np.where(self.free, self.next_place, NEVER))
        self.place = self._toward(np.where(self.free | self._single, NEVER, self.next_place))
        self.leaves = np.unique(problem.leave[self.held]) if self.chained else held[:0]
        self._dropped: dict[int, tuple[_Ends, NDArray[np.int64]]] = {}

    def explain(self, order: int) -> Unassigned:
        problem = self.scalar.problem
        mine = self.column[self.by_order[self.first[order] : self.first[order + 1]]]
        if not mine.size:
            return Unassigned(order, Reason.NO_COLUMN, (), ())
        if not self.carried[mine].any():
            return Unassigned(order, Reason.TOO_LARGE, (), ())
        mine = mine[self.able[mine]]
        couriers = np.unique(self.courier[mine])
        full = tuple(couriers[~self.free[couriers]].tolist())
        mine = mine[self.fits[mine]]
        courier, cost = self.courier[mine], self.scalar.column_cost[mine]
        for price in self.scalar.work:
            more = problem.work(price.work).column[mine]
            rise = price.rise(problem.column_courier[mine], self.worked[price.work][courier], more)
            cost = cost + rise
        changes = []
        for remedy, ends in ((Remedy.PRICE, self.room), (Remedy.PLACE, self.place)):
            total = np.where(ends.cost[courier] < NEVER, cost + ends.cost[courier], NEVER)
            if (total < NEVER).any():
                best = int(np.argmin(total))
                changes.append(Change(remedy, int(ends.at[courier[best]]), -1, int(total[best])))
        # The least loss of coverage first, then the least cost.
        for level in range(len(self.leaves) if mine.size else 0):
            ends, dropped = self._dropping(level)
            if (ends.cost[courier] < NEVER).any():
                total = np.where(ends.cost[courier] < NEVER, cost + ends.cost[courier], NEVER)
                best = int(np.argmin(total))
                j = int(ends.at[courier[best]])
                changes.append(Change(Remedy.DROP, j, int(dropped[j]), int(total[best])))
                break
        roomy = bool((self.room.cost[courier] < NEVER).any())
        reason = Reason.PRICED_OUT if roomy else Reason.CAPACITY
        return Unassigned(order, reason, full, tuple(sorted(changes, key=lambda c: c.cost)))

    def _toward(self, ends: NDArray[np.int64]) -> _Ends:
        """Cheapest chain from every courier to one of the ends, (m,) each priced there."""
        cost, at = ends, np.arange(ends.size)
        for _ in range(ends.size):
            onward = cost[self.head]
            through = np.where(onward < NEVER, self.arc_cost + onward, NEVER)
            better = cost.copy()
            np.minimum.at(better, self.tail, through)
            if np.array_equal(better, cost):
                break
            taken = np.flatnonzero((through == better[self.tail]) & (through < cost[self.tail]))
            at = at.copy()
            at[self.tail[taken]] = at[self.head[taken]]
            cost = better
        return _Ends(cost, at)

    def _dropping(self, level: int) -> tuple[_Ends, NDArray[np.int64]]:
        """Chains that end with leaving an order of one price, and which order at each courier."""
        if level not in self._dropped:
            ends = np.full(self.most.size, NEVER)
            dropped = np.full(self.most.size, -1, np.int64)
            of_level = np.flatnonzero(self.scalar.problem.leave[self.held] == self.leaves[level])
            # Dearest last, so that each courier gives up the one that saves most.
            of_level = of_level[np.argsort(self.held_cost[of_level], kind="stable")]
            ends[self.holder[of_level]] = -self.held_cost[of_level]
            dropped[self.holder[of_level]] = self.held[of_level]
            self._dropped[level] = self._toward(ends), dropped
        return self._dropped[level]

    @property
    def _single(self) -> NDArray[np.bool_]:
        """Couriers whom a further place would not help: they hold one column at most."""
        return np.full(self.most.size, self.scalar.problem.one_column_per_courier)

    def _fits(self, columns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Mark the columns whose size and work still fit beside what their courier has."""
        problem = self.scalar.problem
        load = np.zeros(problem.n_couriers, np.int64)
        np.add.at(load, self.courier[columns], problem.column_size[columns])
        fits = load[self.courier] + problem.column_size <= problem.max_size[self.courier]
        for work in problem.works:
            added = problem.added(work.name, columns)[self.courier]
            fits &= added + work.column <= work.limit[self.courier]
        if recognise(self.scalar).kind is Kind.FLOW:
            # Sizes cannot bind: what does not fit now fits once another order has moved on.
            fits[:] = True
        return fits
