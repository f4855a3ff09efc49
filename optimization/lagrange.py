"""One bound on a flow: Lagrangian prices give a feasible plan and a certified bound."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from optimization.scalar import ScalarProblem
from optimization.solvers.network import flow_engine
from optimization.stop import Deadline

MAX_ROUNDS = 60


def bounded_flow(
    scalar: ScalarProblem,
    cheap: NDArray[np.int64],
    inside: NDArray[np.int64],
    deadline: Deadline,
) -> tuple[NDArray[np.int64], int]:
    """Minimise a flow under its single bound, as far as prices can.

    Search on the price of the bounded term by the line through the best plan outside the bound and
    the best one inside (Handler and Zang, Networks 10, 1980). For any price p / q >= 0 the least of
    q f + p (g - limit), divided by q and rounded up, is a lower bound on f within the bound; all of
    it in exact integers.

    Parameters
    ----------
    scalar
        A problem of flow structure but for one bound.
    cheap
        Optimal without the bound, and outside it.
    inside
        Least possible in the bounded term, at best coverage, so inside the bound.
    deadline
        When to stop with what there is.

    Returns
    -------
    columns
        The best plan found inside the bound.
    bound_value
        Lower bound on the composed value.
    """
    (bound,) = scalar.bounds
    problem = scalar.problem
    # All plans compared have the same coverage, so it cancels and prices stay small.
    coverage = scalar.dominance * problem.coverage(inside)

    def measured(columns: NDArray[np.int64]) -> tuple[int, int]:
        return scalar.objective(columns), problem.term_values(columns)[bound.term.name]

    (f_out, g_out), (f_in, g_in) = measured(cheap), measured(inside)
    best, best_f, best_bound = inside, f_in, f_out
    for _ in range(MAX_ROUNDS):
        if deadline.expired or g_out <= g_in or f_in <= f_out:
            break
        price = Fraction(f_in - f_out, g_out - g_in)
        priced = None
        for digits in (10**12, 10**9, 10**6, 10**3, 1):
            near = price.limit_denominator(digits)
            priced = scalar.priced(near.denominator, bound.term, near.numerator)
            if priced is not None:
                break
        if priced is None:
            break
        columns = flow_engine().columns(priced)
        f, g = measured(columns)
        least = near.denominator * f + near.numerator * (g - bound.limit)
        best_bound = max(best_bound, -(-least // near.denominator))
        if g <= bound.limit and f < best_f:
            best, best_f = columns, f
        line = near.denominator * f_in + near.numerator * (g_in - bound.limit)
        if least >= line or (f, g) in ((f_in, g_in), (f_out, g_out)):
            break
        if g <= bound.limit:
            f_in, g_in = f, g
        else:
            f_out, g_out = f, g
    return best, coverage + min(best_bound, best_f)
