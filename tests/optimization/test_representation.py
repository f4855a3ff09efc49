"""Several objectives: the proven error holds for every plan, and exact means every point."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from optimization import (
    AssignmentProblem,
    Deadline,
    ProblemError,
    SolverError,
    Term,
    Weights,
    exact_frontier,
    non_dominated,
    verify,
)
from optimization.representation import represent
from optimization.zoned import search_zones
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
    """Two to four terms of flows; couriers without room, orders left free."""
    rng = np.random.default_rng(2)
    several = 0
    for i in range(300):
        problem = random_problem(rng)
        terms = [*TERMS[: 2 + i % 2]]
        if i % 3 == 0:
            extra = Term.linear("d", "u", 1, rng.integers(0, 9, problem.n_columns),
                                problem.max_orders)  # fmt: skip
            problem, terms = problem.replace(terms=(*problem.terms, extra)), [*terms, "d"]
        found = represent(problem, terms, divisions=int(rng.integers(1, 4)), within=0.0)
        every = image(problem, *(problem.term(t) for t in terms))
        assert found.complete
        assert found.values.tolist() == every[non_dominated(every)].tolist()
        several += len(found) > 3
    assert several > 20


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_every_frontier_of_10000_small_problems_is_that_of_an_enumeration(
    part, random_problem, image
):
    """2,500 a part: two terms by `exact_frontier`, three by `represent`."""
    rng = np.random.default_rng(100 + part)
    for _ in range(1250):
        problem = random_problem(rng)
        every = image(problem, *(problem.term(t) for t in TERMS))
        found = represent(problem, TERMS, divisions=2, within=0.0)
        assert found.values.tolist() == every[non_dominated(every)].tolist()
        other = str(rng.choice(["b", "c"]))
        every = image(problem, problem.term("a"), problem.term(other))
        steps = exact_frontier(problem, Weights({"a": 7.0}), other).points
        units = np.array([problem.term("a").scale, problem.term(other).scale])
        expected = every[non_dominated(every)] * [7.0, 1.0] / units
        assert np.allclose(steps, expected, rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("within", [0.02, 0.1, 0.4])
def test_no_plan_is_better_by_more_than_was_asked(random_problem, image, within):
    rng = np.random.default_rng(3)
    shorter = 0
    for _ in range(100):
        problem = random_problem(rng)
        found = represent(problem, TERMS, divisions=1, within=within)
        every = image(problem, *(problem.term(t) for t in TERMS))
        assert found.epsilon <= within
        allowed = (found.epsilon + 1e-9) * found.span
        assert all((found.values <= z + allowed).all(axis=1).any() for z in every)
        shorter += len(found) < non_dominated(every).sum()
    assert (shorter > 1) == (within > 0.02)


def _city(rng, n=14, m=9, degree=5):
    near = np.argsort(rng.random((n, m)), axis=1)[:, :degree]
    most = rng.integers(1, 4, m)
    rank = np.arange(most.sum()) - np.repeat(np.cumsum(most) - most, most)
    count = np.repeat(rng.integers(0, 6, m), most) + rank
    k = n * degree
    return AssignmentProblem.from_pairs(
        np.repeat(np.arange(n), degree),
        near.ravel(),
        order_size=np.ones(n, np.int64),
        max_orders=most,
        max_size=most,
        leave=np.full(n, 1000),
        terms=[
            Term.linear("a", "u", 1, rng.integers(0, 30, k), most),
            Term.linear("b", "v", 1, rng.integers(0, 30, k), most),
            Term.separable("c", "w", 1, 2 * count + 1, k),
        ],
    )


def test_programs_and_the_tree_find_the_same_points():
    """The zones of a flow, once by groups in a tree and once by CBC, which shares no code."""
    problem = _city(np.random.default_rng(4), n=6, m=4, degree=3)
    found = represent(problem, TERMS, divisions=3, within=0.0)
    program = search_zones(problem, TERMS, deadline=Deadline.after(None))
    assert program.epsilon == 0.0
    rows = np.unique(program.values, axis=0)
    assert found.values.tolist() == rows[non_dominated(rows)].tolist()
    assert len(found) > 5


def test_a_killed_search_goes_on_to_the_same_points_with_any_number_of_threads(tmp_path):
    problem = _city(np.random.default_rng(5))
    whole = represent(problem, TERMS, divisions=4, within=0.0)
    assert len(whole) > 20

    class KilledError(Exception):
        pass

    def kill(done, total):
        if done > total // 2:
            raise KilledError

    with pytest.raises(KilledError):
        represent(problem, TERMS, divisions=4, within=0.0, folder=tmp_path, progress=kill)
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("group-*.npz")}
    assert before
    again = represent(problem, TERMS, divisions=4, within=0.0, folder=tmp_path, workers=3)
    assert again.values.tolist() == whole.values.tolist()
    assert [c.tolist() for c in again.columns] == [c.tolist() for c in whole.columns]
    assert before.items() <= {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("*.npz")}.items()
    with pytest.raises(ProblemError, match="another representation"):
        represent(problem, TERMS, divisions=3, within=0.0, folder=tmp_path)


def test_a_deadline_leaves_an_error_that_holds(image):
    problem = _city(np.random.default_rng(6), n=5, m=4, degree=2)
    every = image(problem, *(problem.term(t) for t in TERMS))
    for within in (0.0, 0.2):
        part = represent(problem, TERMS, within=within, deadline=Deadline.after(0.0))
        assert part.epsilon > 0.0
        allowed = (part.epsilon + 1e-9) * part.span
        assert all((part.values <= z + allowed).all(axis=1).any() for z in every)


def test_points_are_chosen_by_weights_bounds_and_the_knee():
    found = represent(_city(np.random.default_rng(7)), TERMS, divisions=4, within=0.0)
    points = found.points
    assert found.best_for(Weights({"a": 1.0})) == int(np.argmin(points[:, 0]))
    limit = float(np.median(points[:, 2]))
    inside = found.best_within({"c": limit})
    assert points[inside, 2] <= limit
    share = (found.values - found.values.min(axis=0)) / found.span
    assert share[found.knee()].sum() == share.sum(axis=1).min()
    assert 0.0 < found.hypervolume < 1.0
    assert found.to_frame()["b"].tolist() == points[:, 1].tolist()
    assert "complete" in found.summary()
    with pytest.raises(ProblemError, match="the least of each"):
        found.best_within({"c": -1.0})
    with pytest.raises(ProblemError, match="no axes"):
        found.best_for(Weights({"x": 1.0}))


def test_finer_weights_never_err_more(paper):
    errors = [represent(paper, ["acceptance", "fairness"], divisions=k).epsilon for k in (1, 4, 16)]
    assert errors == sorted(errors, reverse=True)


def test_a_spent_deadline_leaves_the_corners(paper):
    found = represent(paper, ["acceptance", "fairness"], deadline=Deadline.after(0.0))
    assert found.values.shape == (2, 2)


@pytest.mark.parametrize(
    "bad",
    [
        {"terms": ["acceptance"]},
        {"terms": ["fairness", "fairness"]},
        {"terms": ["acceptance", "x"]},
        {"within": 1.0},
        {"within": -0.1},
        {"workers": 0},
        {"divisions": 0},
    ],
)
def test_meaningless_questions_are_refused(paper, bad):
    with pytest.raises(ProblemError):
        represent(paper, **{"terms": ["acceptance", "fairness"], **bad})


def test_weights_alone_are_for_flows(paper_with_sizes):
    with pytest.raises(SolverError, match="flows only"):
        represent(paper_with_sizes, ["acceptance", "fairness"])
