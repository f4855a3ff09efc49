"""The ladder from a problem to a verified solution."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError
from optimization.lagrange import bounded_flow
from optimization.network.ready import is_ready
from optimization.packing.bounded import bounded_packing
from optimization.problem import AssignmentProblem
from optimization.scalar import ScalarProblem, scalarize, trivial_bound
from optimization.solution import Solution, Status, StopReason
from optimization.solvers.base import best_of, conclude
from optimization.solvers.greedy import greedy_columns, within_sizes
from optimization.solvers.milp import MilpSolver
from optimization.solvers.network import flow_engine
from optimization.solvers.packing import LARGEST_CORE
from optimization.solvers.registry import SOLVERS
from optimization.stop import GRACE_S, Deadline
from optimization.structure import Kind, recognise
from optimization.verify import verify
from optimization.warm import is_warm
from optimization.weights import Weights

if TYPE_CHECKING:
    from optimization.solvers.lagrangian import LagrangianSolver

MANY_PAIRS = 20_000
"""From here on prices are sooner done than CBC, compiling included. Where no deadline would end it
CBC gets no more columns than these."""

LARGEST_PROGRAM = 100_000
"""Most columns of a program without a deadline, by HiGHS, which ends after some nodes."""

FLOW_S_PER_PAIR = 4e-6
"""What OR-Tools' flow, which nothing can interrupt, takes at most; four times the usual."""

FLOW_IMPORT_S = 0.2
"""What loading it and what settles its ties takes, once a process."""

SET_UP_S_PER_PAIR = 1e-6
"""What prices and the program take before they look at the clock, likewise."""

LOCAL_S_PER_PAIR = 1.5e-7
"""What local search takes before it looks at the clock, likewise."""

LAYOUT_S_PER_PAIR = 5e-8
"""What laying out our flow takes, likewise."""

FIRST_S_PER_PAIR = 1e-7
"""What greedy and the checks take, likewise."""

LATE = "the deadline came first"
TOO_LARGE = "more would be work without an end: give a deadline"
UNSETTLED = "one of several plans of least cost: there was no time to compare them"

COLD_S = 5.0
"""With less time than this, prices are only asked where their loops are compiled already."""

PRICES_SHARE = 0.7
"""Of the time for prices on orders; the rest is for CBC where they prove nothing."""


def solve(
    problem: AssignmentProblem,
    weights: Weights,
    *,
    bounds: Mapping[str, float] | None = None,
    deadline: Deadline | None = None,
) -> Solution:
    """Find the best selection by the deadline: coverage, then bounds, then the weighted terms.

    Flow where the structure is one, else prices or the mixed-integer program, from a greedy plan
    improved locally, which is also the answer where time was too short for more. Without a deadline
    work is limited instead: with many columns the answer of prices or local search is the last one,
    WORK_LIMIT, its gap proven; the program is solved to its end up to `MANY_PAIRS`. Among plans of
    best coverage a bound is hard: where none keeps it, the answer is INFEASIBLE and says what each
    bounded term can attain; where time ran out with none found, it is UNKNOWN.

    Parameters
    ----------
    problem, weights
        What to choose from, and how much one unit of each term counts.
    bounds
        Largest value of a term, in its unit; acceptance is negative, so "at least 40" is -40.
    deadline
        When the answer is due; none by default.

    Raises
    ------
    ProblemError
        If weights or bounds do not fit the problem.
    VerificationError
        If the answer does not survive independent recomputation.
    """
    started_s = time.monotonic()
    deadline = deadline or Deadline.after(None)
    scalar = scalarize(problem, weights, bounds)
    solution = _bounded(scalar, deadline) if scalar.bounds else _unbounded(scalar, deadline)
    if solution.usable:
        verify(
            problem,
            solution.columns,
            weights=weights,
            bounds=bounds,
            objective=solution.objective,
            scale=solution.scale,
            claimed={"coverage": solution.coverage},
        ).raise_if_faulty()
    return replace(solution, elapsed_s=time.monotonic() - started_s)


