"""Least first objective of a flow whose second objective has a limit: branch and bound, compiled.

Lower bounds are Lagrangian: for weights K > 0 and b >= 0 the optimum of K E + b F over a node's
flow bounds E there for F <= limit. The weight b follows the line through the best plan beyond the
limit and the best one within it (Handler and Zang, Networks 10, 1980); the next node restarts warm
from the flow of the last. A node branches where those two plans differ: on a courier's count, which
cuts both off because F depends on counts alone, or on an order's pair where it does not.
Every comparison is in int64, so what is pruned is proven.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled
from optimization.network.kernels import resume
from optimization.network.layout import LEFT, Graph, Prices, Scratch, State

FORBIDDEN = 2**57
"""Price of what a node rules out: above any order's leave price, within int64 distances."""
FINISHED, PAUSED, STUCK = 0, 1, 2


class Objectives(NamedTuple):
    """Two objectives, E then F: (k,) per pair and (Q,) per unit each, and (n,) leave units."""

    pair: NDArray[np.int64]
    marginal: NDArray[np.int64]
    other_pair: NDArray[np.int64]
    other_marginal: NDArray[np.int64]
    leave: NDArray[np.int64]


class Node(NamedTuple):
    """What the node at hand rules out: (m,) least counts, (k,) bans, (n,) orders told their pair.

    The most a courier may hold is `Prices.room`.
    """

    least: NDArray[np.int64]
    banned: NDArray[np.int64]
    told: NDArray[np.int64]


class Tree(NamedTuple):
    """The depth-first stack and the best plan found, so that a search can pause and go on.

    `where` courier or order branched on, `split` count or pair, `side` 0 or 1 with 2 added once the
    other side has been explored, `kept` the bound that the branch replaced; `numbers` is (depth,
    weight b, best E, its F, nodes so far); `plan` (n,) the best plan; `within` and `beyond` the
    couriers' counts or orders' pairs of the two plans of a node.
    """

    where: NDArray[np.int64]
    split: NDArray[np.int64]
    side: NDArray[np.int64]
    kept: NDArray[np.int64]
    numbers: NDArray[np.int64]
    plan: NDArray[np.int64]
    within: NDArray[np.int64]
    beyond: NDArray[np.int64]


@compiled(in_place=True)
def weigh(
    graph: Graph,
    prices: Prices,
    state: State,
    scratch: Scratch,
    two: Objectives,
    node: Node,
    scale: int,
    weight: int,
    every_pair: bool,
) -> None:
    """Price the flow by scale E + weight F within the node, and restore its optimum."""
    for j in range(state.held.size):
        for s in range(graph.slot_ptr[j], graph.slot_ptr[j + 1]):
            price = scale * two.marginal[s] + weight * two.other_marginal[s]
            prices.marginal[s] = price
            if s - graph.slot_ptr[j] < node.least[j]:
                prices.marginal[s] = price - FORBIDDEN
    if every_pair:
        for e in range(two.pair.size):
            prices.pair[e] = scale * two.pair[e] + weight * two.other_pair[e]
            if node.banned[e] > 0:
                prices.pair[e] += FORBIDDEN
    resume(graph, prices, state, scratch, every_pair)


@compiled(in_place=True)
def totals(graph: Graph, state: State, two: Objectives) -> tuple[int, int, int]:
    """Add up E, F and the units of leave of a selection."""
    first = second = left = 0
    for i in range(state.pair.size):
        e = state.pair[i]
        if e >= 0:
            first += two.pair[e]
            second += two.other_pair[e]
        elif e == LEFT:
            left += two.leave[i]
    for j in range(state.held.size):
        base = graph.slot_ptr[j]
        for s in range(base, base + state.held[j]):
            first += two.marginal[s]
            second += two.other_marginal[s]
    return first, second, left


@compiled(in_place=True)
def penalty(state: State, node: Node, excess: int, leave_unit: int) -> int:
    """Price of what makes a plan infeasible in its node, or less; 0 for a feasible one."""
    for j in range(state.held.size):
        if state.held[j] < node.least[j]:
            return FORBIDDEN
    for i in range(state.pair.size):
        e = state.pair[i]
        if (e >= 0 and node.banned[e] > 0) or (e == LEFT and node.told[i] > 0):
            return FORBIDDEN
    return excess * leave_unit


