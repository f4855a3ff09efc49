"""Orders kept back for the next epoch on purpose: holding at a price, beside leaving at another.

An order that may be held has a price for it in minutes of expected delivery time. The orders whose
cheapest use of a free courier costs more than that are held, and the rest is decided without them.
That comes before weights, bounds and frontiers: what is held does not change with the operating
point, so that the fairest plan is not the one that holds everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from dispatch.config import DispatchConfig, HoldRules
from dispatch.decide import make_problem
from dispatch.pairs import CandidatePairs
from dispatch.prepare import HeldBack, Prepared, Stopwatch, without
from dispatch.tables import Floats, Ints, Tables
from optimization import Deadline, StopReason, Weights, hold_term, scalarize, solve
from optimization.diagnose import Reason, Remedy, diagnose

_SHARE = 0.3  # of the time left, for deciding what to hold
_SECONDS = Weights({"delivery_time": 1.0, "hold": 1.0})


class HoldPolicy(Protocol):
    """Prices holding, order by order."""

    def price_s(self, tables: Tables, pairs: CandidatePairs) -> Floats:
        """Seconds of delivery time that holding counts as, from now on, shape (n,).

        Compared with the expected seconds to the door of an offer, a refusal's wait included.
        Infinite: may not be held. Orders without candidates are never held, whatever their price.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reached:
    """As if some courier reached the pickup `minutes` from now and rode as fast as the fastest.

    Not past the promise: an order that would then be late may not be held.
    """

    minutes: float

    def price_s(self, tables: Tables, pairs: CandidatePairs) -> Floats:
        """Seconds to the door of each order if reached then, shape (n,)."""
        return self._door_in_s(tables, _fastest_s(tables, pairs))

    def _door_in_s(self, tables: Tables, ride_s: Floats) -> Floats:
        orders = tables.orders
        picked_up = np.maximum(
            60.0 * self.minutes + orders.pickup_before_s, orders.ready_s - tables.now_s
        )
        door = picked_up + orders.pickup_after_s + ride_s + orders.dropoff_before_s
        # no promise is NaN, and nothing is later than that
        return np.where(door > orders.due_s - tables.now_s, np.inf, door)


@dataclass(frozen=True, slots=True)
class HalfTrip(Reached):
    """`Reached`, less half the trip's time: what a later order on the way could save at most.

    The longer a trip, the more another may share of it, so the longer it is worth waiting for one.
    Half the distance as an order's potential: Ma, Ma and Romero, Potential-based greedy matching
    for dynamic delivery pooling, arXiv 2502.16862.
    """

    def price_s(self, tables: Tables, pairs: CandidatePairs) -> Floats:
        """Seconds to the door if reached then, less the potential, shape (n,)."""
        ride_s = _fastest_s(tables, pairs)
        return self._door_in_s(tables, ride_s) - np.where(np.isfinite(ride_s), ride_s / 2, 0.0)


_POLICIES: Mapping[str, type[Reached]] = {"reached": Reached, "half_trip": HalfTrip}


def policy_of(rules: HoldRules) -> HoldPolicy | None:
    """Return the policy that a configuration names; None where nothing is held."""
    return _POLICIES[rules.policy](rules.minutes) if rules.policy in _POLICIES else None


def hold_back(
    ready: Prepared,
    config: DispatchConfig,
    policy: HoldPolicy,
    deadline: Deadline,
    watch: Stopwatch,
) -> Prepared:
    """Take out the orders that are worth holding.

    One problem over the same columns: minimise the expected delivery time, an order left out
    counting its price of holding, or the price of coverage where it may not be held. Held are those
    left out though there is room for them; whom every courier is too full for stays in. Nothing is
    held where the time was too short for more than a greedy plan.
    """
    pairs, n = ready.pairs, len(ready.tables.orders)
    with watch.stage("hold"):
        price_s = policy.price_s(ready.tables, pairs)
        may = np.isfinite(price_s) & ~ready.tables.orders.locked
        may &= np.bincount(pairs.order, minlength=n) > 0
        if not may.any():
            return ready
        base = make_problem(ready, config, np.empty(0, dtype=np.int64))
        # the term of delivery time counts a wait for who is left out: hold adds the difference
        dearer_s = np.where(may, price_s - ready.costs.wait_s, 0.0)
        problem = base.replace(
            leave=np.where(may, 0, base.leave),
            terms=(
                base.term("delivery_time"),
                hold_term(dearer_s, base.max_orders, base.column_order, base.column_ptr),
            ),
        )
        solution = solve(problem, _SECONDS, deadline=deadline.fraction(_SHARE))
        if solution.stop_reason is StopReason.GREEDY_FALLBACK:
            return ready
        scalar = scalarize(problem, _SECONDS)
        left: Ints = np.flatnonzero(may & problem.left(solution.columns))
        room = [
            (order.order, change.cost / scalar.scale)
            for order in diagnose(scalar, solution.columns, left)
            for change in order.changes
            if order.reason is Reason.PRICED_OUT
            and change.remedy is Remedy.PRICE
            and change.cost > 0
        ]
        if not room:
            return ready
        row = np.array([order for order, _ in room])
        more_s = np.array([cost_s for _, cost_s in room])
        held = HeldBack(row, price_s[row], price_s[row] + more_s)
        return replace(without(ready, row), held=held)


def _fastest_s(tables: Tables, pairs: CandidatePairs) -> Floats:
    """Least seconds from pickup to door over the candidates, shape (n,); infinite without any."""
    ride_s = np.full(len(tables.orders), np.inf)
    np.minimum.at(ride_s, pairs.order, pairs.trip.trip_s)
    return ride_s