def _unbounded(scalar: ScalarProblem, deadline: Deadline) -> Solution:
    """Solve without bounds; never without an answer."""
    started_s = time.monotonic()
    structure, bound_value = recognise(scalar), trivial_bound(scalar)
    pairs, flow, start = scalar.problem.n_columns, structure.kind is Kind.FLOW, None
    known, timed = None, deadline.timed
    try:
        if structure.kind is not Kind.MILP and _flow_in_time(pairs, deadline):
            engine = flow_engine()
            found = engine.answer(scalar, _leaving(FIRST_S_PER_PAIR * pairs, deadline))
            start = found.columns
            if found.proven:
                bound_value = scalar.value(found.columns)
            # A relaxation's optimum that is feasible is the optimum.
            if found.proven and (flow or verify(scalar.problem, found.columns).ok):
                return conclude(
                    scalar,
                    found.columns,
                    engine=engine.name,
                    stop_reason=StopReason.PROVEN,
                    bound_value=bound_value,
                    started_s=started_s,
                    message=structure.reason if found.settled else UNSETTLED,
                )
        if flow or deadline.expired:
            return _anytime(scalar, bound_value, deadline, LATE, started_s, start)
        if SOLVERS["packing"].can_solve(scalar):
            return SOLVERS["packing"].solve(scalar, deadline)
        known = _anytime(
            scalar, bound_value, deadline, LATE if timed else TOO_LARGE, started_s, start
        )
        left_s = deadline.remaining()
        sooner = scalar.problem.all_pairs and pairs >= MANY_PAIRS
        if sooner and left_s > (2 * SET_UP_S_PER_PAIR * pairs if is_warm() else COLD_S):
            known = _prices().solve(scalar, deadline.fraction(PRICES_SHARE), known)
            bound_value = max(bound_value, _bound_value(scalar, known))
        if known.proven or SET_UP_S_PER_PAIR * pairs > deadline.remaining():
            return known
        if not timed and (sooner or pairs > LARGEST_PROGRAM):
            return replace(known, stop_reason=StopReason.WORK_LIMIT)
        found_by_program = _program(scalar, deadline).solve(
            scalar, deadline, known, bound_value=bound_value
        )
    except SolverError as error:
        if known is not None:
            return replace(known, message=str(error))
        return _anytime(scalar, bound_value, deadline, str(error), started_s)
    if timed and found_by_program.engine == SOLVERS["greedy"].name:
        reason = StopReason.GREEDY_FALLBACK
        return replace(found_by_program, stop_reason=reason, message=LATE)
    return found_by_program


def _flow_in_time(pairs: int, deadline: Deadline) -> bool:
    """Whether a flow may be begun: a one-shot call never waits for a compiler.

    Ours answers only once it is compiled, and can be cut short; OR-Tools' cannot, and takes time to
    load in a process that has not.
    """
    if is_ready():
        return LAYOUT_S_PER_PAIR * pairs < deadline.remaining() + GRACE_S
    loaded = "ortools.graph.python.min_cost_flow" in sys.modules
    import_s = 0.0 if loaded else FLOW_IMPORT_S
    return import_s + FLOW_S_PER_PAIR * pairs < deadline.remaining()


def _leaving(reserve_s: float, deadline: Deadline) -> Deadline:
    """Return the deadline that leaves time for a first answer, or a moment's grace from now."""
    return Deadline(max(deadline.at_s - reserve_s, Deadline.after(GRACE_S).at_s))


def _anytime(
    scalar: ScalarProblem,
    bound_value: int,
    deadline: Deadline,
    message: str,
    started_s: float,
    start: NDArray[np.int64] | None = None,
) -> Solution:
    """Answer with the greedy plan, improved as far as time allows, each under its own name.

    Greedy goes on from a flow that was cut short or does not keep the sizes.
    """
    if start is not None:
        start = within_sizes(scalar.problem, start)
    columns = greedy_columns(scalar, start)
    known = conclude(
        scalar,
        columns,
        engine=SOLVERS["greedy"].name,
        stop_reason=StopReason.GREEDY_FALLBACK,
        bound_value=min(bound_value, scalar.value(columns)),
        started_s=started_s,
        message=message,
    )
    local, begins_s = SOLVERS["local"], LOCAL_S_PER_PAIR * scalar.problem.n_columns
    patient = not deadline.timed and scalar.problem.n_columns >= MANY_PAIRS
    ready = is_warm() or patient
    if ready and local.can_solve(scalar) and begins_s < deadline.remaining() + GRACE_S:
        found = local.solve(scalar, _leaving(0.0, deadline), known)
        if found is not known:
            bound = max(found.bound, bound_value - scalar.dominance * found.coverage)
            return replace(found, bound=min(bound, found.objective), message=message)
    return known


@cache
def _prices() -> LagrangianSolver:
    """Load prices on orders, which bring a compiler: once, for each keeps a worker of its own."""
    from optimization.solvers.lagrangian import LagrangianSolver

    return LagrangianSolver()


