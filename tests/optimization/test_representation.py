"""Several objectives: the proven error holds for every plan, and exact means every point."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from optimization import Deadline, ProblemError, SolverError, non_dominated, verify
from optimization.representation import represent
from optimization.zones import SearchZones

TERMS = ("a", "b", "c")


@pytest.mark.parametrize("d", [2, 3, 4])
def test_zones_cover_exactly_what_no_point_dominates(d):
    """Every cell of a small grid is below some corner if and only if no point is at or below it."""
    rng = np.random.default_rng(d)
    cells = np.array(list(itertools.product(range(5), repeat=d)))
    for _ in range(20):
        zones, points = SearchZones(np.full(d, 5)), rng.integers(0, 5, (7, d))
        for point in points:
            zones.add(point)
            assert len(np.unique(zones.corners, axis=0)) == len(zones.corners)
        dominated = (points[None] <= cells[:, None]).all(2).any(1)
        below = (cells[:, None] < zones.corners[None]).all(2).any(1)
        assert np.array_equal(below, ~dominated)


def test_no_plan_beats_the_representation_by_more_than_it_says(random_problem, image):
    """Against enumeration; the points are non-dominated plans."""
    rng = np.random.default_rng(1)
    inexact = 0
    for _ in range(60):
        problem = random_problem(rng)
        found = represent(problem, TERMS, divisions=4)
        every = image(problem, *(problem.term(t) for t in TERMS))
        best = every[non_dominated(every)]
        assert all(row in best.tolist() for row in found.values.tolist())
        allowed = (found.epsilon + 1e-9) * found.span
        assert all((found.values <= z + allowed).all(axis=1).any() for z in every)
        inexact += not found.complete
        for columns, row in zip(found.columns, found.values.tolist(), strict=True):
            claimed = dict(zip(TERMS, row, strict=True))
            assert verify(problem, columns, claimed=claimed).ok
    assert inexact > 5


def test_the_exact_set_is_the_non_dominated_set_of_an_enumeration(random_problem, image):
    rng = np.random.default_rng(2)
    for _ in range(6):
        problem = random_problem(rng)
        found = represent(problem, TERMS, divisions=3, exact=True)
        every = image(problem, *(problem.term(t) for t in TERMS))
        assert found.complete
        assert found.values.tolist() == every[non_dominated(every)].tolist()


def test_finer_weights_never_err_more(paper):
    errors = [represent(paper, ["acceptance", "fairness"], divisions=k).epsilon for k in (1, 4, 16)]
    assert errors == sorted(errors, reverse=True)


def test_a_spent_deadline_leaves_the_corners(paper):
    found = represent(paper, ["acceptance", "fairness"], deadline=Deadline.after(0.0))
    assert found.values.shape == (2, 2)


@pytest.mark.parametrize("terms", [["acceptance"], ["fairness", "fairness"], ["acceptance", "x"]])
def test_meaningless_axes_are_refused(paper, terms):
    with pytest.raises(ProblemError):
        represent(paper, terms)


def test_what_is_no_flow_is_refused(paper_with_sizes):
    with pytest.raises(SolverError, match="flows only"):
        represent(paper_with_sizes, ["acceptance", "fairness"])
