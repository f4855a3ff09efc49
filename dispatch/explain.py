"""Why an order went where it went: read from the plan, in words."""

from dispatch.domain import StopKind
from dispatch.errors import InvalidInputError, Problem
from dispatch.result import Change, Considered, Offer, Plan, Unassigned

WORDS = {
    "offer_pending": "had an unanswered offer",
    "capacity": "had no room for another order",
    "shift_over": "were past the end of their shift",
    "too_far": "were too far from the pickup",
    "refused": "had refused this order before",
    "skills": "lacked a skill it requires",
    "size": "had no room for its size",
    "range": "could not ride that far",
    "shift_end": "would not be done before their shift ends",
}

_LEFT = {
    "no_eligible_courier": "no courier online may take it.",
    "couriers_taken": "every courier who could take it is offered orders that weigh more.",
    "not_worth_it": "there is room for it, and the plan does not use it.",
}


def why(plan: Plan, order_id: str, courier_id: str | None = None) -> str:
    """Explain an order's place in a plan, or why one courier was not offered it.

    Raises
    ------
    InvalidInputError
        The order is not in the plan.
    """
    for offer in plan.offers:
        if order_id in offer.order_ids:
            if courier_id is None:
                return _why_offered(plan, offer, order_id)
            return _why_not(offer, order_id, courier_id)
    for left in plan.unassigned:
        if left.order_id == order_id:
            return _why_left(left)
    for entry in plan.locked:
        if entry.order_id == order_id:
            return f"Order {order_id} waits for the answer to offer {', '.join(entry.offer_ids)}."
    for held in plan.held:
        if held.order_id == order_id:
            return (
                f"Order {order_id} is held for the next epoch: {held.reason}. "
                f"{_counts(held.considered)}"
            )
    known = [name for offer in plan.offers for name in offer.order_ids]
    raise InvalidInputError(
        "question",
        [Problem("order", f"{order_id!r} is not in this plan; it offers", tuple(known[:5]))],
    )


def _why_offered(plan: Plan, offer: Offer, order_id: str) -> str:
    place = next(r for r in plan.routes if r.courier_id == offer.courier_id)
    new = [s for s in place.stops if s.kind is StopKind.DROPOFF and not s.accepted]
    others = [name for name in offer.order_ids if name != order_id]
    shared, whole, its = "", "", "Its"
    if others:
        shared, whole = f" together with {', '.join(others)}", " all of it or nothing"
        its = "The bundle's"
    elif len(new) > 1:
        shared = f", together with {len(new) - 1} more"
    minutes = {
        s.kind: (s.at - plan.decided_for).total_seconds() / 60
        for s in place.stops
        if s.order_id == order_id and not s.accepted
    }
    lines = [
        f"Order {order_id} is offered to courier {offer.courier_id}{shared}: "
        f"{offer.probability:.0%} likely to accept{whole}, "
        f"picked up in {minutes[StopKind.PICKUP]:.0f} min, "
        f"at the door in {minutes[StopKind.DROPOFF]:.0f} min.",
        f"{its} cost is {offer.cost:+.3f} in the plan's weighted sum (lower is better; weights "
        + ", ".join(f"{name} {value:g}" for name, value in plan.solver.weights.items())
        + ").",
    ]
    if offer.delay_on_board_s > 0:
        lines.append(
            f"Orders on board of {offer.courier_id} come later to their doors for it, by "
            f"{offer.delay_on_board_s / 60:.1f} min in all; that is part of the cost."
        )
    lines += [
        f"  {reason.words}: {'more' if reason.log_odds > 0 else 'less'} likely "
        f"({reason.log_odds:+.2f} in log-odds)"
        for reason in offer.reasons
    ]
    lines += [
        f"  {rival.courier_id}: {rival.probability:.0%}, door in {rival.door_in_s / 60:.0f} min, "
        f"cost {rival.cost:+.3f}{_instead(rival.offered)}"
        for rival in offer.rivals
    ]
    lines.append(_counts(offer.considered))
    return "\n".join(lines)


def _instead(offered: tuple[str, ...]) -> str:
    return f", is offered {', '.join(offered)}" if offered else ""


def _why_not(offer: Offer, order_id: str, courier_id: str) -> str:
    if courier_id == offer.courier_id:
        return f"Courier {courier_id} is offered order {order_id}."
    for rival in offer.rivals:
        if rival.courier_id == courier_id:
            reasons = []
            if rival.probability < offer.probability:
                reasons.append(
                    f"less likely to accept ({rival.probability:.0%} against "
                    f"{offer.probability:.0%})"
                )
            if rival.door_in_s > offer.door_in_s:
                later = (rival.door_in_s - offer.door_in_s) / 60
                reasons.append(f"at the door {later:.1f} min later")
            if rival.offered:
                reasons.append(f"offered {', '.join(rival.offered)} instead")
            return (
                f"Courier {courier_id} could have taken order {order_id}, "
                f"but {offer.courier_id} was chosen. The courier asked about: "
                + ("; ".join(reasons) or "has done more work per hour than others")
                + f". Cost {rival.cost:+.3f} against {offer.cost:+.3f}."
            )
    return (
        f"Courier {courier_id} is not among the {len(offer.rivals)} closest rivals for order "
        f"{order_id}. {_counts(offer.considered)}"
    )


def _why_left(left: Unassigned) -> str:
    if left.reason == "rejected_input":
        return f"Order {left.order_id} was set aside: its input has problems (see the warnings)."
    head = f"Order {left.order_id} is offered to nobody: {_LEFT[left.reason]}"
    lines = [f"{head} {_counts(left.considered)}"]
    lines += [f"  {change_in_words(change)}" for change in left.changes]
    return "\n".join(lines)


def change_in_words(change: Change) -> str:
    """Say what a change would be and what it would cost."""
    what = {
        "price": f"insisting on it: courier {change.courier_id} ends with one order more",
        "place": f"one more place at courier {change.courier_id}",
        "drop": f"leaving {change.dropped_order_id} instead, now with courier {change.courier_id}",
    }
    return f"It would be offered by {what[change.remedy]} (weighted sum {change.cost:+.3f})."


def _counts(considered: Considered) -> str:
    parts = [f"{count} {WORDS[name]}" for name, count in considered.ruled_out.items()]
    parts.append(f"{considered.feasible} could take it")
    if considered.beyond_nearest:
        parts.append(f"{considered.beyond_nearest} lie beyond the nearest candidates")
    return f"Of the couriers online, {', '.join(parts)}."
