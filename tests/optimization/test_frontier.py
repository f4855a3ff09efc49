import numpy as np
import pytest

from optimization import (
    Deadline,
    ProblemError,
    Status,
    Weights,
    non_dominated,
    scalarize,
    sweep,
    verify,
)

ACCEPTANCE = Weights({"acceptance": 1.0})


def test_the_paper_frontier_has_its_two_points(paper):
    calls = []
    frontier = sweep(paper, ACCEPTANCE, progress=lambda done, total: calls.append((done, total)))
    assert [p.columns.tolist() for p in frontier.points] == [[0, 3, 4, 6], [0, 3, 4, 7]]
    assert frontier.complete
    assert calls == [(i, 13) for i in range(1, 14)]
    assert frontier.ideal == pytest.approx((-2.5, 6 / 9), abs=0.003)
    assert frontier.nadir == pytest.approx((-2.45, 24 / 9), abs=0.003)
    assert frontier.knee() is frontier.points[0]
    assert frontier.best_within({"fairness": 1.0}) is frontier.points[1]
    assert all(p.status is Status.OPTIMAL and p.gap == 0.0 for p in frontier.points)


def test_an_unreachable_operating_point_says_what_is_least(paper):
    frontier = sweep(paper, ACCEPTANCE)
    with pytest.raises(ProblemError, match="the least of each"):
        frontier.best_within({"fairness": 0.1})
    with pytest.raises(ProblemError, match="unknown terms"):
        frontier.best_within({"speed": 0.1})


def test_the_frame_has_one_row_per_point(paper):
    frame = sweep(paper, ACCEPTANCE).to_frame()
    assert len(frame) == 2
    assert {"efficiency", "fairness", "weight_fairness", "status"} <= set(frame.columns)
    assert not frame.isna().any().any()


def _all_values(problem, axis, against):
    """(efficiency, against) of every selection of best coverage."""
    k = problem.n_columns
    plans = [np.flatnonzero((mask >> np.arange(k)) & 1) for mask in range(2**k)]
    plans = [c for c in plans if verify(problem, c).ok]
    least = min(problem.coverage(c) for c in plans)
    plans = [c for c in plans if problem.coverage(c) == least]
    return np.array([(axis.objective(c), problem.term_values(c)[against]) for c in plans])


def test_no_point_is_dominated_by_any_selection(random_problem):
    """Against enumeration; the ends attain the ideal of the exact frontier."""
    rng = np.random.default_rng(4)
    for _ in range(25):
        problem = random_problem(rng)
        efficiency = Weights({"a": 1.0, "b": 0.5})
        axis = scalarize(problem, efficiency)
        frontier = sweep(problem, efficiency, against="c", points=5)
        every = _all_values(problem, axis, "c")
        found = np.array(
            [(axis.objective(p.columns), problem.term_values(p.columns)["c"])
             for p in frontier.points]
        )  # fmt: skip
        assert len(np.unique(found, axis=0)) == len(found)
        for row in found:
            assert not ((every <= row).all(1) & (every < row).any(1)).any()
        assert (np.diff(found[:, 0]) > 0).all()
        assert (np.diff(found[:, 1]) < 0).all()


def test_a_spent_deadline_returns_what_there_is_and_says_so(paper):
    frontier = sweep(paper, ACCEPTANCE, deadline=Deadline.after(0.0))
    assert not frontier.complete
    assert len(frontier.points) == 1
    assert frontier.points[0].engine in ("greedy", "local search")


@pytest.mark.parametrize("bad", [{"points": 1}, {"against": "acceptance"}, {"against": "speed"}])
def test_a_meaningless_sweep_is_refused(paper, bad):
    with pytest.raises(ProblemError):
        sweep(paper, ACCEPTANCE, **bad)


def test_the_knee_is_the_point_farthest_below_the_chord(paper):
    """Of (0, 10), (1, 2), (4, 1), (10, 0) scaled to the unit square it is (1, 2)."""
    from dataclasses import replace

    frontier = sweep(paper, ACCEPTANCE)
    points = tuple(
        replace(frontier.points[0], efficiency=float(e), against=float(a))
        for e, a in ((0, 10), (1, 2), (4, 1), (10, 0))
    )
    assert replace(frontier, points=points).knee() is points[1]


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_the_filter_is_the_definition_of_dominance(d):
    rng = np.random.default_rng(d)
    rows = rng.integers(0, 6, (200, d))
    expected = [
        not any((other <= row).all() and (other < row).any() for other in rows) for row in rows
    ]
    assert non_dominated(rows).tolist() == expected
