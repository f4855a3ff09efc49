"""Pairs listed by order and by courier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled
from optimization.network.layout import Graph


def graph_of(
    order: NDArray[np.int32], courier: NDArray[np.int32], n: int, slots: NDArray[np.int64]
) -> Graph:
    """Index pairs (k,), given sorted by order, of n orders and couriers with (m,) slots."""
    order_ptr, courier_ptr = np.zeros(n + 1, np.int64), np.zeros(slots.size + 1, np.int64)
    by_courier = np.empty(order.size, np.int64)
    list_pairs(order, courier, order_ptr, courier_ptr, by_courier)
    slot_ptr = np.zeros(slots.size + 1, np.int64)
    np.cumsum(slots, out=slot_ptr[1:])
    return Graph(order_ptr, courier, order, courier_ptr, by_courier, slot_ptr)


@compiled
def list_pairs(
    order: NDArray[np.int32],
    courier: NDArray[np.int32],
    order_ptr: NDArray[np.int64],
    courier_ptr: NDArray[np.int64],
    by_courier: NDArray[np.int64],
) -> None:
    """Count and distribute (a counting sort: linear where a comparison sort is not)."""
    for e in range(order.size):
        order_ptr[order[e] + 1] += 1
        courier_ptr[courier[e] + 1] += 1
    for i in range(order_ptr.size - 1):
        order_ptr[i + 1] += order_ptr[i]
    for j in range(courier_ptr.size - 1):
        courier_ptr[j + 1] += courier_ptr[j]
    free = courier_ptr[:-1].copy()
    for e in range(order.size):
        by_courier[free[courier[e]]] = e
        free[courier[e]] += 1
