"""Set partitioning by reduced cost: what prices leave in question, as a small program."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.solvers.model import MilpModel

Ints = NDArray[np.int64]


def partition_model(
    order: Ints,
    owner: Ints,
    courier: Ints,
    slack: Ints,
    idle: Ints,
    left: Ints,
    reach: int,
    most_left: tuple[Ints, int] | None = None,
) -> MilpModel:
    """Choose a set or idleness for each courier and a set or leaving for each order.

    Minimises what a plan costs above the bound that the prices prove, so its numbers are as small
    as the gap: raw costs, with the price of leaving in them, take HiGHS two to twenty times as
    long. Idleness and leaving beyond the reach are left out, as sets beyond it should be.

    Parameters
    ----------
    order, owner
        Orders of the sets and which set each belongs to.
    courier, slack
        (k,) courier of each set, and its reduced cost above that of the courier's best.
    idle, left
        (m,) and (n,) the same for a courier's idleness and for leaving an order.
    reach
        How far above the bound plans are wanted.
    most_left
        (n,) price of leaving each order and the most that a plan may pay of it.
    """
    n, m, k = left.size, idle.size, slack.size
    may_idle, may_leave = np.flatnonzero(idle <= reach), np.flatnonzero(left <= reach)
    first_left, total = k + may_idle.size, k + may_idle.size + may_leave.size
    row = np.concatenate([order, n + courier, n + may_idle, may_leave])
    variable = np.concatenate([owner, np.arange(total)[:k], np.arange(k, total)])
    coef, lower, upper = np.ones(row.size), np.ones(n + m), np.ones(n + m)
    if most_left is not None:
        price, most = most_left
        row = np.concatenate([row, np.full(may_leave.size, n + m)])
        variable = np.concatenate([variable, np.arange(first_left, total)])
        coef = np.concatenate([coef, price[may_leave].astype(np.float64)])
        lower, upper = np.append(lower, -np.inf), np.append(upper, float(most))
    ranked = np.argsort(row, kind="stable")
    cost = np.concatenate([slack, idle[may_idle], left[may_leave]])
    return MilpModel(
        cost=cost.astype(np.float64),
        upper=np.ones(total),
        integer=np.arange(total) < k,
        row_lower=lower,
        row_upper=upper,
        row_ptr=np.searchsorted(row[ranked], np.arange(lower.size + 1)),
        row_var=variable[ranked].astype(np.int32),
        row_coef=coef[ranked],
    )
