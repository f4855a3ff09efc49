"""Choosing columns at an operating point, and making sure the trips they imply can be made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from dispatch.config import DispatchConfig, Objective
from dispatch.errors import DeadlineError, InvalidInputError, Problem, UnattainableBoundError
from dispatch.formulate import BONUS, expected_time_s, formulate, formulate_bundles, padded
from dispatch.operating import AtKnee, ByBound, ByWeights
from dispatch.prepare import Prepared, Stopwatch
from dispatch.result import FrontierPoint, FrontierReport, SolverReport
from dispatch.routes import Trips, handover_in_s, time_trips
from dispatch.tables import Floats, Ints
from optimization import (
    AssignmentProblem,
    Deadline,
    Frontier,
    Solution,
    Status,
    Weights,
    solve,
    sweep,
    verify,
)

EFFICIENCY = ("acceptance", "delivery_time", "lateness")
_PER_SECOND = {"acceptance": 1.0, "delivery_time": 60.0, "lateness": 60.0, "fairness": 1.0}
_TIGHTEN_S = 1.0  # a step, so that tightening a bound ends
_UNIT = {
    "acceptance": "expected orders accepted",
    "delivery_time": "minutes of delivery time",
    "fairness": "orders^2/h of fairness spread",
}

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Offers with their timed trips, and what is proven about the choice.

    Attributes
    ----------
    problem
        What was chosen from.
    columns
        Its chosen columns, one offer each, shape (o,).
    offered
        Candidate pairs of each offer, padded with -1, shape (o, 3).
    probability
        Chance that each offer is taken, shape (o,).
    propensity
        Chance with which the policy makes each offer, shape (o,).
    trips, report, frontier
        The couriers' timed trips; who answered and what is proven; the frontier where asked for.
    """

    problem: AssignmentProblem
    columns: Ints
    offered: Ints
    probability: Floats
    propensity: Floats
    trips: list[Trips]
    report: SolverReport
    frontier: FrontierReport | None

    @property
    def optimal(self) -> bool:
        """Whether nothing over these candidates has a smaller weighted sum, bounds or not."""
        return self.report.status == "optimal" and self.report.operating_point != "bound"

    @property
    def chosen(self) -> Ints:
        """Candidate pairs of all offers, offer by offer, shape (c,)."""
        return self.offered[self.offered >= 0]

    @property
    def chance(self) -> Floats:
        """Chance that the offer of each chosen pair is taken, shape (c,)."""
        return np.repeat(self.probability, (self.offered >= 0).sum(axis=1))


def display_weights(objective: Objective, point: ByWeights | None = None) -> dict[str, float]:
    """Return the configuration's weights (per order, per minute), replaced where the point says."""
    given = point or ByWeights()
    return {
        name: getattr(objective, name) if (own := getattr(given, name)) is None else own
        for name in _PER_SECOND
    }


def internal_weights(weights: Mapping[str, float]) -> Weights:
    """Turn weights per minute into the optimizer's weights per second."""
    return Weights({name: value / _PER_SECOND.get(name, 1.0) for name, value in weights.items()})


