"""Choosing columns at an operating point, and making sure the trips they imply can be made."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dispatch.config import DispatchConfig
from dispatch.errors import DeadlineError, InvalidInputError, Problem, UnattainableBoundError
from dispatch.formulate import BONUS, expected_time_s, formulate, formulate_bundles, padded
from dispatch.frontier import Choice, Progress, Traced, trace
from dispatch.notions import NOTIONS, account_of
from dispatch.operating import AtKnee, ByBound, ByWeights
from dispatch.prepare import Prepared, Stopwatch
from dispatch.result import SolverReport
from dispatch.routes import delays_s, handover_in_s, time_trips
from dispatch.tables import Floats, Ints
from dispatch.trips import Trips
from dispatch.weighing import PER_SECOND, display_weights, internal_weights
from optimization import AssignmentProblem, Deadline, Solution, Status, solve, verify

_TIGHTEN_S = 1.0  # a step, so that tightening a bound ends


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
    trips, report
        The couriers' timed trips; who answered and what is proven.
    bounded
        Whether the choice keeps bounds on terms: of the weighted sum alone it may not be the best.
    traced
        The frontier, where asked for.
    """

    problem: AssignmentProblem
    columns: Ints
    offered: Ints
    probability: Floats
    propensity: Floats
    trips: list[Trips]
    report: SolverReport
    bounded: bool
    traced: Traced | None

    @property
    def optimal(self) -> bool:
        """Whether nothing over these candidates has a smaller weighted sum, bounds or not."""
        return self.report.status == "optimal" and not self.bounded

    @property
    def chosen(self) -> Ints:
        """Candidate pairs of all offers, offer by offer, shape (c,)."""
        return self.offered[self.offered >= 0]

    @property
    def chance(self) -> Floats:
        """Chance that the offer of each chosen pair is taken, shape (c,)."""
        return np.repeat(self.probability, (self.offered >= 0).sum(axis=1))


@dataclass(slots=True)
class _Tries:
    """What earlier tries have shown: couriers limited to one order, a bound on time tightened.

    Single orders were tested as pairs and each limit only takes plans away, so tries end, and the
    first bound stays valid.
    """

    point: ByWeights | ByBound | AtKnee
    single: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    bound: float | None = None
    tightened_s: float = 0.0
    fastest_s: float = np.inf

    @property
    def bounds(self) -> dict[str, float]:
        """The operating point's bound on a term, in its unit."""
        if not isinstance(self.point, ByBound):
            return {}
        limit = self.point.limit
        if self.point.objective == "acceptance":
            return {"acceptance": -limit}
        if self.point.objective == "delivery_time":
            return {"delivery_time": 60 * limit - self.tightened_s}
        return {"fairness": limit}

    def note(self, solution: Solution) -> None:
        """Keep the first bound."""
        if self.bound is None:
            self.bound = solution.bound / solution.scale

    def can_be_made(self, trips: list[Trips]) -> bool:
        """Whether every trip keeps shift and range; limits the couriers of those that do not."""
        broken = np.concatenate(
            [t.courier[~t.feasible] for t in trips] or [np.empty(0, dtype=np.int64)]
        )
        self.single = np.union1d(self.single, broken)
        return not len(broken)

    def keeps_time(self, ready: Prepared, solution: Solution, trips: list[Trips]) -> bool:
        """Whether a bound on delivery time holds for the timed trips; tightens it if not.

        Pairs added up may be faster than the trips they make.
        """
        point = self.point
        if not isinstance(point, ByBound) or point.objective != "delivery_time":
            return True
        if ready.bundles is not None:
            return True
        door_in = handover_in_s(ready.pairs, trips, ready.tables.now_s, at_door=True)
        door_in += delays_s(ready.pairs, trips)[0]
        chosen, chance = solution.columns, ready.costs.probability[solution.columns]
        time_s = expected_time_s(ready.pairs, ready.costs, chosen, chance, door_in)
        self.fastest_s = min(self.fastest_s, time_s)
        over_s = time_s - 60 * point.limit
        if over_s > 0:
            self.tightened_s += over_s + _TIGHTEN_S
        return over_s <= 0

    def unmet(
        self, solution: Solution, config: DispatchConfig
    ) -> UnattainableBoundError | DeadlineError:
        """Say why there is no plan within the bound."""
        point = self.point
        if solution.status is not Status.INFEASIBLE or not isinstance(point, ByBound):
            return DeadlineError(
                "no plan within the bound was found by the deadline; allow more time"
            )
        best = solution.attainable[point.objective]
        if point.objective == "acceptance":
            side, shown = "at least", -best
        else:
            side, shown = "at most", best / PER_SECOND[point.objective]
        if np.isfinite(self.fastest_s):  # what pairs promise, no trip that was timed could keep
            shown = self.fastest_s / 60
        unit = {
            "acceptance": "expected orders accepted",
            "delivery_time": "minutes of delivery time",
            "fairness": f"{NOTIONS[config.fairness.notion].unit} of fairness spread",
        }[point.objective]
        message = (
            f"asks for {side} {point.limit:g} {unit}; "
            f"the best plan over these candidates reaches {shown:.6g}"
        )
        return UnattainableBoundError(
            "operating point", [Problem("operating_point.limit", message)]
        )


