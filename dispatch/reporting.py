"""From arrays back to objects: the plan as people and platforms read it."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from dispatch.config import DispatchConfig
from dispatch.decide import Decision
from dispatch.diagnosis import diagnose_left
from dispatch.domain import StopKind
from dispatch.formulate import expected_time_s, lateness, padded
from dispatch.notions import account_of
from dispatch.operating import AtKnee, ByBound, ByWeights
from dispatch.pairs import CONSTRAINTS
from dispatch.prepare import Prepared
from dispatch.result import (
    Considered,
    Held,
    Locked,
    Objectives,
    Offer,
    Plan,
    PlannedStop,
    Reason,
    Rival,
    Route,
    Unassigned,
)
from dispatch.routes import delays_s, handover_in_s
from dispatch.snapshot import Intake, snapshot_hash
from dispatch.tables import Floats, Ints
from dispatch.tradeoff import FrontierReport
from models.uplift import AcceptanceClaim
from optimization import AssignmentProblem, fairness_measures

_POINT: TypeAdapter[ByWeights | ByBound | AtKnee] = TypeAdapter(ByWeights | ByBound | AtKnee)
_NAIVE = (
    "the model that chose the offers, uncorrected (optimistic: choosing favours overestimated "
    "pairs; to correct it takes a model with fold models, and time)"
)
_CORRECTED = (
    "the model that chose the offers, less {optimism:.2f} orders of optimism, found by letting "
    "models of disjoint orders choose and judge each other's plans; 90 % interval"
)


def make_plan(
    ready: Prepared,
    decision: Decision,
    claim: AcceptanceClaim | None,
    config: DispatchConfig,
    model_version: str,
    intake: Intake,
    point: ByWeights | ByBound | AtKnee,
    reasons: Sequence[tuple[Reason, ...]],
    *,
    frontier: FrontierReport | None = None,
    diagnosed: bool = True,
) -> Plan:
    """Write a decision down; the same input gives the same plan, ids included.

    `reasons` are those of its offers, one entry each. Not `diagnosed`: changes that would get
    orders offered that were left are not looked for.
    """
    snapshot, pairs = ready.snapshot, ready.pairs
    hashes = (snapshot_hash(snapshot), config.sha256, model_version)
    chosen = [
        (pairs.order[row].tolist(), int(pairs.courier[row[0]]))
        for row in (offer[offer >= 0] for offer in decision.offered)
    ]
    identity = "\n".join((*hashes, _POINT.dump_json(point).decode(), repr(chosen)))
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
        offers=_offers(ready, decision, config, decision_id, door_in, reasons),
        routes=_routes(ready, decision),
        unassigned=_unassigned(ready, decision, intake, diagnosed),
        held=_held(ready),
        locked=_locked(ready),
        objectives=_objectives(ready, decision, claim, config, door_in),
        solver=decision.report,
        warnings=tuple(str(problem) for problem in intake.problems),
        frontier=frontier,
    )


def _moment(epoch_s: float) -> datetime:
    # Through timedelta, which rounds to the microsecond where fromtimestamp may not.
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch_s)


def _column_cost(decision: Decision) -> Floats:
    """Weighted sum that each column alone adds to a plan without it, shape (k,)."""
    problem, weights = decision.problem, decision.report.weights
    cost = np.zeros(problem.n_columns)
    first = problem.slot_ptr[:-1][problem.column_courier]
    for term in problem.terms:
        per_unit = weights[term.name] / (60.0 if term.unit == "s" else 1.0)
        price = np.concatenate(([0], np.cumsum(term.marginal)))
        # A courier without room has columns but no slots.
        last = np.minimum(first + problem.orders_per_column, len(term.marginal))
        separable = price[last] - price[np.minimum(first, len(term.marginal))]
        worked = np.zeros(problem.n_columns, np.int64)
        if term.work is not None:
            more = problem.work(term.work.work).column
            worked = term.work.rise(problem.column_courier, np.zeros_like(more), more)
        cost += per_unit * (term.column + separable + worked) / term.scale
    return cost


def _offers(
    ready: Prepared,
    decision: Decision,
    config: DispatchConfig,
    decision_id: str,
    door_in: Floats,
    reasons: Sequence[tuple[Reason, ...]],
) -> tuple[Offer, ...]:
    pairs, snapshot = ready.pairs, ready.snapshot
    order_ids, courier_ids = ready.tables.orders.ids, ready.tables.couriers.ids
    cost = _column_cost(decision)
    pickup_in = handover_in_s(pairs, decision.trips, ready.tables.now_s, at_door=False)
    delay, _ = delays_s(pairs, decision.trips)
    member, chance, ends_s = _all_columns(ready)
    by_first_order = np.argsort(pairs.order[decision.offered[:, 0]], kind="stable")
    taken: dict[int, list[str]] = defaultdict(list)
    for c in sorted(decision.chosen.tolist()):  # pairs are sorted by order
        taken[int(pairs.courier[c])].append(order_ids[pairs.order[c]])
    expires = snapshot.now + timedelta(seconds=config.offers.expires_after_s)
    rivals = _rival_columns(
        decision.problem, decision.columns[by_first_order], cost, config.offers.rivals
    )

    def rival(c: int) -> Rival:
        j = int(pairs.courier[member[c, 0]])
        return Rival(
            courier_id=courier_ids[j],
            probability=float(chance[c]),
            pickup_in_s=float(ends_s[c, 0]),
            door_in_s=float(ends_s[c, 1]),
            cost=float(cost[c]),
            offered=tuple(taken.get(j, ())),
        )

    def offer(number: int, row: int) -> Offer:
        mine, column = decision.offered[row], int(decision.columns[row])
        mine = mine[mine >= 0]
        orders = pairs.order[mine]
        return Offer(
            offer_id=f"{decision_id[:12]}-{number}",
            order_ids=tuple(order_ids[i] for i in orders.tolist()),
            courier_id=courier_ids[pairs.courier[mine[0]]],
            rank=1,
            expires_at=expires,
            probability=float(decision.probability[row]),
            propensity=float(decision.propensity[row]),
            pickup_in_s=float(pickup_in[mine].min()),
            door_in_s=float(door_in[mine].max()),
            delay_on_board_s=float(delay[mine].sum()),
            cost=float(cost[column]),
            considered=_considered(ready, int(orders[np.argmin(pairs.feasible[orders])])),
            rivals=tuple(rival(r) for r in rivals[column]),
            reasons=reasons[row],
        )

    return tuple(offer(n, row) for n, row in enumerate(by_first_order.tolist(), start=1))


def _all_columns(ready: Prepared) -> tuple[Ints, Floats, Floats]:
    """Pairs (k, 3), chance (k,) and seconds to the first pickup and the last door (k, 2)."""
    pairs, now_s = ready.pairs, ready.tables.now_s
    member = [padded(np.arange(len(pairs))[:, None])]
    chance = [ready.costs.probability]
    ends = [np.column_stack((pairs.timing.picked_up_s - now_s, ready.costs.door_in_s))]
    if ready.bundles is not None:
        member.append(ready.bundles.pairs)
        chance.append(ready.bundles.probability)
        for trips in ready.bundles.bundles.trips:
            own = [trips.at(end, trips.event_s) for end in (trips.first, trips.last)]
            ends.append(np.column_stack(own) - now_s)
    return np.concatenate(member), np.concatenate(chance), np.concatenate(ends)


def _rival_columns(
    problem: AssignmentProblem, chosen: Ints, cost: Floats, count: int
) -> dict[int, list[int]]:
    """List each chosen column's `count` cheapest rivals for the same orders."""
    if not count:
        return {c: [] for c in chosen.tolist()}
    ptr, orders = problem.column_ptr, problem.column_order
    width = int(problem.orders_per_column.max(initial=1))
    place = ptr[:-1, None] + np.arange(width)
    table = np.where(
        place < ptr[1:, None], np.append(orders, -1)[np.minimum(place, len(orders))], -1
    )
    same = np.zeros(len(table), np.int64)
    for ids in np.sort(table, axis=1).T:  # numbered anew after each, so that nothing overflows
        _, same = np.unique(same * (problem.n_orders + 1) + ids + 1, return_inverse=True)
    by_orders = np.lexsort((cost, same))
    start = np.searchsorted(same[by_orders], same[chosen], side="left")
    end = np.searchsorted(same[by_orders], same[chosen], side="right")
    rivals: dict[int, list[int]] = {}
    for c, first, last in zip(chosen.tolist(), start.tolist(), end.tolist(), strict=True):
        ranked = by_orders[first : min(last, first + count + 1)].tolist()
        rivals[c] = [r for r in ranked if r != c][:count]
    return rivals


