"""Which structure a problem has, and so which engine solves it exactly."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from optimization.problem import AssignmentProblem
from optimization.scalar import ScalarProblem
from optimization.work import NO_LIMIT

FEW_COURIERS = 200
"""As many couriers are looked at first when sizes are doubtful at many."""


class Kind(Enum):
    """The structures the ladder knows."""

    FLOW = "min-cost flow"
    FLOW_IF_SIZES_FIT = "min-cost flow if its plan keeps the size caps"
    MILP = "mixed-integer program"


@dataclass(frozen=True, slots=True)
class Structure:
    """The recognised structure and the reason in words."""

    kind: Kind
    reason: str


def usable(problem: AssignmentProblem) -> NDArray[np.bool_]:
    """Mark the columns their courier could carry alone, (k,)."""
    courier = problem.column_courier
    fits = np.ones(courier.size, np.bool_)
    for per_order, most in (
        (problem.order_size, problem.max_size),
        (np.ones(problem.n_orders, np.int64), problem.max_orders),
    ):
        # Most couriers could carry the largest of all columns: only the others are looked at.
        each = None if problem.all_pairs else problem.per_column(per_order)
        narrow = most < (per_order if each is None else each).max(initial=0)
        if narrow.any():
            asked = np.flatnonzero(narrow[courier])
            load = per_order[problem.column_order[asked]] if each is None else each[asked]
            fits[asked] &= load <= most[courier[asked]]
    for work in problem.works:
        fits &= work.column <= work.limit[courier]
    return fits


def courier_slots(problem: AssignmentProblem) -> NDArray[np.int64]:
    """Most orders a courier can get from single pairs, (m,)."""
    return (
        np.minimum(problem.max_orders, 1) if problem.one_column_per_courier else problem.max_orders
    )


def sizes_redundant(problem: AssignmentProblem) -> bool:
    """Whether no courier could exceed its size with the largest orders it may get.

    For single pairs: the sum of the `max_orders` largest usable candidates fits `max_size`.
    """
    slots = courier_slots(problem)
    largest = np.zeros(problem.n_couriers, np.int64)
    size, courier = problem.column_size, problem.column_courier
    np.maximum.at(largest, courier, size)
    np.minimum(largest, problem.max_size, out=largest)
    # Mostly that many times the largest fits already, or else some courier is found soon.
    doubtful = np.flatnonzero(slots * largest > problem.max_size)
    if not doubtful.size:
        return True
    alone = usable(problem)
    for part in np.split(doubtful, [min(FEW_COURIERS, doubtful.size)]):
        asked = np.zeros(problem.n_couriers, np.bool_)
        asked[part] = True
        column = np.flatnonzero(asked[courier] & alone)
        owner, load = courier[column], size[column]
        ranked = np.lexsort((-load, owner))
        owner, load = owner[ranked], load[ranked]
        among = np.arange(owner.size) - np.searchsorted(owner, owner) < slots[owner]
        heaviest = np.zeros(problem.n_couriers, np.int64)
        np.add.at(heaviest, owner[among], load[among])
        if np.any(heaviest > problem.max_size):
            return False
    return True


def counts_work(scalar: ScalarProblem) -> bool:
    """Whether work that adds up over a courier's columns is priced or limited."""
    works = scalar.problem.works
    return bool(scalar.work) or any((work.limit < NO_LIMIT).any() for work in works)


def recognise(scalar: ScalarProblem) -> Structure:
    """Find the structure of a scalar problem."""
    problem = scalar.problem
    if not problem.all_pairs:
        return Structure(Kind.MILP, "columns of several orders make it a set packing problem")
    if scalar.bounds:
        names = ", ".join(bound.term.name for bound in scalar.bounds)
        return Structure(Kind.MILP, f"a bound on {names} couples all couriers")
    if counts_work(scalar):
        return Structure(Kind.MILP, "work adds up column by column at each courier")
    if sizes_redundant(problem):
        return Structure(
            Kind.FLOW,
            "single pairs, separable convex courier costs and size caps that cannot bind "
            "make it a network flow, whose polytope is integral",
        )
    return Structure(
        Kind.FLOW_IF_SIZES_FIT,
        "single pairs with size caps that may bind: the flow without them is a relaxation, "
        "optimal where its plan keeps them",
    )
