"""Where the prices start: a flow that charges each pair its load price alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.network.flow import NetworkFlow
from optimization.pricing.blocks import Blocks
from optimization.scalar import ScalarProblem


def start_prices(scalar: ScalarProblem, b: Blocks) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Solve the flow; return its order prices (n,) and its pairs.

    A pair costs what its courier charges for it alone; the q-th order of a courier costs what the
    convex prices rise by when every order is as large as the courier's mean one. Without priced
    loads that is the problem itself, size and work limits aside.
    """
    problem = scalar.problem
    courier = np.repeat(np.arange(b.most.size), b.most)
    rank = np.arange(courier.size) - (b.slot_ptr[:-1] - np.arange(b.most.size))[courier]
    slot = b.slot_ptr[courier] + rank
    first = b.slots[b.slot_ptr[courier] + 1]
    marginal = b.slots[slot + 1] - b.slots[slot] - first
    pairs = np.maximum(np.diff(b.ptr), 1)
    for price in scalar.work:
        # Priced in float: only a start, and whole again after rounding.
        work = problem.work(price.work).column
        mean = np.zeros(b.most.size, np.int64)
        np.add.at(mean, b.courier, work[b.column])
        each = (mean // pairs)[courier]
        jj = courier.astype(np.int32)
        zero = np.zeros_like(each)
        marginal = marginal + price.rise(jj, rank * each, each) - price.rise(jj, zero, each)
    flow = NetworkFlow(
        b.order[b.order_pair].astype(np.int32),
        b.courier[b.order_pair].astype(np.int32),
        pair=b.alone[b.order_pair],
        marginal=marginal,
        leave=b.leave,
        slots=b.most,
        room=b.most,
    )
    flow.solve()
    best = b.leave.copy()
    np.minimum.at(best, b.order, b.alone + flow.courier_price[b.courier])
    return best, b.order_pair[flow.chosen]
