"""Work adds up over a courier's columns; its prices are convex and verified."""

import numpy as np
import pytest

from optimization import (
    NO_LIMIT,
    AssignmentProblem,
    ProblemError,
    Term,
    Weights,
    Work,
    WorkPrice,
    scalarize,
    verify,
    work_spread,
)


@pytest.fixture
def worked(paper):
    """The paper's pairs with minutes 10, 20, ..., 80; a step is free up to 25, then costs 3."""
    minutes = Work("minutes", "min", 10 * np.arange(1, 9), np.array([110, NO_LIMIT, 60]))
    price = WorkPrice("minutes", 2 * np.arange(4), np.tile([0, 25], 3), np.tile([0, 3], 3))
    fair = Term("busy", "u", 1, 7, np.zeros(8, np.int64), np.zeros(5, np.int64), price)
    return paper.replace(works=[minutes], terms=(*paper.terms, fair))


def test_added_work_and_its_price_follow_the_paper(worked):
    """Columns 0, 3, 4, 7 give A 10 + 50, B 40, C 80: 7 + 3 (35 + 15 + 55) = 322."""
    columns = np.array([0, 3, 4, 7])
    assert worked.added("minutes", columns).tolist() == [60, 40, 80]
    assert worked.term_values(columns)["busy"] == 322


def test_too_much_work_and_false_prices_are_caught(worked):
    found = verify(worked, [0, 3, 4, 7], claimed={"busy": 322})
    assert [(f.kind, f.ids) for f in found.faults] == [("too-much-work", (2,))]
    found = verify(worked, [0, 3, 4], claimed={"busy": 321})
    assert [f.kind for f in found.faults] == ["false-value"]


def test_the_recomputation_agrees_with_the_engines_arithmetic_on_work(random_problem):
    rng, checked = np.random.default_rng(9), 0
    for _ in range(300):
        problem = random_problem(rng, work=True, bundles=bool(rng.integers(2)))
        weights = Weights({"a": 0.3, "b": 1.7, "d": 2.1})
        columns = np.flatnonzero(rng.random(problem.n_columns) < 0.3)
        scalar = scalarize(problem, weights)
        found = verify(problem, columns, weights=weights, scale=scalar.scale)
        if found.ok:
            checked += 1
            assert found.objective == scalar.objective(columns)
            expected = {**problem.term_values(columns), "coverage": problem.coverage(columns)}
            assert found.values == expected
    assert checked > 80


@pytest.mark.parametrize(
    ("ptr", "knot", "slope", "message"),
    [
        ([0, 1, 3], [0, 0], [1, 1], "ptr has to run"),
        ([0, 0, 2], [0, 5], [1, 1], "at least one piece"),
        ([0, 1, 3], [0, 4, 5], [1, 1, 1], "first knot not 0 at couriers 1"),
        ([0, 1, 3], [0, 0, 0], [1, 1, 1], "knots do not rise at couriers 1"),
        ([0, 1, 3], [0, 0, 5], [1, 2, 1], "slopes fall at couriers 1"),
    ],
)
def test_a_malformed_price_is_refused(ptr, knot, slope, message):
    with pytest.raises(ProblemError, match=message):
        WorkPrice("w", np.array(ptr), np.array(knot), np.array(slope))


@pytest.mark.parametrize(
    ("works", "message"),
    [
        ([], "prices work 'minutes'; there is"),
        ([Work("minutes", "s", np.zeros(7, int), np.zeros(3, int))], "expected 8 of column, got 7"),
        ([Work("minutes", "s", np.zeros(8, int), np.zeros(2, int))], "expected 3 of limit, got 2"),
        ([Work.unlimited("minutes", "s", np.zeros(8, int), 3)] * 2, "work names repeat"),
    ],
)
def test_works_that_do_not_fit_the_problem_are_refused(worked, works, message):
    with pytest.raises(ProblemError, match=message):
        worked.replace(works=works)


def test_negative_work_is_refused():
    with pytest.raises(ProblemError, match="column negative at 1"):
        Work("w", "s", np.array([1, -1]), np.array([1]))


def test_the_price_walks_its_pieces_and_rises_add_up():
    rng = np.random.default_rng(0)
    price = WorkPrice("w", np.array([0, 3, 4]), np.array([0, 5, 9, 0]), np.array([-2, 1, 4, 3]))
    walk = np.concatenate([[0], np.cumsum([-2] * 5 + [1] * 4 + [4] * 20)])
    for w in range(29):
        assert price.at(np.array([w, w])).tolist() == [walk[w], 3 * w]
    courier, added, more = rng.integers(0, 2, 50), rng.integers(0, 15, 50), rng.integers(0, 14, 50)
    expected = np.where(courier == 0, walk[added + more] - walk[added], 3 * more)
    assert price.rise(courier, added, more).tolist() == expected.tolist()
    assert price.steepest(np.array([5, 5])).tolist() == [-2, 3]
    assert price.steepest(np.array([6, 0])).tolist() == [1, 3]


def test_work_spread_is_the_published_sum_of_squares_at_the_knots():
    """sum h (rate - rho)^2 in hours: past 1 h, 2 h; active 2 h, 4 h; rho 0.5."""
    work = Work.unlimited("minutes", "s", np.array([1800, 3600]), 2)
    term = work_spread(
        work, [3600, 7200], [7200, 14400], [2, 1], [0, 1], step=900, steps_per_unit=3600,
        target_rate=0.5,
    )  # fmt: skip
    problem = AssignmentProblem.from_pairs(
        [0, 1], [0, 1], order_size=[1, 1], max_orders=[2, 1], max_size=[9, 9], leave=[1, 1],
        terms=[term], works=[work],
    )  # fmt: skip
    for columns, added in (([], (0, 0)), ([0], (0.5, 0)), ([0, 1], (0.5, 1.0))):
        hours, done = np.array([2.0, 4.0]), np.array([1.0, 2.0]) + added
        exact = float((hours * (done / hours - 0.5) ** 2).sum())
        value = problem.term_values(np.array(columns, np.int64))["fairness"]
        assert term.in_unit(value) == pytest.approx(exact, abs=1e-5)


def test_work_spread_takes_the_mean_rate_as_target_where_none_is_given():
    work = Work.unlimited("minutes", "s", np.array([1800]), 2)
    common = {"step": 900, "steps_per_unit": 3600}
    term = work_spread(work, [3600, 0], [3600, 3600], [1, 1], [0], expected=3600, **common)
    same = work_spread(work, [3600, 0], [3600, 3600], [1, 1], [0], target_rate=1.0, **common)
    assert term.constant == same.constant == 10**9
    with pytest.raises(ProblemError, match="positive floor_s, step"):
        work_spread(work, [0, 0], [1, 1], [1, 1], [0], step=0, steps_per_unit=1)
