"""The assignment problem: immutable sparse candidate arrays, capacities and named terms."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimization.errors import ProblemError, first_five
from optimization.integers import integers
from optimization.term import Term
from optimization.work import NO_LIMIT, Work

LARGEST = 2**62
"""No sum of the problem may reach this, so that int64 arithmetic on it never wraps around."""


@dataclass(frozen=True, slots=True, eq=False)
class AssignmentProblem:
    """Which columns (a courier and the orders it would get) may be chosen, and what each costs.

    Every order is in at most one chosen column. Arrays are copied and made read-only.

    Attributes
    ----------
    n_orders, n_couriers
        Number n of orders and m of couriers.
    column_courier
        (k,) courier of each column.
    column_ptr, column_order
        (k + 1,) and (nnz,): the orders of column c are `column_order[ptr[c]:ptr[c + 1]]`.
    order_size
        (n,) size of each order, in the units of `max_size`.
    max_orders, max_size
        (m,) how many orders and how much size a courier may be committed to.
    leave
        (n,) price of leaving an order, 1000 = one order of normal priority. 0: it may be held back
        at the price that the terms put on it (`hold_term`).
    terms
        The objective terms, names unique.
    one_column_per_courier
        True: at most one column per courier (bundles). False: single pairs are added up.
    works
        What columns add up to at their courier, names unique: priced by terms, limited or both.

    Raises
    ------
    ProblemError
        Listing every fault at once.
    """

    n_orders: int
    n_couriers: int
    column_courier: NDArray[np.int32]
    column_ptr: NDArray[np.int64]
    column_order: NDArray[np.int32]
    order_size: NDArray[np.int64]
    max_orders: NDArray[np.int64]
    max_size: NDArray[np.int64]
    leave: NDArray[np.int64]
    terms: tuple[Term, ...]
    one_column_per_courier: bool = False
    works: tuple[Work, ...] = ()

    def __post_init__(self) -> None:
        faults: list[str] = []
        narrow = ("column_courier", "column_order")
        wide = ("column_ptr", "order_size", "max_orders", "max_size", "leave")
        for name in narrow + wide:
            dtype = np.int32 if name in narrow else np.int64
            object.__setattr__(self, name, integers(name, getattr(self, name), dtype, faults))
        object.__setattr__(self, "terms", tuple(self.terms))
        object.__setattr__(self, "works", tuple(self.works))
        # Later checks index arrays with each other: meaningless, or out of range, until these hold.
        for check in (_shape_faults, _index_faults, _value_faults):
            if not faults:
                faults.extend(check(self))
        if faults:
            raise ProblemError(faults)

    @classmethod
    def from_pairs(
        cls,
        order_idx: ArrayLike,
        courier_idx: ArrayLike,
        *,
        order_size: ArrayLike,
        max_orders: ArrayLike,
        max_size: ArrayLike,
        leave: ArrayLike,
        terms: Iterable[Term],
        one_column_per_courier: bool = False,
        works: Iterable[Work] = (),
    ) -> AssignmentProblem:
        """Build the problem whose columns are single (order, courier) pairs, (k,) each."""
        orders = np.asarray(order_idx)
        return cls(
            n_orders=np.size(order_size),
            n_couriers=np.size(max_orders),
            column_courier=np.asarray(courier_idx),
            column_ptr=np.arange(orders.size + 1),
            column_order=orders,
            order_size=np.asarray(order_size),
            max_orders=np.asarray(max_orders),
            max_size=np.asarray(max_size),
            leave=np.asarray(leave),
            terms=tuple(terms),
            one_column_per_courier=one_column_per_courier,
            works=tuple(works),
        )

    @property
    def n_columns(self) -> int:
        """Number k of candidate columns."""
        return self.column_courier.size

    @property
    def mode(self) -> str:
        """How a courier's columns combine, in words."""
        return "bundles" if self.one_column_per_courier else "added-up pairs"

    @property
    def orders_per_column(self) -> NDArray[np.int64]:
        """(k,) number of orders in each column."""
        return np.diff(self.column_ptr)

    @property
    def all_pairs(self) -> bool:
        """Whether every column holds exactly one order."""
        return self.column_order.size == self.n_columns

    @property
    def slot_ptr(self) -> NDArray[np.int64]:
        """(m + 1,) where each courier's block starts in a term's `marginal`."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.max_orders)])

    @property
    def column_size(self) -> NDArray[np.int64]:
        """(k,) total size of each column's orders."""
        return self.per_column(self.order_size)

    def per_column(self, per_order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add up a per-order quantity (n,) over each column's orders, (k,)."""
        # add.reduceat is safe here because validation refuses empty columns.
        values = per_order[self.column_order]
        if self.all_pairs:
            return values
        return np.add.reduceat(values, self.column_ptr[:-1])

    def term(self, name: str) -> Term:
        """Return the term of that name.

        Raises
        ------
        ProblemError
            If there is none, naming those that exist.
        """
        for term in self.terms:
            if term.name == name:
                return term
        raise ProblemError([f"no term named {name!r}; there are {[t.name for t in self.terms]}"])

    def work(self, name: str) -> Work:
        """Return the work of that name.

        Raises
        ------
        ProblemError
            If there is none, naming those that exist.
        """
        for work in self.works:
            if work.name == name:
                return work
        raise ProblemError([f"no work named {name!r}; there is {[w.name for w in self.works]}"])

    def added(self, name: str, columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add up the named work each courier gets from the chosen columns, (m,)."""
        return self.work(name).added(self.column_courier, columns)

    def replace(self, **changes: Any) -> AssignmentProblem:
        """Return a validated copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def entries(self, columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """List the orders of some columns, and for each the place of its column among them."""
        if self.all_pairs:
            return np.arange(columns.size), self.column_order[columns]
        begin = self.column_ptr[columns]
        length = self.column_ptr[columns + 1] - begin
        owner = np.repeat(np.arange(columns.size), length)
        within = np.arange(owner.size) - np.repeat(np.cumsum(length) - length, length)
        return owner, self.column_order[np.repeat(begin, length) + within]

    def committed(self, columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count the orders each courier gets from the chosen columns, (m,)."""
        owner, _ = self.entries(columns)
        return np.bincount(self.column_courier[columns][owner], minlength=self.n_couriers)

    def left(self, columns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Mark the orders that the chosen columns leave, (n,)."""
        mask = np.ones(self.n_orders, np.bool_)
        mask[self.entries(columns)[1]] = False
        return mask

    def coverage(self, columns: NDArray[np.int64]) -> int:
        """Return the price of the orders left, 1000 = one order of normal priority."""
        return int(self.leave[self.left(columns)].sum())

    def term_values(self, columns: NDArray[np.int64]) -> dict[str, int]:
        """Evaluate every term of the chosen columns, as integers of its own scale."""
        counts, start = self.committed(columns), self.slot_ptr[:-1]
        values = {}
        for term in self.terms:
            price = np.concatenate([np.zeros(1, np.int64), np.cumsum(term.marginal)])
            separable = (price[start + counts] - price[start]).sum()
            values[term.name] = term.constant + int(term.column[columns].sum() + separable)
            if term.work is not None:
                added = self.added(term.work.work, columns)
                values[term.name] += int(term.work.at(added).sum())
        return values


def _shape_faults(p: AssignmentProblem) -> list[str]:
    expected = {
        "order_size": p.n_orders,
        "leave": p.n_orders,
        "max_orders": p.n_couriers,
        "max_size": p.n_couriers,
        "column_ptr": p.n_columns + 1,
    }
    faults = [
        f"{name}: expected length {size}, got {getattr(p, name).size}"
        for name, size in expected.items()
        if getattr(p, name).size != size
    ]
    slots = int(np.maximum(p.max_orders, 0).sum())
    for term in p.terms:
        if term.column.size != p.n_columns:
            faults.append(
                f"term {term.name}: expected {p.n_columns} column costs, got {term.column.size}"
            )
        if term.marginal.size != slots:
            faults.append(
                f"term {term.name}: expected {slots} marginals (sum of max_orders), "
                f"got {term.marginal.size}"
            )
    names = [term.name for term in p.terms]
    if len(set(names)) < len(names):
        faults.append(f"term names repeat: {names}")
    return faults + _work_faults(p)


def _work_faults(p: AssignmentProblem) -> list[str]:
    names = [work.name for work in p.works]
    faults = [f"work names repeat: {names}"] if len(set(names)) < len(names) else []
    for work in p.works:
        for part, size in (("column", p.n_columns), ("limit", p.n_couriers)):
            given = getattr(work, part).size
            if given != size:
                faults.append(f"work {work.name}: expected {size} of {part}, got {given}")
        if float(work.column.astype(np.float64).sum()) >= NO_LIMIT:
            faults.append(f"work {work.name}: the sum overflows int64: use larger steps")
    for term in p.terms:
        if term.work is None:
            continue
        if term.work.work not in names:
            faults.append(f"term {term.name}: prices work {term.work.work!r}; there is {names}")
        if term.work.ptr.size != p.n_couriers + 1:
            faults.append(
                f"term {term.name}: prices the work of {term.work.ptr.size - 1} couriers, "
                f"expected {p.n_couriers}"
            )
    return faults


def _index_faults(p: AssignmentProblem) -> list[str]:
    faults = []
    for name in ("order_size", "max_orders", "max_size", "leave"):
        bad = np.flatnonzero(getattr(p, name) < 0)
        if bad.size:
            faults.append(f"{name}: negative at {first_five(bad)}")
    for name, end in (("column_courier", p.n_couriers), ("column_order", p.n_orders)):
        index = getattr(p, name)
        bad = np.flatnonzero((index < 0) | (index >= end))
        if bad.size:
            faults.append(f"{name}: outside [0, {end}) at positions {first_five(bad)}")
    if p.column_ptr[0] != 0 or p.column_ptr[-1] != p.column_order.size:
        faults.append(
            f"column_ptr: expected to run from 0 to {p.column_order.size}, "
            f"got {p.column_ptr[0]} to {p.column_ptr[-1]}"
        )
    empty = np.flatnonzero(p.orders_per_column < 1)
    if empty.size:
        faults.append(f"column_ptr: columns without orders: {first_five(empty)}")
    return faults


def _value_faults(p: AssignmentProblem) -> list[str]:
    faults = []
    column = np.repeat(np.arange(p.n_columns), p.orders_per_column)
    if not p.all_pairs:
        bad = _repeats(column * p.n_orders + p.column_order)
        if bad.size:
            faults.append(f"an order repeats within columns {first_five(np.unique(column[bad]))}")
    single = np.flatnonzero(p.orders_per_column == 1)
    order = p.column_order[p.column_ptr[single]].astype(np.int64)
    bad = _repeats(order * p.n_couriers + p.column_courier[single])
    if bad.size:
        faults.append(
            f"columns {first_five(single[bad])} repeat an (order, courier) pair: keep one of each"
        )
    inner = np.ones(max(int(p.max_orders.sum()) - 1, 0), np.bool_)
    inner[p.slot_ptr[1:-1][(p.slot_ptr[1:-1] > 0) & (p.slot_ptr[1:-1] <= inner.size)] - 1] = False
    for term in p.terms:
        falls = np.flatnonzero((np.diff(term.marginal) < 0) & inner) + 1
        if falls.size:
            courier = np.searchsorted(p.slot_ptr, falls, side="right") - 1
            faults.append(
                f"term {term.name}: marginals fall within couriers "
                f"{first_five(np.unique(courier))}: they must be non-decreasing (convex)"
            )
        # In floating point, because the sums that are being guarded could themselves wrap around.
        size = (
            abs(float(term.constant))
            + np.abs(term.column.astype(np.float64)).sum()
            + np.abs(term.marginal.astype(np.float64)).sum()
        )
        if term.work is not None:
            most = np.bincount(
                p.column_courier, p.work(term.work.work).column, minlength=p.n_couriers
            )
            steepest = np.maximum.reduceat(np.abs(term.work.slope), term.work.ptr[:-1])
            size += (most * steepest).sum()
        if size >= LARGEST:
            faults.append(f"term {term.name}: values up to {size:.3g} overflow int64: lower scale")
    if float(p.leave.astype(np.float64).sum()) >= LARGEST:
        faults.append("leave: the sum overflows int64: lower the prices")
    return faults


def _repeats(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of keys already seen earlier, without sorting when the keys already rise."""
    if np.all(np.diff(key) > 0):
        return np.zeros(0, np.int64)
    order = np.argsort(key, kind="stable")
    return np.sort(order[1:][np.diff(key[order]) == 0])
