"""What every engine offers, and the one way in which its claims become a solution."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimization.errors import SolverError
from optimization.mincost import Ints
from optimization.network.build import plan_of, usable_by_order
from optimization.network.layout import AWAY
from optimization.scalar import ScalarProblem
from optimization.solution import Solution, Status, StopReason
from optimization.stop import NEVER, Deadline
from optimization.structure import Kind, recognise
from optimization.ties import FlowPlan, settle_ties
from optimization.verify import verify


class Solver(Protocol):
    """An engine that minimises a scalar problem."""

    @property
    def name(self) -> str:
        """Who answers, e.g. ``or-tools:cbc``."""
        ...

    def can_solve(self, scalar: ScalarProblem) -> bool:
        """Whether the engine models everything in the problem."""
        ...

    def solve(
        self, scalar: ScalarProblem, deadline: Deadline, incumbent: Solution | None = None
    ) -> Solution:
        """Return the best selection found by the deadline, never worse than the incumbent."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FlowAnswer:
    """Sorted columns of a flow, and whether they are its optimum and the one that ties name."""

    columns: Ints
    proven: bool
    settled: bool


class FlowEngine(ABC):
    """An engine that solves flows in one shot, to proven optimality, and nothing else."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Who answers."""

    @abstractmethod
    def optimum(
        self, scalar: ScalarProblem, deadline: Deadline
    ) -> tuple[FlowPlan, Ints, Ints | None]:
        """Minimise the composed value of single pairs, size caps and bounds left aside.

        Returns
        -------
        tuple
            A plan of least cost, any, or one for a part of the orders, the others away, where the
            deadline came first; (k,) the column of each of its pairs; and (m,) optimal prices of
            couriers' units, where the engine has them.

        Raises
        ------
        SolverError
            If the engine fails or its answer is not proven.
        """

    def answer(self, scalar: ScalarProblem, deadline: Deadline) -> FlowAnswer:
        """Choose the plan of least cost that the rule of ties names, as far as time allows.

        Size caps and bounds are left aside.

        Raises
        ------
        SolverError
            If the engine fails or its answer is not proven.
        """
        plan, column, price = self.optimum(scalar, deadline)
        proven, on, settled = bool((plan.on != AWAY).all()), plan.on, False
        if proven:
            on, settled = settle_ties(plan, price, deadline)
        return FlowAnswer(np.sort(column[on[on >= 0]]), proven, settled)

    def columns(self, scalar: ScalarProblem) -> Ints:
        """Choose the plan of least cost that the rule of ties names; sorted columns, (chosen,)."""
        return self.answer(scalar, NEVER).columns

    def can_solve(self, scalar: ScalarProblem) -> bool:
        """Whether the problem is a flow as it stands."""
        return recognise(scalar).kind is Kind.FLOW

    def solve(
        self, scalar: ScalarProblem, deadline: Deadline, incumbent: Solution | None = None
    ) -> Solution:
        """Solve to proven optimality, unless the deadline has passed and there is an incumbent.

        Raises
        ------
        SolverError
            If the problem is no flow, or the engine fails.
        """
        started_s = time.monotonic()
        reason = recognise(scalar).reason
        if not self.can_solve(scalar):
            raise SolverError(f"{self.name} takes flows only: {reason}")
        best = best_of(scalar, incumbent)
        if deadline.expired and best is not None:
            return best
        columns = self.columns(scalar)
        return conclude(
            scalar,
            columns,
            engine=self.name,
            stop_reason=StopReason.PROVEN,
            bound_value=scalar.value(columns),
            started_s=started_s,
            message=reason,
        )


def named_by_ties(scalar: ScalarProblem, columns: Ints) -> Ints:
    """Give the plan that the rule of ties names in place of another of the same least cost.

    For flows; what is none stays as it is.

    Raises
    ------
    SolverError
        If the plan is not of least cost.
    """
    if recognise(scalar).kind is not Kind.FLOW:
        return columns
    column = usable_by_order(scalar)
    on, _ = settle_ties(plan_of(scalar, column, np.flatnonzero(np.isin(column, columns))))
    return np.sort(column[on[on >= 0]])


def conclude(
    scalar: ScalarProblem,
    columns: ArrayLike,
    *,
    engine: str,
    stop_reason: StopReason,
    bound_value: int,
    started_s: float,
    message: str = "",
) -> Solution:
    """Check the columns an engine returned and build the solution from recomputed numbers.

    Parameters
    ----------
    scalar
        What was solved.
    columns
        Ids claimed to be a feasible selection.
    engine, stop_reason, message
        As in `Solution`; a proven stop makes the status OPTIMAL.
    bound_value
        Lower bound on the composed value, coverage included.
    started_s
        `time.monotonic()` at the start.

    Raises
    ------
    SolverError
        If the selection is infeasible, or cheaper than the bound, or proven without attaining it.
    """
    chosen: NDArray[np.int64] = np.sort(np.asarray(columns, dtype=np.int64))
    require_sound(scalar, chosen, engine)
    if not scalar.within_bounds(chosen):
        raise SolverError(f"{engine} returned a plan that breaks a bound")
    value, coverage = scalar.value(chosen), scalar.problem.coverage(chosen)
    proven = stop_reason is StopReason.PROVEN
    if value < bound_value or (proven and value != bound_value):
        raise SolverError(f"{engine} claims the bound {bound_value} for a plan worth {value}")
    return Solution(
        columns=chosen,
        status=Status.OPTIMAL if proven else Status.FEASIBLE,
        stop_reason=stop_reason,
        engine=engine,
        objective=scalar.objective(chosen),
        bound=bound_value - scalar.dominance * coverage,
        scale=scalar.scale,
        coverage=coverage,
        elapsed_s=time.monotonic() - started_s,
        message=message,
    )


def require_sound(scalar: ScalarProblem, columns: NDArray[np.int64], engine: str) -> None:
    """Raise SolverError where a selection is infeasible, before anything is computed from it."""
    faults = verify(scalar.problem, columns).faults
    if faults:
        raise SolverError(f"{engine} returned a broken plan: {faults[0].message}")


def best_of(scalar: ScalarProblem, *candidates: Solution | None) -> Solution | None:
    """Return the cheapest of the selections at hand, the first among equals."""
    present = [c for c in candidates if c is not None and c.usable]
    return min(present, key=lambda c: scalar.value(c.columns)) if present else None