def _bounded(scalar: ScalarProblem, deadline: Deadline) -> Solution:
    """Solve with bounds, by way of each bounded term on its own."""
    started_s = time.monotonic()
    free = replace(scalar, bounds=())
    start = _unbounded(free, deadline)
    if scalar.within_bounds(start.columns):
        # Optimal without the bounds and inside them: optimal with them.
        return replace(start, message=f"the bounds do not bind; {start.message}")
    bound_value = _bound_value(free, start)
    attainable: dict[str, float] = {}
    broken: list[str] = []
    extremes: list[Solution] = []
    for bound in scalar.bounds:
        alone = scalarize(scalar.problem, Weights({bound.term.name: 1.0}))
        extreme = _unbounded(alone, deadline)
        value = scalar.problem.term_values(extreme.columns)[bound.term.name]
        attainable[bound.term.name] = bound.term.in_unit(value)
        extremes.append(extreme)
        # A composed scale coarser than the term's own would not prove the last digits.
        exact = extreme.proven and alone.scale % bound.term.scale == 0
        if value > bound.limit and exact:
            broken.append(
                f"{bound.term.name} can be no less than {bound.term.in_unit(value):.9g} "
                f"{bound.term.unit} at the best coverage, bound "
                f"{bound.term.in_unit(bound.limit):.9g}"
            )
    if broken:
        return _without_plan(
            scalar, Status.INFEASIBLE, start.coverage, attainable, "; ".join(broken), started_s
        )
    best_coverage = min([start.coverage, *(e.coverage for e in extremes)])
    proven_coverage = best_coverage if start.proven else None
    incumbent = None
    for extreme in extremes:
        inside = scalar.within_bounds(extreme.columns) and extreme.coverage == best_coverage
        if inside:
            known = _restated(scalar, extreme, bound_value, started_s)
            incumbent = best_of(scalar, incumbent, known)
    proven = start.proven and all(extreme.proven for extreme in extremes)
    flow = recognise(free).kind is Kind.FLOW and scalar.bounds[0].term.work is None
    if len(scalar.bounds) == 1 and flow and proven:
        columns, bound_value = bounded_flow(scalar, start.columns, extremes[0].columns, deadline)
        incumbent = _restated(scalar, replace(extremes[0], columns=columns), bound_value, started_s)
        if scalar.value(columns) <= bound_value:
            return replace(incumbent, status=Status.OPTIMAL, stop_reason=StopReason.PROVEN)
    packing = SOLVERS["packing"].can_solve(free) and all(b.term.work is None for b in scalar.bounds)
    endless = not deadline.timed and scalar.problem.n_columns > LARGEST_PROGRAM
    if endless or (packing and scalar.problem.n_columns > LARGEST_CORE):
        message = TOO_LARGE if endless else "no packing within the bounds was found"
        if incumbent is None:
            return _without_plan(
                scalar, Status.UNKNOWN, start.coverage, attainable, message, started_s
            )
        columns = incumbent.columns
        if packing and len(scalar.bounds) == 1:
            columns, bound_value = bounded_packing(
                scalar, SOLVERS["packing"], start, incumbent, deadline
            )
        found = _restated(scalar, replace(incumbent, columns=columns), bound_value, started_s)
        late = deadline.expired
        return found if late else replace(found, stop_reason=StopReason.WORK_LIMIT)
    try:
        found = _program(scalar, deadline).solve(
            scalar, deadline, incumbent, best_coverage=proven_coverage, bound_value=bound_value
        )
    except SolverError as error:
        if incumbent is not None:
            return replace(incumbent, message=str(error))
        return _without_plan(
            scalar, Status.UNKNOWN, start.coverage, attainable, str(error), started_s
        )
    if found.status is Status.INFEASIBLE:
        text = ", ".join(f"{name} {value:.9g}" for name, value in attainable.items())
        message = f"{found.message}; attainable one at a time: {text}"
        return replace(found, attainable=attainable, message=message)
    return found


def _program(scalar: ScalarProblem, deadline: Deadline) -> MilpSolver:
    """Return the general engine, whose solve takes known bounds as well.

    Where nothing else would end it, one that ends by itself.
    """
    engine = SOLVERS["milp"]
    if not isinstance(engine, MilpSolver):
        raise SolverError(f"expected a MilpSolver under 'milp', got {engine.name}")
    if not deadline.timed and scalar.problem.n_columns > MANY_PAIRS:
        return MilpSolver(engine.pool, "highs")
    return engine


def _bound_value(scalar: ScalarProblem, solution: Solution) -> int:
    return solution.bound + scalar.dominance * solution.coverage


def _restated(
    scalar: ScalarProblem, found: Solution, bound_value: int, started_s: float
) -> Solution:
    """Evaluate a selection found under another objective under this one."""
    return conclude(
        scalar,
        found.columns,
        engine=found.engine,
        stop_reason=StopReason.DEADLINE,
        bound_value=min(bound_value, scalar.value(found.columns)),
        started_s=started_s,
    )


def _without_plan(
    scalar: ScalarProblem,
    status: Status,
    coverage: int,
    attainable: Mapping[str, float],
    message: str,
    started_s: float,
) -> Solution:
    known = status is Status.INFEASIBLE
    return Solution(
        columns=np.zeros(0, np.int64),
        status=status,
        stop_reason=StopReason.PROVEN if known else StopReason.DEADLINE,
        engine="bounded terms one at a time",
        objective=0,
        bound=0,
        scale=scalar.scale,
        coverage=coverage,
        elapsed_s=time.monotonic() - started_s,
        message=message,
        attainable=attainable,
    )
