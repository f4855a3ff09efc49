"""Dual ascent on order prices, from the prices of a flow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled
from optimization.pricing.blocks import Blocks
from optimization.pricing.subsets import evaluate

PATIENCE = 4
"""Steps without a better bound before the step length is cut."""


@compiled
def ascend(
    b: Blocks,
    price: NDArray[np.float64],
    best_price: NDArray[np.int64],
    direction: NDArray[np.float64],
    state: NDArray[np.float64],
    bound: int,
    target: int,
    reach: float,
    steps: int,
    sets: NDArray[np.int64],
    sizes: NDArray[np.int64],
    values: NDArray[np.int64],
) -> int:
    """Take steps along deflected subgradients, lengths after Polyak; return the best bound.

    Step: theta (target - bound) / |d|^2 along d = g + 0.7 d, g_i = 1 - times order i is covered
    (Held, Wolfe and Crowder, Math. Prog. 6, 1974; deflection: Camerini, Fratta and Maffioli, 1975).

    Parameters
    ----------
    price, direction
        (n,) where the search stands; changed in place.
    best_price
        (n,) integer prices of the best bound; changed in place.
    state
        (2,) theta and steps since the best bound; changed in place.
    bound, target
        Best lower bound and value of the best plan.
    reach
        Most that the target may lie above the bound for the length of a step: an order left in the
        best plan, priced far above all else, must not throw the prices out of range.
    sets, sizes, values
        Filled with each courier's best set at the last prices.
    """
    n = price.size
    whole = np.empty(n, np.int64)
    cover = np.empty(n, np.int64)
    for _ in range(steps):
        for i in range(n):
            whole[i] = min(b.leave[i], np.int64(np.rint(price[i])))
        level = evaluate(b, whole, sets, sizes, values, cover)
        if level > bound:
            bound = level
            best_price[:] = whole
            state[1] = 0.0
        else:
            state[1] += 1.0
            if state[1] >= PATIENCE:
                state[0] *= 0.7
                state[1] = 0.0
                price[:] = best_price
                direction[:] = 0.0
        if bound >= target:
            break
        norm = 0.0
        for i in range(n):
            g = 1.0 - cover[i]
            if g > 0.0 and whole[i] >= b.leave[i]:
                g = 0.0
            direction[i] = g + 0.7 * direction[i]
            norm += direction[i] * direction[i]
        if norm < 1e-9:
            break
        length = state[0] * max(1.0, min(float(target - level), reach)) / norm
        for i in range(n):
            price[i] = min(float(b.leave[i]), price[i] + length * direction[i])
    return bound
