"""What a dispatch answers: offers and stop sequences, what was left and why, and how good it is.

Everything here serialises to JSON and back; none of it holds a location.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

from dispatch.domain import STRICT, Moment, Snapshot, StopKind
from dispatch.geojson import routes_to_geojson
from dispatch.tradeoff import FrontierReport

if TYPE_CHECKING:
    import pandas as pd

UnassignedReason = Literal[
    "no_eligible_courier", "couriers_taken", "not_worth_it", "rejected_input"
]
RemedyName = Literal["price", "place", "drop"]


@dataclass(frozen=True, slots=True)
class Considered:
    """How the couriers online fared for an order.

    Each of them is counted once: ruled out, under the first constraint that does so; feasible; or
    neither looked at nor kept, because enough nearer ones were feasible.
    """

    __pydantic_config__ = STRICT

    ruled_out: Mapping[str, int] = field(default_factory=dict)
    feasible: int = 0
    beyond_nearest: int = 0


@dataclass(frozen=True, slots=True)
class Rival:
    """A courier considered for an order, beside the one chosen.

    `cost` is the weighted sum that offering the order to this courier alone would add (lower is
    better); `offered` are the orders this courier is offered instead.
    """

    __pydantic_config__ = STRICT

    courier_id: str
    probability: float
    pickup_in_s: float
    door_in_s: float
    cost: float
    offered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that moved the chance of acceptance: a code, words, and the log-odds it added.

    Against an average offer of the log that the model learned from; negative: less likely.
    """

    __pydantic_config__ = STRICT

    code: str
    words: str
    log_odds: float


@dataclass(frozen=True, slots=True)
class Offer:
    """One live offer: these orders to this courier, taken or refused whole.

    Of a bundle, `pickup_in_s` is the first pickup and `door_in_s` the last door, `considered` is
    how the couriers fared for the order that fewest could take, and the rivals are couriers who
    could have taken the same orders together.
    `delay_on_board_s` is by how much orders on board come later to their doors for it, added up.
    `propensity` is the chance with which the policy makes this very offer (1 unless it explores);
    `reasons` are what moved `probability` most, the strongest first; `override` is who replaced it
    by hand, if anybody did.
    """

    __pydantic_config__ = STRICT

    offer_id: str
    order_ids: tuple[str, ...]
    courier_id: str
    rank: int
    expires_at: Moment
    probability: float
    propensity: float
    pickup_in_s: float
    door_in_s: float
    cost: float
    considered: Considered
    rivals: tuple[Rival, ...] = ()
    reasons: tuple[Reason, ...] = ()
    delay_on_board_s: float = 0.0
    override: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedStop:
    """A stop of a route; the order changes hands at `at`. `accepted`: it was on board already."""

    __pydantic_config__ = STRICT

    kind: StopKind
    order_id: str
    arrive_at: Moment
    at: Moment
    leave_at: Moment
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """A courier's stops in sequence if every offer is accepted; seconds and metres from now on."""

    __pydantic_config__ = STRICT

    courier_id: str
    stops: tuple[PlannedStop, ...]
    metres: float


@dataclass(frozen=True, slots=True)
class Change:
    """A single change that would get an order offered, orders passed on where that is cheaper.

    `price`: insist on it, for there is room. `place`: one more place at `courier_id`. `drop`: leave
    `dropped_order_id` instead, which frees `courier_id`. `cost` is what the weighted sum rises by.
    """

    __pydantic_config__ = STRICT

    remedy: RemedyName
    courier_id: str
    cost: float
    dropped_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Unassigned:
    """An order nobody is offered, and how the couriers fared for it.

    `no_eligible_courier`: each courier is ruled out, `considered` says under which constraint.
    `couriers_taken`: all who could take it are full. `not_worth_it`: there was room, and the plan
    does not use it. `changes`: the cheapest of each kind that would get it offered, cheapest first;
    none are given where the plan is not proven optimal, is bound by a limit on an objective, or was
    late.
    """

    __pydantic_config__ = STRICT

    order_id: str
    reason: UnassignedReason
    considered: Considered
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """An order kept back for the next epoch on purpose, and why.

    Minutes of expected delivery time, now to the door: `holding_min` is the price of holding,
    `best_offer_min` what the best offer left to it would have taken, refusals and orders passed on
    to other couriers included.
    """

    __pydantic_config__ = STRICT

    order_id: str
    reason: str
    holding_min: float
    best_offer_min: float
    considered: Considered