def decide(
    ready: Prepared,
    config: DispatchConfig,
    point: ByWeights | ByBound | AtKnee,
    deadline: Deadline,
    watch: Stopwatch,
    *,
    include_frontier: bool = False,
    progress: Progress | None = None,
) -> Decision:
    """Choose offers at an operating point.

    Bundles are timed before they are chosen. Where single pairs are added up instead, a courier
    whose joint trip breaks its shift or range is limited to one order and the problem is solved
    again; single orders were tested as pairs, so this ends. The first bound stays valid, because
    each limit only takes plans away. A bound on delivery time then holds for the timed trips: where
    pairs added up were faster than those, it is tightened by the difference and asked again.

    Raises
    ------
    DeadlineError
        A bound was asked for and no plan within it was found in time.
    UnattainableBoundError
        No plan over these candidates meets the bound asked for.
    """
    weights = display_weights(config.objective, point if isinstance(point, ByWeights) else None)
    if not any(weights.values()):
        raise InvalidInputError(
            "operating point", [Problem("operating_point", "all weights are 0; give one more")]
        )
    if ready.bonus is not None:
        weights[BONUS] = 1.0
    single = np.empty(0, dtype=np.int64)
    first_bound: float | None = None
    tightened_s, fastest_s = 0.0, np.inf
    while True:
        with watch.stage("problem"):
            problem = make_problem(ready, config, single)
        frontier: Frontier | None = None
        if include_frontier or isinstance(point, AtKnee):
            with watch.stage("frontier"):
                frontier = _sweep(problem, weights, config.frontier_points, deadline, progress)
        with watch.stage("solve"):
            if isinstance(point, AtKnee) and frontier is not None:
                solution, used = frontier.knee().solution, frontier.knee().weights
            else:
                used = internal_weights(weights)
                bounds = _bounds(point, tightened_s)
                solution = solve(problem, used, bounds=bounds, deadline=deadline)
                if isinstance(point, ByBound) and not solution.usable:
                    raise _no_plan_within(point, solution, fastest_s)
        with watch.stage("verify"):
            verify(
                problem,
                solution.columns,
                weights=used,
                bounds=_bounds(point, tightened_s),
                objective=solution.objective,
                scale=solution.scale,
            ).raise_if_faulty()
        with watch.stage("routes"):
            trips = _trips(ready, solution.columns, config)
        bound = solution.bound / solution.scale
        first_bound = bound if first_bound is None else first_bound
        broken = np.concatenate(
            [t.courier[~t.feasible] for t in trips] or [np.empty(0, dtype=np.int64)]
        )
        estimated = ready.bundles is None
        if estimated and _bounds_time(point) and not len(broken):
            door_in = handover_in_s(ready.pairs, trips, ready.tables.now_s, at_door=True)
            chosen, chance = solution.columns, ready.costs.probability[solution.columns]
            time_s = expected_time_s(ready.pairs, ready.costs, chosen, chance, door_in)
            fastest_s = min(fastest_s, time_s)
            if time_s > 60 * point.limit:
                tightened_s += time_s - 60 * point.limit + _TIGHTEN_S
                continue
        if not len(broken):
            report = _report(ready, problem, solution, used, point, first_bound, len(single))
            shown = None if frontier is None else frontier_report(frontier, weights)
            offered, probability = _offers(ready, solution.columns)
            return Decision(
                problem=problem,
                columns=solution.columns,
                offered=offered,
                probability=probability,
                propensity=np.ones(len(offered)),
                trips=trips,
                report=report,
                frontier=shown,
            )
        single = np.union1d(single, broken)


def make_problem(ready: Prepared, config: DispatchConfig, single: Ints) -> AssignmentProblem:
    """Build the problem of the pairs, or of pairs and bundles where there are any.

    Couriers in `single` may take one added-up pair only.
    """
    if ready.bundles is None:
        return formulate(ready.tables, ready.pairs, ready.costs, config, single, ready.bonus)
    return formulate_bundles(
        ready.tables, ready.pairs, ready.costs, ready.bundles, config, ready.bonus
    )


def _trips(ready: Prepared, columns: Ints, config: DispatchConfig) -> list[Trips]:
    """Time the chosen columns: pairs by courier, bundles as they were enumerated."""
    pairs, low = columns[columns < len(ready.pairs)], len(ready.pairs)
    trips = time_trips(
        ready.tables, ready.free, ready.pairs, pairs, ready.travel, config.candidates
    )
    for group in ready.bundles.bundles.trips if ready.bundles else ():
        inside = columns[(columns >= low) & (columns < low + len(group))]
        if inside.size:
            trips.append(group[inside - low])
        low += len(group)
    return trips


def _offers(ready: Prepared, columns: Ints) -> tuple[Ints, Floats]:
    """Candidate pairs of the chosen columns, padded, and the chance of each."""
    single = padded(np.arange(len(ready.pairs))[:, None])
    if ready.bundles is None:
        return single[columns], ready.costs.probability[columns]
    member = np.concatenate((single, ready.bundles.pairs))
    probability = np.concatenate((ready.costs.probability, ready.bundles.probability))
    return member[columns], probability[columns]


