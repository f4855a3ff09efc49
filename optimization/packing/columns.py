"""Bundle columns laid out for packing: by courier, with what each costs all told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from optimization.scalar import ScalarProblem
from optimization.structure import usable

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PackingColumns:
    """The columns their courier can carry, sorted by courier; at most one each may be chosen.

    With one column per courier, what a courier's number of orders costs belongs to the column: any
    term separable over couriers, convex or not, is linear here.

    Attributes
    ----------
    column
        (k,) id in the problem.
    orders
        (k, w) order ids of each column, padded with n.
    cost
        (k,) composed cost of choosing it, coverage aside.
    ptr
        (m + 1,) where each courier's columns start.
    leave, dominance
        (n,) price of leaving an order, and what one unit of it weighs against `cost`.
    constant
        Cost present whatever is chosen.
    """

    column: Ints
    orders: Ints
    cost: Ints
    ptr: Ints
    leave: Ints
    dominance: int
    constant: int

    @classmethod
    def of(cls, scalar: ScalarProblem) -> PackingColumns:
        """Lay out a scalar problem with one column per courier."""
        problem = scalar.problem
        column = np.flatnonzero(usable(problem))
        column = column[np.argsort(problem.column_courier[column], kind="stable")]
        courier, count = problem.column_courier[column], problem.orders_per_column[column]
        price = np.concatenate([np.zeros(1, np.int64), np.cumsum(scalar.marginal)])
        slot = problem.slot_ptr[courier]
        width = int(count.max(initial=1))
        place = np.arange(width)
        entry = np.where(place < count[:, None], problem.column_ptr[column][:, None] + place, -1)
        padded = np.append(problem.column_order, problem.n_orders).astype(np.int64)
        return cls(
            column=column,
            orders=padded[entry],
            cost=scalar.column_cost[column] + price[slot + count] - price[slot],
            ptr=np.searchsorted(courier, np.arange(problem.n_couriers + 1)).astype(np.int64),
            leave=problem.leave,
            dominance=scalar.dominance,
            constant=scalar.constant,
        )

    def __len__(self) -> int:
        return len(self.column)

    @property
    def n_couriers(self) -> int:
        """Number m of couriers."""
        return len(self.ptr) - 1

    @cached_property
    def courier(self) -> Ints:
        """(k,) courier of each column."""
        return np.repeat(np.arange(self.n_couriers), np.diff(self.ptr))

    @cached_property
    def by_order(self) -> tuple[Ints, Ints]:
        """(n + 1,) where each order's columns start, and the columns."""
        owner, place = np.nonzero(self.orders < len(self.leave))
        entry = self.orders[owner, place]
        # Keys of 16 bits are sorted by counting: half the time.
        key = entry.astype(np.uint16) if len(self.leave) <= 2**16 else entry
        ranked = np.argsort(key, kind="stable")
        ptr = np.zeros(len(self.leave) + 1, np.int64)
        np.cumsum(np.bincount(entry, minlength=len(self.leave)), out=ptr[1:])
        return ptr, owner[ranked]

    def only(self, ids: Ints) -> PackingColumns:
        """Keep some columns, (x,) ids that rise."""
        ptr = np.searchsorted(ids, self.ptr).astype(np.int64)
        return replace(
            self, column=self.column[ids], orders=self.orders[ids], cost=self.cost[ids], ptr=ptr
        )

    def reduced(self, price: Ints) -> Ints:
        """(k,) what each column costs once its orders have paid their prices, (n,)."""
        cost: Ints = self.cost - np.append(price, 0)[self.orders].sum(axis=1)
        return cost

    def for_coverage(self, scale: int) -> PackingColumns:
        """Return the problem of leaving the least, whatever it costs, in finer steps."""
        free = np.zeros_like(self.cost)
        return PackingColumns(
            self.column, self.orders, free, self.ptr, scale * self.leave, dominance=1, constant=0
        )

    def covered(self, chosen: Ints) -> Ints:
        """(n,) how often the chosen columns serve each order."""
        n = len(self.leave)
        return np.bincount(self.orders[chosen].ravel(), minlength=n + 1)[:n]

    def value(self, chosen: Ints) -> int:
        """Evaluate chosen columns, as `ScalarProblem.value` does."""
        return self.value_at(chosen, self.dominance * self.leave)

    def value_at(self, chosen: Ints, cap: Ints) -> int:
        """Evaluate chosen columns where leaving order i costs `cap[i]`."""
        left = int(cap[self.covered(chosen) == 0].sum())
        return self.constant + int(self.cost[chosen].sum()) + left
