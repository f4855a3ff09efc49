"""The ledger counts what happened, and evenness is what it is on paper."""

from decimal import Decimal

import numpy as np
import pytest

from dispatch.fairness import Ledger, evenness


def test_evenness_of_a_few_rates_is_as_worked_out_on_paper() -> None:
    """Of 1, 2, 3: mean absolute difference 8/9, so Gini 8/9 / (2 * 2); Jain 36 / (3 * 14)."""
    found = evenness(np.array([3.0, 1.0, 2.0]))
    assert found.mean == 2
    assert found.gini == pytest.approx(8 / 36)
    assert found.jain == pytest.approx(36 / 42)
    assert found.worst_decile == pytest.approx(0.5)
    assert found.nothing == 0


def test_one_who_has_everything_is_as_uneven_as_it_gets() -> None:
    found = evenness(np.array([0.0, 0.0, 0.0, 8.0]))
    assert found.gini == pytest.approx(3 / 4)
    assert found.jain == pytest.approx(1 / 4)
    assert (found.worst_decile, found.nothing) == (0.0, 3)


@pytest.mark.parametrize("rate", [np.full(7, 2.5), np.zeros(3), np.zeros(0)])
def test_equal_shares_of_something_or_nothing_are_even(rate: np.ndarray) -> None:
    found = evenness(rate)
    assert found.gini == pytest.approx(0, abs=1e-12)
    assert found.jain == pytest.approx(1)


def test_the_worst_decile_is_the_lowest_tenth_of_couriers() -> None:
    rate = np.concatenate(([1.0, 3.0], np.full(18, 10.0)))
    assert evenness(rate).worst_decile == pytest.approx(2 / (184 / 20))


def test_the_ledger_counts_time_online_and_busy_orders_pay_and_answers() -> None:
    ledger = Ledger(["a", "b"])
    ledger.log_on(0, 0.0)
    ledger.answer(0, accepted_orders=0)
    ledger.answer(0, accepted_orders=2)
    ledger.start_work(0, 100.0)
    ledger.pay(0, Decimal("4.50"))
    work = ledger.past_work(0, 400.0, shown_on_board=1)
    assert (work.orders, work.earnings, work.offers, work.acceptances) == (1, Decimal("4.5"), 2, 1)
    assert (work.busy_s, work.online_s) == (300.0, 400.0)
    ledger.end_work(0, 500.0)
    ledger.log_off(0, 7200.0)
    account = ledger.account(9000.0)
    assert account.busy_s.tolist() == [400.0, 0.0]
    assert account.online_s.tolist() == [7200.0, 0.0]
    # who was never online has no rate
    assert account.per_online_hour(account.orders).tolist() == [1.0]


def test_short_times_online_are_counted_as_half_an_hour_in_rates() -> None:
    ledger = Ledger(["a"])
    ledger.log_on(0, 0.0)
    ledger.answer(0, accepted_orders=1)
    account = ledger.account(60.0)
    assert account.per_online_hour(account.orders).tolist() == [2.0]
