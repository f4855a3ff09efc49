"""The one integer objective that every engine minimises."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimization.errors import ProblemError
from optimization.problem import AssignmentProblem
from optimization.term import Term
from optimization.weights import Weights
from optimization.work import NO_LIMIT, WorkPrice

FINEST_SCALE = 1_000_000
FINEST_WORK_SCALE = 1_000_000_000
"""Where work is priced: prices per second are small, and rounding them costs them digits."""

LARGEST_COST = 2**60
"""Limit on cost times node count: cost-scaling flow engines multiply each cost by the nodes."""

BOUND_SLACK = 1e-3
"""Integer steps by which a bound is relaxed, so that a published float reads back as itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A term that may not exceed a limit, in integer steps of the term's scale."""

    term: Term
    limit: int


@dataclass(frozen=True, slots=True, eq=False)
class ScalarProblem:
    """A problem with its terms weighted into integers, coverage above them all.

    Attributes
    ----------
    problem
        The feasible set.
    scale
        Steps of the composed objective per unit of the weighted sum.
    constant, column_cost, marginal
        The weighted terms: a constant, (k,) per column and (Q,) per committed order, convex.
    dominance
        Price of one unit of `problem.leave`. See `dominance_of`.
    bounds
        Bounds on terms, obeyed among the plans of best coverage.
    work
        The weighted prices of work, one for each term that has one and counts.
    """

    problem: AssignmentProblem
    scale: int
    constant: int
    column_cost: NDArray[np.int64]
    marginal: NDArray[np.int64]
    dominance: int
    bounds: tuple[Bound, ...] = ()
    work: tuple[WorkPrice, ...] = ()

    @property
    def leave_cost(self) -> NDArray[np.int64]:
        """(n,) composed price of leaving each order."""
        return self.dominance * self.problem.leave

    def objective(self, columns: NDArray[np.int64]) -> int:
        """Evaluate the weighted terms of the chosen columns, without coverage."""
        start = self.problem.slot_ptr[:-1]
        price = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.marginal)])
        separable = price[start + self.problem.committed(columns)] - price[start]
        worked = sum(int(p.at(self.problem.added(p.work, columns)).sum()) for p in self.work)
        return self.constant + int(self.column_cost[columns].sum() + separable.sum()) + worked

    def value(self, columns: NDArray[np.int64]) -> int:
        """Evaluate the whole composed objective, coverage included."""
        return self.objective(columns) + self.dominance * self.problem.coverage(columns)

    def within_bounds(self, columns: NDArray[np.int64]) -> bool:
        """Whether the chosen columns obey every bound."""
        if not self.bounds:
            return True
        values = self.problem.term_values(columns)
        return all(values[bound.term.name] <= bound.limit for bound in self.bounds)

    def priced(self, own: int, term: Term, price: int) -> ScalarProblem | None:
        """Return `own` times this objective plus `price` times a term, unbounded.

        None where that would overflow. Exact in integers: the seam of Lagrangian bounds.
        """
        size = own * _largest(self.column_cost, self.marginal) + price * _largest(
            term.column, term.marginal
        )
        if size >= LARGEST_COST:
            return None
        work = [part.times(own) for part in self.work]
        if term.work is not None and price:
            work.append(term.work.times(price))
        return compose(
            self.problem,
            self.scale,
            own * self.constant + price * term.constant,
            own * self.column_cost + price * term.column,
            own * self.marginal + price * term.marginal,
            work=tuple(work),
        )


def scalarize(
    problem: AssignmentProblem, weights: Weights, bounds: Mapping[str, float] | None = None
) -> ScalarProblem:
    """Weigh the terms into one integer objective, at the finest scale that fits int64.

    A column costs rint(scale * sum_t w_t column_t / scale_t), summed in the order of the terms;
    committed orders likewise, and each slope of a term's price of work on its own. Every step of
    that is monotone in floating point, so what does not fall keeps from falling.

    Parameters
    ----------
    problem
        The feasible set and its terms.
    weights
        Raw weight per unit of each term.
    bounds
        Largest value allowed for a term, in its unit; acceptance is negative, "at least 40 orders"
        is -40. Obeyed among the plans of best coverage.

    Raises
    ------
    ProblemError
        If a weight or bound names an unknown term, a bound is not finite, or not even scale 1 fits.
    """
    weights.require_known(problem)
    limits = _limits(problem, bounds or {})
    column, marginal, constant = np.zeros(problem.n_columns), np.zeros(problem.slot_ptr[-1]), 0.0
    part = np.empty_like(column)
    for term in problem.terms:
        factor = weights[term.name] / term.scale
        column += np.multiply(term.column, factor, out=part)
        marginal += factor * term.marginal
        constant += factor * term.constant
    largest = max(np.abs(column, out=part).max(initial=0.0), np.abs(marginal).max(initial=0.0))
    priced = [
        (weights[term.name] / term.scale, term.work)
        for term in problem.terms
        if term.work is not None and weights[term.name] > 0.0
    ]
    for factor, price in priced:
        # Per column; the sum over a courier is guarded by the dominance that grows with it.
        largest = max(
            largest, *(factor * float(np.abs(x).max(initial=0)) for x in _ends(problem, price))
        )
    scale = FINEST_WORK_SCALE if priced else FINEST_SCALE
    while scale >= 1:
        if scale * max(largest, abs(constant)) < LARGEST_COST:
            scalar = compose(
                problem,
                scale,
                round(scale * constant),
                np.rint(np.multiply(column, scale, out=part), out=part).astype(np.int64),
                np.rint(scale * marginal).astype(np.int64),
                limits,
                tuple(price.times(scale * factor) for factor, price in priced),
            )
            if scalar is not None:
                return scalar
        scale //= 10
    raise ProblemError(
        [f"weights {dict(weights.values)}: composed costs overflow int64: lower the weights"]
    )


