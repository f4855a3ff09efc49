"""Independent recomputation of what a selection of columns is and claims to be.

Imports no engine and shares no arithmetic with them: plain sums straight from the problem's arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimization.errors import ProblemError, VerificationError, first_five
from optimization.problem import AssignmentProblem
from optimization.term import Term
from optimization.weights import Weights
from optimization.work import WorkPrice

BOUND_SLACK = 1e-3
"""Integer steps of grace on a bound that was written as a float."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: a stable kind, the ids concerned, and a sentence."""

    kind: str
    ids: tuple[int, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The recomputed values and every fault found.

    Attributes
    ----------
    faults
        Empty for a sound selection.
    values
        Every term by name, and "coverage", as integers of their scales.
    objective
        The weighted terms without coverage, where weights and scale were given.
    """

    faults: tuple[Fault, ...]
    values: Mapping[str, int]
    objective: int | None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def raise_if_faulty(self) -> None:
        """Raise VerificationError listing every fault, if there is one."""
        if self.faults:
            raise VerificationError(fault.message for fault in self.faults)


def verify(
    problem: AssignmentProblem,
    columns: ArrayLike,
    *,
    weights: Weights | None = None,
    bounds: Mapping[str, float] | None = None,
    claimed: Mapping[str, int] | None = None,
    objective: int | None = None,
    scale: int | None = None,
) -> Verification:
    """Check a selection against its problem and its claims.

    Parameters
    ----------
    problem
        What the columns are ids of.
    columns
        Ids of the chosen columns.
    weights, scale, objective
        The claimed weighted objective without coverage, and how it was composed.
    bounds
        Largest value allowed for each named term, in its unit.
    claimed
        Claimed integer values by term name; "coverage" is one of them.

    Raises
    ------
    ProblemError
        If an objective is given without weights and scale, or a bound or claim names no term.
    """
    if objective is not None and (weights is None or scale is None):
        raise ProblemError(["an objective can only be checked with its weights and scale"])
    given = np.asarray(columns)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        fault = Fault("not-ids", (), f"columns: expected 1-d integer ids, got {given.dtype}")
        return Verification((fault,), {}, None)
    faults: list[Fault] = []

    def report(kind: str, ids: NDArray[np.int64], message: str) -> None:
        if ids.size:
            faults.append(Fault(kind, tuple(ids.tolist()), f"{message}: {first_five(ids)}"))

    outside = (given < 0) | (given >= problem.n_columns)
    report("unknown-column", given[outside], "columns out of range")
    ids, times = np.unique(given[~outside].astype(np.int64), return_counts=True)
    report("repeated-column", ids[times > 1], "columns chosen more than once")

    begin, end = problem.column_ptr[ids], problem.column_ptr[ids + 1]
    owner = np.repeat(np.arange(ids.size), end - begin)
    within = np.arange(owner.size) - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin)
    order = problem.column_order[np.repeat(begin, end - begin) + within]
    courier = problem.column_courier[ids]

    served = np.bincount(order, minlength=problem.n_orders)
    report("order-repeated", np.flatnonzero(served > 1), "orders given more than once")
    count = np.bincount(courier[owner], minlength=problem.n_couriers)
    report(
        "too-many-orders", np.flatnonzero(count > problem.max_orders), "couriers over max_orders"
    )
    load = np.zeros(problem.n_couriers, np.int64)
    np.add.at(load, courier[owner], problem.order_size[order])
    report("too-large", np.flatnonzero(load > problem.max_size), "couriers over max_size")
    added = {}
    for work in problem.works:
        total = np.zeros(problem.n_couriers, np.int64)
        np.add.at(total, courier, work.column[ids])
        report(
            "too-much-work",
            np.flatnonzero(total > work.limit),
            f"couriers over the limit on {work.name}",
        )
        added[work.name] = total
    if problem.one_column_per_courier:
        held = np.bincount(courier, minlength=problem.n_couriers)
        report("several-columns", np.flatnonzero(held > 1), "couriers with several columns")

    # Beyond a courier's capacity no marginal exists: counting stops there, the fault is told.
    counted = np.minimum(count, problem.max_orders)
    paid = _paid_slots(problem.max_orders, counted)
    values = {
        term.name: term.constant
        + int(term.column[ids].sum() + term.marginal[paid].sum())
        + (0 if term.work is None else _priced(term.work, term.work.slope, added[term.work.work]))
        for term in problem.terms
    }
    values["coverage"] = int(problem.leave[served == 0].sum())

    for name, bound in (bounds or {}).items():
        term = problem.term(name)
        if values[name] > bound * term.scale + BOUND_SLACK:
            message = f"{name} is {values[name] / term.scale:.9g} {term.unit}, bound {bound:.9g}"
            faults.append(Fault("bound-broken", (), message))
    for name, value in (claimed or {}).items():
        if name != "coverage":
            problem.term(name)
        if values[name] != value:
            message = f"{name} is {values[name]}, claimed {value}"
            faults.append(Fault("false-value", (), message))

    weighted = None
    if weights is not None and scale is not None:
        weighted = _weighted(problem.terms, weights, scale, ids, paid, added)
        if objective is not None and weighted != objective:
            message = f"objective is {weighted}, claimed {objective}"
            faults.append(Fault("false-objective", (), message))
    return Verification(tuple(faults), values, weighted)


def _paid_slots(max_orders: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions in a marginal array of the orders really committed."""
    slot = np.arange(int(max_orders.sum()))
    first = np.repeat(np.cumsum(max_orders) - max_orders, max_orders)
    return slot[slot - first < np.repeat(count, max_orders)]


def _weighted(
    terms: tuple[Term, ...],
    weights: Weights,
    scale: int,
    ids: NDArray[np.int64],
    paid: NDArray[np.int64],
    added: Mapping[str, NDArray[np.int64]],
) -> int:
    column, marginal, constant = np.zeros(ids.size), np.zeros(paid.size), 0.0
    worked = 0
    for term in terms:
        factor = weights[term.name] / term.scale
        column += factor * term.column[ids]
        marginal += factor * term.marginal[paid]
        constant += factor * term.constant
        if term.work is not None and weights[term.name] > 0.0:
            slope = np.rint(scale * factor * term.work.slope).astype(np.int64)
            worked += _priced(term.work, slope, added[term.work.work])
    rounded = np.rint(scale * np.concatenate([column, marginal])).astype(np.int64)
    return round(scale * constant) + int(rounded.sum()) + worked


def _priced(price: WorkPrice, slope: NDArray[np.int64], added: NDArray[np.int64]) -> int:
    """Price added work by the hinges of the pieces: each knot changes the slope beyond it."""
    rise = np.diff(slope, prepend=0)
    first = price.ptr[:-1]
    rise[first] = slope[first]
    beyond = np.maximum(np.repeat(added, np.diff(price.ptr)) - price.knot, 0)
    return int((rise * beyond).sum())
