"""Compiling ahead of time: who may wait a few seconds says so, nobody else ever does."""

from __future__ import annotations

import time
from functools import cache

import numpy as np

from optimization.compiled import compiler_present


@cache
def warm_up() -> float:
    """Compile the flow, or read it from the cache on disk; once per process.

    From here on `solve` uses it in place of OR-Tools' flow. For a service at its start, or before
    many solves: the first ever call compiles for some seconds, later processes read the cache.

    Returns
    -------
    float
        Seconds it took; infinite where numba is absent and nothing changes.
    """
    if not compiler_present():
        return float("inf")
    began_s = time.perf_counter()
    _rehearse()
    return time.perf_counter() - began_s


def is_ready() -> bool:
    """Whether the flow is compiled in this process."""
    return warm_up.cache_info().currsize > 0 and compiler_present()


def _rehearse() -> None:
    """Run every compiled function once, on two orders and two couriers."""
    from optimization.network.build import flow_of
    from optimization.network.parametric import LevelSearch, TwoObjectiveFlow
    from optimization.network.tied import open_moves
    from optimization.problem import AssignmentProblem
    from optimization.scalar import scalarize
    from optimization.term import Term
    from optimization.weights import Weights

    ones = np.ones(2, np.int64)
    problem = AssignmentProblem.from_pairs(
        [0, 0, 1, 1],
        [0, 1, 0, 1],
        order_size=ones,
        max_orders=ones,
        max_size=ones,
        leave=ones,
        terms=[
            Term.linear("e", "1", 1, [0, 4, 4, 0], ones),
            Term.linear("f", "1", 1, [4, 0, 0, 4], ones),
        ],
    )
    scalar = scalarize(problem, Weights({"e": 1.0}))
    flow, _ = flow_of(scalar)
    flow.solve()
    flow.resume(pairs_changed=True)
    flow.cancel(0)
    flow.insert(0)
    flow.limit(0, 0)
    flow.solve()
    open_moves(*flow.plan, flow.courier_price)
    two = TwoObjectiveFlow(scalar, problem.term("f"))
    ends = two.at(2, 1), two.at(1, 2)
    search = LevelSearch(two, *ends)
    search.open(ends[1][0])
    search.go_on(ends[0][1] - 1, 9)
