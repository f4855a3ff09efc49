"""Successive shortest paths with courier prices, compiled.

Minimises the prices of the pairs used, plus the first `held` marginals of every courier, plus the
leave price of every order in the flow that is on no pair. Between calls these hold (complementary
slackness, so the selection is optimal: Ahuja, Magnanti and Orlin, Network Flows, 1993, chapter 9):

- an order is where pair price + courier price is least, or left where leaving costs no more;
- a courier's price lies between the marginals of its last unit and of the one after.

Entering an order is a shortest path from it to a free unit or to an order that leaves; filling a
unit that lost its order is a shortest path the other way. Distances are reduced costs, which the
prices keep non-negative after the first edge (Johnson's potentials). All in int64, so exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled
from optimization.network.layout import AWAY, FAR, LEFT, Graph, Prices, Scratch, State


@compiled(in_place=True)
def push(scratch: Scratch, size: int, key: int, courier: int) -> int:
    """Put a courier on the heap and return the new size."""
    keys, couriers = scratch.heap_key, scratch.heap_courier
    i = size
    while i > 0:
        above = (i - 1) >> 1
        if keys[above] <= key:
            break
        keys[i] = keys[above]
        couriers[i] = couriers[above]
        i = above
    keys[i] = key
    couriers[i] = courier
    return size + 1


@compiled(in_place=True)
def pop(scratch: Scratch, size: int) -> int:
    """Drop the nearest courier from the heap and return the new size."""
    keys, couriers = scratch.heap_key, scratch.heap_courier
    size -= 1
    key, courier = keys[size], couriers[size]
    i = 0
    while True:
        below = 2 * i + 1
        if below >= size:
            break
        if below + 1 < size and keys[below + 1] < keys[below]:
            below += 1
        if keys[below] >= key:
            break
        keys[i] = keys[below]
        couriers[i] = couriers[below]
        i = below
    keys[i] = key
    couriers[i] = courier
    return size


@compiled(in_place=True)
def swap(graph: Graph, state: State, courier: int, out: int, enter: int) -> None:
    """Give a courier's place of one order to another."""
    start = graph.slot_ptr[courier] + courier
    for s in range(start, start + state.held[courier]):
        if state.place[s] == out:
            state.place[s] = enter
            return


@compiled(in_place=True)
def take(graph: Graph, state: State, courier: int, order: int) -> None:
    """Remove an order from a courier."""
    start = graph.slot_ptr[courier] + courier
    state.held[courier] -= 1
    last = state.place[start + state.held[courier]]
    for s in range(start, start + state.held[courier]):
        if state.place[s] == order:
            state.place[s] = last
            return


@compiled(in_place=True)
def give(graph: Graph, state: State, courier: int, order: int) -> None:
    """Add an order to a courier."""
    state.place[graph.slot_ptr[courier] + courier + state.held[courier]] = order
    state.held[courier] += 1


@compiled(in_place=True)
def ending(graph: Graph, prices: Prices, state: State, courier: int, distance: int) -> int:
    """Length of a path that ends at a courier: on a unit it owes, on its next one, or FAR."""
    units = state.units[courier]
    if units > state.held[courier]:
        return distance
    if units >= prices.room[courier]:
        return FAR
    return distance - state.price[courier] + prices.marginal[graph.slot_ptr[courier] + units]  # type: ignore[no-any-return]


