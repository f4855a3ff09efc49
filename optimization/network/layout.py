"""The arrays that the compiled flow works on, in four groups."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEFT = -1
"""`State.pair` of an order that is left at its price."""
AWAY = -2
"""`State.pair` of an order that is not in the flow."""
FAR = 2**62
"""Beyond any distance."""


class Graph(NamedTuple):
    """Which orders and couriers meet; pairs are sorted by order.

    `order_ptr` (n + 1,) and `courier` (k,) list the pairs by order, `order` (k,) repeats the order;
    `courier_ptr` (m + 1,) and `by_courier` (k,) list pair ids by courier; `slot_ptr` (m + 1,) says
    where a courier's marginals begin. A courier holds its orders from `slot_ptr[j] + j` on: one
    place more than slots, because a path through a full courier brings before it takes.
    """

    order_ptr: NDArray[np.int64]
    courier: NDArray[np.int32]
    order: NDArray[np.int32]
    courier_ptr: NDArray[np.int64]
    by_courier: NDArray[np.int64]
    slot_ptr: NDArray[np.int64]


class Prices(NamedTuple):
    """What is minimised: `pair` (k,), `marginal` (Q,), `leave` (n,), and `room` (m,) couriers have.

    Marginals must not fall within a courier. `room` never exceeds the courier's slots.
    """

    pair: NDArray[np.int64]
    marginal: NDArray[np.int64]
    leave: NDArray[np.int64]
    room: NDArray[np.int64]


class State(NamedTuple):
    """A selection with its dual prices.

    `price` (m,) of a unit of each courier, `held` (m,) orders at each, `units` (m,) how many its
    price calls for (equal to `held` when at rest), `place` the orders held, `pair` (n,) the pair
    each order is on, `LEFT` or `AWAY`.
    """

    price: NDArray[np.int64]
    held: NDArray[np.int64]
    units: NDArray[np.int64]
    place: NDArray[np.int64]
    pair: NDArray[np.int64]


class Scratch(NamedTuple):
    """Working arrays, at rest between calls: `distance` far and `done` zero."""

    distance: NDArray[np.int64]
    through: NDArray[np.int64]
    done: NDArray[np.uint8]
    touched: NDArray[np.int64]
    final: NDArray[np.int64]
    heap_key: NDArray[np.int64]
    heap_courier: NDArray[np.int64]
    waiting: NDArray[np.int64]


def empty_state(graph: Graph) -> State:
    """Nobody holds anything and no order is in the flow."""
    n, m = graph.order_ptr.size - 1, graph.slot_ptr.size - 1
    return State(
        price=np.zeros(m, np.int64),
        held=np.zeros(m, np.int64),
        units=np.zeros(m, np.int64),
        place=np.zeros(int(graph.slot_ptr[-1]) + m, np.int64),
        pair=np.full(n, AWAY, np.int64),
    )


def scratch_for(graph: Graph) -> Scratch:
    """Allocate working arrays; a search pushes a courier at most once per pair it looks at."""
    n, m, k = graph.order_ptr.size - 1, graph.slot_ptr.size - 1, graph.courier.size
    return Scratch(
        distance=np.full(m, FAR, np.int64),
        through=np.zeros(m, np.int64),
        done=np.zeros(m, np.uint8),
        touched=np.zeros(m + 1, np.int64),
        final=np.zeros(m + 1, np.int64),
        heap_key=np.zeros(k + 2, np.int64),
        heap_courier=np.zeros(k + 2, np.int64),
        waiting=np.zeros(n, np.int64),
    )
