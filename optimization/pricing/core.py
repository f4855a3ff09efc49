"""The reduced-cost core: the few courier sets that a better plan could use, as a small program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled
from optimization.pricing.blocks import Blocks
from optimization.pricing.subsets import desk_of, search
from optimization.solvers.model import MilpModel
from optimization.solvers.partition import partition_model

NODES = 3_000_000
"""Most sets looked at while the core is written out."""


@dataclass(frozen=True, slots=True, eq=False)
class Core:
    """Every courier set, empty or not, whose reduced cost is at most `reach`.

    At order prices pi with bound B = sum pi + sum_j (best of courier j), a plan is worth B plus the
    reduced costs of what it uses: each courier's set over its best, each left order's price of
    leaving over pi. So a plan below B + reach uses nothing beyond reach: leaving the rest out is
    safe (reduced-cost fixing; Nemhauser and Wolsey, 1988, section II.5.2).

    Attributes
    ----------
    bound, reach
        B and the reach, in steps of the composed objective without its constant.
    sets, size
        (R, Q) pairs of each set and (R,) their number.
    model
        Its set-partitioning program: minimise the reduced cost, one variable per set first.
    """

    bound: int
    reach: int
    sets: NDArray[np.int64]
    size: NDArray[np.int64]
    model: MilpModel

    def pairs(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Read the chosen pairs out of the program's solution."""
        chosen = np.flatnonzero(values[: self.size.size] > 0.5)
        sets = self.sets[chosen]
        return sets[np.arange(sets.shape[1]) < self.size[chosen][:, None]]


def core_of(
    b: Blocks,
    price: NDArray[np.int64],
    best: NDArray[np.int64],
    bound: int,
    reach: int,
    rows: int,
) -> Core | None:
    """Write out the core, or None where it has more than `rows` sets.

    Parameters
    ----------
    price, best
        (n,) integer order prices and (m,) the value of each courier's best set at them.
    bound, reach
        The bound at these prices, and how far above it plans are wanted.
    """
    wide = max(1, min(int(b.most.max(initial=0)), int(np.diff(b.ptr).max(initial=0))))
    sets = np.zeros((rows, wide), np.int64)
    size, value = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    count = _write_out(b, price, best, reach, NODES, sets, size, value)
    if count < 0:
        return None
    sets, size, value = sets[:count], size[:count], value[:count]
    return Core(bound, reach, sets, size, _model(b, price, best, reach, sets, size, value))


@compiled
def _write_out(
    b: Blocks,
    price: NDArray[np.int64],
    best: NDArray[np.int64],
    reach: int,
    nodes: int,
    sets: NDArray[np.int64],
    size: NDArray[np.int64],
    value: NDArray[np.int64],
) -> int:
    row, desk = 0, desk_of(b)
    for j in range(b.most.size):
        row, complete = search(
            b, desk, j, price, best[j] + reach, True, nodes, sets, size, value, row
        )
        if row < 0 or not complete:
            return -1
    return row


def _model(
    b: Blocks,
    price: NDArray[np.int64],
    best: NDArray[np.int64],
    reach: int,
    sets: NDArray[np.int64],
    size: NDArray[np.int64],
    value: NDArray[np.int64],
) -> MilpModel:
    k = size.size
    courier = b.courier[sets[:, 0]] if k else np.zeros(0, np.int64)
    member = np.arange(sets.shape[1]) < size[:, None]
    order, owner = b.order[sets[member]], np.repeat(np.arange(k), size)
    return partition_model(
        order, owner, courier, value - best[courier], -best, b.leave - price, reach
    )