@compiled(in_place=True)
def enter(graph: Graph, prices: Prices, state: State, scratch: Scratch, order: int) -> None:
    """Bring one order into the flow at least cost."""
    distance, through, done = scratch.distance, scratch.through, scratch.done
    touched, final = scratch.touched, scratch.final
    n_touched = n_final = size = 0
    best = prices.leave[order]
    end_courier, end_order = -1, order
    for e in range(graph.order_ptr[order], graph.order_ptr[order + 1]):
        j = graph.courier[e]
        d = prices.pair[e] + state.price[j]
        if d < best:
            distance[j] = d
            through[j] = e
            touched[n_touched] = j
            n_touched += 1
            t = ending(graph, prices, state, j, d)
            if t < best:
                best, end_courier = t, j
    for s in range(n_touched):
        if distance[touched[s]] < best:
            size = push(scratch, size, distance[touched[s]], touched[s])
    while size > 0 and scratch.heap_key[0] < best:
        d0, here = scratch.heap_key[0], scratch.heap_courier[0]
        size = pop(scratch, size)
        if done[here] == 1 or d0 > distance[here]:
            continue
        done[here] = 1
        final[n_final] = here
        n_final += 1
        start = graph.slot_ptr[here] + here
        for s in range(start, start + state.held[here]):
            other = state.place[s]
            base = d0 - prices.pair[state.pair[other]] - state.price[here]
            if base + prices.leave[other] < best:
                best, end_courier, end_order = base + prices.leave[other], -1, other
            for e in range(graph.order_ptr[other], graph.order_ptr[other + 1]):
                j = graph.courier[e]
                d = base + prices.pair[e] + state.price[j]
                if d < best and d < distance[j] and done[j] == 0:
                    if distance[j] == FAR:
                        touched[n_touched] = j
                        n_touched += 1
                    distance[j] = d
                    through[j] = e
                    t = ending(graph, prices, state, j, d)
                    if t < best:
                        best, end_courier = t, j
                    if d < best:
                        size = push(scratch, size, d, j)
    # Walk the path back: everyone on it moves to the courier that found him.
    out = end_order
    if end_courier >= 0:
        j, out = end_courier, -1
        if state.units[j] == state.held[j]:
            state.units[j] += 1
        e = through[j]
        give(graph, state, j, graph.order[e])
        out = graph.order[e]
        before = state.pair[out]
        state.pair[out] = e
    else:
        before = state.pair[out]
        state.pair[out] = LEFT
    while out != order:
        j = graph.courier[before]
        e = through[j]
        swap(graph, state, j, out, graph.order[e])
        out = graph.order[e]
        before = state.pair[out]
        state.pair[out] = e
    for s in range(n_final):
        j = final[s]
        done[j] = 0
        if distance[j] < best:
            state.price[j] += best - distance[j]
    for s in range(n_touched):
        distance[touched[s]] = FAR


@compiled(in_place=True)
def fill(graph: Graph, prices: Prices, state: State, scratch: Scratch, courier: int) -> None:
    """Put one order on a unit that lost its own, or give the unit up, at least cost."""
    distance, through, done = scratch.distance, scratch.through, scratch.done
    touched, final = scratch.touched, scratch.final
    slot = graph.slot_ptr[courier] + state.units[courier] - 1
    best = state.price[courier] - prices.marginal[slot]
    end_courier, end_pair = courier, -1
    distance[courier] = 0
    touched[0] = courier
    n_touched, n_final = 1, 0
    size = push(scratch, 0, 0, courier)
    while size > 0 and scratch.heap_key[0] < best:
        d0, here = scratch.heap_key[0], scratch.heap_courier[0]
        size = pop(scratch, size)
        if done[here] == 1 or d0 > distance[here]:
            continue
        done[here] = 1
        final[n_final] = here
        n_final += 1
        for s in range(graph.courier_ptr[here], graph.courier_ptr[here + 1]):
            e = graph.by_courier[s]
            order = graph.order[e]
            now = state.pair[order]
            if now in (e, AWAY):
                continue
            base = d0 + prices.pair[e] + state.price[here]
            if now == LEFT:
                d = base - prices.leave[order]
                if d < best:
                    best, end_courier, end_pair = d, -1, e
                continue
            j = graph.courier[now]
            d = base - prices.pair[now] - state.price[j]
            if d < best and d < distance[j] and done[j] == 0:
                if distance[j] == FAR:
                    touched[n_touched] = j
                    n_touched += 1
                distance[j] = d
                through[j] = e
                t = d + state.price[j] - prices.marginal[graph.slot_ptr[j] + state.units[j] - 1]
                if t < best:
                    best, end_courier, end_pair = t, j, -1
                if d < best:
                    size = push(scratch, size, d, j)
    j = end_courier
    if end_pair >= 0:
        order = graph.order[end_pair]
        j = graph.courier[end_pair]
        state.pair[order] = end_pair
        give(graph, state, j, order)
    else:
        state.units[j] -= 1
    while j != courier:
        e = through[j]
        order, onward = graph.order[e], graph.courier[e]
        take(graph, state, j, order)
        give(graph, state, onward, order)
        state.pair[order] = e
        j = onward
    for s in range(n_final):
        j = final[s]
        done[j] = 0
        if distance[j] < best:
            state.price[j] -= best - distance[j]
    for s in range(n_touched):
        distance[touched[s]] = FAR