@dataclass(frozen=True, slots=True)
class Locked:
    """An order that a courier has been offered and not answered yet."""

    __pydantic_config__ = STRICT

    order_id: str
    offer_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Objectives:
    """The three objectives of the plan, its routes re-timed.

    Attributes
    ----------
    expected_acceptances, acceptance_rate
        Orders expected to be accepted in this epoch, corrected for having been chosen by the model
        that counts them, and as a share of the orders waiting.
    acceptance_low, acceptance_high
        Nominal 90 % interval of the corrected number; None where nothing could be corrected.
    acceptance_basis
        How the number was made, and whether it is corrected.
    naive_acceptances
        Sum of the offers' probabilities: what the model claims that also chose them. Operating
        points and frontiers are in these terms.
    delivery_time_min, mean_delivery_time_min
        Expected minutes from now to the door summed over the waiting orders, and their mean; an
        order refused or unassigned counts the cost of waiting for the next epoch. What orders on
        board are expected to be delayed by, where new stops come before theirs, is added.
    lateness_min
        Expected minutes past the promise, summed likewise.
    fairness_spread, fairness_unit
        Sum over couriers of hours x (work an hour - target)^2, past work included.
    fairness_notion
        What work is: orders, hours or earnings, and what is counted in.
    fairness
        Other measures of the work an hour: spread_sd, range, gini, worst_off, ...
    """

    __pydantic_config__ = STRICT

    expected_acceptances: float
    acceptance_rate: float
    acceptance_low: float | None
    acceptance_high: float | None
    acceptance_basis: str
    naive_acceptances: float
    delivery_time_min: float
    mean_delivery_time_min: float
    lateness_min: float
    fairness_spread: float
    fairness_notion: str
    fairness: Mapping[str, float]
    fairness_unit: str = "orders²/h"


@dataclass(frozen=True, slots=True)
class SolverReport:
    """Who answered, why it stopped, and what is proven.

    Objective and bound are of the weighted sum as solved (`mode`), over the candidates considered;
    `weights` are raw: per order, per minute, per minute late, per unit of spread. `bundles` counts
    the columns of several orders chosen from, beside `pairs` of one.
    """

    __pydantic_config__ = STRICT

    engine: str
    status: Literal["optimal", "feasible", "infeasible"]
    stop_reason: str
    mode: str
    objective: float
    bound: float
    gap: float
    bound_scope: str
    weights: Mapping[str, float]
    operating_point: str
    orders: int
    couriers: int
    pairs: int
    bundles: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer to one snapshot; it has passed the verifier and the check against the snapshot."""

    __pydantic_config__ = STRICT

    decision_id: str
    request_id: str | None
    decided_for: Moment
    policy_id: str
    snapshot_hash: str
    config_hash: str
    model_version: str
    currency: str
    offers: tuple[Offer, ...]
    routes: tuple[Route, ...]
    unassigned: tuple[Unassigned, ...]
    held: tuple[Held, ...]
    locked: tuple[Locked, ...]
    objectives: Objectives
    solver: SolverReport
    warnings: tuple[str, ...] = ()
    frontier: FrontierReport | None = None
    timings_s: Mapping[str, float] = field(default_factory=dict)

    def to_json(self, *, indent: int | None = None, timings: bool = True) -> str:
        """Write the plan as JSON; without timings, the same input gives the same bytes."""
        plan = self if timings else replace(self, timings_s={})
        return _PLAN.dump_json(plan, indent=indent).decode()

    @staticmethod
    def from_json(text: str | bytes) -> "Plan":
        """Read back what `to_json` wrote.

        Raises
        ------
        pydantic.ValidationError
            The text is not a plan.
        """
        return _PLAN.validate_json(text)

    def to_frame(self) -> "pd.DataFrame":
        """One row per offered order: courier, chance, times, place in the courier's route."""
        import pandas as pd

        doors = self._handover_times()
        rows = [
            {
                "order_id": order_id,
                "courier_id": offer.courier_id,
                "offer_id": offer.offer_id,
                "probability": offer.probability,
                "pickup_at": doors[StopKind.PICKUP, order_id],
                "door_at": doors[StopKind.DROPOFF, order_id],
                "cost": offer.cost,
                "expires_at": offer.expires_at,
            }
            for offer in self.offers
            for order_id in offer.order_ids
        ]
        return pd.DataFrame(rows)

    def to_geojson(self, snapshot: Snapshot) -> dict[str, Any]:
        """Draw the routes as GeoJSON: a line per courier, a point per new stop.

        Locations come from the snapshot; a plan holds none. Coordinates are [lon, lat].
        """
        return routes_to_geojson(self.routes, snapshot)

    def summary(self) -> str:
        """Say in a few lines what was decided and how sure it is."""
        o, s = self.objectives, self.solver
        offered = sum(len(f.order_ids) for f in self.offers)
        waiting = offered + len(self.unassigned) + len(self.held)
        bundled = sum(len(f.order_ids) > 1 for f in self.offers)
        together = f" ({bundled} bundles)" if bundled else ""
        held = f"{len(self.held)} held, " if self.held else ""
        return "\n".join(
            [
                f"{offered} of {waiting} waiting orders offered to {len(self.routes)} couriers"
                f"{together}, {len(self.unassigned)} unassigned, {held}"
                f"{len(self.locked)} locked by pending offers",
                f"acceptance {o.expected_acceptances:.1f} orders ({o.acceptance_rate:.1%}; "
                f"naive {o.naive_acceptances:.1f}), "
                f"delivery time {o.mean_delivery_time_min:.1f} min on average, "
                f"fairness spread {o.fairness_spread:.2f} {o.fairness_unit}",
                f"{s.status} by {s.engine} ({s.stop_reason}), gap {s.gap:.2%} {s.bound_scope}",
            ]
        )

    def __repr__(self) -> str:
        return f"<Plan {self.decision_id[:12]}: {self.summary().splitlines()[0]}>"

    def _handover_times(self) -> dict[tuple[StopKind, str], datetime]:
        return {(s.kind, s.order_id): s.at for r in self.routes for s in r.stops}


_PLAN = TypeAdapter(Plan)


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema of a plan."""
    return _PLAN.json_schema(mode="serialization")