def compose(
    problem: AssignmentProblem,
    scale: int,
    constant: int,
    column_cost: NDArray[np.int64],
    marginal: NDArray[np.int64],
    bounds: tuple[Bound, ...] = (),
    work: tuple[WorkPrice, ...] = (),
) -> ScalarProblem | None:
    """Put coverage above integer costs; None where an engine's int64 would overflow."""
    dominance = dominance_of(problem, column_cost, marginal, work)
    largest = max(_largest(column_cost, marginal), dominance * int(problem.leave.max(initial=0)))
    nodes = problem.n_orders + problem.n_couriers + 1
    if largest * (nodes + 1) >= LARGEST_COST or abs(constant) >= LARGEST_COST:
        return None
    return ScalarProblem(problem, scale, constant, column_cost, marginal, dominance, bounds, work)


def dominance_of(
    problem: AssignmentProblem,
    column_cost: NDArray[np.int64],
    marginal: NDArray[np.int64],
    work: tuple[WorkPrice, ...] = (),
) -> int:
    """Find the price per unit of `leave` at which coverage beats everything else.

    Chosen columns have different first orders, so their costs add up to a number between
    sum_i min(0, cheapest column with first order i) and sum_i max(0, dearest one); at most n orders
    are committed, so marginals lie between the sums of the n most negative and n most positive. A
    convex price of work lies between its first and its steepest slope for every column's share.
    Call the distance of these ends U: no two selections differ by more in the weighted terms. Two
    coverages differ by a multiple of g, the greatest common divisor of the leave prices. With
    price floor(U / g) + 1 the smallest step in coverage costs more than U: lexicographic order.
    """
    step = int(np.gcd.reduce(problem.leave)) if problem.n_orders else 0
    if step == 0:
        return 0
    low, high = np.zeros(problem.n_orders, np.int64), np.zeros(problem.n_orders, np.int64)
    first = problem.column_order[problem.column_ptr[:-1]]
    least = most = column_cost
    for price in work:
        ends = _ends(problem, price)
        least, most = least + ends[0], most + ends[1]
    np.minimum.at(low, first, least)
    np.maximum.at(high, first, most)
    paid = min(problem.n_orders, marginal.size)
    ranked = np.sort(marginal)
    span = _exact_sum(np.maximum(ranked[ranked.size - paid :], 0)) - _exact_sum(
        np.minimum(ranked[:paid], 0)
    )
    span += _exact_sum(high) - _exact_sum(low)
    return span // step + 1


def trivial_bound(scalar: ScalarProblem) -> int:
    """Bound the composed value from below, each order and each slot on its own.

    Each order pays at least the cheaper of being left and its share of its cheapest column (a
    column's cost is split evenly, rounded down, so shares never add up to more than the cost).
    """
    problem = scalar.problem
    share = scalar.column_cost
    for price in scalar.work:
        share = share + _ends(problem, price)[0]
    if not problem.all_pairs:
        size = problem.orders_per_column
        share = np.repeat(share // size, size)
    cheapest = scalar.leave_cost.copy()
    np.minimum.at(cheapest, problem.column_order, share)
    paid = min(problem.n_orders, scalar.marginal.size)
    slots = np.minimum(np.sort(scalar.marginal)[:paid], 0)
    return scalar.constant + int(cheapest.sum()) + int(slots.sum())


def _ends(
    problem: AssignmentProblem, price: WorkPrice
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Least and most that a column's share of its courier's price of work can be, (k,) each."""
    work, courier = problem.work(price.work), problem.column_courier
    largest = np.zeros(problem.n_couriers, np.int64)
    np.maximum.at(largest, courier, work.column)
    most = np.minimum(np.minimum(largest * problem.max_orders, NO_LIMIT), work.limit)
    first, steepest = price.slope[price.ptr[:-1]], price.steepest(most)
    return first[courier] * work.column, steepest[courier] * work.column


def _exact_sum(values: NDArray[np.int64]) -> int:
    """Add up without wrapping around: the upper and the lower halves of the numbers apart."""
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())


def _largest(*arrays: NDArray[np.int64]) -> int:
    return max(max(int(a.max(initial=0)), -int(a.min(initial=0))) for a in arrays)


def _limits(problem: AssignmentProblem, bounds: Mapping[str, float]) -> tuple[Bound, ...]:
    faults, limits = [], []
    for name, bound in bounds.items():
        if not math.isfinite(bound):
            faults.append(f"bound on {name}: expected a finite number, got {bound}")
            continue
        try:
            term = problem.term(name)
        except ProblemError as error:
            faults.extend(error.faults)
            continue
        limits.append(Bound(term, math.floor(bound * term.scale + BOUND_SLACK)))
    if faults:
        raise ProblemError(faults)
    return tuple(limits)
