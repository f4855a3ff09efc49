"""Lagrangian prices on orders: a certified bound on every packing, and which columns matter.

With a price lambda_i paid for serving order i, every packing costs at least
sum_i lambda_i + sum_j min(0, min over the columns c of courier j of cost_c - sum_(i in c) lambda_i)
as long as no lambda_i exceeds what leaving the order costs (the Lagrangian of "each order at most
once"; Held and Karp, Mathematical Programming 1, 1971; Fisher, Management Science 27, 1981).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled, compiler_present
from optimization.packing.columns import Ints, PackingColumns
from optimization.stop import Deadline

Floats = NDArray[np.float64]

UNROLLED = 3
"""Orders of a column that are looked up without a loop: most columns have no more."""

PATIENCE = 15
"""Rounds without a better bound before the step is shortened."""


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Whole-numbered prices and what they prove.

    Attributes
    ----------
    price
        (n,) paid for serving each order, at most `cap`.
    bound
        Exact: no packing costs less, where leaving order i costs `cap[i]`.
    slack
        (k,) by how much a packing with the column must exceed `bound` at least.
    rounds
        Rounds of ascent made.
    """

    price: Ints
    bound: int
    slack: Ints
    rounds: int


def certify(columns: PackingColumns, price: Floats | Ints, cap: Ints, rounds: int = 0) -> Prices:
    """Round prices to whole numbers and compute their bound exactly."""
    whole = np.minimum(np.rint(price).astype(np.int64), cap)
    reduced = columns.reduced(whole)
    best = np.minimum(least_by_courier(reduced, columns.ptr), 0)
    slack = reduced - np.repeat(best, np.diff(columns.ptr))
    bound = columns.constant + int(whole.sum()) + int(best.sum())
    return Prices(whole, bound, slack, rounds)


def ascend(
    columns: PackingColumns,
    start: Floats,
    cap: Ints,
    target: int,
    rounds: int,
    deadline: Deadline,
    *,
    step: float = 1.0,
    near: int = 1,
) -> Prices:
    """Raise the bound by subgradient steps with momentum, sized by the distance to a known packing.

    Step rule of Polyak (USSR Computational Mathematics and Mathematical Physics 9, 1969), the
    direction smoothed as by Camerini, Fratta and Maffioli (Mathematical Programming Study 3, 1975).

    Parameters
    ----------
    columns
        What may be chosen.
    start
        (n,) first prices.
    cap
        (n,) price of leaving each order.
    target
        Value of a known packing.
    rounds
        Most rounds.
    deadline
        When to stop with what there is.
    step
        First step, against the one that would reach the target if the bound were linear.
    near
        Stop when the bound is less than this below the target: values differ by multiples of it.
    """
    n = len(cap)
    # A place more, for what stands in the place of orders that a column does not have.
    price, most = np.append(np.minimum(start, cap), 0.0), cap.astype(np.float64)
    best_price, best_bound = price.copy(), -np.inf
    direction, step_factor, since = np.zeros(n), step, 0
    cost = columns.cost.astype(np.float64)
    # At least three wide, which the compiled loop takes in one go.
    wide = max(0, UNROLLED - columns.orders.shape[1])
    orders = np.pad(columns.orders, ((0, 0), (0, wide)), constant_values=n).astype(np.int32)
    respond, turn, move = _COMPILED if compiler_present() else _ARRAYS
    cover = np.empty(n + 1, np.int64)
    made = 0
    while made < rounds and not deadline.expired:
        made += 1
        answer = respond(columns.ptr, orders, cost, price, cover)
        bound = columns.constant + price[:n].sum() + answer
        if bound > best_bound + 1e-7 * abs(best_bound if best_bound > -np.inf else bound):
            best_price, since = price.copy(), 0
        else:
            since += 1
        best_bound = max(best_bound, bound)
        distance = target - bound
        if target - best_bound < near or step_factor < 5e-3:
            break
        if since >= PATIENCE:
            step_factor, since, price = 0.66 * step_factor, 0, best_price.copy()
        turn(direction, price, most, cover)
        length = float(direction @ direction)
        if length < 1e-12:
            break
        move(price, most, direction, step_factor * distance / length)
    return certify(columns, best_price[:n], cap, made)


def least_by_courier(reduced: Ints, ptr: Ints) -> Ints:
    """Least value of each courier's columns, (m,); 0 where it has none."""
    least = np.zeros(len(ptr) - 1, reduced.dtype)
    some = np.flatnonzero(np.diff(ptr))
    if some.size:
        least[some] = np.minimum.reduceat(reduced, ptr[some])
    return least


@compiled(in_place=True)
def _respond_compiled(
    ptr: Ints, orders: NDArray[np.int32], cost: Floats, price: Floats, cover: Ints
) -> float:
    """Let every courier take its cheapest column at these prices; add up what they cost.

    `cover` (n + 1,) is how often each order is taken.
    """
    for i in range(cover.size):
        cover[i] = 0
    total = 0.0
    for j in range(ptr.size - 1):
        best, chosen = 0.0, -1
        for c in range(ptr[j], ptr[j + 1]):
            reduced = cost[c] - price[orders[c, 0]] - price[orders[c, 1]] - price[orders[c, 2]]
            for place in range(UNROLLED, orders.shape[1]):
                reduced -= price[orders[c, place]]
            if reduced < best:
                best, chosen = reduced, c
        total += best
        if chosen >= 0:
            for place in range(orders.shape[1]):
                cover[orders[chosen, place]] += 1
    return total


def _respond_arrays(
    ptr: Ints, orders: NDArray[np.int32], cost: Floats, price: Floats, cover: Ints
) -> float:
    """Let every courier take its cheapest column, in array code."""
    reduced = cost - price[orders].sum(axis=1)
    ranked = np.lexsort((reduced, np.repeat(np.arange(ptr.size - 1), np.diff(ptr))))
    first = ranked[ptr[np.flatnonzero(np.diff(ptr))]]
    taken = first[reduced[first] < 0]
    cover[:] = np.bincount(orders[taken].ravel(), minlength=cover.size)
    return float(reduced[taken].sum())


@compiled(in_place=True)
def _turn_compiled(direction: Floats, price: Floats, most: Floats, cover: Ints) -> None:
    """Turn to the orders that too few or too many take; a price cannot rise beyond its most."""
    for i in range(direction.size):
        short = 1.0 - cover[i]
        if short > 0.0 and price[i] >= most[i]:
            short = 0.0
        direction[i] = short + 0.3 * direction[i]


def _turn_arrays(direction: Floats, price: Floats, most: Floats, cover: Ints) -> None:
    """Turn, in array code."""
    short = 1.0 - cover[: direction.size]
    short[(short > 0.0) & (price[: direction.size] >= most)] = 0.0
    direction[:] = short + 0.3 * direction


@compiled(in_place=True)
def _move_compiled(price: Floats, most: Floats, direction: Floats, by: float) -> None:
    """Move along the direction, no price beyond its most."""
    for i in range(direction.size):
        price[i] = min(price[i] + by * direction[i], most[i])


def _move_arrays(price: Floats, most: Floats, direction: Floats, by: float) -> None:
    """Move, in array code."""
    price[: direction.size] = np.minimum(price[: direction.size] + by * direction, most)


_COMPILED = _respond_compiled, _turn_compiled, _move_compiled
_ARRAYS = _respond_arrays, _turn_arrays, _move_arrays
