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

    def explain(self, order: int) -> Unassigned:
        problem, scalar = self.scalar.problem, self.scalar
        entry = np.repeat(np.arange(problem.n_columns), problem.orders_per_column)
        mine = entry[problem.column_order == order]
        if not mine.size:
            return Unassigned(order, Reason.NO_COLUMN, (), ())
        if not self.carried[mine].any():
            return Unassigned(order, Reason.TOO_LARGE, (), ())
        mine = mine[self.able[mine]]
        couriers = np.unique(self.courier[mine])
        full = tuple(couriers[~self.free[couriers]].tolist())
        mine = mine[self.fits[mine]]
        reached = np.full(self.most.size, NEVER)
        cost = scalar.column_cost[mine]
        for price in scalar.work:
            j = self.courier[mine]
            more = problem.work(price.work).column[mine]
            cost = cost + price.rise(problem.column_courier[mine], self.worked[price.work][j], more)
        np.minimum.at(reached, self.courier[mine], cost)
        for _ in range(self.most.size):
            through = np.minimum(reached[self.tail] + self.arc_cost, NEVER)
            further = reached.copy()
            np.minimum.at(further, self.head, np.where(reached[self.tail] < NEVER, through, NEVER))
            if np.array_equal(further, reached):
                break
            reached = further
        room = np.where(self.free, reached + self.next_place, NEVER)
        place = np.where(self.free | self._single, NEVER, reached + self.next_place)
        changes = []
        for remedy, price_of in ((Remedy.PRICE, room), (Remedy.PLACE, place)):
            j = int(np.argmin(price_of)) if price_of.size else 0
            if price_of.size and price_of[j] < NEVER:
                changes.append(Change(remedy, j, -1, int(price_of[j])))
        if self.chained and self.held.size:
            instead = reached[self.holder] - self.held_cost
            # The least loss of coverage first, then the least cost.
            instead = np.where(reached[self.holder] < NEVER, instead, NEVER)
            loss = np.where(instead < NEVER, problem.leave[self.held], NEVER)
            best = int(np.lexsort((instead, loss))[0])
            if instead[best] < NEVER:
                changes.append(
                    Change(
                        Remedy.DROP,
                        int(self.holder[best]),
                        int(self.held[best]),
                        int(instead[best]),
                    )
                )
        reason = Reason.PRICED_OUT if (room < NEVER).any() else Reason.CAPACITY
        return Unassigned(order, reason, full, tuple(sorted(changes, key=lambda c: c.cost)))

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
