"""From arrays back to objects: the plan as people and platforms read it."""

import hashlib
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from dispatch.config import DispatchConfig
from dispatch.decide import Decision
from dispatch.domain import StopKind
from dispatch.formulate import expected_time_s, lateness
from dispatch.operating import AtKnee, ByBound, ByWeights
from dispatch.pairs import CONSTRAINTS
from dispatch.prepare import Prepared
from dispatch.result import (
    Considered,
    Locked,
    Objectives,
    Offer,
    Plan,
    PlannedStop,
    Rival,
    Route,
    Unassigned,
)
from dispatch.routes import handover_in_s
from dispatch.snapshot import Intake, snapshot_hash
from dispatch.tables import Floats, Ints
from models.uplift import AcceptanceClaim
from optimization import fairness_measures

_POINT: TypeAdapter[ByWeights | ByBound | AtKnee] = TypeAdapter(ByWeights | ByBound | AtKnee)
_NAIVE = (
    "the model that chose the offers, uncorrected (optimistic: choosing favours overestimated "
    "pairs; to correct it takes a model with fold models, and time)"
)
_CORRECTED = (
    "the model that chose the offers, less {optimism:.2f} orders of optimism, found by letting "
    "models of disjoint orders choose and judge each other's plans; 90 % interval"
)
_NOTION = "convex spread of orders per online hour, past work in the window included"


def make_plan(
    ready: Prepared,
    decision: Decision,
    claim: AcceptanceClaim | None,
    config: DispatchConfig,
    model_version: str,
    intake: Intake,
    point: ByWeights | ByBound | AtKnee,
) -> Plan:
    """Write a decision down; the same input gives the same plan, ids included."""
    snapshot = ready.snapshot
    hashes = (snapshot_hash(snapshot), config.sha256, model_version)
    chosen = np.column_stack((ready.pairs.order, ready.pairs.courier))[decision.chosen]
    identity = "\n".join((*hashes, _POINT.dump_json(point).decode(), repr(chosen.tolist())))
    decision_id = hashlib.sha256(identity.encode()).hexdigest()[:32]
    door_in = handover_in_s(ready.pairs, decision.trips, ready.tables.now_s, at_door=True)
    return Plan(
        decision_id=decision_id,
        request_id=snapshot.request_id,
        decided_for=snapshot.now,
        policy_id=config.policy_id,
        snapshot_hash=hashes[0],
        config_hash=hashes[1],
        model_version=model_version,
        currency=snapshot.currency,
        offers=_offers(ready, decision, config, decision_id, door_in),
        routes=_routes(ready, decision),
        unassigned=_unassigned(ready, decision, intake),
        held=(),
        locked=_locked(ready),
        objectives=_objectives(ready, decision, claim, config, door_in),
        solver=decision.report,
        warnings=tuple(str(problem) for problem in intake.problems),
        frontier=decision.frontier,
    )


def _moment(epoch_s: float) -> datetime:
    # Through timedelta, which rounds to the microsecond where fromtimestamp may not.
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch_s)


def _pair_cost(ready: Prepared, decision: Decision) -> Floats:
    """Weighted sum that each pair alone adds to a plan without it, shape (k,)."""
    problem, weights = decision.problem, decision.report.weights
    cost = np.zeros(len(ready.pairs))
    first = problem.slot_ptr[:-1][ready.pairs.courier]
    for term in problem.terms:
        per_unit = weights[term.name] / (60.0 if term.unit == "s" else 1.0)
        marginal = np.append(term.marginal, 0)[np.minimum(first, len(term.marginal))]
        cost += per_unit * (term.column + marginal) / term.scale
    return cost


def _offers(
    ready: Prepared,
    decision: Decision,
    config: DispatchConfig,
    decision_id: str,
    door_in: Floats,
) -> tuple[Offer, ...]:
    pairs, snapshot = ready.pairs, ready.snapshot
    order_ids, courier_ids = ready.tables.orders.ids, ready.tables.couriers.ids
    cost = _pair_cost(ready, decision)
    pickup_in = handover_in_s(pairs, decision.trips, ready.tables.now_s, at_door=False)
    by_order = np.argsort(pairs.order[decision.chosen], kind="stable")
    chosen, propensity = decision.chosen[by_order], decision.propensity[by_order]
    taken: dict[int, list[str]] = defaultdict(list)
    for c in chosen.tolist():
        taken[int(pairs.courier[c])].append(order_ids[pairs.order[c]])
    expires = snapshot.now + timedelta(seconds=config.offers.expires_after_s)
    rivals = _rival_columns(pairs.order, chosen, cost, config.offers.rivals)
    now_s = ready.tables.now_s

    def rival(c: int) -> Rival:
        j = int(pairs.courier[c])
        return Rival(
            courier_id=courier_ids[j],
            probability=float(ready.costs.probability[c]),
            pickup_in_s=float(pairs.timing.picked_up_s[c] - now_s),
            door_in_s=float(ready.costs.door_in_s[c]),
            cost=float(cost[c]),
            offered=tuple(taken.get(j, ())),
        )

    return tuple(
        Offer(
            offer_id=f"{decision_id[:12]}-{number}",
            order_ids=(order_ids[pairs.order[c]],),
            courier_id=courier_ids[pairs.courier[c]],
            rank=1,
            expires_at=expires,
            probability=float(ready.costs.probability[c]),
            propensity=chance,
            pickup_in_s=float(pickup_in[c]),
            door_in_s=float(door_in[c]),
            cost=float(cost[c]),
            considered=_considered(ready, int(pairs.order[c])),
            rivals=tuple(rival(r) for r in rivals[c]),
        )
        for number, (c, chance) in enumerate(
            zip(chosen.tolist(), propensity.tolist(), strict=True), start=1
        )
    )


