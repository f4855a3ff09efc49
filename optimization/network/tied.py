"""What may move without a cost between plans of least cost, in one compiled pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled
from optimization.network.layout import LEFT

Ints = NDArray[np.int64]


@compiled
def open_moves(
    order: NDArray[np.int32],
    courier: NDArray[np.int32],
    cost: Ints,
    leave: Ints,
    marginal: Ints,
    first: Ints,
    room: Ints,
    on: Ints,
    price: Ints,
) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """List pairs and orders left that only some plans of least cost have, as `ties.open_moves`."""
    n, m = leave.size, room.size
    held = np.zeros(m, np.int64)
    pays = np.empty(n, np.int64)
    for i in range(n):
        pays[i] = leave[i]
        if on[i] >= 0:
            j = courier[on[i]]
            held[j] += 1
            pays[i] = cost[on[i]] + price[j]
    move, n_moves = np.empty(order.size, np.int64), 0
    for e in range(order.size):
        i = order[e]
        if cost[e] + price[courier[e]] == pays[i] and on[i] != e and on[i] >= LEFT:
            move[n_moves] = e
            n_moves += 1
    leaves, n_leaves = np.empty(n, np.int64), 0
    for i in range(n):
        if on[i] >= 0 and leave[i] == pays[i]:
            leaves[n_leaves] = i
            n_leaves += 1
    loose = np.zeros(m, np.bool_)
    if n_moves + n_leaves == 0:
        return move[:0], leaves[:0], loose
    # Arcs from couriers to couriers; m is nowhere.
    tail = np.empty(n_moves + n_leaves + 2 * m, np.int64)
    head = np.empty(tail.size, np.int64)
    arcs = 0
    for s in range(n_moves):
        i = order[move[s]]
        tail[arcs] = courier[on[i]] if on[i] >= 0 else m
        head[arcs] = courier[move[s]]
        arcs += 1
    for s in range(n_leaves):
        tail[arcs], head[arcs] = courier[on[leaves[s]]], m
        arcs += 1
    for j in range(m):
        if held[j] < room[j] and marginal[first[j] + held[j]] == price[j]:
            tail[arcs], head[arcs] = j, m
            arcs += 1
        if held[j] > 0 and marginal[first[j] + held[j] - 1] == price[j]:
            tail[arcs], head[arcs] = m, j
            arcs += 1
    label = _strong(m + 1, tail[:arcs], head[:arcs])
    kept = 0
    for s in range(n_moves):
        if label[tail[s]] == label[head[s]]:
            move[kept] = move[s]
            kept += 1
    for s in range(n_leaves):
        if label[tail[n_moves + s]] != label[m]:
            leaves[s] = -1
    for j in range(m):
        loose[j] = label[j] == label[m]
    return move[:kept], leaves[:n_leaves][leaves[:n_leaves] >= 0], loose


@compiled
def _strong(n: int, tail: Ints, head: Ints) -> Ints:
    """Label the strong components of n nodes (Tarjan, SIAM Journal on Computing 1, 1972)."""
    ptr = np.zeros(n + 1, np.int64)
    for a in range(tail.size):
        ptr[tail[a] + 1] += 1
    for v in range(n):
        ptr[v + 1] += ptr[v]
    free, onward = ptr[:-1].copy(), np.empty(tail.size, np.int64)
    for a in range(tail.size):
        onward[free[tail[a]]] = head[a]
        free[tail[a]] += 1
    label, low = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    at, path, stack = ptr[:-1].copy(), np.empty(n, np.int64), np.empty(n, np.int64)
    seen = n_labels = n_stack = 0
    index = np.full(n, -1, np.int64)
    for root in range(n):
        if index[root] >= 0:
            continue
        depth = 0
        path[0] = root
        while depth >= 0:
            v = path[depth]
            if index[v] < 0:
                index[v] = low[v] = seen
                seen += 1
                stack[n_stack] = v
                n_stack += 1
            if at[v] < ptr[v + 1]:
                w = onward[at[v]]
                if index[w] < 0:
                    depth += 1
                    path[depth] = w
                    continue
                if label[w] < 0:
                    low[v] = min(low[v], low[w])
                at[v] += 1
                continue
            if low[v] == index[v]:
                while True:
                    n_stack -= 1
                    w = stack[n_stack]
                    label[w] = n_labels
                    if w == v:
                        break
                n_labels += 1
            depth -= 1
    return label
