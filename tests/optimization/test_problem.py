import numpy as np
import pytest

from optimization import AssignmentProblem, ProblemError, Term


def test_arrays_are_private_and_read_only(paper):
    """Neither the caller's arrays nor the problem's own can change it afterwards."""
    leave = np.full(4, 1000)
    problem = paper.replace(leave=leave)
    leave[0] = 5
    assert problem.leave.tolist() == [1000] * 4
    with pytest.raises(ValueError, match="read-only"):
        problem.leave[0] = 5
    with pytest.raises(ValueError, match="read-only"):
        problem.terms[0].column[0] = 5


def test_every_problem_of_one_kind_is_reported_at_once(paper):
    with pytest.raises(ProblemError) as caught:
        paper.replace(
            leave=np.array([-1, 1, 1, -1]),
            max_size=np.array([1, -1, 1]),
            column_courier=np.array([0, 1, 0, 1, 0, 3, 1, -1]),
        )
    text = str(caught.value)
    assert len(caught.value.faults) == 3
    assert "leave: negative at 0, 3" in text
    assert "max_size: negative at 1" in text
    assert "column_courier: outside [0, 3) at positions 5, 7" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"leave": np.ones(3, np.int64)}, "leave: expected length 4, got 3"),
        ({"leave": np.full(4, 0.5)}, "leave: expected a 1-d integer array, got float64"),
        ({"n_couriers": 4}, "max_orders: expected length 4, got 3"),
        ({"column_ptr": np.arange(1, 10)}, "column_ptr: expected to run from 0 to 8"),
        ({"column_ptr": np.array([0, 0, 2, 3, 4, 5, 6, 7, 8])}, "columns without orders: 0"),
        ({"column_order": np.array([0, 0, 0, 1, 2, 2, 3, 3])}, "columns 2 repeat"),
        ({"max_orders": np.array([2, 2, 2])}, "term acceptance: expected 6 marginals"),
        ({"leave": np.full(4, 2**61)}, "leave: the sum overflows"),
        ({"column_courier": np.full(8, 2**40)}, "column_courier: values do not fit int32"),
    ],
)
def test_a_malformed_problem_is_refused_with_the_reason(paper, changes, message):
    with pytest.raises(ProblemError) as caught:
        paper.replace(**changes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (("x", "u", 1, 0, np.zeros(8, int), np.array([0, 0, 0, -1, 0])), "marginals fall"),
        (("x", "u", 1, 0, np.full(8, 2**60), np.zeros(5, int)), "overflow int64"),
        (("acceptance", "u", 1, 0, np.zeros(8, int), np.zeros(5, int)), "term names repeat"),
        (("x", "u", 1, 0, np.zeros(7, int), np.zeros(5, int)), "expected 8 column costs, got 7"),
    ],
)
def test_a_term_that_does_not_fit_is_refused(paper, term, message):
    with pytest.raises(ProblemError, match=message):
        paper.replace(terms=(*paper.terms, Term(*term)))


@pytest.mark.parametrize(
    ("name", "scale", "column"),
    [("", 1, [1]), ("coverage", 1, [1]), ("x", 0, [1]), ("x", 1, [0.5])],
)
def test_a_malformed_term_is_refused(name, scale, column):
    with pytest.raises(ProblemError):
        Term(name, "u", scale, 0, np.array(column), np.zeros(0, np.int64))


def test_marginals_may_fall_from_one_courier_to_the_next(paper):
    """Convexity is asked within a courier only, couriers without places included."""
    term = Term.separable("x", "u", 1, np.array([5, 6, 1, 1, 0]), 8)
    assert paper.replace(terms=(term,)).term("x") is term
    none = paper.replace(
        max_orders=np.array([0, 2, 3]), terms=(Term.separable("x", "u", 1, [3, 9, 1, 2, 2], 8),)
    )
    assert none.mode == "added-up pairs"


def test_an_order_may_not_repeat_within_a_column():
    with pytest.raises(ProblemError, match="an order repeats within columns 1"):
        AssignmentProblem(
            2, 1, np.zeros(2, int), np.array([0, 2, 4]), np.array([0, 1, 1, 1]), np.ones(2, int),
            np.array([2]), np.array([9]), np.ones(2, int), (), True,
        )  # fmt: skip


def test_term_values_of_the_paper_plans(paper):
    """2.50 expected orders at a spread of 24/9, 2.45 at 6/9."""
    values = paper.term_values(np.array([0, 3, 4, 6]))
    assert values["acceptance"] == -2_500_000
    assert values["fairness"] == pytest.approx(1000 * 24 / 9, abs=3)
    values = paper.term_values(np.array([0, 3, 4, 7]))
    assert values["acceptance"] == -2_450_000
    assert values["fairness"] == pytest.approx(1000 * 6 / 9, abs=3)
    assert paper.coverage(np.array([0])) == 3000


def test_an_unknown_term_is_named(paper):
    with pytest.raises(ProblemError, match="no term named 'x'"):
        paper.term("x")
