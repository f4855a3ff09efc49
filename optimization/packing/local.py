"""Packings made and improved: greedy by slack, then insert, eject and refill."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled, compiler_present
from optimization.packing.columns import Ints, PackingColumns
from optimization.stop import Deadline

MAX_EJECTED = 8
"""Most columns one insertion may throw out."""
CHUNK = 500
"""Insertions between two looks at the clock."""


def greedy(columns: PackingColumns, ranking: Ints) -> Ints:
    """Take columns in the order given while courier and orders are free; sorted ids of `columns`.

    Without a compiler in rounds of array code: what is first among all that touch it is taken.
    """
    n, m = len(columns.leave), columns.n_couriers
    courier = columns.courier
    open_order, free = np.ones(n + 1, np.bool_), np.ones(m, np.bool_)
    if compiler_present():
        picked = np.zeros(len(columns), np.bool_)
        _take_in_turn(courier, columns.orders, ranking, open_order, free, picked)
        return np.flatnonzero(picked)
    taken = []
    left = ranking
    while left.size:
        orders, who = columns.orders[left], courier[left]
        place = np.arange(left.size)
        first_order, first_courier = np.full(n + 1, left.size), np.full(m, left.size)
        np.minimum.at(first_order, orders, place[:, None])
        np.minimum.at(first_courier, who, place)
        real = orders < n
        wins = ((first_order[orders] == place[:, None]) | ~real).all(axis=1)
        won = left[wins & (first_courier[who] == place)]
        taken.append(won)
        open_order[columns.orders[won]] = False
        open_order[n] = True
        free[courier[won]] = False
        left = left[open_order[orders].all(axis=1) & free[who]]
    return np.sort(np.concatenate(taken)) if taken else np.zeros(0, np.int64)


@compiled(in_place=True)
def _take_in_turn(
    courier: Ints,
    orders: Ints,
    ranking: Ints,
    open_order: NDArray[np.bool_],
    free: NDArray[np.bool_],
    picked: NDArray[np.bool_],
) -> None:
    n, width = open_order.size - 1, orders.shape[1]
    for q in range(ranking.size):
        c = ranking[q]
        fits = free[courier[c]]
        for place in range(width):
            fits = fits and open_order[orders[c, place]]
        if fits:
            picked[c] = True
            free[courier[c]] = False
            for place in range(width):
                open_order[orders[c, place]] = orders[c, place] == n


def improve(
    columns: PackingColumns, chosen: Ints, candidates: Ints, passes: int, deadline: Deadline
) -> Ints:
    """Improve a packing by forced insertions, each followed by refilling what it threw out.

    Every candidate in turn is put in, the columns it collides with leave, couriers and orders set
    free by that get the best column that fits; kept where the whole is worth more. Values are whole
    numbers, so coverage stays above all else exactly.

    Parameters
    ----------
    columns
        What may be chosen.
    chosen
        A packing, ids of `columns`.
    candidates
        Columns to try, in this order.
    passes
        Most rounds over the candidates; one that improves nothing ends them.
    deadline
        When to stop with what there is.
    """
    if not compiler_present() or not chosen.size:
        return chosen
    n, m = len(columns.leave), columns.n_couriers
    reward = np.append(columns.dominance * columns.leave, 0)
    worth = reward[columns.orders].sum(axis=1) - columns.cost
    by_courier, by_order = np.full(m, -1, np.int64), np.full(n + 1, -1, np.int64)
    by_courier[columns.courier[chosen]] = chosen
    by_order[columns.orders[chosen]] = chosen[:, None]
    by_order[n] = -1
    order_ptr, order_column = columns.by_order
    # Beside the columns of each order what the search asks of them first: memory is what it waits
    # for.
    order_courier, order_worth = columns.courier[order_column], worth[order_column]
    for _ in range(passes):
        improved = False
        for low in range(0, candidates.size, CHUNK):
            improved |= not deadline.expired and _insert_and_repair(
                columns.ptr,
                columns.courier,
                columns.orders,
                worth,
                order_ptr,
                order_column,
                order_courier,
                order_worth,
                by_courier,
                by_order,
                candidates[low : low + CHUNK],
            )
        if not improved:
            break
    return np.sort(by_courier[by_courier >= 0])


@compiled
def _insert_and_repair(
    ptr: Ints,
    courier: Ints,
    orders: Ints,
    worth: Ints,
    order_ptr: Ints,
    order_column: Ints,
    order_courier: Ints,
    order_worth: Ints,
    by_courier: Ints,
    by_order: Ints,
    candidates: Ints,
) -> bool:
    """Change `by_courier` and `by_order` (the column of each, -1 for none) for the better."""
    n, width = by_order.size - 1, orders.shape[1]
    out = np.empty(MAX_EJECTED, np.int64)
    new = np.empty(1 + MAX_EJECTED + MAX_EJECTED * width, np.int64)
    improved = False
    for q in candidates:
        if by_courier[courier[q]] == q:
            continue
        # 1. What has to leave.
        ejected, fits = 0, True
        if by_courier[courier[q]] >= 0:
            out[0], ejected = by_courier[courier[q]], 1
        for place in range(width):
            c = by_order[orders[q, place]]
            known = c < 0
            for e in range(ejected):
                known = known or out[e] == c
            if not known:
                if ejected == MAX_EJECTED:
                    fits = False
                    break
                out[ejected] = c
                ejected += 1
        if not fits:
            continue
        loss = 0
        for e in range(ejected):
            c = out[e]
            loss += worth[c]
            by_courier[courier[c]] = -1
            for place in range(width):
                by_order[orders[c, place]] = -1
        # 2. Put it in.
        new[0], added, gain = q, 1, worth[q]
        by_courier[courier[q]] = q
        for place in range(width):
            if orders[q, place] < n:
                by_order[orders[q, place]] = q
        first_out = ejected
        # 3. Couriers set free take the best column that fits.
        for e in range(first_out):
            j = courier[out[e]]
            if by_courier[j] >= 0:
                continue
            best, choice = 0, -1
            for c in range(ptr[j], ptr[j + 1]):
                if worth[c] > best:
                    free = True
                    for place in range(width):
                        free = free and by_order[orders[c, place]] < 0
                    if free:
                        best, choice = worth[c], c
            if choice >= 0:
                by_courier[j] = choice
                for place in range(width):
                    if orders[choice, place] < n:
                        by_order[orders[choice, place]] = choice
                new[added] = choice
                added += 1
                gain += best
        # 4. Orders still open go to an idle courier, or into a larger column of a busy one
        #    that this move has not touched and that keeps its orders.
        for e in range(first_out):
            for spot in range(width):
                i = orders[out[e], spot]
                if i >= n or by_order[i] >= 0:
                    continue
                best, choice = 0, -1
                for z in range(order_ptr[i], order_ptr[i + 1]):
                    old = by_courier[order_courier[z]]
                    rise = order_worth[z] - (worth[old] if old >= 0 else 0)
                    if rise <= best or (old >= 0 and ejected == MAX_EJECTED):
                        continue
                    c, free = order_column[z], True
                    for place in range(width):
                        holder = by_order[orders[c, place]]
                        free = free and (holder < 0 or holder == old)
                    if free and old >= 0:
                        for a in range(added):
                            free = free and new[a] != old
                        for place in range(width):
                            kept = orders[old, place] >= n
                            for other in range(width):
                                kept = kept or orders[c, other] == orders[old, place]
                            free = free and kept
                    if free:
                        best, choice = rise, c
                if choice >= 0:
                    j = courier[choice]
                    old = by_courier[j]
                    if old >= 0:
                        out[ejected] = old
                        ejected += 1
                        loss += worth[old]
                    by_courier[j] = choice
                    for place in range(width):
                        if orders[choice, place] < n:
                            by_order[orders[choice, place]] = choice
                    new[added] = choice
                    added += 1
                    gain += worth[choice]
        # 5. Keep or take back.
        if gain > loss:
            improved = True
            continue
        for a in range(added):
            c = new[a]
            by_courier[courier[c]] = -1
            for place in range(width):
                by_order[orders[c, place]] = -1
        for e in range(ejected):
            c = out[e]
            by_courier[courier[c]] = c
            for place in range(width):
                if orders[c, place] < n:
                    by_order[orders[c, place]] = c
    return improved