def decide(
    ready: Prepared,
    config: DispatchConfig,
    point: ByWeights | ByBound | AtKnee,
    deadline: Deadline,
    watch: Stopwatch,
    *,
    include_frontier: bool = False,
) -> Decision:
    """Choose offers at an operating point.

    Bundles are timed before they are chosen. Where single pairs are added up instead, a courier
    whose joint trip breaks its shift or range is limited to one order and the problem is solved
    again; a bound on delivery time that the timed trips break is tightened by the difference and
    asked again.

    Raises
    ------
    DeadlineError
        A bound was asked for and no plan within it was found in time.
    UnattainableBoundError
        No plan over these candidates meets the bound asked for.
    """
    weights = _weights_at(point, config)
    if ready.bonus is not None:
        weights[BONUS] = 1.0
    tries = _Tries(point)
    while True:
        with watch.stage("problem"):
            problem = make_problem(ready, config, tries.single)
        traced: Traced | None = None
        if include_frontier or isinstance(point, AtKnee):
            with watch.stage("frontier"):
                traced = trace(problem, weights, config, deadline)
        with watch.stage("solve"):
            if isinstance(point, AtKnee) and traced is not None:
                choice = traced.knee
            else:
                used = internal_weights(weights)
                solution = solve(problem, used, bounds=tries.bounds, deadline=deadline)
                choice = Choice(solution, used, tries.bounds)
            if not choice.solution.usable:
                raise tries.unmet(choice.solution, config)
        with watch.stage("verify"):
            verify(
                problem,
                choice.solution.columns,
                weights=choice.weights,
                bounds=choice.bounds,
                objective=choice.solution.objective,
                scale=choice.solution.scale,
            ).raise_if_faulty()
        with watch.stage("routes"):
            trips = _trips(ready, choice.solution.columns, config)
        tries.note(choice.solution)
        if tries.can_be_made(trips) and tries.keeps_time(ready, choice.solution, trips):
            break
    offered, probability = _offers(ready, choice.solution.columns)
    return Decision(
        problem=problem,
        columns=choice.solution.columns,
        offered=offered,
        probability=probability,
        propensity=np.ones(len(offered)),
        trips=trips,
        report=_report(ready, config, problem, choice, tries),
        bounded=bool(choice.bounds),
        traced=traced,
    )


def frontier_of(
    ready: Prepared,
    config: DispatchConfig,
    deadline: Deadline,
    watch: Stopwatch,
    *,
    progress: Progress | None = None,
    folder: Path | None = None,
    most: int | None = None,
) -> tuple[AssignmentProblem, Traced]:
    """Trace the frontier at the configuration's weights; see `trace`. The problem comes with it."""
    with watch.stage("problem"):
        problem = make_problem(ready, config, np.empty(0, dtype=np.int64))
    with watch.stage("frontier"):
        weights = _weights_at(AtKnee(), config)
        return problem, trace(problem, weights, config, deadline, progress, folder, most)


def _weights_at(point: ByWeights | ByBound | AtKnee, config: DispatchConfig) -> dict[str, float]:
    weights = display_weights(config, point if isinstance(point, ByWeights) else None)
    if not any(weights.values()):
        raise InvalidInputError(
            "operating point", [Problem("operating_point", "all weights are 0; give one more")]
        )
    return weights


def make_problem(ready: Prepared, config: DispatchConfig, single: Ints) -> AssignmentProblem:
    """Build the problem of the pairs, or of pairs and bundles where there are any.

    Couriers in `single` may take one added-up pair only.
    """
    tables, pairs, costs = ready.tables, ready.pairs, ready.costs
    account = account_of(tables, ready.free, config)
    if ready.bundles is None:
        return formulate(tables, ready.free, pairs, costs, account, config, single, ready.bonus)
    return formulate_bundles(
        tables, ready.free, pairs, costs, ready.bundles, account, config, ready.bonus
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


def _kept_closed(ready: Prepared, config: DispatchConfig) -> str:
    """Say how many stops on board were not tried behind new ones, because there are so many."""
    if not config.bundles.reopened:
        return ""
    board = np.bincount(ready.tables.board.courier, minlength=len(ready.tables.couriers))
    closed = np.maximum(board - ready.free.begun - ready.free.opened, 0)
    if not closed.any():
        return ""
    return (
        f"{closed.sum()} stops on board of {np.count_nonzero(closed)} couriers kept before new "
        f"ones: only the last {config.bundles.reopened} of each are open"
    )


def _report(
    ready: Prepared,
    config: DispatchConfig,
    problem: AssignmentProblem,
    choice: Choice,
    tries: _Tries,
) -> SolverReport:
    solution, used = choice.solution, choice.weights
    objective = solution.objective / solution.scale
    bound = objective if tries.bound is None else min(tries.bound, objective)
    gap = (objective - bound) / max(abs(objective), 1e-9)
    proven = solution.proven and gap <= 0.5 / solution.scale
    limited = len(tries.single)
    note = (
        f"{limited} couriers limited to one order: a joint trip broke their shift or range"
        if limited
        else ""
    )
    if kept := _kept_closed(ready, config):
        note = "; ".join(part for part in (note, kept) if part)
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
            term.name: used[term.name] * PER_SECOND.get(term.name, 1.0) for term in problem.terms
        },
        operating_point=tries.point.kind,
        orders=int((~ready.tables.orders.locked).sum()),
        couriers=len(ready.tables.couriers),
        pairs=len(ready.pairs),
        bundles=0 if ready.bundles is None else len(ready.bundles.bundles),
        message="; ".join(part for part in (solution.message, note) if part),
    )
