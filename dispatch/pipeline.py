"""`Dispatcher.assign`: the only way from a snapshot to a plan."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from dispatch.check import require_sound
from dispatch.config import DispatchConfig, FairnessRules, FrontierMethod
from dispatch.decide import decide, frontier_of
from dispatch.domain import Snapshot
from dispatch.explore import explore
from dispatch.frontier import Progress
from dispatch.hold import HoldPolicy, hold_back, policy_of
from dispatch.operating import AtKnee, ByBound, ByWeights
from dispatch.prepare import AcceptanceScorer, Prepared, Stopwatch, prepare
from dispatch.reasons import reasons_of_offers
from dispatch.reporting import make_plan
from dispatch.result import Plan
from dispatch.scorer import scorer_for
from dispatch.snapshot import Intake
from dispatch.tradeoff import FrontierReport
from dispatch.travel import GreatCircleTravel, MatrixTravel, TravelTimes
from dispatch.uplift import claim_of_plan, correct_frontier
from dispatch.validate import validate
from optimization import Deadline

_SOLVE_SHARE = 0.85  # of the time left; the rest is for judging, checking and writing the plan
_JUDGE_SHARE = 0.5  # of what is left then


class Dispatcher:
    """Decides who is offered which order.

    Parameters
    ----------
    model
        Predicts acceptance; `models.load(folder)` gives one.
    config
        All parameters; the defaults where none is given.
    travel
        Travel times for snapshots that bring no matrix of their own; great circles by default.
    hold
        Prices holding orders back; what the configuration names by default.
    """

    def __init__(
        self,
        model: AcceptanceScorer,
        config: DispatchConfig | None = None,
        travel: TravelTimes | None = None,
        hold: HoldPolicy | None = None,
    ) -> None:
        self.model = model
        self.config = config or DispatchConfig()
        self.travel = travel or GreatCircleTravel()
        self.hold = hold or policy_of(self.config.hold)

    def assign(
        self,
        snapshot: Snapshot | Intake,
        *,
        deadline: Deadline | None = None,
        operating_point: ByWeights | ByBound | AtKnee | None = None,
        include_frontier: bool = False,
        fairness: FairnessRules | None = None,
        method: FrontierMethod | None = None,
        courier_bonus: Mapping[str, float] | None = None,
    ) -> Plan:
        """Decide one snapshot and return a plan that has passed both checks.

        Parameters
        ----------
        snapshot
            The snapshot.
        deadline
            When the plan is due; none by default.
        operating_point
            Weights, a bound or the knee; the configuration's weights by default.
        include_frontier
            Whether to trace the frontier too.
        fairness, method
            What fairness is about and how a frontier is found, where not as configured; the plan's
            configuration hash is that of the configuration so changed.
        courier_bonus
            What offering an order to a courier is worth besides, by id, in the unit of the
            weighted sum (an expected acceptance at weight 1): the hand of a policy that balances
            work from outside. Those not named count 0; the plan's weights list it.

        Raises
        ------
        InvalidInputError
            Listing everything wrong with the snapshot.
        UnattainableBoundError
            No plan over the candidates meets the bound asked for.
        """
        point = operating_point or ByWeights()
        due = deadline or Deadline.after(None)
        config = self._configured(fairness, method)
        watch = Stopwatch()
        intake = _validated(snapshot, watch)
        ready = self._prepare(intake.snapshot, config, due, watch)
        if courier_bonus is not None:
            bonus = [courier_bonus.get(c.id, 0.0) for c in intake.snapshot.couriers]
            ready = replace(ready, bonus=np.array(bonus, dtype=np.float64))
        decision = decide(
            ready,
            config,
            point,
            due.fraction(_SOLVE_SHARE),
            watch,
            include_frontier=include_frontier,
        )
        added_up = not (decision.problem.one_column_per_courier or decision.problem.works)
        if config.offers.explored and added_up and isinstance(point, ByWeights):
            with watch.stage("explore"):
                decision = explore(ready, decision, config)
        with watch.stage("uplift"):
            judged = due.fraction(_JUDGE_SHARE)
            claim = claim_of_plan(ready, decision, self.model, config, judged, watch)
            frontier = None
            if (traced := decision.traced) is not None:
                problem = decision.problem
                frontier = correct_frontier(
                    ready, problem, traced, self.model, config, judged, watch
                )
        with watch.stage("reasons"):
            reasons = reasons_of_offers(ready, decision, self.model, due.fraction(_JUDGE_SHARE))
        with watch.stage("plan"):
            # to look for changes takes about as long as it took to solve
            diagnosed = due.remaining() > 2 * watch.seconds["solve"]
            plan = make_plan(
                ready,
                decision,
                claim,
                config,
                self.model.version,
                intake,
                point,
                reasons,
                frontier=frontier,
                diagnosed=diagnosed,
            )
        with watch.stage("check"):
            require_sound(plan, ready.snapshot, ready.travel, config.candidates, config.bundles)
        watch.seconds["total"] = sum(watch.seconds.values())
        return replace(plan, timings_s=watch.seconds)

    def frontier(
        self,
        snapshot: Snapshot | Intake,
        *,
        points: int | None = None,
        method: FrontierMethod | None = None,
        fairness: FairnessRules | None = None,
        deadline: Deadline | None = None,
        progress: Progress | None = None,
        folder: Path | None = None,
    ) -> FrontierReport:
        """Trace the plans from the most efficient to the fairest of one snapshot.

        Parameters
        ----------
        snapshot
            The snapshot.
        points
            Weights to try in a sweep, or about how many points of an exact frontier to stop at; by
            default the configuration's, or all.
        method, fairness
            As in the configuration, which is the default.
        deadline, progress
            When to stop with what there is; called with steps done and steps there are.
        folder
            Where an exact frontier keeps finished pieces: given it again, a killed one goes on.

        Raises
        ------
        InvalidInputError
            Listing everything wrong with the snapshot.
        """
        watch = Stopwatch()
        intake = _validated(snapshot, watch)
        due = deadline or Deadline.after(None)
        config = self._configured(fairness, method)
        config = replace(config, frontier_points=points or config.frontier_points)
        ready = self._prepare(intake.snapshot, config, due, watch)
        problem, traced = frontier_of(
            ready,
            config,
            due.fraction(_SOLVE_SHARE),
            watch,
            progress=progress,
            folder=folder,
            most=points,
        )
        return correct_frontier(ready, problem, traced, self.model, config, due, watch)

    def _configured(
        self, fairness: FairnessRules | None, method: FrontierMethod | None
    ) -> DispatchConfig:
        """Return the configuration with what one call changes of it."""
        return replace(
            self.config,
            fairness=fairness or self.config.fairness,
            frontier_method=method or self.config.frontier_method,
        )

    def _prepare(
        self, snapshot: Snapshot, config: DispatchConfig, due: Deadline, watch: Stopwatch
    ) -> Prepared:
        matrix = snapshot.travel_matrix
        travel = self.travel if matrix is None else MatrixTravel(matrix)
        scorer = scorer_for(self.model, snapshot.city_id, config)
        ready = prepare(snapshot, scorer, config, travel, watch)
        return ready if self.hold is None else hold_back(ready, config, self.hold, due, watch)


def _validated(snapshot: Snapshot | Intake, watch: Stopwatch) -> Intake:
    """Check a snapshot built in Python; one that was read has been checked by its reader."""
    if isinstance(snapshot, Intake):
        return snapshot
    with watch.stage("validate"):
        validate(snapshot)
    return Intake(snapshot)
