"""Policies for Grubhub days: ours through `Dispatcher.assign`, and what it is measured against.

One set of parameters for every instance.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dispatch.availability import availability
from dispatch.config import BundleRules, DispatchConfig
from dispatch.domain import Snapshot, StopKind
from dispatch.pairs import make_trip
from dispatch.simulation.day import Day
from dispatch.simulation.policy import Decision, Outcome, Policy, Proposal
from dispatch.simulation.spec import CHAINS
from dispatch.simulation.when import Every
from dispatch.tables import Floats, tabulate
from dispatch.travel import TravelTimes

PERIOD_S = 60.0
PUBLISHED_PERIOD_S = 300.0  # f of Reyes et al. (2018)
OFFER_S = 240.0  # more than the slowest answer

CONFIG = CHAINS.dispatch
"""The default: minutes to the door count, and bundles are chains of jobs at one restaurant each."""

SINGLE_ORDERS = replace(
    CONFIG,
    policy_id="single-orders",
    candidates=replace(CONFIG.candidates, max_new_orders=1),
    bundles=BundleRules(),
)
"""One linear assignment of single orders."""


def rolling_horizon(
    day: Day, *, config: DispatchConfig = CONFIG, period_s: float = PERIOD_S
) -> Policy:
    """Plan chains of jobs every period; tell a courier its next job as late as is safe."""
    name = f"rolling {config.policy_id}"
    return replace(CHAINS, name=name, period_s=period_s, dispatch=config).make(day)


def single_orders(day: Day, *, period_s: float = PUBLISHED_PERIOD_S) -> Policy:
    """One linear assignment of single orders every period, told as late as is safe."""
    return replace(
        rolling_horizon(day, config=SINGLE_ORDERS, period_s=period_s), name="single orders"
    )


def greedy_nearest(day: Day, *, period_s: float = PUBLISHED_PERIOD_S) -> Policy:
    """Every order, the oldest first, to the nearest courier who is idle."""
    return Policy(GreedyNearest(day.travel), Every(period_s), name="greedy nearest")


class GreedyNearest:
    """Gives each waiting order in turn to the nearest idle courier, at once."""

    def __init__(self, travel: TravelTimes) -> None:
        self._travel = travel

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """Learn nothing."""

    def decide(self, snapshot: Snapshot, next_epoch_s: float) -> Decision:  # noqa: ARG002
        """Offer what the nearest idle couriers can take."""
        tables = tabulate(snapshot)
        free = availability(tables, self._travel)
        n, m = len(tables.orders), len(tables.couriers)
        order, courier = (side.ravel() for side in np.indices((n, m)))
        trip = make_trip(tables, free, self._travel, order, courier)
        idle = (free.free_s <= tables.now_s) & ~tables.couriers.pending
        in_time = trip.timing().picked_up_s <= tables.couriers.shift_end_s[courier]
        away: Floats = np.where(idle[courier] & in_time, trip.to_pickup_m, np.inf).reshape(n, m)
        proposals = []
        for row in np.argsort(tables.orders.placed_s, kind="stable"):
            if not m or tables.orders.locked[row]:
                continue
            nearest = int(away[row].argmin())
            if np.isfinite(away[row, nearest]):
                away[:, nearest] = np.inf
                name = tables.orders.ids[row]
                stops = ((StopKind.PICKUP, name), (StopKind.DROPOFF, name))
                proposals.append(
                    Proposal(tables.couriers.ids[nearest], stops, expires_after_s=OFFER_S)
                )
        return Decision(tuple(proposals))
