"""OR-Tools' min-cost flow, whole arrays in and out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError

Ints = NDArray[np.int64]


def cheapest_flow(tail: Ints, head: Ints, capacity: Ints, cost: Ints, supply: Ints) -> Ints:
    """Send all supply at least cost; flow on each arc, (a,).

    Parameters
    ----------
    tail, head, capacity, cost
        (a,) arcs.
    supply
        (v,) of each node, negative where flow is asked for; adds up to nothing.

    Raises
    ------
    SolverError
        If the engine does not answer OPTIMAL.
    """
    from ortools.graph.python import min_cost_flow

    engine = min_cost_flow.SimpleMinCostFlow()
    arcs = engine.add_arcs_with_capacity_and_unit_cost(
        tail.astype(np.int32), head.astype(np.int32), capacity, cost
    )
    engine.set_nodes_supplies(np.arange(supply.size, dtype=np.int32), supply)
    status = engine.solve()
    if status != engine.OPTIMAL:
        raise SolverError(f"OR-Tools' min-cost flow answered {status}")
    return np.asarray(engine.flows(arcs))
