"""The trade-off of one snapshot: swept by weights, or every point there is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dispatch.config import DispatchConfig
from dispatch.notions import NOTIONS
from dispatch.tables import Floats, Ints
from dispatch.tradeoff import FrontierPoint, FrontierReport
from dispatch.weighing import EFFICIENCY, PER_SECOND, internal_weights
from optimization import (
    AssignmentProblem,
    CertifiedFrontier,
    Deadline,
    Kind,
    Solution,
    SolverError,
    Status,
    StopReason,
    Weights,
    exact_frontier,
    recognise,
    scalarize,
    sweep,
    verify,
)

_EXACT_SHARE = 0.7  # of the time left; the rest is for a sweep where it cannot be had
_ANY_SIZE = 2**60
_EXACT = "courier-dispatch:exact-frontier"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A plan, the weights it was chosen by, and the bounds on terms that it keeps."""

    solution: Solution
    weights: Weights
    bounds: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """A frontier, its knee, the columns of its first and last plan, the weights of efficiency."""

    report: FrontierReport
    knee: Choice
    ends: tuple[Ints, Ints]
    efficiency: Weights


def trace(
    problem: AssignmentProblem,
    weights: Mapping[str, float],
    config: DispatchConfig,
    deadline: Deadline,
    progress: Progress | None = None,
    folder: Path | None = None,
    most: int | None = None,
) -> Traced:
    """Find the frontier of efficiency against fairness, by the configuration's method.

    An exact one that cannot be had, for the structure or the time, is swept, and the report says
    so.

    Parameters
    ----------
    problem
        What to choose from.
    weights
        Per order and minute, as people give them; fairness aside they make up efficiency.
    config
        Method and number of points.
    deadline, progress
        When to stop with what there is; called with steps done and steps there are.
    folder
        Where an exact frontier keeps finished pieces, to go on from after being killed.
    most
        Points after which an exact frontier stops; None for all.
    """
    efficiency = {name: weights[name] for name in EFFICIENCY}
    if not any(efficiency.values()):
        efficiency["acceptance"] = 1.0
    unit = NOTIONS[config.fairness.notion].unit
    note = ""
    if config.frontier_method == "exact":
        try:
            found = _every_point(
                problem, internal_weights(efficiency), deadline, progress, folder, most
            )
            return _exact(found, efficiency, unit)
        except SolverError as error:
            note = f"swept, for the exact frontier cannot be had: {error}"
    return _swept(problem, efficiency, config, deadline, progress, unit, note)


def _every_point(
    problem: AssignmentProblem,
    efficiency: Weights,
    deadline: Deadline,
    progress: Progress | None,
    folder: Path | None,
    most: int | None,
) -> CertifiedFrontier:
    """Find all points, of the flow without size limits first where those may not bind.

    A frontier without them whose plans all keep them is the frontier with them: nothing within the
    limits is better than the points without.
    """
    if problem.term("fairness").work is not None:
        raise SolverError("work that adds up unevenly makes it no flow")
    due = deadline.fraction(_EXACT_SHARE)

    def points_of(candidate: AssignmentProblem, *, unsupported: bool = True) -> CertifiedFrontier:
        return exact_frontier(
            candidate,
            efficiency,
            unsupported=unsupported,
            max_points=most,
            deadline=due,
            folder=folder if unsupported else None,
            progress=progress,
        )

    def keeps_sizes(found: CertifiedFrontier) -> bool:
        return all(verify(problem, columns).ok for columns in found.columns)

    if recognise(scalarize(problem, efficiency)).kind is Kind.FLOW_IF_SIZES_FIT:
        # candidates that are too large alone are no pairs
        free = problem.replace(max_size=np.full_like(problem.max_size, _ANY_SIZE))
        # the supported points are soon found, and seldom keep sizes that the others break
        if keeps_sizes(points_of(free, unsupported=False)) and keeps_sizes(all_ := points_of(free)):
            return all_
    return points_of(problem)


