import numpy as np
import pytest

from optimization import (
    AssignmentProblem,
    ProblemError,
    Weights,
    acceptance_term,
    convex_spread,
    delivery_time_term,
    fairness_measures,
    hold_term,
    linear_term,
    solve,
)


def test_acceptance_counts_every_order_of_a_bundle():
    term = acceptance_term([0.25, 0.5], [1, 3], [3])
    assert term.column.tolist() == [-250_000, -1_500_000]
    assert (term.unit, term.scale) == ("orders", 1_000_000)


def test_delivery_time_is_expected_seconds_with_waiting_and_stacking():
    """Two orders waiting 1800 s each; one offered with p = .5 and 600 s to the door."""
    term = delivery_time_term([0.5, 1.0], [600.0, 300.0], [1800.0, 900.0], [60.0], [3], [0, 1])
    problem = AssignmentProblem.from_pairs(
        [0, 1], [0, 0], order_size=[1, 1], max_orders=[3], max_size=[9], leave=[1, 1], terms=[term]
    )  # fmt: skip
    nothing = problem.term_values(np.zeros(0, np.int64))["delivery_time"]
    first = problem.term_values(np.array([0]))["delivery_time"]
    both = problem.term_values(np.array([0, 1]))["delivery_time"]
    assert nothing == 2_700_000
    assert first == 1000 * (0.5 * 600 + 0.5 * 1800 + 900)
    assert both == 1000 * (0.5 * 600 + 0.5 * 1800 + 300 + 60)


def test_delivery_time_of_a_bundle_waits_for_all_its_orders():
    term = delivery_time_term([0.5], [1000.0], [1800.0, 900.0], [0.0], [2], [0, 1], [0, 2])
    assert term.constant + term.column[0] == 1000 * (0.5 * 1000 + 0.5 * 2700)


def test_convex_spread_equals_its_formula():
    """Also with rounding: within 0.0005 per committed order, and convex after it."""
    rng = np.random.default_rng(1)
    m = 40
    past, active = rng.integers(0, 9, m), rng.uniform(0, 6 * 3600, m)
    most, given = np.full(m, 4), rng.integers(0, 5, m)
    term = convex_spread(past, active, most, 0, expected_orders=30)
    hours = np.maximum(active / 3600, 0.5)
    rho = (past.sum() + 30) / hours.sum()
    blocks = term.marginal.reshape(m, 4)
    value = term.constant + sum(blocks[j, : given[j]].sum() for j in range(m))
    exact = ((past + given - rho * hours) ** 2 / hours).sum()
    assert value / 1000 == pytest.approx(exact, abs=0.0005 * (given.sum() + 1))
    assert (np.diff(blocks, axis=1) >= 0).all()


def test_convex_spread_keeps_a_given_target_and_floor():
    term = convex_spread([2], [0.0], [1], 0, target_rate=1.0, floor_s=3600.0)
    assert term.constant == 1000
    assert term.marginal.tolist() == [3000]


@pytest.mark.parametrize(
    "build",
    [
        lambda: acceptance_term([1.2], [1], [1]),
        lambda: acceptance_term([float("nan")], [1], [1]),
        lambda: delivery_time_term([0.5], [-1.0], [1.0], [1.0], [1], [0]),
        lambda: delivery_time_term([0.5], [1.0], [float("inf")], [1.0], [1], [0]),
        lambda: convex_spread([1], [1.0], [1], 0, floor_s=0.0),
        lambda: convex_spread([-1], [1.0], [1], 0),
        lambda: linear_term("x", "u", 1, [float("nan")], [1]),
        lambda: linear_term("x", "u", 10**6, [1e15], [1]),
        lambda: fairness_measures([]),
        lambda: fairness_measures([1.0, -1.0]),
    ],
)
def test_numbers_out_of_range_are_refused(build):
    with pytest.raises(ProblemError):
        build()


def test_fairness_measures_by_hand():
    """Rates 0, 1, 2, 5: mean 2, squares 4 1 0 9, pair differences 1 2 5 1 4 3 = 16 twice."""
    found = fairness_measures([1.0, 5.0, 0.0, 2.0]).as_dict()
    assert found["spread_sd"] == pytest.approx(3.5**0.5)
    assert found["range"] == 5.0
    assert found["gini"] == pytest.approx(32 / (2 * 16 * 2))
    assert found["worst_off"] == 0.0
    assert found["mean_absolute_deviation"] == pytest.approx(6 / 4)
    assert found["jain"] == pytest.approx(64 / (4 * 30))


@pytest.mark.parametrize("rates", [[3.0, 3.0, 3.0], [0.0, 0.0]])
def test_equal_rates_are_perfectly_fair(rates):
    found = fairness_measures(rates)
    assert (found.spread_sd, found.range, found.gini, found.jain) == (0.0, 0.0, 0.0, 1.0)


def test_an_order_is_held_exactly_where_its_price_undercuts_its_column() -> None:
    """Two orders, one courier with two places. Columns cost 5 and 9; holding costs 7 each.

    The first is served (5 < 7), the second is held (7 < 9): 5 + 7 = 12. At leave 1000 both must be
    served: 14, though holding is priced.
    """

    def problem(leave: list[int]) -> AssignmentProblem:
        return AssignmentProblem.from_pairs(
            [0, 1],
            [0, 0],
            order_size=[1, 1],
            max_orders=[2],
            max_size=[9],
            leave=leave,
            terms=(
                linear_term("time", "s", 1000, [5.0, 9.0], [2]),
                hold_term([7.0, 7.0], [2], [0, 1]),
            ),
        )

    both = Weights({"time": 1.0, "hold": 1.0})
    free, forced = solve(problem([0, 0]), both), solve(problem([1000, 1000]), both)
    assert free.columns.tolist() == [0]
    assert free.objective / free.scale == 12.0
    assert problem([0, 0]).coverage(free.columns) == 0
    assert forced.columns.tolist() == [0, 1]
    assert forced.objective / forced.scale == 14.0
