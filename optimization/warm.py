"""Compiling ahead of time, for whoever may wait: a service at its start, a long run."""

from __future__ import annotations

import time
from functools import cache

import numpy as np

from optimization.compiled import compiler_present
from optimization.network import ready
from optimization.problem import AssignmentProblem
from optimization.scalar import scalarize
from optimization.stop import Deadline
from optimization.term import Term
from optimization.weights import Weights


@cache
def warm_up() -> float:
    """Compile every loop that `solve` may use, or read it from the cache on disk; once a process.

    From here on our flow answers in place of OR-Tools', and local search improves what a deadline
    cuts short. Which engine answers does not change what is optimal; of several optima each may
    find its own.

    Returns
    -------
    float
        Seconds it took; infinite where numba is absent and nothing changes.
    """
    if not compiler_present():
        return float("inf")
    began_s = time.perf_counter()
    ready.warm_up()
    _rehearse()
    return time.perf_counter() - began_s


def is_warm() -> bool:
    """Whether every loop is compiled in this process."""
    return warm_up.cache_info().currsize > 0 and compiler_present()


def _rehearse() -> None:
    """Price and improve a plan of two orders whose sizes bind, then the same as a packing."""
    from optimization.pricing.blocks import blocks_of
    from optimization.pricing.core import core_of
    from optimization.solvers.lagrangian import LagrangianSolver
    from optimization.solvers.local import LocalSolver
    from optimization.solvers.packing import PackingSolver

    ones, never = np.ones(2, np.int64), Deadline.after(None)
    problem = AssignmentProblem.from_pairs(
        [0, 0, 1, 1],
        [0, 1, 0, 1],
        order_size=ones,
        max_orders=2 * ones,
        max_size=ones,
        leave=ones,
        terms=[Term.linear("e", "1", 1, [0, 4, 0, 4], 2 * ones)],
    )
    scalar = scalarize(problem, Weights({"e": 1.0}))
    for engine in (LocalSolver(), LagrangianSolver(core_rows=0)):
        engine.solve(scalar, never)
    core_of(blocks_of(scalar), 0 * ones, 0 * ones, 0, 9, 9)
    packing = problem.replace(one_column_per_courier=True)
    PackingSolver(core_s=0.0).solve(scalarize(packing, Weights({"e": 1.0})), never)
