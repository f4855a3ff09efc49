"""The pairs of a problem laid out courier by courier, all int64, for the compiled loops."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled
from optimization.scalar import ScalarProblem
from optimization.structure import courier_slots, sizes_redundant, usable
from optimization.work import NO_LIMIT, WorkPrice


class Blocks(NamedTuple):
    """Usable pairs sorted by courier; E of them, L loads (size, limited and priced work).

    A courier's price for a set S of its pairs is sum of `cost` + `slots` at |S| + for each load the
    piecewise-linear price of its sum: supermodular, because slot prices and pieces are convex.

    Attributes
    ----------
    column, order, courier, cost
        (E,) of each pair.
    ptr
        (m + 1,) pairs of each courier.
    order_ptr, order_pair
        (n + 1,) and (E,): the pairs of each order, the cheapest alone first.
    leave
        (n,) price of leaving an order.
    most
        (m,) most orders.
    slot_ptr, slots
        (m + 1,) and (m + sum of most,): price of 0, 1, ... orders, from 0.
    load, limit
        (L, E) load of each pair and (L, m) most of it.
    piece_ptr
        (L, m + 1) into `knot`, `slope` and `base`, the price at the knot.
    even
        (L, m) distance of a courier's knots where it is always the same, else 0.
    alone
        (E,) the courier's price for the pair by itself.
    """

    column: NDArray[np.int64]
    order: NDArray[np.int64]
    courier: NDArray[np.int64]
    cost: NDArray[np.int64]
    ptr: NDArray[np.int64]
    order_ptr: NDArray[np.int64]
    order_pair: NDArray[np.int64]
    leave: NDArray[np.int64]
    most: NDArray[np.int64]
    slot_ptr: NDArray[np.int64]
    slots: NDArray[np.int64]
    load: NDArray[np.int64]
    limit: NDArray[np.int64]
    piece_ptr: NDArray[np.int64]
    knot: NDArray[np.int64]
    slope: NDArray[np.int64]
    base: NDArray[np.int64]
    even: NDArray[np.int64]
    alone: NDArray[np.int64]


def blocks_of(scalar: ScalarProblem) -> Blocks:
    """Lay out a problem of single pairs; every array is fresh."""
    problem = scalar.problem
    m = problem.n_couriers
    column = np.flatnonzero(usable(problem))
    ptr, ranked = _grouped(problem.column_courier[column], m)
    column = column[ranked]
    courier = problem.column_courier[column].astype(np.int64)
    order = problem.column_order[column].astype(np.int64)
    most = courier_slots(problem).astype(np.int64)
    slot_ptr, slots = _slots(scalar, most)

    loads: list[tuple[NDArray[np.int64], NDArray[np.int64], WorkPrice | None]] = []
    if not sizes_redundant(problem):
        loads.append((problem.column_size, problem.max_size, None))
    priced = {price.work for price in scalar.work}
    loads += [
        (work.column, work.limit, None)
        for work in problem.works
        if work.name not in priced and (work.limit < NO_LIMIT).any()
    ]
    loads += [
        (problem.work(price.work).column, problem.work(price.work).limit, price)
        for price in scalar.work
    ]
    free = np.arange(m + 1), np.zeros(m, np.int64)
    piece_ptr, knot, slope, base = [], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], []
    base.append(np.zeros(0, np.int64))
    even = []
    for _, _, price in loads:
        even.append(np.full(m, NO_LIMIT) if price is None else _even(price))
        start = sum(part.size for part in knot)
        pieces, zero = free
        piece_ptr.append(start + (pieces if price is None else price.ptr))
        knot.append(zero if price is None else price.knot)
        slope.append(zero if price is None else price.slope)
        base.append(zero if price is None else price.base)
    cost = scalar.column_cost[column]
    alone = cost + (slots[slot_ptr[courier] + 1] - slots[slot_ptr[courier]])
    for work, _, price in loads:
        if price is not None:
            alone = alone + price.rise(
                courier.astype(np.int32), np.zeros_like(courier), work[column]
            )
    order_ptr, by_order = _grouped(order, problem.n_orders)
    _sort_within(order_ptr, by_order, alone)
    shape = (len(loads), column.size)
    return Blocks(
        column=column,
        order=order,
        courier=courier,
        cost=cost,
        ptr=ptr,
        order_ptr=order_ptr,
        order_pair=by_order,
        leave=scalar.leave_cost,
        most=most,
        slot_ptr=slot_ptr,
        slots=slots,
        load=np.array([work[column] for work, _, _ in loads], np.int64).reshape(shape),
        limit=np.array([limit for _, limit, _ in loads], np.int64).reshape(len(loads), m),
        piece_ptr=np.array(piece_ptr, np.int64).reshape(len(loads), m + 1),
        knot=np.concatenate(knot),
        slope=np.concatenate(slope),
        base=np.concatenate(base),
        even=np.array(even, np.int64).reshape(len(loads), m),
        alone=alone,
    )


def _grouped(key: NDArray[Any], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each of n groups starts, (n + 1,), and the members of all in turn, (E,)."""
    ptr, members = np.zeros(n + 1, np.int64), np.empty(key.size, np.int64)
    np.cumsum(np.bincount(key, minlength=n), out=ptr[1:])
    _distribute(key, ptr[:-1].copy(), members)
    return ptr, members


@compiled(in_place=True)
def _distribute(key: NDArray[Any], free: NDArray[np.int64], members: NDArray[np.int64]) -> None:
    for e in range(key.size):
        members[free[key[e]]] = e
        free[key[e]] += 1


@compiled(in_place=True)
def _sort_within(
    ptr: NDArray[np.int64], members: NDArray[np.int64], value: NDArray[np.int64]
) -> None:
    """Sort each group by value, earlier members first among equals; groups are short."""
    for g in range(ptr.size - 1):
        for s in range(ptr[g] + 1, ptr[g + 1]):
            e = members[s]
            t = s
            while t > ptr[g] and value[members[t - 1]] > value[e]:
                members[t] = members[t - 1]
                t -= 1
            members[t] = e


def _slots(
    scalar: ScalarProblem, most: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Prices of 0 to `most` orders at each courier, cumulated."""
    problem = scalar.problem
    slot_ptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(most + 1)])
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(scalar.marginal)])
    courier = np.repeat(np.arange(most.size), most + 1)
    rank = np.arange(courier.size) - slot_ptr[courier]
    start = problem.slot_ptr[courier]
    return slot_ptr, total[start + rank] - total[start]


def _even(price: WorkPrice) -> NDArray[np.int64]:
    """Distance of each courier's knots where it is always the same, else 0."""
    first = price.ptr[:-1]
    single = np.diff(price.ptr) == 1
    step = np.where(single, NO_LIMIT, price.knot[np.where(single, first, first + 1)])
    rank = np.arange(price.knot.size) - first[price.owner]
    uneven = np.zeros(step.size, np.bool_)
    uneven[price.owner[price.knot != rank * step[price.owner]]] = True
    return np.where(uneven, 0, step)
