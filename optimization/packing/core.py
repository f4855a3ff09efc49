"""The columns that prices leave in question, solved by the mixed-integer engine."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from optimization.errors import SolverError
from optimization.packing.columns import Ints, PackingColumns
from optimization.solvers.cbc import Outcome
from optimization.solvers.model import MilpModel
from optimization.solvers.pool import WorkerPool
from optimization.stop import Deadline

TOLERANCE = 1e-6
"""Relative slack within which an engine's floating-point claim counts as the integer it means."""


@dataclass(frozen=True, slots=True, eq=False)
class CoreAnswer:
    """A packing of the core, ids of the columns given, and what is proven about it.

    Attributes
    ----------
    chosen
        The packing; None where the deadline came before any.
    optimal
        Whether no packing of the core costs less.
    """

    chosen: Ints | None
    optimal: bool


def solve_core(
    columns: PackingColumns, core: Ints, cap: Ints, pool: WorkerPool, deadline: Deadline
) -> CoreAnswer:
    """Find the cheapest packing of some columns, where leaving order i costs `cap[i]`.

    Raises
    ------
    SolverError
        If the worker fails or its claim does not survive recomputation.
    """
    n, m = len(cap), columns.n_couriers
    orders = columns.orders[core]
    real = orders < n
    row = np.concatenate([orders[real], n + columns.courier[core]])
    variable = np.concatenate([np.nonzero(real)[0], np.arange(core.size)])
    rows = csr_array((np.ones(row.size), (row, variable)), shape=(n + m, core.size))
    cost = columns.cost[core] - np.append(cap, 0)[orders].sum(axis=1)
    model = MilpModel(
        cost=cost.astype(np.float64),
        upper=np.ones(core.size),
        integer=np.ones(core.size, np.bool_),
        row_lower=np.full(n + m, -np.inf),
        row_upper=np.ones(n + m),
        row_ptr=rows.indptr.astype(np.int64),
        row_var=rows.indices.astype(np.int32),
        row_coef=rows.data,
    )
    answer = pool.run(model, deadline, "highs")
    if answer is None or answer.outcome not in (Outcome.OPTIMAL, Outcome.FEASIBLE):
        return CoreAnswer(None, False)
    picked = answer.values > 0.5
    worth = int(cost[picked].sum())
    if not math.isclose(worth, answer.objective, rel_tol=TOLERANCE, abs_tol=0.5):
        raise SolverError(f"the core is claimed to be worth {answer.objective:.9g}, is {worth}")
    return CoreAnswer(np.sort(core[picked]), answer.outcome is Outcome.OPTIMAL)
