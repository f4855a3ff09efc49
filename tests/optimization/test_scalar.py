import numpy as np
import pytest

from optimization import AssignmentProblem, ProblemError, Term, Weights, scalarize
from optimization.scalar import trivial_bound


@pytest.mark.parametrize("values", [{}, {"a": 0.0}, {"a": -1.0}, {"a": float("nan")}])
def test_weights_must_be_finite_and_not_all_zero(values):
    with pytest.raises(ProblemError):
        Weights(values)


def test_unknown_weights_and_bounds_are_named(paper):
    with pytest.raises(ProblemError, match=r"unknown terms \['speed'\]"):
        scalarize(paper, Weights({"speed": 1.0}))
    with pytest.raises(ProblemError, match=r"no term named 'speed'.*bound on fairness"):
        scalarize(
            paper, Weights({"fairness": 1.0}), {"speed": 1.0, "fairness": float("inf")}
        )  # fmt: skip


def test_the_composed_objective_is_the_weighted_sum(paper):
    scalar = scalarize(paper, Weights({"acceptance": 2.0, "fairness": 0.5}))
    plan = np.array([0, 3, 4, 7])
    values = paper.term_values(plan)
    expected = 2.0 * values["acceptance"] / 1e6 + 0.5 * values["fairness"] / 1e3
    assert scalar.objective(plan) / scalar.scale == pytest.approx(expected, abs=1e-5)


def test_coverage_dominates_whatever_the_weights(random_problem):
    """The smallest step in coverage costs more than the largest difference in everything else."""
    rng = np.random.default_rng(5)
    for _ in range(100):
        problem = random_problem(rng, bundles=bool(rng.integers(2)))
        scalar = scalarize(problem, Weights({"a": 1.0, "c": float(rng.choice([1.0, 1e4]))}))
        step = np.gcd.reduce(problem.leave)
        columns = [np.flatnonzero(rng.random(problem.n_columns) < 0.4) for _ in range(8)]
        plans = [c for c in columns if _feasible(problem, c)]
        values = [scalar.objective(c) for c in plans]
        if plans and step:
            assert scalar.dominance * step > max(values) - min(values)
        for c in plans:
            assert scalar.value(c) >= trivial_bound(scalar)


def _feasible(problem, columns):
    from optimization import verify

    return verify(problem, columns).ok


def test_rounding_keeps_marginals_convex():
    rng = np.random.default_rng(2)
    most = np.full(50, 6)
    terms = [
        Term.separable(n, "u", s, np.sort(rng.integers(-9, 9, (50, 6)), axis=1).ravel(), 0)
        for n, s in (("a", 7), ("b", 3), ("c", 11))
    ]
    problem = AssignmentProblem.from_pairs(
        np.zeros(0, int), np.zeros(0, int), order_size=[1], max_orders=most,
        max_size=np.ones(50, int), leave=[1], terms=terms,
    )  # fmt: skip
    scalar = scalarize(problem, Weights({"a": 1e-6, "b": 3e-6, "c": 7e-6}))
    assert (np.diff(scalar.marginal.reshape(50, 6), axis=1) >= 0).all()


def test_large_costs_lower_the_scale_and_too_large_ones_are_refused(paper):
    assert scalarize(paper, Weights({"acceptance": 1.0})).scale == 1_000_000
    assert 1 <= scalarize(paper, Weights({"acceptance": 1e13})).scale < 1_000_000
    with pytest.raises(ProblemError, match="overflow int64"):
        scalarize(paper, Weights({"acceptance": 1e18}))


def test_a_published_bound_reads_back_as_itself(paper):
    value = paper.term_values(np.array([0, 3, 4, 7]))["acceptance"]
    (bound,) = scalarize(paper, Weights({"fairness": 1.0}), {"acceptance": value / 1e6}).bounds
    assert bound.limit == value
