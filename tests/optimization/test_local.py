import time

import numpy as np
import pytest

from optimization import AssignmentProblem, Deadline, Term, Weights, scalarize, verify
from optimization.solvers import GreedySolver
from optimization.solvers.local import LocalSolver

NEVER = Deadline.after(None)
KINDS = [{}, {"sizes": True}, {"bundles": True}, {"work": True}, {"bundles": True, "work": True}]


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_local_search_is_feasible_honest_and_never_worse_than_greedy(
    kind, random_problem, brute_force
):
    """Bounded by brute force on 200 problems of each kind; better than greedy on some."""
    better = optimal = 0
    for seed in range(200):
        problem = random_problem(np.random.default_rng(seed), **KINDS[kind])
        scalar = scalarize(problem, Weights({"a": 1.0, "b": 0.5, "c": 1.0}))
        greedy = GreedySolver().solve(scalar, NEVER)
        found = LocalSolver().solve(scalar, NEVER, greedy)
        coverage, objective = brute_force(scalar)
        best = objective + scalar.dominance * coverage
        value = scalar.value(found.columns)
        assert verify(problem, found.columns).ok
        assert found.bound + scalar.dominance * found.coverage <= best <= value
        assert value <= scalar.value(greedy.columns)
        better += value < scalar.value(greedy.columns)
        optimal += value == best
    assert better > 0
    assert optimal > 170


def test_from_nothing_it_is_mostly_better_than_greedy(random_problem):
    """Inserting pairs one by one and improving: on 200 problems better ten times as often."""
    wins = losses = 0
    for seed in range(200):
        scalar = scalarize(random_problem(np.random.default_rng(seed)), Weights({"a": 1.0}))
        greedy, found = GreedySolver().solve(scalar, NEVER), LocalSolver().solve(scalar, NEVER)
        difference = scalar.value(found.columns) - scalar.value(greedy.columns)
        wins, losses = wins + (difference < 0), losses + (difference > 0)
    assert wins > 10 * losses


def test_an_incumbent_is_never_made_worse(random_problem):
    for seed in range(50):
        problem = random_problem(np.random.default_rng(seed), bundles=seed % 2 > 0)
        scalar = scalarize(problem, Weights({"a": 1.0, "c": 1.0}))
        first = LocalSolver().solve(scalar, NEVER)
        again = LocalSolver().solve(scalar, NEVER, first, bound_value=scalar.value(first.columns))
        assert scalar.value(again.columns) <= scalar.value(first.columns)


def test_the_deadline_is_obeyed_at_100_000_pairs():
    rng = np.random.default_rng(0)
    n, m, d = 5000, 3000, 20
    courier = rng.integers(0, m // d, n * d) * d + np.tile(np.arange(d), n)
    most = np.full(m, 2)
    problem = AssignmentProblem.from_pairs(
        np.repeat(np.arange(n), d), courier, order_size=np.ones(n, int), max_orders=most,
        max_size=most, leave=np.full(n, 1000),
        terms=[Term.linear("a", "u", 1000, rng.integers(0, 1000, n * d), most)],
    )  # fmt: skip
    scalar = scalarize(problem, Weights({"a": 1.0}))
    warm = LocalSolver().solve(scalar, NEVER)
    began = time.process_time()
    GreedySolver().solve(scalar, NEVER)
    greedy_s = time.process_time() - began
    began = time.process_time()
    found = LocalSolver().solve(scalar, Deadline.after(0.0))
    assert time.process_time() - began < greedy_s + 0.3
    assert scalar.value(warm.columns) <= scalar.value(found.columns)
