"""Why orders were left, and the cheapest change that would get each of them offered."""

from collections.abc import Mapping
from dataclasses import dataclass

from dispatch.decide import Decision
from dispatch.prepare import Prepared
from dispatch.result import Change, RemedyName, UnassignedReason
from dispatch.tables import Ints
from dispatch.weighing import internal_weights
from optimization import scalarize
from optimization.diagnose import Reason, Remedy, diagnose

_REASONS: Mapping[Reason, UnassignedReason] = {
    Reason.NO_COLUMN: "no_eligible_courier",
    Reason.TOO_LARGE: "no_eligible_courier",
    Reason.CAPACITY: "couriers_taken",
    Reason.PRICED_OUT: "not_worth_it",
}
_REMEDIES: Mapping[Remedy, RemedyName] = {
    Remedy.PRICE: "price",
    Remedy.PLACE: "place",
    Remedy.DROP: "drop",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why one order is left, and what would change that, cheapest first."""

    reason: UnassignedReason
    changes: tuple[Change, ...] = ()


def diagnose_left(
    ready: Prepared, decision: Decision, left: Ints, *, in_time: bool = True
) -> dict[int, Diagnosis]:
    """Explain the orders left, by their rows.

    Changes are priced along chains that are shortest only around an optimum of the weighted sum, so
    other plans are told reasons alone; so are all where time is short.
    """
    if not (decision.optimal and in_time):
        taken = ready.pairs.feasible > 0
        return {
            i: Diagnosis("couriers_taken" if taken[i] else "no_eligible_courier")
            for i in left.tolist()
        }
    scalar = scalarize(decision.problem, internal_weights(decision.report.weights))
    order_ids, courier_ids = ready.tables.orders.ids, ready.tables.couriers.ids
    return {
        found.order: Diagnosis(
            _REASONS[found.reason],
            tuple(
                Change(
                    remedy=_REMEDIES[change.remedy],
                    courier_id=courier_ids[change.courier],
                    cost=change.cost / scalar.scale,
                    dropped_order_id=None if change.order < 0 else order_ids[change.order],
                )
                for change in found.changes
            ),
        )
        for found in diagnose(scalar, decision.columns, left)
    }