def _bounds_time(point: ByWeights | ByBound | AtKnee) -> TypeGuard[ByBound]:
    return isinstance(point, ByBound) and point.objective == "delivery_time"


def _sweep(
    problem: AssignmentProblem,
    weights: Mapping[str, float],
    points: int,
    deadline: Deadline,
    progress: Progress | None,
) -> Frontier:
    efficiency = {name: weights[name] for name in EFFICIENCY}
    if not any(efficiency.values()):
        efficiency["acceptance"] = 1.0
    return sweep(
        problem,
        internal_weights(efficiency),
        against="fairness",
        points=points,
        deadline=deadline,
        progress=progress,
    )


def _bounds(
    point: ByWeights | ByBound | AtKnee, tightened_s: float = 0.0
) -> dict[str, float] | None:
    if not isinstance(point, ByBound):
        return None
    if point.objective == "acceptance":
        return {"acceptance": -point.limit}
    if point.objective == "delivery_time":
        return {"delivery_time": 60 * point.limit - tightened_s}
    return {"fairness": point.limit}


def _no_plan_within(
    point: ByBound, solution: Solution, fastest_s: float
) -> UnattainableBoundError | DeadlineError:
    if solution.status is not Status.INFEASIBLE:
        return DeadlineError("no plan within the bound was found by the deadline; allow more time")
    best = solution.attainable[point.objective]
    if point.objective == "acceptance":
        side, shown = "at least", -best
    else:
        side, shown = "at most", best / _PER_SECOND[point.objective]
    if np.isfinite(fastest_s):  # what pairs added up promise, no trip that was timed could keep
        shown = fastest_s / 60
    message = (
        f"asks for {side} {point.limit:g} {_UNIT[point.objective]}; "
        f"the best plan over these candidates reaches {shown:.6g}"
    )
    return UnattainableBoundError("operating point", [Problem("operating_point.limit", message)])


def _report(
    ready: Prepared,
    problem: AssignmentProblem,
    solution: Solution,
    used: Weights,
    point: ByWeights | ByBound | AtKnee,
    bound: float,
    limited: int,
) -> SolverReport:
    objective = solution.objective / solution.scale
    bound = min(bound, objective)
    gap = (objective - bound) / max(abs(objective), 1e-9)
    proven = solution.proven and gap <= 0.5 / solution.scale
    note = (
        f"{limited} couriers limited to one order: a joint trip broke their shift or range"
        if limited
        else ""
    )
    cut = int(ready.pairs.cut.sum())
    return SolverReport(
        engine=solution.engine,
        status="optimal" if proven else "feasible",
        stop_reason=solution.stop_reason.value,
        mode=problem.mode,
        objective=objective,
        bound=bound,
        gap=0.0 if proven else gap,
        bound_scope="over these candidates" if cut else "over all feasible pairs",
        weights={
            term.name: used[term.name] * _PER_SECOND.get(term.name, 1.0) for term in problem.terms
        },
        operating_point=point.kind,
        orders=int((~ready.tables.orders.locked).sum()),
        couriers=len(ready.tables.couriers),
        pairs=len(ready.pairs),
        bundles=0 if ready.bundles is None else len(ready.bundles.bundles),
        message="; ".join(part for part in (solution.message, note) if part),
    )


def frontier_report(frontier: Frontier, weights: Mapping[str, float]) -> FrontierReport:
    """Translate the optimizer's frontier into the units of the plan's objectives."""
    knee = frontier.knee()
    points = tuple(
        FrontierPoint(
            expected_acceptances=-p.values["acceptance"],
            delivery_time_min=p.values["delivery_time"] / 60,
            lateness_min=p.values["lateness"] / 60,
            fairness_spread=p.values["fairness"],
            efficiency=p.efficiency,
            weights={name: p.weights[name] * _PER_SECOND[name] for name in _PER_SECOND},
            gap=p.solution.gap,
            engine=p.solution.engine,
            knee=p is knee,
        )
        for p in frontier.points
    )
    return FrontierReport(
        points=points,
        efficiency_weights={name: weights[name] for name in EFFICIENCY},
        complete=frontier.complete,
    )
