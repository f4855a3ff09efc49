"""Local improvement of a plan of pairs: insert, move, swap and eject, in exact integers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled
from optimization.pricing.blocks import Blocks
from optimization.pricing.subsets import HUGE, load_price


class PlanState(NamedTuple):
    """A feasible plan as the loops change it in place.

    Attributes
    ----------
    chosen
        (n,) pair of each order, -1 where it is left.
    orders, held
        (m,) number of orders and (m, Q) the orders themselves.
    used
        (L, m) loads.
    paid
        (m,) the courier's slot and load prices.
    spare
        (m,) most that giving up one of a courier's orders, whatever becomes of it, could save.
    cheapest
        (n,) least that serving or leaving an order can cost.
    touched, looked
        (m,) and (n,) clock of the last change of a courier and of the last look at an order.
    clock
        (1,) the present time.
    """

    chosen: NDArray[np.int64]
    orders: NDArray[np.int64]
    held: NDArray[np.int64]
    used: NDArray[np.int64]
    paid: NDArray[np.int64]
    spare: NDArray[np.int64]
    cheapest: NDArray[np.int64]
    touched: NDArray[np.int64]
    looked: NDArray[np.int64]
    clock: NDArray[np.int64]


def empty_state(b: Blocks) -> PlanState:
    """Start with every order left."""
    n, m = b.leave.size, b.most.size
    cheapest = b.leave.copy()
    np.minimum.at(cheapest, b.order, b.alone)
    return PlanState(
        chosen=np.full(n, -1, np.int64),
        orders=np.zeros(m, np.int64),
        held=np.zeros((m, max(1, int(b.most.max(initial=0)))), np.int64),
        used=np.zeros((b.load.shape[0], m), np.int64),
        paid=np.zeros(m, np.int64),
        spare=np.zeros(m, np.int64),
        cheapest=cheapest,
        touched=np.zeros(m, np.int64),
        looked=np.full(n, -1, np.int64),
        clock=np.zeros(1, np.int64),
    )


@compiled(in_place=True)
def price_with(b: Blocks, s: PlanState, courier: int, more: int, less: int) -> int:
    """Price a courier's slots and loads with one pair more and one less; HUGE if impossible."""
    count = s.orders[courier]
    if more >= 0:
        count += 1
    if less >= 0:
        count -= 1
    if count > b.most[courier]:
        return HUGE
    total = b.slots[b.slot_ptr[courier] + count]
    for load in range(b.load.shape[0]):
        amount = s.used[load, courier]
        if more >= 0:
            amount += b.load[load, more]
        if less >= 0:
            amount -= b.load[load, less]
        if amount > b.limit[load, courier]:
            return HUGE
        total += load_price(b, load, courier, amount)
    return total  # type: ignore[no-any-return]


@compiled(in_place=True)
def put(b: Blocks, s: PlanState, pair: int) -> None:
    """Give the pair's order, left so far, to its courier, who has room."""
    j = b.courier[pair]
    s.paid[j] = price_with(b, s, j, pair, -1)
    s.chosen[b.order[pair]] = pair
    s.held[j, s.orders[j]] = b.order[pair]
    s.orders[j] += 1
    for load in range(b.load.shape[0]):
        s.used[load, j] += b.load[load, pair]
    touch(b, s, j)


@compiled(in_place=True)
def touch(b: Blocks, s: PlanState, courier: int) -> None:
    """Take note that a courier's orders have changed."""
    s.clock[0] += 1
    s.touched[courier] = s.clock[0]
    s.spare[courier] = 0
    for q in range(s.orders[courier]):
        out = s.held[courier, q]
        e = s.chosen[out]
        saved = b.cost[e] + s.paid[courier] - price_with(b, s, courier, -1, e) - s.cheapest[out]
        s.spare[courier] = max(s.spare[courier], saved)


@compiled(in_place=True)
def take(b: Blocks, s: PlanState, order: int) -> None:
    """Leave an order that some courier holds."""
    pair = s.chosen[order]
    j = b.courier[pair]
    s.paid[j] = price_with(b, s, j, -1, pair)
    s.chosen[order] = -1
    s.orders[j] -= 1
    for q in range(s.orders[j]):
        if s.held[j, q] == order:
            s.held[j, q] = s.held[j, s.orders[j]]
            break
    for load in range(b.load.shape[0]):
        s.used[load, j] -= b.load[load, pair]
    touch(b, s, j)


