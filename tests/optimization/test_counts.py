"""One flow with quadratic costs on counts is fairest by every measure of counts at once.

Counts of plans of best coverage form an M-convex set (they are those of cheapest flows: Murota,
Discrete Convex Analysis, 2003, chapter 9), and so do counts with past ones added. On such a set
the least sum of squares is least majorized (Frank and Murota, Decreasing minimization on M-convex
sets, Mathematical Programming 195, 2022), so it is least by every Schur-convex measure.
"""

import itertools

import numpy as np
import pytest

from optimization import AssignmentProblem, Term, Weights, scalarize
from optimization.solvers import FlowSolver, NetworkSolver

MEASURES = {  # of sorted counts, all to be small
    "max": np.max,
    "range": np.ptp,
    "standard deviation": np.std,
    "mean absolute deviation": lambda x: np.abs(x - x.mean()).mean(),
    "Gini": lambda x: np.abs(x[:, None] - x).sum(),
    "Jain, turned round": lambda x: (x**2).sum(),
    "leximin": lambda x: tuple(-x),
    "leximax": lambda x: tuple(x[::-1]),
}


def _draw(rng):
    """Up to five orders, up to four couriers who have had up to three, some orders worth more."""
    n, m = int(rng.integers(1, 6)), int(rng.integers(2, 5))
    pairs = [(i, j) for i in range(n) for j in range(m) if rng.random() < 0.6] or [(0, 0)]
    past, most = rng.integers(0, 4, m), rng.integers(0, 4, m)
    rank = np.arange(most.sum()) - np.repeat(np.cumsum(most) - most, most)
    marginal = 2 * (np.repeat(past, most) + rank) + 1
    order, courier = np.array(pairs).T
    problem = AssignmentProblem.from_pairs(
        order,
        courier,
        order_size=np.ones(n, np.int64),
        max_orders=most,
        max_size=most,
        leave=rng.choice([700, 1000], n),
        terms=[Term.separable("squares", "orders^2", 1, marginal, len(pairs))],
    )
    return problem, past


def _counts_of_best_coverage(problem):
    """Every vector of counts that a plan of best coverage can have, by enumeration."""
    couriers = [[-1] for _ in range(problem.n_orders)]
    for i, j in zip(problem.column_order.tolist(), problem.column_courier.tolist(), strict=True):
        couriers[i].append(j)
    best, found = None, set()
    for choice in itertools.product(*couriers):
        chosen = np.array(choice)
        counts = np.bincount(chosen[chosen >= 0], minlength=problem.n_couriers)
        if np.any(counts > problem.max_orders):
            continue
        left = int(problem.leave[chosen < 0].sum())
        if best is None or left < best:
            best, found = left, set()
        if left == best:
            found.add(tuple(counts.tolist()))
    return found


def _is_m_convex(counts):
    """Whether any two vectors can move a step towards each other within the set."""
    for x, y in itertools.permutations(counts, 2):
        for u in (k for k in range(len(x)) if x[k] > y[k]):
            steps = ((_moved(x, u, v), _moved(y, v, u)) for v in range(len(x)) if x[v] < y[v])
            if not any(a in counts and b in counts for a, b in steps):
                return False
    return True


def _moved(x, down, up):
    y = list(x)
    y[down] -= 1
    y[up] += 1
    return tuple(y)


def test_the_check_of_m_convexity_can_fail():
    assert _is_m_convex({(2, 0), (1, 1), (0, 2)})
    assert not _is_m_convex({(2, 0), (0, 2)})


@pytest.mark.parametrize("columns_of", [NetworkSolver().columns, FlowSolver().columns])
def test_the_least_sum_of_squares_is_fairest_by_every_measure(columns_of):
    rng, several = np.random.default_rng(7), 0
    for case in range(400):
        problem, past = _draw(rng)
        columns = columns_of(scalarize(problem, Weights({"squares": 1.0})))
        own = past + np.bincount(problem.column_courier[columns], minlength=past.size)
        counts = _counts_of_best_coverage(problem)
        assert tuple((own - past).tolist()) in counts, case
        assert _is_m_convex(counts), case
        several += len(counts) > 3
        every = [np.sort(past + np.array(c)) for c in counts]
        for name, measure in MEASURES.items():
            assert measure(np.sort(own)) == min(measure(x) for x in every), (case, name)
    assert several > 40
