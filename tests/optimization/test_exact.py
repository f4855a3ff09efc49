"""The exact frontier is the non-dominated set of an enumeration, and survives being cut short."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from optimization import (
    AssignmentProblem,
    Deadline,
    ProblemError,
    Status,
    Term,
    Weights,
    exact_frontier,
    non_dominated,
    scalarize,
    sweep,
)

ACCEPTANCE = Weights({"acceptance": 1.0})
EFFICIENCY = Weights({"cost": 1.0})


def _city(rng, n=24, m=20, degree=7):
    """Counts as the second objective, and a second price per pair as another."""
    near = np.argsort(rng.random((n, m)), axis=1)[:, :degree]
    most = rng.integers(1, 4, m)
    past = rng.integers(0, 9, m)
    rank = np.arange(most.sum()) - np.repeat(np.cumsum(most) - most, most)
    k = n * degree
    return AssignmentProblem.from_pairs(
        np.repeat(np.arange(n), degree),
        near.ravel(),
        order_size=np.ones(n, np.int64),
        max_orders=most,
        max_size=most,
        leave=np.full(n, 1000),
        terms=[
            Term.linear("cost", "u", 1, rng.integers(0, 60, k), most),
            Term.separable("counts", "v", 1, 2 * (np.repeat(past, most) + rank) + 1, k),
            Term.linear("time", "w", 1, rng.integers(0, 60, k), most),
        ],
    )


@pytest.mark.parametrize("against", ["b", "c", "counts"])
def test_the_frontier_is_the_non_dominated_set_of_1000_enumerations(against, random_problem, image):
    """Prices per pair, per count, and both; orders left free, couriers without room."""
    rng = np.random.default_rng(11)
    several = 0
    for _ in range(334):
        problem = random_problem(rng)
        if against == "counts":
            c = problem.term("c")
            zero = np.zeros(problem.n_columns, np.int64)
            counts = Term.separable("counts", "z", 4, c.marginal, zero.size, constant=2)
            problem = problem.replace(terms=(*problem.terms[:2], counts))
        efficiency = Weights({"a": 1.0, **({"b": 0.5} if against != "b" else {})})
        axis = scalarize(problem, efficiency)
        expected = image(problem, axis, problem.term(against))
        expected = expected[non_dominated(expected)]
        frontier = exact_frontier(problem, efficiency, against)
        assert frontier.complete
        assert frontier.values.tolist() == expected.tolist()
        several += len(frontier) > 2
        for i in range(len(frontier)):
            assert frontier.solution(i).status is Status.OPTIMAL
    assert several > 20


def _by_levels(problem, against):
    """The non-dominated set by the general solver, one bound after another."""
    from optimization import solve

    rows, limit = [], None
    while True:
        bounds = None if limit is None else {against: limit}
        found = solve(problem, EFFICIENCY, bounds=bounds)
        if not found.usable:
            break
        value = problem.term_values(found.columns)
        cost = problem.term("cost").in_unit(value["cost"])
        least = solve(problem, Weights({against: 1.0}), bounds={"cost": cost})
        rows.append((value["cost"], problem.term_values(least.columns)[against]))
        limit = problem.term(against).in_unit(rows[-1][1] - 1)
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("against", ["counts", "time"])
@pytest.mark.parametrize("seed", range(3))
def test_the_frontier_is_that_of_the_general_solver(against, seed):
    """Through CBC, which shares no code with the flow's branch and bound."""
    problem = _city(np.random.default_rng(seed))
    frontier = exact_frontier(problem, EFFICIENCY, against)
    steps = [[cost * 1_000_000, other] for cost, other in _by_levels(problem, against)]
    assert frontier.values.tolist() == steps


@pytest.mark.parametrize("against", ["counts", "time"])
def test_supported_points_are_the_vertices_and_edges_of_the_lower_hull(against):
    frontier = exact_frontier(_city(np.random.default_rng(3)), EFFICIENCY, against)
    points, supported = frontier.points, frontier.supported
    assert 2 <= supported.sum() < len(frontier)
    hull = points[supported]
    for (e0, f0), (e1, f1) in itertools.pairwise(hull.tolist()):
        side = (f0 - f1) * (points[:, 0] - e0) + (e1 - e0) * (points[:, 1] - f0)
        assert side.min() >= 0
    alone = exact_frontier(_city(np.random.default_rng(3)), EFFICIENCY, against, unsupported=False)
    edges = np.diff(hull, axis=0)
    turns = edges[:-1, 0] * edges[1:, 1] != edges[:-1, 1] * edges[1:, 0]
    vertices = hull[np.concatenate([[True], turns, [True]])].tolist()
    assert all(vertex in alone.points.tolist() for vertex in vertices)
    assert all(point in hull.tolist() for point in alone.points.tolist())


