"""Exact courier subproblems: the best set of a courier's pairs at given order prices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled
from optimization.pricing.blocks import Blocks

HUGE = 2**61
"""Stands for impossible; no sum of costs reaches it."""


class Desk(NamedTuple):
    """Room for one search at a time: by depth the open pairs and their rises, and the path."""

    open_pair: NDArray[np.int64]
    rise: NDArray[np.int64]
    n_open: NDArray[np.int64]
    place: NDArray[np.int64]
    value: NDArray[np.int64]
    used: NDArray[np.int64]
    dearer: NDArray[np.int64]
    now: NDArray[np.int64]
    least: NDArray[np.int64]


@compiled
def desk_of(b: Blocks) -> Desk:
    """Make room for the largest courier."""
    wide, deep, n_loads = 1, 1, b.load.shape[0]
    for j in range(b.most.size):
        pairs = b.ptr[j + 1] - b.ptr[j]
        wide, deep = max(wide, pairs), max(deep, min(pairs, b.most[j]))
    return Desk(
        np.zeros((deep, wide), np.int64),
        np.zeros((deep, wide), np.int64),
        np.zeros(deep, np.int64),
        np.zeros(deep, np.int64),
        np.zeros(deep, np.int64),
        np.zeros((deep, n_loads), np.int64),
        np.zeros((deep, deep), np.int64),
        np.zeros(n_loads, np.int64),
        np.zeros(n_loads, np.int64),
    )


@compiled(in_place=True)
def load_price(b: Blocks, load: int, courier: int, amount: int) -> int:
    """Price an amount of a load at a courier."""
    low, high = b.piece_ptr[load, courier], b.piece_ptr[load, courier + 1]
    step = b.even[load, courier]
    if step > 0:
        # A division costs a fifth of a search that the processor cannot predict.
        low = min(low + amount // step, high - 1)
        high = low
    while high - low > 1:
        middle = (low + high) >> 1
        if b.knot[middle] <= amount:
            low = middle
        else:
            high = middle
    return b.base[low] + b.slope[low] * (amount - b.knot[low])  # type: ignore[no-any-return]


@compiled(in_place=True)
def search(
    b: Blocks,
    desk: Desk,
    courier: int,
    price: NDArray[np.int64],
    threshold: int,
    keep_all: bool,
    budget: int,
    sets: NDArray[np.int64],
    sizes: NDArray[np.int64],
    values: NDArray[np.int64],
    row: int,
) -> tuple[int, bool]:
    """Search a courier's sets of pairs whose value is at most a threshold.

    The value of S is the courier's price for S less the prices of its orders. Depth first: at a
    partial set every pair still open is worth `rise`, what the value changes by if it is added now.
    By supermodularity it is never worth less later, and the q-th order from now pays `dearer` on
    top: how much more the q-th slot and the smallest load cost there than here. So a set is worth
    at least its partial set's value plus its cheapest rises, made dearer.

    Parameters
    ----------
    threshold
        Sets above it are not wanted.
    keep_all
        True: write every set from `row` on. False: keep the best one in `row`, if there is any.
    budget
        Most sets to look at.
    sets, sizes, values
        (R, Q), (R,) and (R,) where sets are written as pairs, with their size and value.

    Returns
    -------
    row
        One past the last row written; -1 where the rows do not suffice.
    complete
        False where the budget was spent.
    """
    first, last = b.ptr[courier], b.ptr[courier + 1]
    most, n_loads = min(b.most[courier], last - first), b.load.shape[0]
    if most == 0:
        return row, True
    desk.value[0] = 0
    desk.used[0, :] = 0
    depth, looked, found, fresh = 0, 0, row, True
    while depth >= 0:
        if fresh:
            fresh = False
            desk.n_open[depth] = _open(b, desk, courier, depth, most, price, threshold, keep_all)
            desk.place[depth] = -1
        desk.place[depth] += 1
        a, count = desk.place[depth], desk.n_open[depth]
        reach = HUGE
        if a < count:
            reach = desk.value[depth] + desk.rise[depth, a]
            for q in range(1, min(most - depth, count - a)):
                if desk.rise[depth, a + q] + desk.dearer[depth, q] >= 0:
                    break
                reach += desk.rise[depth, a + q] + desk.dearer[depth, q]
        if reach > threshold:
            depth -= 1
            continue
        looked += 1
        if looked > budget:
            return found, False
        here = desk.value[depth] + desk.rise[depth, a]
        if here <= threshold:
            if not keep_all:
                threshold = here - 1
                found = row
            if found >= sets.shape[0]:
                return -1, True
            for q in range(depth + 1):
                sets[found, q] = desk.open_pair[q, desk.place[q]]
            sizes[found] = depth + 1
            values[found] = here
            found += 1
        if depth + 1 < most and a + 1 < count:
            for load in range(n_loads):
                desk.used[depth + 1, load] = (
                    desk.used[depth, load] + b.load[load, desk.open_pair[depth, a]]
                )
            desk.value[depth + 1] = here
            depth += 1
            fresh = True
    return found, True


@compiled(in_place=True)
def _open(
    b: Blocks,
    desk: Desk,
    courier: int,
    depth: int,
    most: int,
    price: NDArray[np.int64],
    threshold: int,
    keep_all: bool,
) -> int:
    """List the pairs open at a partial set, cheapest rise first; return how many."""
    n_loads = b.load.shape[0]
    slot = b.slot_ptr[courier]
    step = b.slots[slot + depth + 1] - b.slots[slot + depth]
    for load in range(n_loads):
        desk.least[load] = HUGE
        desk.now[load] = load_price(b, load, courier, desk.used[depth, load])
    begin = 0 if depth == 0 else desk.place[depth - 1] + 1
    end = b.ptr[courier + 1] - b.ptr[courier] if depth == 0 else desk.n_open[depth - 1]
    above = 0
    if depth > 0:
        # What every set that goes on from here is worth at least, its next order's rise apart.
        above = desk.value[depth] + desk.dearer[depth - 1, 1]
        for q in range(2, min(most - depth, end - begin) + 1):
            above += min(0, desk.rise[depth - 1, begin + q - 2] + desk.dearer[depth - 1, q])
    count = 0
    for k in range(begin, end):
        if depth == 0:
            e = b.ptr[courier] + k
            r = b.alone[e] - price[b.order[e]]
        else:
            # Rises are sorted one order up and only grow: nothing further on can pay either.
            if above + desk.rise[depth - 1, k] > threshold:
                break
            e = desk.open_pair[depth - 1, k]
            r = b.cost[e] - price[b.order[e]] + step
            fits = True
            for load in range(n_loads):
                amount = desk.used[depth, load] + b.load[load, e]
                if amount > b.limit[load, courier]:
                    fits = False
                    break
                r += load_price(b, load, courier, amount) - desk.now[load]
            if not fits:
                continue
        # Only the best set is wanted: what does not pay now never will; of the last only the best.
        if not keep_all and r >= 0:
            continue
        if depth + 1 == most:
            if desk.value[depth] + r > threshold:
                continue
            if not keep_all:
                threshold = desk.value[depth] + r - 1
                desk.rise[depth, 0], desk.open_pair[depth, 0] = r, e
                count = 1
                continue
        for load in range(n_loads):
            desk.least[load] = min(desk.least[load], b.load[load, e])
        at = count
        while at > 0 and desk.rise[depth, at - 1] > r:
            desk.rise[depth, at], desk.open_pair[depth, at] = (
                desk.rise[depth, at - 1],
                desk.open_pair[depth, at - 1],
            )
            at -= 1
        desk.rise[depth, at], desk.open_pair[depth, at] = r, e
        count += 1
    if count == 0 or depth + 1 == most:
        return count
    for q in range(1, most - depth):
        d = b.slots[slot + depth + q + 1] - b.slots[slot + depth + q] - step
        for load in range(n_loads):
            amount = desk.used[depth, load] + (q + 1) * desk.least[load]
            if amount > b.limit[load, courier]:
                d = HUGE
                break
            d += load_price(b, load, courier, amount) + desk.now[load]
            d -= load_price(b, load, courier, amount - desk.least[load])
            d -= load_price(b, load, courier, desk.used[depth, load] + desk.least[load])
        desk.dearer[depth, q] = d
        if d == HUGE:
            for rest in range(q + 1, most - depth):
                desk.dearer[depth, rest] = HUGE
            break
    return count


@compiled(in_place=True)
def set_value(
    b: Blocks, courier: int, price: NDArray[np.int64], sets: NDArray[np.int64], size: int
) -> int:
    """Value the first `size` pairs of the courier's row of `sets` at these prices."""
    total = b.slots[b.slot_ptr[courier] + size]
    for k in range(size):
        e = sets[courier, k]
        total += b.cost[e] - price[b.order[e]]
    for load in range(b.load.shape[0]):
        amount = 0
        for k in range(size):
            amount += b.load[load, sets[courier, k]]
        total += load_price(b, load, courier, amount)
    return total  # type: ignore[no-any-return]


