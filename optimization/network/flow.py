"""A min-cost flow that stays solved while its prices and orders change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.errors import ProblemError
from optimization.network.certificate import require_optimal
from optimization.network.indexing import graph_of
from optimization.network.kernels import (
    empty,
    enter,
    fill,
    leave_all,
    recall,
    recount,
    refill,
    resume,
    settle,
)
from optimization.network.layout import (
    AWAY,
    LEFT,
    Graph,
    Prices,
    State,
    empty_state,
    scratch_for,
)
from optimization.stop import NEVER, Deadline
from optimization.ties import FlowPlan

CHUNK = 500
"""Orders or couriers served between two looks at the clock."""

LARGEST_PRICE = 2**58
"""Limit on any price: distances add up at most four of them and must stay below 2**62."""


class NetworkFlow:
    """Orders on pairs to couriers with convex marginal costs, solved to proven optimality.

    Parameters
    ----------
    order, courier
        (k,) ends of the pairs, sorted by order, no pair twice.
    pair, marginal, leave
        Prices: (k,) per pair, (Q,) per courier's next unit and (n,) per order left.
    slots
        (m,) marginals of each courier, Q in all.
    room
        (m,) most orders of each courier, at most `slots`.

    Raises
    ------
    ProblemError
        If the pairs are not sorted by order or a price is too large for exact int64 distances.
    """

    def __init__(
        self,
        order: NDArray[np.int32],
        courier: NDArray[np.int32],
        *,
        pair: NDArray[np.int64],
        marginal: NDArray[np.int64],
        leave: NDArray[np.int64],
        slots: NDArray[np.int64],
        room: NDArray[np.int64],
    ) -> None:
        if np.any(order[1:] < order[:-1]):
            raise ProblemError(["pairs: expected them sorted by order"])
        require_small(pair, marginal, leave)
        self.graph: Graph = graph_of(order, courier, leave.size, slots)
        self.prices = Prices(pair.copy(), marginal.copy(), leave.copy(), room.astype(np.int64))
        self.state: State = empty_state(self.graph)
        self.scratch = scratch_for(self.graph)

    def solve(self, present: NDArray[np.bool_] | None = None, deadline: Deadline = NEVER) -> bool:
        """Solve from nothing, with every order in the flow or those marked, (n,).

        Orders look for units one by one, or units for orders where these outnumber them: whoever
        comes last has a short way only where there is something to spare.

        Returns whether all of them are in. Where the deadline came first some are `AWAY`, and the
        rest are at their optimum, or at that of the couriers who have looked already.
        """
        orders = np.arange(self.state.pair.size) if present is None else np.flatnonzero(present)
        room = np.minimum(self.prices.room, np.diff(self.graph.courier_ptr))
        if orders.size > room.sum():
            return self._fill(orders, deadline)
        empty(self.graph, self.prices, self.state)
        chunk = _chunk(orders.size, deadline)
        for first in range(0, orders.size, chunk):
            if first and deadline.expired:
                return False
            some = orders[first : first + chunk]
            self.scratch.waiting[: some.size] = some
            settle(self.graph, self.prices, self.state, self.scratch, some.size)
        return True

    def _fill(self, orders: NDArray[np.int64], deadline: Deadline) -> bool:
        """Solve from all orders left, unit by unit."""
        leave_all(self.graph, self.prices, self.state, orders)
        m = self.state.held.size
        chunk = _chunk(m, deadline)
        for first in range(0, m, chunk):
            if first and deadline.expired:
                self.state.units[:] = self.state.held
                self.state.pair[self.state.pair == LEFT] = AWAY
                return False
            last = min(m, first + chunk)
            refill(self.graph, self.prices, self.state, self.scratch, first, last)
        return True

    def clear(self) -> None:
        """Take every order out of the flow and forget the prices."""
        for part in (self.state.price, self.state.held, self.state.units):
            part.fill(0)
        self.state.pair.fill(AWAY)

    def resume(self, *, pairs_changed: bool) -> None:
        """Restore the optimum after `prices` were written to; say whether pairs or leave were."""
        resume(self.graph, self.prices, self.state, self.scratch, pairs_changed)

    def reprice(self, pair: NDArray[np.int64], leave: NDArray[np.int64]) -> None:
        """Replace the prices of all pairs (k,) and of leaving (n,), and restore the optimum."""
        require_small(pair, leave)
        self.prices.pair[:] = pair
        self.prices.leave[:] = leave
        self.resume(pairs_changed=True)

    def cancel(self, order: int) -> None:
        """Take an order out of the flow and restore the optimum without it."""
        on = int(self.state.pair[order])
        recall(self.graph, self.state, self.scratch, 0, order)
        if on >= 0:
            fill(self.graph, self.prices, self.state, self.scratch, int(self.graph.courier[on]))

    def insert(self, order: int) -> None:
        """Bring an absent order into the flow at least cost."""
        if self.state.pair[order] != AWAY:
            raise ProblemError([f"order {order} is in the flow already"])
        enter(self.graph, self.prices, self.state, self.scratch, order)

    def limit(self, courier: int, room: int) -> None:
        """Let a courier hold at most that many orders and restore the optimum."""
        most = int(np.diff(self.graph.slot_ptr[courier : courier + 2])[0])
        if not 0 <= room <= most:
            raise ProblemError([f"courier {courier}: expected room in [0, {most}], got {room}"])
        self.prices.room[courier] = room
        waiting = recount(self.graph, self.prices, self.state, self.scratch, 0, courier)
        settle(self.graph, self.prices, self.state, self.scratch, waiting)

    def certify(self) -> None:
        """Prove the present selection optimal from its prices; SolverError where that fails."""
        require_optimal(self.graph, self.prices, self.state)

    @property
    def plan(self) -> FlowPlan:
        """The present selection and what it solves, as the rule of ties takes it; no copies."""
        graph, prices = self.graph, self.prices
        return FlowPlan(
            graph.order,
            graph.courier,
            prices.pair,
            prices.leave,
            prices.marginal,
            graph.slot_ptr[:-1],
            prices.room,
            self.state.pair,
        )

    @property
    def chosen(self) -> NDArray[np.int64]:
        """Sorted ids of the pairs in use."""
        return self.state.pair[self.state.pair >= 0]

    @property
    def left(self) -> NDArray[np.int64]:
        """Orders in the flow that are left, sorted."""
        return np.flatnonzero(self.state.pair == LEFT)

    @property
    def courier_price(self) -> NDArray[np.int64]:
        """(m,) what one more unit of each courier would be worth: its dual price."""
        return self.state.price


def _chunk(size: int, deadline: Deadline) -> int:
    """Say how many to serve between two looks at the clock: all, where there is no deadline."""
    return max(1, CHUNK if deadline.timed else size)


def require_small(*prices: NDArray[np.int64]) -> None:
    """Raise ProblemError where a price could make exact distances overflow."""
    for values in prices:
        largest = max(int(values.max(initial=0)), -int(values.min(initial=0)))
        if largest >= LARGEST_PRICE:
            raise ProblemError([f"prices up to {largest:.3g} overflow: lower the scale"])
