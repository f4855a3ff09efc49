"""The general engine: a mixed-integer program by CBC through OR-Tools, in a killable worker."""

from __future__ import annotations

import math
import time

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError
from optimization.scalar import ScalarProblem, trivial_bound
from optimization.solution import Solution, Status, StopReason
from optimization.solvers.base import best_of, conclude, named_by_ties, require_sound
from optimization.solvers.cbc import MilpAnswer, Outcome
from optimization.solvers.model import ColumnModel
from optimization.solvers.pool import WorkerPool
from optimization.stop import Deadline

TOLERANCE = 1e-6
"""Relative slack within which an engine's floating-point claim counts as the integer it means."""


class MilpSolver:
    """Best coverage first, then the weighted terms at that coverage, within the bounds.

    Parameters
    ----------
    pool
        Where models run; a pool of this package's workers by default.
    program
        Which engine solves them: `cbc`, `highs`, or `module:function` of your own.
    """

    def __init__(self, pool: WorkerPool | None = None, program: str = "cbc") -> None:
        self.pool = pool or WorkerPool()
        self.program = program

    @property
    def name(self) -> str:
        """Who answers."""
        return "or-tools:cbc" if self.program == "cbc" else self.program

    def can_solve(self, scalar: ScalarProblem) -> bool:  # noqa: ARG002 - it is general
        """Whether the engine models everything: always."""
        return True

    def solve(
        self,
        scalar: ScalarProblem,
        deadline: Deadline,
        incumbent: Solution | None = None,
        *,
        best_coverage: int | None = None,
        bound_value: int | None = None,
    ) -> Solution:
        """Return the optimum, or what the deadline left.

        Parameters
        ----------
        scalar, deadline, incumbent
            As in the protocol; the incumbent obeys the bounds.
        best_coverage
            The least coverage price, where it has been proven already.
        bound_value
            A lower bound on the composed value, where one is known.

        Raises
        ------
        SolverError
            If the worker fails, the engine's claim does not survive recomputation, or the deadline
            passes with neither an answer nor an incumbent.
        """
        started_s = time.monotonic()
        model = ColumnModel.of(scalar)
        known = max(
            trivial_bound(scalar), trivial_bound(scalar) if bound_value is None else bound_value
        )
        if incumbent is not None and incumbent.coverage == model.least_coverage:
            best_coverage = model.least_coverage
        if best_coverage is None:
            answer = self.pool.run(model.for_coverage(), deadline, self.program)
            if answer is None or answer.outcome is not Outcome.OPTIMAL:
                best = _chosen(model, answer, self.name)
                return self._stopped(scalar, deadline, best, incumbent, known, started_s)
            best_coverage = int(scalar.problem.leave.sum()) - round(-answer.objective)
        answer = self.pool.run(model.for_terms(best_coverage), deadline, self.program)
        if answer is not None and answer.outcome is Outcome.INFEASIBLE:
            return _infeasible(self.name, scalar, best_coverage, started_s)
        floor = scalar.constant + scalar.dominance * best_coverage
        if answer is not None and math.isfinite(answer.bound):
            slack = TOLERANCE * max(1.0, abs(answer.bound))
            known = max(known, floor + math.ceil(answer.bound - slack))
        columns = _chosen(model, answer, self.name)
        if answer is None or columns is None or answer.outcome is not Outcome.OPTIMAL:
            return self._stopped(scalar, deadline, columns, incumbent, known, started_s)
        value = scalar.value(columns)
        slack = TOLERANCE * max(1.0, abs(answer.objective))
        if abs(value - floor - answer.objective) > max(0.5, slack):
            raise SolverError(
                f"{self.name} claims {answer.objective:.9g} for columns worth {value - floor}"
            )
        if incumbent is not None and scalar.value(incumbent.columns) < value:
            raise SolverError(f"{self.name} claims an optimum worse than a known plan")
        return conclude(
            scalar,
            named_by_ties(scalar, columns),
            engine=self.name,
            stop_reason=StopReason.PROVEN,
            bound_value=value,
            started_s=started_s,
        )

    def _stopped(
        self,
        scalar: ScalarProblem,
        deadline: Deadline,
        columns: NDArray[np.int64] | None,
        incumbent: Solution | None,
        bound_value: int,
        started_s: float,
    ) -> Solution:
        """Give the better of what the engine had and what was known before."""
        found, timed = None, deadline.timed
        if columns is not None and scalar.within_bounds(columns):
            found = columns
        engine = self.name
        best = best_of(scalar, incumbent)
        if best is not None and (
            found is None or scalar.value(best.columns) <= scalar.value(found)
        ):
            found, engine = best.columns, best.engine
        if found is None:
            limit = "the deadline" if timed else "its limit on work"
            raise SolverError(f"{self.name} found nothing before {limit}")
        return conclude(
            scalar,
            found,
            engine=engine,
            stop_reason=StopReason.DEADLINE if timed else StopReason.WORK_LIMIT,
            bound_value=min(bound_value, scalar.value(found)),
            started_s=started_s,
        )


def _chosen(model: ColumnModel, answer: MilpAnswer | None, engine: str) -> NDArray[np.int64] | None:
    """Read the chosen columns out of an answer, if it holds a solution, and check them.

    Raises
    ------
    SolverError
        If the selection is infeasible.
    """
    if answer is None or answer.outcome not in (Outcome.OPTIMAL, Outcome.FEASIBLE):
        return None
    columns: NDArray[np.int64] = model.column[answer.values[: model.column.size] > 0.5]
    require_sound(model.scalar, columns, engine)
    return columns


def _infeasible(engine: str, scalar: ScalarProblem, coverage: int, started_s: float) -> Solution:
    """Say that no plan of best coverage obeys the bounds.

    Raises
    ------
    SolverError
        Without bounds, where the claim must be false: serving nothing more is always possible.
    """
    if not scalar.bounds:
        raise SolverError(f"{engine} claims that a problem without bounds is infeasible")
    names = ", ".join(bound.term.name for bound in scalar.bounds)
    return Solution(
        columns=np.zeros(0, np.int64),
        status=Status.INFEASIBLE,
        stop_reason=StopReason.PROVEN,
        engine=engine,
        objective=0,
        bound=0,
        scale=scalar.scale,
        coverage=coverage,
        elapsed_s=time.monotonic() - started_s,
        message=f"no plan of best coverage keeps the bounds on {names} together",
    )