def _routes(ready: Prepared, decision: Decision) -> tuple[Route, ...]:
    order_ids, couriers = ready.tables.orders.ids, ready.snapshot.couriers
    board, free = ready.tables.board, ready.free
    first_stop = np.searchsorted(board.courier, np.arange(len(couriers)))
    routes: list[tuple[int, Route]] = []
    for trips in decision.trips:
        for i, j in enumerate(trips.courier.tolist()):
            on_board, first = couriers[j].on_board, int(first_stop[j])
            kept = [
                PlannedStop(
                    kind=on_board[s - first].kind,
                    order_id=on_board[s - first].order_id,
                    arrive_at=_moment(free.stop_arrive_s[s]),
                    at=_moment(free.stop_event_s[s]),
                    leave_at=_moment(free.stop_leave_s[s]),
                    accepted=True,
                )
                for s in range(first, int(free.first_open[j]))
            ]
            order, board = trips.order[i].tolist(), trips.board[i].tolist()
            rest = [
                PlannedStop(
                    kind=StopKind.PICKUP if trips.is_pickup[i, k] else StopKind.DROPOFF,
                    order_id=on_board[s - first].order_id if s >= 0 else order_ids[order[k]],
                    arrive_at=_moment(trips.arrive_s[i, k]),
                    at=_moment(trips.event_s[i, k]),
                    leave_at=_moment(trips.leave_s[i, k]),
                    accepted=s >= 0,
                )
                for k, s in enumerate(board)
            ]
            metres = float(free.start_m[j] + trips.leg_m[i].sum())
            routes.append((j, Route(couriers[j].id, (*kept, *rest), metres)))
    return tuple(route for _, route in sorted(routes, key=lambda entry: entry[0]))


