"""From a scalar problem to its network flow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.network.flow import NetworkFlow
from optimization.scalar import ScalarProblem
from optimization.structure import courier_slots, usable


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


def usable_by_order(scalar: ScalarProblem) -> NDArray[np.int64]:
    """Columns a courier could carry alone, in order of their orders."""
    problem = scalar.problem
    column = np.flatnonzero(usable(problem))
    order = problem.column_order[column]
    if np.any(order[1:] < order[:-1]):
        column = column[np.argsort(order, kind="stable")]
    return column