@compiled(in_place=True)
def rule(graph: Graph, prices: Prices, node: Node, tree: Tree, by_order: bool, sign: int) -> None:
    """Impose (sign 1) or lift (sign -1) the branch on top of the stack."""
    top = tree.numbers[0] - 1
    where, split, high = tree.where[top], tree.split[top], tree.side[top] & 1
    if not by_order:
        bound = node.least if high else prices.room
        if sign > 0:
            tree.kept[top] = bound[where]
            bound[where] = split + 1 if high else split
        else:
            bound[where] = tree.kept[top]
    elif not high:
        node.banned[split] += sign
    else:
        node.told[where] += sign
        prices.leave[where] += sign * FORBIDDEN
        for e in range(graph.order_ptr[where], graph.order_ptr[where + 1]):
            if e != split:
                node.banned[e] += sign


@compiled(in_place=True)
def branch(graph: Graph, two: Objectives, tree: Tree, by_order: bool) -> bool:
    """Push the branch on which the two plans of the node differ most in F."""
    widest = where = -1
    for x in range(tree.within.size):
        a, b = tree.within[x], tree.beyond[x]
        if a == b:
            continue
        width = 0
        if by_order:
            width += two.other_pair[a] if a >= 0 else 0
            width -= two.other_pair[b] if b >= 0 else 0
        else:
            for q in range(min(a, b), max(a, b)):
                width += two.other_marginal[graph.slot_ptr[x] + q]
        if abs(width) > widest:
            widest, where = abs(width), x
    if where < 0:
        return False
    top = tree.numbers[0]
    a, b = tree.within[where], tree.beyond[where]
    tree.where[top] = where
    if by_order:
        tree.split[top] = a if a >= 0 else b
        tree.side[top] = 1 if a >= 0 else 0
    else:
        tree.split[top] = (a + b) // 2
        tree.side[top] = 1 if a > b else 0
    tree.numbers[0] = top + 1
    return True


@compiled
def search(
    graph: Graph,
    prices: Prices,
    state: State,
    scratch: Scratch,
    two: Objectives,
    node: Node,
    tree: Tree,
    by_order: bool,
    scale: int,
    limit: int,
    least_left: int,
    leave_unit: int,
    most: int,
    budget: int,
) -> int:
    """Minimise E for F <= limit and E below `tree.numbers[2]`, going on where it paused.

    Returns
    -------
    int
        FINISHED, or PAUSED after `budget` nodes, or STUCK where int64 cannot decide.
    """
    numbers = tree.numbers
    for _ in range(budget):
        numbers[4] += 1
        have_within = have_beyond = pruned = False
        e_in = f_in = b_in = e_out = f_out = b_out = fine_out = 0
        weight = numbers[1]
        # Near the parent's weight most of its flow still stands: leave it in growing strides.
        stride = weight // 128 + 1
        for _ in range(200):
            weigh(graph, prices, state, scratch, two, node, scale, weight, by_order)
            e, f, left = totals(graph, state, two)
            fine = penalty(state, node, left - least_left, leave_unit)
            inside = fine == 0 and f <= limit
            if inside and e < numbers[2]:
                numbers[2], numbers[3] = e, f
                tree.plan[:] = state.pair
            numbers[1] = weight
            if scale * (e - numbers[2] + 1) + weight * (f - limit) + fine > 0:
                pruned = True
                break
            seen = tree.within if inside else tree.beyond
            seen[:] = state.pair if by_order else state.held
            if inside:
                have_within, e_in, f_in, b_in = True, e, f, weight
            else:
                have_beyond, e_out, f_out, b_out, fine_out = True, e, f, weight, fine
            if not have_within:
                if weight >= most:
                    return STUCK
                weight = min(weight + stride, most)
                stride *= 2
            elif not have_beyond:
                weight = max(weight - stride, 0)
                stride *= 2
            else:
                if f_out <= f_in:
                    break
                weight = (scale * (e_in - e_out) - fine_out) // (f_out - f_in)
                if weight <= b_out or weight >= b_in:
                    break
        if not pruned:
            if not (have_within and have_beyond):
                return STUCK
            if not branch(graph, two, tree, by_order):
                return STUCK
            rule(graph, prices, node, tree, by_order, 1)
            continue
        while numbers[0] > 0:
            top = numbers[0] - 1
            rule(graph, prices, node, tree, by_order, -1)
            if tree.side[top] < 2:
                tree.side[top] = 3 - tree.side[top]
                rule(graph, prices, node, tree, by_order, 1)
                break
            numbers[0] = top
        if numbers[0] == 0:
            return FINISHED
    return PAUSED
