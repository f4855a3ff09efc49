"""One bound on a packing: prices on the bounded term give a plan inside it and a certificate."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from optimization.scalar import ScalarProblem
from optimization.solution import Solution
from optimization.solvers.base import Solver
from optimization.stop import Deadline

MAX_ROUNDS = 12
FINEST_PRICE = 10**6
"""Largest denominator of a price: finer ones cost digits and change nothing."""


def bounded_packing(
    scalar: ScalarProblem, solver: Solver, cheap: Solution, inside: Solution, deadline: Deadline
) -> tuple[NDArray[np.int64], int]:
    """Minimise a packing under its single bound, as far as prices can.

    As `bounded_flow`, but with an engine that answers with a bound instead of an optimum: for any
    price p / q >= 0 a lower bound on q f + p (g - limit) over all packings, divided by q, is one on
    f within the bound.

    Parameters
    ----------
    scalar
        The packing with its bound.
    solver
        Solves it without, weighted as asked.
    cheap
        The answer without the bound, outside it.
    inside
        A packing inside the bound.
    deadline
        When to stop with what there is.

    Returns
    -------
    columns
        The best packing found inside the bound.
    bound_value
        Lower bound on the composed value; that of `cheap` where its coverage is not proven.
    """
    (bound,) = scalar.bounds
    problem = scalar.problem

    def measured(columns: NDArray[np.int64]) -> tuple[int, int]:
        return scalar.objective(columns), problem.term_values(columns)[bound.term.name]

    best, best_value = inside.columns, scalar.value(inside.columns)
    best_bound = cheap.bound + scalar.dominance * cheap.coverage
    (f_out, g_out), (f_in, g_in) = measured(cheap.columns), measured(best)
    for _ in range(MAX_ROUNDS):
        if deadline.expired or g_out <= g_in or f_in <= f_out:
            break
        price = Fraction(f_in - f_out, g_out - g_in).limit_denominator(FINEST_PRICE)
        priced = scalar.priced(price.denominator, bound.term, price.numerator)
        if priced is None:
            break
        found = solver.solve(priced, deadline)
        f, g = measured(found.columns)
        value = scalar.value(found.columns)
        if cheap.proven and found.coverage == cheap.coverage:
            # No packing has better coverage, so the priced bound is one on the terms alone.
            least = found.bound - price.numerator * bound.limit
            least = -(-least // price.denominator) + scalar.dominance * found.coverage
            best_bound = max(best_bound, least)
        if g <= bound.limit and value < best_value:
            best, best_value = found.columns, value
        if (f, g) in ((f_in, g_in), (f_out, g_out)) or not f_out <= f <= f_in:
            break
        if g <= bound.limit:
            f_in, g_in = f, g
        else:
            f_out, g_out = f, g
    return best, min(best_bound, best_value)
