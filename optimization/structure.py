"""Which structure a problem has, and so which engine solves it exactly."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from optimization.problem import AssignmentProblem
from optimization.scalar import ScalarProblem
from optimization.work import NO_LIMIT


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
    fits = (problem.column_size <= problem.max_size[courier]) & (
        problem.orders_per_column <= problem.max_orders[courier]
    )
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
    column = np.flatnonzero(usable(problem))
    courier, size = problem.column_courier[column], problem.column_size[column]
    ranked = np.lexsort((-size, courier))
    courier, size = courier[ranked], size[ranked]
    rank = np.arange(courier.size) - np.searchsorted(courier, courier)
    largest = rank < courier_slots(problem)[courier]
    heaviest = np.zeros(problem.n_couriers, np.int64)
    np.add.at(heaviest, courier[largest], size[largest])
    return bool(np.all(heaviest <= problem.max_size))


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
