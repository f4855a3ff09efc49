"""One plan out of many of exactly the same least cost, the same whoever found which.

Every pair of an order and a courier has a number of 40 bits, mixed from the two indices; an order
left counts twice the largest. Of the plans of least composed cost the one whose numbers add up to
the least is taken. Numbers rather than positions decide, so no courier is favoured for where it
stands in the list; and the order of the candidates does not matter.

The plans of least cost are those that use only pairs of reduced cost zero and couriers' units at
their price, under whichever optimal prices. One of them turns into another along cycles of such
pairs, so a pair takes part in some plan but not in all exactly if it lies on such a cycle (in a
strongly connected component; Ahuja, Magnanti and Orlin, Network Flows, 1993, sections 3.4 and 9.3).
What is on none is settled; the rest, mostly nothing, is a flow by itself with the numbers as costs.
Neither the component nor that flow depends on the plan and the prices one starts from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError
from optimization.mincost import Ints, cheapest_flow
from optimization.network.layout import FAR, LEFT
from optimization.network.ready import is_ready
from optimization.stop import GRACE_S, NEVER, Deadline

BITS = 40
LEAVING = 2 ** (BITS + 1)
"""Number of leaving an order."""

TIED_S_PER_MOVE = 4e-6
"""What the flow over moves that cost nothing takes at most."""

DEARER = "the plan is not of least cost: moving its orders costs less"


class FlowPlan(NamedTuple):
    """A plan of least cost over pairs, and the flow it solves.

    Attributes
    ----------
    order, courier, cost
        (k,) pairs, sorted by order.
    leave
        (n,) price of leaving an order.
    marginal, first
        (Q,) price of each courier's units and (m,) where a courier's begin.
    room
        (m,) units a courier has.
    on
        (n,) pair of each order; `LEFT`, or less where it takes no part.
    """

    order: NDArray[np.int32]
    courier: NDArray[np.int32]
    cost: Ints
    leave: Ints
    marginal: Ints
    first: Ints
    room: Ints
    on: Ints

    @property
    def served(self) -> Ints:
        """Orders on a pair."""
        return np.flatnonzero(self.on >= 0)

    @property
    def held(self) -> Ints:
        """(m,) orders of each courier."""
        return np.bincount(self.courier[self.on[self.served]], minlength=self.room.size)

    def unit(self, which: Ints, missing: int) -> Ints:
        """(m,) marginal of a courier's unit of that rank, `missing` where it has none."""
        price = np.full(self.room.size, missing)
        some = np.flatnonzero((which >= 0) & (which < self.room))
        price[some] = self.marginal[self.first[some] + which[some]]
        return price


def tie_number(order: NDArray[np.int32], courier: NDArray[np.int32]) -> Ints:
    """Mix the two indices into 40 bits (the finaliser of SplitMix64; Steele and others, 2014)."""
    x = (order.astype(np.uint64) << np.uint64(32)) + courier.astype(np.uint64)
    x += np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(64 - BITS)).astype(np.int64)


def courier_prices(plan: FlowPlan) -> Ints:
    """Find the largest optimal price of each courier's unit, (m,), from a plan of least cost.

    Nobody on a pair may gain by moving, so a courier's price is at most that of any other plus what
    the move costs: shortest paths by rounds of array code (Bellman and Ford), which end within as
    many rounds as there are couriers if no cycle of moves gains anything.

    Raises
    ------
    SolverError
        If the plan is not of least cost: the prices of one that is prove it.
    """
    served, price = plan.served, plan.unit(plan.held, FAR)
    at, paid = plan.courier[plan.on[served]], plan.cost[plan.on[served]]
    least = plan.leave.copy()
    changed = np.ones(price.size, np.bool_)
    rounds = 0
    while changed.any():
        rounds += 1
        if rounds > price.size + 1:
            raise SolverError(DEARER)
        some = np.flatnonzero(changed[plan.courier])
        offer = plan.cost[some] + price[plan.courier[some]]
        np.minimum.at(least, plan.order[some], offer)
        before = price.copy()
        np.minimum.at(price, at, least[served] - paid)
        changed = price < before
    left = np.flatnonzero(plan.on[plan.order] == LEFT)
    enters = plan.cost[left] + price[plan.courier[left]] < plan.leave[plan.order[left]]
    if enters.any() or np.any(plan.unit(plan.held - 1, -FAR) > price):
        raise SolverError(DEARER)
    return price


