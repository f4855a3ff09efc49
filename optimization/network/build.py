"""From a scalar problem to its network flow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.network.flow import NetworkFlow
from optimization.network.layout import LEFT
from optimization.scalar import ScalarProblem
from optimization.structure import courier_slots, usable
from optimization.ties import FlowPlan


def flow_of(scalar: ScalarProblem) -> tuple[NetworkFlow, NDArray[np.int64]]:
    """Build the unsolved flow of a problem of single pairs, size caps and bounds left aside.

    Returns
    -------
    tuple
        The flow, and (pairs,) the column of each of its pairs.
    """
    problem = scalar.problem
    column = usable_by_order(scalar)
    flow = NetworkFlow(
        problem.column_order[column],
        problem.column_courier[column],
        pair=scalar.column_cost[column],
        marginal=scalar.marginal,
        leave=scalar.leave_cost,
        slots=problem.max_orders,
        room=courier_slots(problem),
    )
    return flow, column


def plan_of(scalar: ScalarProblem, column: NDArray[np.int64], used: NDArray[np.int64]) -> FlowPlan:
    """Describe a selection of single pairs as the rule of ties takes it, size caps left aside.

    Parameters
    ----------
    scalar
        What was solved.
    column
        (k,) the column of each pair, as of `usable_by_order`.
    used
        Places of the chosen pairs among them.
    """
    problem = scalar.problem
    order = problem.column_order[column]
    on = np.full(problem.n_orders, LEFT, np.int64)
    on[order[used]] = used
    return FlowPlan(
        order,
        problem.column_courier[column],
        scalar.column_cost[column],
        scalar.leave_cost,
        scalar.marginal,
        problem.slot_ptr[:-1],
        courier_slots(problem),
        on,
    )


def usable_by_order(scalar: ScalarProblem) -> NDArray[np.int64]:
    """Columns a courier could carry alone, in order of their orders."""
    problem = scalar.problem
    column = np.flatnonzero(usable(problem))
    order = problem.column_order[column]
    if np.any(order[1:] < order[:-1]):
        column = column[np.argsort(order, kind="stable")]
    return column