@pytest.mark.parametrize("against", ["counts", "time"])
def test_what_is_left_open_covers_every_missing_point(against):
    """Whatever the limit, a missing point lies in a box, and the gap bounds what it would add."""
    problem = _city(np.random.default_rng(4))
    whole = exact_frontier(problem, EFFICIENCY, against)
    assert whole.hypervolume_gap == 0.0
    assert whole.largest_box is None
    partials = [
        exact_frontier(problem, EFFICIENCY, against, max_points=k) for k in (2, 3, 5, 9, 99)
    ]
    partials.append(exact_frontier(problem, EFFICIENCY, against, unsupported=False))
    partials.append(exact_frontier(problem, EFFICIENCY, against, deadline=Deadline.after(0.0)))
    for part in partials:
        known = set(map(tuple, part.points.tolist()))
        assert known <= set(map(tuple, whole.points.tolist()))
        for e, f in set(map(tuple, whole.points.tolist())) - known:
            assert any(
                box.efficiency[0] <= e <= box.efficiency[1]
                and box.against[0] <= f <= box.against[1]
                for box in part.boxes
            )
        assert part.ideal == whole.ideal
        assert part.nadir == whole.nadir
        missing = whole.hypervolume - part.hypervolume
        assert -1e-12 <= missing <= part.hypervolume_gap + 1e-12


def test_a_killed_run_goes_on_from_its_folder_to_the_same_frontier(tmp_path):
    problem = _city(np.random.default_rng(5))
    whole = exact_frontier(problem, EFFICIENCY, "counts")

    class KilledError(Exception):
        pass

    def kill(done, total):
        if done == total // 2:
            raise KilledError

    with pytest.raises(KilledError):
        exact_frontier(problem, EFFICIENCY, "counts", folder=tmp_path, progress=kill)
    assert list(tmp_path.glob("segment-*.npz"))
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("*.npz")}
    again = exact_frontier(problem, EFFICIENCY, "counts", folder=tmp_path)
    assert again.values.tolist() == whole.values.tolist()
    assert [c.tolist() for c in again.columns] == [c.tolist() for c in whole.columns]
    assert before.items() <= {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("*.npz")}.items()
    other = _city(np.random.default_rng(6))
    with pytest.raises(ProblemError, match="another problem"):
        exact_frontier(other, EFFICIENCY, "counts", folder=tmp_path)


@pytest.mark.parametrize("against", ["counts", "time"])
def test_threads_change_nothing(against):
    problem = _city(np.random.default_rng(7))
    one = exact_frontier(problem, EFFICIENCY, against)
    three = exact_frontier(problem, EFFICIENCY, against, workers=3)
    assert one.values.tolist() == three.values.tolist()
    assert [c.tolist() for c in one.columns] == [c.tolist() for c in three.columns]


def test_progress_counts_the_gaps():
    calls = []
    problem = _city(np.random.default_rng(8))
    exact_frontier(problem, EFFICIENCY, "counts", progress=lambda *c: calls.append(c))
    assert calls == [(i + 1, len(calls)) for i in range(len(calls))]
    assert calls


def test_operating_points_of_the_paper_frontier(paper):
    """(-2.50, 24/9) and (-2.45, 6/9): a weight above .025 buys the fair one."""
    frontier = exact_frontier(paper, ACCEPTANCE)
    assert [c.tolist() for c in frontier.columns] == [[0, 3, 4, 6], [0, 3, 4, 7]]
    assert frontier.best_for(0.02) == 0
    assert frontier.best_for(0.03) == 1
    assert frontier.best_within(1.0) == 1
    assert frontier.best_within(9.0) == frontier.knee() == 0
    assert frontier.price_of_fairness[1] == pytest.approx((0.02, 0.75), abs=0.001)
    assert frontier.hypervolume == 0.0
    assert "2 points, 2 supported, complete" in frontier.summary()
    frame = frontier.to_frame()
    assert frame["supported"].tolist() == [True, True]
    with pytest.raises(ProblemError, match="no less than"):
        frontier.best_within(0.1)
    with pytest.raises(ProblemError, match="finite"):
        frontier.best_for(-1.0)


def test_the_sweep_finds_only_supported_points():
    problem = _city(np.random.default_rng(9))
    frontier = exact_frontier(problem, EFFICIENCY, "counts")
    supported = frontier.points[frontier.supported].tolist()
    for point in sweep(problem, EFFICIENCY, "counts", points=7).points:
        assert [point.efficiency, point.against] in supported


def test_the_knee_is_the_point_farthest_below_the_chord():
    frontier = exact_frontier(_city(np.random.default_rng(10)), EFFICIENCY, "time")
    ends = frontier.points[[0, -1]]
    unit = (frontier.points - ends.min(axis=0)) / (ends.max(axis=0) - ends.min(axis=0))
    assert unit.sum(axis=1)[frontier.knee()] == unit.sum(axis=1).min() < 1.0


@pytest.mark.parametrize(
    "bad",
    [{"against": "acceptance"}, {"against": "speed"}, {"workers": 0}, {"max_points": 1}],
)
def test_a_meaningless_frontier_is_refused(paper, bad):
    with pytest.raises(ProblemError):
        exact_frontier(paper, ACCEPTANCE, **bad)