def settle_ties(
    plan: FlowPlan, price: Ints | None = None, deadline: Deadline = NEVER
) -> tuple[Ints, bool]:
    """Give the pair of each order, (n,), in the one plan of least cost that the rule names.

    The plan as it was, and False, where so much is tied that the flow over it might not end by the
    deadline: it can't be interrupted.

    Parameters
    ----------
    plan
        Any plan of least cost.
    price
        (m,) optimal prices of couriers' units, where they are known.
    deadline
        When the answer is due.
    """
    if price is None:
        price = courier_prices(plan)
    if is_ready():
        from optimization.network import tied

        move, leaves, loose = tied.open_moves(*plan, price)
    else:
        move, leaves, loose = open_moves(plan, price)
    if not move.size + leaves.size:
        return plan.on, True
    if TIED_S_PER_MOVE * move.size > deadline.remaining() + GRACE_S:
        return plan.on, False
    return _least_numbers(plan, price, move, leaves, loose), True


def open_moves(plan: FlowPlan, price: Ints) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """List pairs and orders left that only some plans of least cost have.

    Returns
    -------
    tuple
        Such pairs that the plan does not use; orders that it serves and others leave; and (m,)
        couriers that hold more or fewer orders in others.
    """
    n, m = plan.leave.size, plan.room.size
    served, held = plan.served, plan.held
    # What an order pays, and where it is: at a courier, or at m for nowhere.
    pays = np.where(plan.on == LEFT, plan.leave, -FAR)
    pays[served] = plan.cost[plan.on[served]] + price[plan.courier[plan.on[served]]]
    place = np.full(n, m)
    place[served] = plan.courier[plan.on[served]]
    even = plan.cost + price[plan.courier] == pays[plan.order]
    even[plan.on[served]] = False
    move = np.flatnonzero(even)
    leaves = served[plan.leave[served] == pays[served]]
    if not move.size + leaves.size:
        return move, leaves, np.zeros(m, np.bool_)
    component = _components(plan, price, held, place, move, leaves)
    move = move[component[place[plan.order[move]]] == component[plan.courier[move]]]
    leaves = leaves[component[place[leaves]] == component[m]]
    return move, leaves, component[:m] == component[m]


def _components(
    plan: FlowPlan, price: Ints, held: Ints, place: Ints, move: Ints, leaves: Ints
) -> NDArray[np.int32]:
    """Strong components of couriers and nowhere (m) under moves that cost nothing, (m + 1,)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    m = plan.room.size
    more = np.flatnonzero(plan.unit(held, FAR) == price)
    fewer = np.flatnonzero(plan.unit(held - 1, -FAR) == price)
    tail = np.concatenate([place[plan.order[move]], place[leaves], more, np.full(fewer.size, m)])
    nowhere = np.full(leaves.size + more.size, m)
    head = np.concatenate([plan.courier[move], nowhere, fewer])
    graph = csr_array((np.ones(tail.size, np.int8), (tail, head)), shape=(m + 1, m + 1))
    label: NDArray[np.int32] = connected_components(graph, directed=True, connection="strong")[1]
    return label


def _least_numbers(
    plan: FlowPlan, price: Ints, move: Ints, leaves: Ints, loose: NDArray[np.bool_]
) -> Ints:
    """Solve the flow over what is not settled; `loose` couriers (m,) may hold more or fewer."""
    m, held = plan.room.size, plan.held
    orders = np.unique(np.concatenate([plan.order[move], leaves]))
    now = plan.on[orders]
    pair = np.concatenate([now[now >= 0], move])
    pair = pair[np.lexsort((plan.courier[pair], plan.order[pair]))]
    leavable = np.union1d(leaves, orders[now == LEFT])
    free = np.bincount(plan.courier[now[now >= 0]], minlength=m)
    least, most = free.copy(), free.copy()
    if loose.any():
        owner = np.repeat(np.arange(m), plan.room)
        unit = plan.marginal[plan.first[owner] + _ranks(plan.room)]
        for count, among in ((least, unit < price[owner]), (most, unit <= price[owner])):
            units = np.bincount(owner[among], minlength=m)
            count[loose] = np.maximum(units - held + free, 0)[loose]
    # Nodes: the orders, then the couriers they may go to, then nowhere.
    who, at = np.unique(plan.courier[pair], return_inverse=True)
    least, most = least[who], most[who]
    row, sink = orders.size, orders.size + who.size
    left, widens = np.searchsorted(orders, leavable), np.flatnonzero(most > least)
    to_sink = np.full(left.size + widens.size, sink)
    number = tie_number(plan.order[pair], plan.courier[pair])
    sent = cheapest_flow(
        np.concatenate([np.searchsorted(orders, plan.order[pair]), left, row + widens]),
        np.concatenate([row + at, to_sink]),
        np.concatenate([np.ones(at.size + left.size, np.int64), (most - least)[widens]]),
        np.concatenate([number, np.full(left.size, LEAVING), np.zeros(widens.size, np.int64)]),
        np.concatenate([np.ones(row, np.int64), -least, [least.sum() - row]]),
    )
    used = pair[sent[: pair.size] > 0]
    on = plan.on.copy()
    on[orders] = LEFT
    on[plan.order[used]] = used
    return on


def _ranks(count: Ints) -> Ints:
    """Count from 0 within each group of that many."""
    return np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