@compiled(in_place=True)
def best_set(
    b: Blocks,
    desk: Desk,
    courier: int,
    price: NDArray[np.int64],
    budget: int,
    sets: NDArray[np.int64],
    sizes: NDArray[np.int64],
    values: NDArray[np.int64],
) -> bool:
    """Replace a courier's set, row `courier`, by its best one; False where the budget was spent.

    The set it has is tried first: at prices near those it was made for it is often best again.
    """
    j = courier
    values[j] = set_value(b, j, price, sets, sizes[j])
    if values[j] >= 0:
        sizes[j], values[j] = 0, 0
    return search(b, desk, j, price, values[j] - 1, False, budget, sets, sizes, values, j)[1]


@compiled
def floor_of(b: Blocks, courier: int, price: NDArray[np.int64]) -> int:
    """Bound every set of a courier from below: its cheapest pairs, each as if alone."""
    first, last = b.ptr[courier], b.ptr[courier + 1]
    gains = np.sort(b.alone[first:last] - price[b.order[first:last]])
    total = 0
    for k in range(min(b.most[courier], last - first)):
        total += min(0, gains[k])
    return total


@compiled
def evaluate(
    b: Blocks,
    price: NDArray[np.int64],
    sets: NDArray[np.int64],
    sizes: NDArray[np.int64],
    values: NDArray[np.int64],
    cover: NDArray[np.int64],
) -> int:
    """Bound the composed value at integer order prices: sum of prices and of every courier's best.

    For any prices (at most the price of leaving) this is a lower bound, in exact integers
    (Lagrangian relaxation of "each order at most once"; Geoffrion, Math. Prog. Study 2, 1974).
    Where a courier's search is cut short, a weaker bound on it takes its place.

    Parameters
    ----------
    sets, sizes, values, cover
        Filled with each courier's best set (m rows) and how often each order is in one. Their
        previous content is where each search starts.
    """
    total = 0
    for i in range(price.size):
        total += price[i]
        cover[i] = 0
    n_couriers = b.most.size
    desk = desk_of(b)
    budget = max(20_000, 1_000_000 // max(1, n_couriers))
    for j in range(n_couriers):
        complete = best_set(b, desk, j, price, budget, sets, sizes, values)
        total += values[j] if complete else floor_of(b, j, price)
        for q in range(sizes[j]):
            cover[b.order[sets[j, q]]] += 1
    return total