def _exact(found: CertifiedFrontier, efficiency: Mapping[str, float], unit: str) -> Traced:
    values = [found.problem.term_values(columns.astype(np.int64)) for columns in found.columns]
    knee = found.knee()
    report = _report(
        [
            FrontierPoint(
                **_objectives(found.problem, values[k]),
                efficiency=float(found.points[k, 0]),
                weights={},
                gap=0.0,
                engine=_EXACT,
                knee=k == knee,
                supported=bool(found.supported[k]),
            )
            for k in range(len(found))
        ],
        efficiency,
        unit,
        complete=found.complete,
        method="exact",
        hypervolume_gap=found.hypervolume_gap,
        open_boxes=len(found.boxes),
    )
    limit = float(found.points[knee, 1])
    choice = Choice(_plan_at(found, knee), found.efficiency, {found.against: limit})
    first, last = (found.columns[k].astype(np.int64) for k in (0, -1))
    return Traced(report, choice, (first, last), found.efficiency)


def _plan_at(found: CertifiedFrontier, index: int) -> Solution:
    """Return the plan of a point, proven only where no box is open beside it."""
    solution, own = found.solution(index), float(found.points[index, 0])
    lows = [low for low, high in (b.efficiency for b in found.boxes) if low < own <= high]
    if not lows:
        return solution
    return replace(
        solution,
        status=Status.FEASIBLE,
        stop_reason=StopReason.DEADLINE,
        bound=min(solution.bound, int(np.floor(min(lows) * solution.scale))),
    )


def _swept(
    problem: AssignmentProblem,
    efficiency: Mapping[str, float],
    config: DispatchConfig,
    deadline: Deadline,
    progress: Progress | None,
    unit: str,
    note: str,
) -> Traced:
    found = sweep(
        problem,
        internal_weights(efficiency),
        against="fairness",
        points=config.frontier_points,
        deadline=deadline,
        progress=progress,
    )
    knee = found.knee()
    report = _report(
        [
            FrontierPoint(
                expected_acceptances=-p.values["acceptance"],
                naive_acceptances=-p.values["acceptance"],
                delivery_time_min=p.values["delivery_time"] / 60,
                lateness_min=p.values["lateness"] / 60,
                fairness_spread=p.values["fairness"],
                efficiency=p.efficiency,
                weights={name: p.weights[name] * PER_SECOND[name] for name in PER_SECOND},
                gap=p.solution.gap,
                engine=p.solution.engine,
                knee=p is knee,
            )
            for p in found.points
        ],
        efficiency,
        unit,
        complete=found.complete,
        note=note,
    )
    return Traced(
        report,
        Choice(knee.solution, knee.weights, {}),
        (found.points[0].solution.columns, found.points[-1].solution.columns),
        internal_weights(efficiency),
    )


def _objectives(problem: AssignmentProblem, values: Mapping[str, int]) -> dict[str, float]:
    """State a point's terms in the units of the plan's objectives."""
    unit = {name: problem.term(name).in_unit(value) for name, value in values.items()}
    return {
        "expected_acceptances": -unit["acceptance"],
        "naive_acceptances": -unit["acceptance"],
        "delivery_time_min": unit["delivery_time"] / 60,
        "lateness_min": unit["lateness"] / 60,
        "fairness_spread": unit["fairness"],
    }


def _report(
    points: list[FrontierPoint], efficiency: Mapping[str, float], unit: str, **known: object
) -> FrontierReport:
    """Add what follows from the points: ideal, nadir, hypervolume, the price of fairness."""
    best, worst = points[0], points[-1]
    ideal = (best.efficiency, worst.fairness_spread)
    nadir = (worst.efficiency, best.fairness_spread)
    axes = np.array([[p.efficiency, p.fairness_spread] for p in points])
    return FrontierReport(
        points=tuple(points),
        efficiency_weights=dict(efficiency),
        ideal=ideal,
        nadir=nadir,
        hypervolume=_hypervolume(axes, np.array(ideal), np.array(nadir)),
        fairness_unit=unit,
        **known,  # type: ignore[arg-type]
    ).priced()


def _hypervolume(points: Floats, ideal: Floats, nadir: Floats) -> float:
    """Share of the rectangle from ideal to nadir that the points dominate; 1 where it is none."""
    spread = nadir - ideal
    if not (spread > 0).all():
        return 1.0
    import moocore

    return float(moocore.hypervolume((points - ideal) / spread, ref=[1.0, 1.0]))