@compiled(in_place=True)
def value_of(b: Blocks, s: PlanState) -> int:
    """Composed value of the plan, without the constant."""
    total = 0
    for i in range(s.chosen.size):
        total += b.leave[i] if s.chosen[i] < 0 else b.cost[s.chosen[i]]
    for j in range(s.paid.size):
        total += s.paid[j]
    return total


@compiled(in_place=True)
def build(b: Blocks, s: PlanState, pairs: NDArray[np.int64]) -> None:
    """Take over pairs in their order as far as they fit, then insert what is left, cheapest first.

    An order already given, or a courier without room, drops the pair.
    """
    for k in range(pairs.size):
        e = pairs[k]
        if s.chosen[b.order[e]] < 0 and price_with(b, s, b.courier[e], e, -1) < HUGE:
            put(b, s, e)
    for i in range(s.chosen.size):
        if s.chosen[i] >= 0:
            continue
        best, best_pair = b.leave[i], -1
        for k in range(b.order_ptr[i], b.order_ptr[i + 1]):
            e = b.order_pair[k]
            j = b.courier[e]
            if b.alone[e] >= best:
                break
            priced = price_with(b, s, j, e, -1)
            if priced < HUGE and b.cost[e] + priced - s.paid[j] < best:
                best, best_pair = b.cost[e] + priced - s.paid[j], e
        if best_pair >= 0:
            put(b, s, best_pair)


@compiled(in_place=True)
def improve(b: Blocks, s: PlanState, first: int, last: int) -> int:
    """Make the best move of each order in [first, last) once; return how many moves were made.

    Moves of order i: leave it; give it to another courier j; give it to j and eject an order of j,
    which is left, goes to a third courier or takes i's old place (swap). An order is looked at
    again only when one of its couriers has changed. No courier charges less for a pair than for the
    pair alone, which rules most moves out.
    """
    moves = 0
    for i in range(first, last):
        own = s.chosen[i]
        home = b.courier[own] if own >= 0 else -1
        stale = True
        for k in range(b.order_ptr[i], b.order_ptr[i + 1]):
            if s.touched[b.courier[b.order_pair[k]]] > s.looked[i]:
                stale = False
                break
        if stale and s.looked[i] >= 0:
            continue
        s.looked[i] = s.clock[0]
        if own >= 0:
            emptied = price_with(b, s, home, -1, own)
            without = emptied - s.paid[home] - b.cost[own]
        else:
            emptied = 0
            without = -b.leave[i]
        best, move, ejected, third = 0, -2, -1, -1
        if own >= 0 and without + b.leave[i] < best:
            best, move = without + b.leave[i], -1
        for k in range(b.order_ptr[i], b.order_ptr[i + 1]):
            e = b.order_pair[k]
            j = b.courier[e]
            if j == home:
                continue
            least = without + b.alone[e]
            if least < best:
                priced = price_with(b, s, j, e, -1)
                if priced < HUGE and without + b.cost[e] + priced - s.paid[j] < best:
                    best, move, ejected = without + b.cost[e] + priced - s.paid[j], e, -1
            if least - s.spare[j] >= best:
                continue
            for q in range(s.orders[j]):
                out = s.held[j, q]
                e2 = s.chosen[out]
                priced = price_with(b, s, j, e, e2)
                if priced >= HUGE:
                    continue
                change = without + b.cost[e] - b.cost[e2] + priced - s.paid[j]
                if change + s.cheapest[out] >= best:
                    continue
                if change + b.leave[out] < best:
                    best, move, ejected, third = change + b.leave[out], e, out, -1
                for k3 in range(b.order_ptr[out], b.order_ptr[out + 1]):
                    e3 = b.order_pair[k3]
                    j3 = b.courier[e3]
                    if change + b.alone[e3] >= best:
                        break
                    if j3 == j:
                        continue
                    if j3 == home:
                        priced = price_with(b, s, j3, e3, own)
                        paid = emptied
                    else:
                        priced = price_with(b, s, j3, e3, -1)
                        paid = s.paid[j3]
                    if priced < HUGE and change + b.cost[e3] + priced - paid < best:
                        best = change + b.cost[e3] + priced - paid
                        move, ejected, third = e, out, e3
        if move == -2:
            continue
        moves += 1
        if own >= 0:
            take(b, s, i)
        if move >= 0:
            if ejected >= 0:
                take(b, s, ejected)
            put(b, s, move)
            if ejected >= 0 and third >= 0:
                put(b, s, third)
    return moves
