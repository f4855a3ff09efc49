"""The warm-startable flow as an engine; proves its answer before giving it."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiler_present
from optimization.errors import SolverError
from optimization.network.ready import warm_up
from optimization.scalar import ScalarProblem
from optimization.solution import Solution, StopReason
from optimization.solvers.base import best_of, conclude
from optimization.stop import Deadline
from optimization.structure import Kind, recognise


class NetworkSolver:
    """Successive shortest paths with courier prices: about 1 ms at 20,000 pairs, once compiled."""

    name = "courier-dispatch:network-flow"

    def can_solve(self, scalar: ScalarProblem) -> bool:
        """Whether numba is there and the problem is a flow as it stands."""
        return compiler_present() and recognise(scalar).kind is Kind.FLOW

    def solve(
        self, scalar: ScalarProblem, deadline: Deadline, incumbent: Solution | None = None
    ) -> Solution:
        """Solve to certified optimality, unless the deadline has passed and there is an incumbent.

        Raises
        ------
        SolverError
            If the problem is no flow, numba is absent, or the certificate fails.
        """
        started_s = time.monotonic()
        if not self.can_solve(scalar):
            raise SolverError(
                f"{self.name} needs numba and takes flows only: {recognise(scalar).reason}"
            )
        best = best_of(scalar, incumbent)
        if deadline.expired and best is not None:
            return best
        columns = network_columns(scalar)
        return conclude(
            scalar,
            columns,
            engine=self.name,
            stop_reason=StopReason.PROVEN,
            bound_value=scalar.value(columns),
            started_s=started_s,
            message=recognise(scalar).reason,
        )


def network_columns(scalar: ScalarProblem) -> NDArray[np.int64]:
    """Minimise the composed value of single pairs, size caps and bounds left aside, (chosen,).

    Raises
    ------
    SolverError
        If the prices do not prove the selection optimal.
    """
    warm_up()
    from optimization.network.build import flow_of

    flow, column = flow_of(scalar)
    flow.solve()
    flow.certify()
    return column[flow.chosen]
