"""`Dispatcher.assign` as a policy: plan every epoch, commit as late as is safe."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from dispatch.domain import Courier, Snapshot, StopKind
from dispatch.pipeline import Dispatcher
from dispatch.result import Offer, Plan, PlannedStop, Route
from dispatch.simulation.day import moment
from dispatch.simulation.policy import Decision, HeldOrder, Outcome, Proposal
from dispatch.snapshot import Intake


@dataclass(frozen=True, slots=True)
class Commitment:
    """When a planned offer is made.

    Attributes
    ----------
    late
        Tell a courier only when the next epoch would be too late for the plan's times: when they
        could start before `next epoch + margin_s` and would not merely wait at the pickup.
        Otherwise the plan is dropped and made again then. Not late: tell at once.
    margin_s
        Time an answer may take, and slack for the rest.
    first_job
        Offer only the stops until the courier carries nothing again; the jobs planned after that
        are planned anew then.
    """

    late: bool = True
    margin_s: float = 0.0
    first_job: bool = False


class RollingHorizon:
    """Lets a `Dispatcher` decide every snapshot and makes the offers that cannot wait.

    Parameters
    ----------
    dispatcher
        The policy under test, as the command line and the service have it; its travel times and
        `candidates.shift_covers` should be the day's own.
    commitment
        When planned offers are made.
    backups
        Couriers asked next after a refusal, at most: the offer's rivals who hold no other offer of
        the plan, cheapest first.
    """

    def __init__(
        self, dispatcher: Dispatcher, commitment: Commitment | None = None, *, backups: int = 0
    ) -> None:
        self.dispatcher = dispatcher
        self.commitment = commitment or Commitment()
        self.backups = backups

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """Learn nothing: the snapshot's own fields say what the dispatcher may know."""

    def decide(self, snapshot: Snapshot, next_epoch_s: float) -> Decision:
        """Plan the snapshot; offer what the commitment says."""
        # the environment makes sound snapshots, as a reader does
        plan = self.dispatcher.assign(Intake(snapshot))
        return commit(plan, snapshot, next_epoch_s, self.commitment, backups=self.backups)


def commit(
    plan: Plan,
    snapshot: Snapshot,
    next_epoch_s: float,
    commitment: Commitment,
    *,
    backups: int = 0,
) -> Decision:
    """Turn a plan into the offers to make now and the orders held for the next epoch.

    A courier's offers are made together or not at all.
    """
    routes = {route.courier_id: route for route in plan.routes}
    couriers = {courier.id: courier for courier in snapshot.couriers}
    before_s = {order.id: order.pickup.service_before_s for order in snapshot.orders}
    by_courier: dict[str, list[Offer]] = defaultdict(list)
    for offer in plan.offers:
        by_courier[offer.courier_id].append(offer)
    proposals: list[Proposal] = []
    held = [HeldOrder(entry.order_id, entry.reason) for entry in plan.held]
    deadline_s = next_epoch_s + commitment.margin_s
    taken = set(by_courier)
    for name, offers in by_courier.items():
        free_s, stops = _from_first_new(couriers[name], routes[name], snapshot)
        start_s = latest_start_s(stops, free_s, before_s)
        if commitment.late and start_s >= deadline_s:
            reason = f"courier {name} would still be in time if told by {moment(start_s):%H:%M:%S}"
            held += [HeldOrder(order, reason) for offer in offers for order in offer.order_ids]
            continue
        if commitment.first_job:
            stops, later = _split_first_job(stops)
            reason = f"planned as a later job of courier {name}"
            held += [HeldOrder(order, reason) for order in later]
        route = routes[name].stops if any(stop.accepted for stop in stops) else stops
        there = {stop.order_id for stop in stops if not stop.accepted}
        for offer in offers:
            wanted = there.intersection(offer.order_ids)
            if not wanted:
                continue
            rivals = [r.courier_id for r in offer.rivals if r.courier_id not in taken]
            proposals.append(
                Proposal(
                    courier_id=name,
                    stops=tuple((s.kind, s.order_id) for s in stops if s.order_id in wanted),
                    route=tuple((s.kind, s.order_id) for s in route),
                    expires_after_s=(offer.expires_at - snapshot.now) / timedelta(seconds=1),
                    probability=offer.probability,
                    backups=tuple(rivals[:backups]),
                )
            )
    return Decision(tuple(proposals), tuple(held))


def _split_first_job(stops: Sequence[PlannedStop]) -> tuple[list[PlannedStop], list[str]]:
    """Return the stops until the courier carries nothing, and the orders of the stops after."""
    on_board: set[str] = set()
    for k, stop in enumerate(stops, start=1):
        on_board ^= {stop.order_id}
        if not on_board:
            return list(stops[:k]), [s.order_id for s in stops[k:] if s.kind is StopKind.PICKUP]
    return list(stops), []


def latest_start_s(
    stops: Sequence[PlannedStop], start_s: float, before_s: Mapping[str, float]
) -> float:
    """Return until when the courier can start on new stops without any dropoff being later.

    Waits at the pickups before the first dropoff absorb a later start; a visit's wait counts once.
    Who has stops on board to make after them does not wait to be told, but rides on. `before_s` is
    the service before each order's pickup.
    """
    if any(stop.accepted for stop in stops):
        return start_s
    visit = None
    for stop in stops:
        if stop.kind is StopKind.DROPOFF:
            break
        if visit == (stop.arrive_at, stop.at):
            continue
        visit = (stop.arrive_at, stop.at)
        wait_s = (stop.at - stop.arrive_at).total_seconds() - before_s[stop.order_id]
        start_s += max(wait_s, 0.0)
    return start_s


def _from_first_new(
    courier: Courier, route: Route, snapshot: Snapshot
) -> tuple[float, Sequence[PlannedStop]]:
    """When the courier turns to the first new stop, and the stops from there on."""
    first = next(k for k, stop in enumerate(route.stops) if not stop.accepted)
    old = [stop.leave_at for stop in route.stops[:first]]
    free = max(courier.available_at or snapshot.now, snapshot.now, *old[-1:])
    return free.timestamp(), route.stops[first:]