@compiled(in_place=True)
def refill(
    graph: Graph, prices: Prices, state: State, scratch: Scratch, first: int, last: int
) -> None:
    """Fill every unit that some couriers are short of, or give it up."""
    for j in range(first, last):
        while state.units[j] > state.held[j]:
            fill(graph, prices, state, scratch, j)


@compiled(in_place=True)
def settle(graph: Graph, prices: Prices, state: State, scratch: Scratch, n_waiting: int) -> None:
    """Bring the first waiting orders into the flow, then fill every unit left short."""
    for s in range(n_waiting):
        enter(graph, prices, state, scratch, scratch.waiting[s])
    refill(graph, prices, state, scratch, 0, state.held.size)


@compiled(in_place=True)
def empty(graph: Graph, prices: Prices, state: State) -> None:
    """Take every order out of the flow; couriers' prices are those of their first units."""
    for j in range(state.held.size):
        state.held[j] = 0
        state.units[j] = 0
        state.price[j] = 0
        if prices.room[j] > 0:
            state.price[j] = prices.marginal[graph.slot_ptr[j]]
    for i in range(state.pair.size):
        state.pair[i] = AWAY


@compiled(in_place=True)
def leave_all(graph: Graph, prices: Prices, state: State, orders: NDArray[np.int64]) -> None:
    """Begin with some orders, all left, at the least prices that make them so: units are short."""
    empty(graph, prices, state)
    for i in orders:
        state.pair[i] = LEFT
    for j in range(state.held.size):
        highest = -FAR
        for s in range(graph.courier_ptr[j], graph.courier_ptr[j + 1]):
            e = graph.by_courier[s]
            order = graph.order[e]
            if state.pair[order] == LEFT:
                highest = max(highest, prices.leave[order] - prices.pair[e])
        base, units = graph.slot_ptr[j], 0
        while units < prices.room[j] and prices.marginal[base + units] <= highest:
            units += 1
        state.units[j] = units
        state.price[j] = max(state.price[j], highest)


@compiled(in_place=True)
def recall(graph: Graph, state: State, scratch: Scratch, n_waiting: int, order: int) -> int:
    """Take an order out of the flow to be entered again."""
    e = state.pair[order]
    if e >= 0:
        take(graph, state, graph.courier[e], order)
    state.pair[order] = AWAY
    scratch.waiting[n_waiting] = order
    return n_waiting + 1


@compiled(in_place=True)
def recount(
    graph: Graph, prices: Prices, state: State, scratch: Scratch, n_waiting: int, courier: int
) -> int:
    """Let a courier's units follow its price again after marginals or room changed."""
    base = graph.slot_ptr[courier]
    units = min(state.held[courier], prices.room[courier])
    price = state.price[courier]
    while units < prices.room[courier] and prices.marginal[base + units] < price:
        units += 1
    while units > 0 and prices.marginal[base + units - 1] > price:
        units -= 1
    state.units[courier] = units
    while state.held[courier] > units:
        last = state.place[base + courier + state.held[courier] - 1]
        n_waiting = recall(graph, state, scratch, n_waiting, last)
    return n_waiting


@compiled(in_place=True)
def misplaced(graph: Graph, prices: Prices, state: State, order: int) -> bool:
    """Whether an order in the flow would rather be elsewhere at these prices."""
    now = state.pair[order]
    if now == AWAY:
        return False
    cost = prices.leave[order]
    if now >= 0:
        cost = prices.pair[now] + state.price[graph.courier[now]]
        if cost > prices.leave[order]:
            return True
    for e in range(graph.order_ptr[order], graph.order_ptr[order + 1]):
        if prices.pair[e] + state.price[graph.courier[e]] < cost:
            return True
    return False


@compiled(in_place=True)
def resume(
    graph: Graph, prices: Prices, state: State, scratch: Scratch, check_orders: bool
) -> None:
    """Restore the optimum after marginals or room changed, and pair or leave prices if so said."""
    n_waiting = 0
    if check_orders:
        for i in range(state.pair.size):
            if misplaced(graph, prices, state, i):
                n_waiting = recall(graph, state, scratch, n_waiting, i)
    for j in range(state.held.size):
        n_waiting = recount(graph, prices, state, scratch, n_waiting, j)
    settle(graph, prices, state, scratch, n_waiting)
