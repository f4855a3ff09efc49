"""Every non-dominated point in a group of boxes: one branch and bound for all of them, compiled.

A node fixes some orders on pairs and keeps others off theirs. For weights w the flow's optimum W
over the node closes every box whose best integer point is below w z = W; weights for a box come
from the matrix game over the plans seen so far (column generation). Where a mixture of plans
reaches a box's corner no weights can close it, and the node branches on the order over which these
plans disagree most. Every plan met on the way is a candidate; one that lies in a box splits it.
Comparisons that close boxes are in int64, so what is closed is proven.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled
from optimization.network.branch import FORBIDDEN
from optimization.network.kernels import resume
from optimization.network.layout import LEFT, Graph, Prices, Scratch, State
from optimization.regions.boxes import FULL, close, insert, reaches, reopen
from optimization.regions.game import MIXTURE, TOLERANCE, Game, begin, pivot, price, settle_game
from optimization.regions.layout import (
    BOXES,
    DEPTH,
    FIXED,
    NODES,
    OPEN,
    PLANES,
    SOLVES,
    Aims,
    Archive,
    Boxes,
    Tree,
)

FINISHED, PAUSED, STUCK, CROWDED = 0, 1, 2, 3
CLOSED, BRANCH = 4, 5


@compiled
def weigh_many(
    graph: Graph,
    prices: Prices,
    state: State,
    scratch: Scratch,
    aims: Aims,
    banned: NDArray[np.int64],
    weight: NDArray[np.int64],
) -> None:
    """Price the flow by the weighted objectives, keep off banned pairs, and restore its optimum."""
    d = weight.size
    for s in range(prices.marginal.size):
        total = 0
        for k in range(d):
            total += weight[k] * aims.marginal[s, k]
        prices.marginal[s] = total
    for e in range(banned.size):
        total = FORBIDDEN if banned[e] > 0 else 0
        for k in range(d):
            total += weight[k] * aims.pair[e, k]
        prices.pair[e] = total
    resume(graph, prices, state, scratch, True)


@compiled
def value_of(graph: Graph, state: State, aims: Aims, value: NDArray[np.int64]) -> int:
    """Add up the objectives of a selection into `value`; return the units of leave."""
    value[:] = 0
    left = 0
    for i in range(state.pair.size):
        e = state.pair[i]
        if e >= 0:
            for k in range(value.size):
                value[k] += aims.pair[e, k]
        elif e == LEFT:
            left += aims.leave[i]
    for j in range(state.held.size):
        base = graph.slot_ptr[j]
        for s in range(base, base + state.held[j]):
            for k in range(value.size):
                value[k] += aims.marginal[s, k]
    return left


@compiled
def breaks_rules(state: State, tree: Tree) -> bool:
    """Whether a selection uses what its node rules out: then the node holds no plan."""
    for i in range(state.pair.size):
        e = state.pair[i]
        if (e >= 0 and tree.banned[e] > 0) or (e == LEFT and tree.told[i] > 0):
            return True
    return False


@compiled
def rule(graph: Graph, prices: Prices, tree: Tree, sign: int) -> None:
    """Impose (sign 1) or lift (sign -1) the branch on top of the stack."""
    top = tree.numbers[DEPTH] - 1
    order, pair = tree.order[top], tree.pair[top]
    if tree.side[top] & 1:
        tree.banned[pair] += sign
        return
    tree.told[order] += sign
    prices.leave[order] += sign * FORBIDDEN
    for e in range(graph.order_ptr[order], graph.order_ptr[order + 1]):
        if e != pair:
            tree.banned[e] += sign


@compiled
def fix(graph: Graph, prices: Prices, state: State, tree: Tree, highest: int) -> None:
    """Rule out the pairs that lift the node's least value beyond every open box."""
    for i in range(state.pair.size):
        now = state.pair[i]
        own = prices.leave[i]
        if now >= 0:
            own = prices.pair[now] + state.price[graph.courier[now]]
        for e in range(graph.order_ptr[i], graph.order_ptr[i + 1]):
            if tree.banned[e] > 0 or e == now:
                continue
            if prices.pair[e] + state.price[graph.courier[e]] - own > highest:
                tree.banned[e] += 1
                tree.fixed[tree.numbers[FIXED]] = e
                tree.numbers[FIXED] += 1


@compiled
def aim_at(aims: Aims, game: Game, tree: Tree) -> None:
    """Turn the game's weights, which are per span, into integers and none of them zero."""
    for k in range(tree.weight.size):
        share = max(game.weight[k], 0.0) / aims.span[k]
        tree.weight[k] = max(1, round(share * aims.rule[2]))


@compiled
def first_weights(aims: Aims, boxes: Boxes, tree: Tree, box: int) -> None:
    """Begin with the recent plane that comes nearest to closing the box, or with equal weights."""
    d, best, least = tree.weight.size, -1, 0
    for p in range(max(0, tree.numbers[PLANES] - 64), tree.numbers[PLANES]):
        reach = reaches(tree, p, boxes.corner[box])
        if best < 0 or reach < least:
            best, least = p, reach
    for k in range(d):
        if best >= 0:
            tree.weight[k] = tree.plane[best, k]
        else:
            tree.weight[k] = max(1, round(aims.rule[2] / (d * aims.span[k])))