def _unassigned(
    ready: Prepared, decision: Decision, intake: Intake, diagnosed: bool
) -> tuple[Unassigned, ...]:
    ids, left = ready.tables.orders.ids, np.flatnonzero(_left(ready, decision))
    rejected = tuple(
        Unassigned(name, "rejected_input", Considered()) for name in intake.rejected_orders
    )
    return rejected + tuple(
        Unassigned(ids[i], found.reason, _considered(ready, i), found.changes)
        for i, found in diagnose_left(ready, decision, left, in_time=diagnosed).items()
    )


def _held(ready: Prepared) -> tuple[Held, ...]:
    held = ready.held
    return tuple(
        Held(
            order_id=ready.tables.orders.ids[i],
            reason=f"holding costs {price_s / 60:.1f} minutes of expected delivery time, "
            f"the best offer {offer_s / 60:.1f}",
            holding_min=price_s / 60,
            best_offer_min=offer_s / 60,
            considered=_considered(ready, i),
        )
        for i, price_s, offer_s in zip(
            held.order.tolist(), held.price_s.tolist(), held.offer_s.tolist(), strict=True
        )
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
    left[ready.held.order] = False
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
    orders = tables.orders
    order, p = ready.pairs.order[chosen], decision.chance
    waiting = max(int((~orders.locked).sum()), 1)
    delay, delay_late = delays_s(ready.pairs, decision.trips)
    late = lateness(door_in[chosen], orders.due_s[order] - tables.now_s) + delay_late[chosen]
    time_s = expected_time_s(ready.pairs, costs, chosen, p, door_in + delay)
    late_s = costs.wait_late_s.sum() + (p * (late - costs.wait_late_s[order])).sum()
    spread = decision.problem.term("fairness")
    values = decision.problem.term_values(decision.columns)
    account = account_of(tables, ready.free, config)
    rates = account.rates(account.added(decision.problem, decision.columns))
    measures = fairness_measures(rates).as_dict() if len(rates) else {}
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
        fairness_notion=account.description,
        fairness=measures,
        fairness_unit=account.notion.unit,
    )