def _rival_columns(order: Ints, chosen: Ints, cost: Floats, count: int) -> dict[int, list[int]]:
    """List each chosen pair's `count` cheapest rivals for the same order."""
    start = np.searchsorted(order, order[chosen], side="left")
    end = np.searchsorted(order, order[chosen], side="right")
    rivals: dict[int, list[int]] = {}
    for c, first, last in zip(chosen.tolist(), start.tolist(), end.tolist(), strict=True):
        ranked = first + np.argsort(cost[first:last], kind="stable")[: count + 1]
        rivals[c] = [r for r in ranked.tolist() if r != c][:count]
    return rivals


def _routes(ready: Prepared, decision: Decision) -> tuple[Route, ...]:
    order_ids, couriers = ready.tables.orders.ids, ready.snapshot.couriers
    board, free = ready.tables.board, ready.free
    first_stop = np.searchsorted(board.courier, np.arange(len(couriers)))
    routes: list[tuple[int, Route]] = []
    for trips in decision.trips:
        for i, j in enumerate(trips.courier.tolist()):
            on_board = [
                PlannedStop(
                    kind=stop.kind,
                    order_id=stop.order_id,
                    arrive_at=_moment(free.stop_arrive_s[s]),
                    at=_moment(free.stop_event_s[s]),
                    leave_at=_moment(free.stop_leave_s[s]),
                    accepted=True,
                )
                for s, stop in enumerate(couriers[j].on_board, start=int(first_stop[j]))
            ]
            new = [
                PlannedStop(
                    kind=StopKind.PICKUP if trips.is_pickup[i, k] else StopKind.DROPOFF,
                    order_id=order_ids[trips.order[i, k]],
                    arrive_at=_moment(trips.arrive_s[i, k]),
                    at=_moment(trips.event_s[i, k]),
                    leave_at=_moment(trips.leave_s[i, k]),
                )
                for k in range(trips.order.shape[1])
            ]
            metres = float(free.metres[j] + trips.metres[i])
            routes.append((j, Route(couriers[j].id, (*on_board, *new), metres)))
    return tuple(route for _, route in sorted(routes, key=lambda entry: entry[0]))


def _unassigned(ready: Prepared, decision: Decision, intake: Intake) -> tuple[Unassigned, ...]:
    pairs, orders = ready.pairs, ready.tables.orders
    left = _left(ready, decision)
    rejected = tuple(
        Unassigned(name, "rejected_input", Considered()) for name in intake.rejected_orders
    )
    return rejected + tuple(
        Unassigned(
            order_id=orders.ids[i],
            reason="couriers_taken" if pairs.feasible[i] else "no_eligible_courier",
            considered=_considered(ready, i),
        )
        for i in np.flatnonzero(left).tolist()
    )


def _considered(ready: Prepared, i: int) -> Considered:
    pairs = ready.pairs
    cut = int(pairs.cut[i])
    ruled_out = {
        constraint.value: int(count)
        for constraint, count in zip(CONSTRAINTS, pairs.refused[i], strict=True)
        if count
    }
    return Considered(ruled_out, len(ready.tables.couriers) - sum(ruled_out.values()) - cut, cut)


def _left(ready: Prepared, decision: Decision) -> NDArray[np.bool_]:
    left = ~ready.tables.orders.locked
    left[ready.pairs.order[decision.chosen]] = False
    return left


def _locked(ready: Prepared) -> tuple[Locked, ...]:
    holders: dict[str, list[str]] = defaultdict(list)
    for courier in ready.snapshot.couriers:
        for offer in courier.pending_offers:
            for name in offer.order_ids:
                holders[name].append(offer.offer_id)
    return tuple(Locked(name, tuple(offers)) for name, offers in sorted(holders.items()))


def _objectives(
    ready: Prepared,
    decision: Decision,
    claim: AcceptanceClaim | None,
    config: DispatchConfig,
    door_in: Floats,
) -> Objectives:
    tables, costs, chosen = ready.tables, ready.costs, decision.chosen
    orders, couriers = tables.orders, tables.couriers
    order, p = ready.pairs.order[chosen], costs.probability[chosen]
    waiting = max(int((~orders.locked).sum()), 1)
    late = lateness(door_in[chosen], orders.due_s[order] - tables.now_s)
    time_s = expected_time_s(ready.pairs, costs, chosen, door_in)
    late_s = costs.wait_late_s.sum() + (p * (late - costs.wait_late_s[order])).sum()
    spread = decision.problem.term("fairness")
    values = decision.problem.term_values(chosen)
    given = np.bincount(ready.pairs.courier[chosen], minlength=len(couriers))
    hours = np.maximum(couriers.online_s, config.objective.online_floor_s) / 3600
    done = couriers.past_orders + couriers.load_orders + given
    measures = fairness_measures(done / hours).as_dict() if len(couriers) else {}
    naive = float(p.sum())
    expected = claim.corrected.value if claim else naive
    return Objectives(
        expected_acceptances=expected,
        acceptance_rate=expected / waiting,
        acceptance_low=claim.corrected.low if claim else None,
        acceptance_high=claim.corrected.high if claim else None,
        acceptance_basis=_CORRECTED.format(optimism=claim.optimism) if claim else _NAIVE,
        naive_acceptances=naive,
        delivery_time_min=float(time_s / 60),
        mean_delivery_time_min=float(time_s / 60 / waiting),
        lateness_min=float(late_s / 60),
        fairness_spread=spread.in_unit(values["fairness"]),
        fairness_notion=_NOTION,
        fairness=measures,
    )