@compiled
def attempt(
    graph: Graph,
    prices: Prices,
    state: State,
    scratch: Scratch,
    aims: Aims,
    boxes: Boxes,
    archive: Archive,
    tree: Tree,
    game: Game,
    box: int,
) -> int:
    """Close a box at the node at hand, or split it by a point, or find that neither can be.

    Returns
    -------
    int
        CLOSED (or split), BRANCH with the mixture in `game`, STUCK or CROWDED.
    """
    d, numbers = tree.weight.size, tree.numbers
    first_weights(aims, boxes, tree, box)
    game.known[0] = 0
    for turn in range(game.point.shape[0]):
        weigh_many(graph, prices, state, scratch, aims, tree.banned, tree.weight)
        numbers[SOLVES] += 1
        value = tree.value[turn]
        left = value_of(graph, state, aims, value)
        if breaks_rules(state, tree):
            for b in range(numbers[BOXES]):
                if boxes.closed[b] == OPEN:
                    boxes.closed[b] = numbers[DEPTH]
            return CLOSED
        if left == aims.rule[0] and insert(aims, boxes, archive, tree, value, state.pair) == FULL:
            return CROWDED
        least = (left - aims.rule[0]) * aims.rule[1]
        for k in range(d):
            least += tree.weight[k] * value[k]
        highest = close(boxes, tree, least)
        if numbers[PLANES] < tree.least.size:
            tree.plane[numbers[PLANES]] = tree.weight
            tree.least[numbers[PLANES]] = least
            numbers[PLANES] += 1
        if highest >= 0:
            fix(graph, prices, state, tree, highest)
        if boxes.closed[box] != OPEN:
            return CLOSED
        if left != aims.rule[0]:
            return STUCK
        tree.plan[turn] = state.pair
        for k in range(d):
            game.point[turn, k] = (value[k] - (boxes.corner[box, k] - 1)) / aims.span[k]
        game.known[0] = turn + 1
        if turn == 0:
            begin(game)
        else:
            short = -price(game)
            for k in range(d):
                short += game.weight[k] * game.point[turn, k]
            # No plan of the node is below the game's level: it is the level of the node.
            if short >= -TOLERANCE or not pivot(game, MIXTURE, turn):
                return BRANCH
        if settle_game(game) <= TOLERANCE:
            return BRANCH
        aim_at(aims, game, tree)
    return BRANCH


@compiled
def branch(aims: Aims, tree: Tree, game: Game) -> bool:
    """Push the order over which the plans of the mixture disagree most, and its commonest pair."""
    d, n = tree.weight.size, tree.plan.shape[1]
    most, where, on = 0.0, -1, -1
    for i in range(n):
        largest, pair, other = 0.0, -1, -1
        for r in range(1, d + 1):
            if game.kind[r] != MIXTURE or game.inverse[r, d] <= TOLERANCE:
                continue
            e = tree.plan[game.which[r], i]
            share = 0.0
            for s in range(1, d + 1):
                if game.kind[s] == MIXTURE and tree.plan[game.which[s], i] == e:
                    share += max(game.inverse[s, d], 0.0)
            if e >= 0 and share > largest:
                largest, other, pair = share, pair, e
            elif e != pair:
                other = e
        if pair < 0 or largest >= 1.0 - TOLERANCE:
            continue
        width = 0.0
        for k in range(d):
            apart = aims.pair[pair, k] - (aims.pair[other, k] if other >= 0 else 0)
            width += abs(apart) / aims.span[k]
        score = (1.0 - largest) * (width + TOLERANCE)
        if score > most:
            most, where, on = score, i, pair
    if where < 0:
        return False
    numbers = tree.numbers
    top = numbers[DEPTH]
    tree.order[top], tree.pair[top], tree.side[top] = where, on, 0
    tree.planes[top + 1], tree.fixes[top + 1] = numbers[PLANES], numbers[FIXED]
    numbers[DEPTH] = top + 1
    return True


@compiled
def retreat(graph: Graph, prices: Prices, boxes: Boxes, tree: Tree) -> bool:
    """Leave a finished node for the next one; False where there is none."""
    numbers = tree.numbers
    while numbers[DEPTH] > 0:
        depth = numbers[DEPTH]
        reopen(boxes, tree)
        for s in range(tree.fixes[depth], numbers[FIXED]):
            tree.banned[tree.fixed[s]] -= 1
        numbers[FIXED], numbers[PLANES] = tree.fixes[depth], tree.planes[depth]
        rule(graph, prices, tree, -1)
        if tree.side[depth - 1] < 2:
            tree.side[depth - 1] = 3 - tree.side[depth - 1]
            rule(graph, prices, tree, 1)
            return True
        numbers[DEPTH] = depth - 1
    return False


@compiled
def search_boxes(
    graph: Graph,
    prices: Prices,
    state: State,
    scratch: Scratch,
    aims: Aims,
    boxes: Boxes,
    archive: Archive,
    tree: Tree,
    game: Game,
    budget: int,
) -> int:
    """Go on until no box is open anywhere in the tree.

    Returns
    -------
    int
        FINISHED, or PAUSED after `budget` flows, or CROWDED where arrays must grow first, or STUCK
        where int64 prices cannot decide.
    """
    numbers = tree.numbers
    last = numbers[SOLVES] + budget
    while numbers[SOLVES] < last:
        box = -1
        for b in range(numbers[BOXES]):
            if boxes.closed[b] == OPEN:
                box = b
                break
        if box < 0:
            if not retreat(graph, prices, boxes, tree):
                return FINISHED
            numbers[NODES] += 1
            continue
        outcome = attempt(graph, prices, state, scratch, aims, boxes, archive, tree, game, box)
        if outcome in (STUCK, CROWDED):
            return outcome
        if outcome == BRANCH:
            if not branch(aims, tree, game):
                return STUCK
            rule(graph, prices, tree, 1)
            numbers[NODES] += 1
    return PAUSED
