"""Twins: alike but for willingness, and what they end with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dispatch.fairness import Account
from dispatch.simulation import AlwaysAccept, Draws, Environment, Policy
from dispatch.simulation.logit import LogitBehaviour
from dispatch.simulation.twins import TwinBehaviour, twin_day, twin_gap


def test_twins_are_alike_and_as_many_as_before(street: Any) -> None:
    day = street.day((), tuple(street.shift(f"c{k}", k, 99, k) for k in range(4)))
    twins = twin_day(day).shifts
    assert [s.courier.id for s in twins] == ["c0+", "c0-", "c2+", "c2-"]
    assert twins[0].courier.position == twins[1].courier.position == street.place(0)
    assert twins[2].start_at == twins[3].start_at == street.at(2)


def test_who_would_accept_as_the_choosy_twin_accepts_as_the_agreeable(
    street: Any, rolling: Callable[..., Policy]
) -> None:
    from dispatch.simulation.logit import Listening

    day = twin_day(street.day((street.order("a", 0, 0, 1, 5),), (street.shift("c", 0, 99, 0),)))
    listening = Listening(AlwaysAccept())
    Environment(day, rolling(day), listening).run()
    (asked,) = listening.questions
    behaviour = TwinBehaviour(LogitBehaviour(intercept=0.0), gap=2.0)
    from dataclasses import replace

    answers = [
        [
            behaviour.answer(
                replace(asked, courier=replace(asked.courier, id=name)),
                Draws(k).generator("answer"),
            ).accepted
            for k in range(300)
        ]
        for name in ("c+", "c-")
    ]
    willing, choosy = np.array(answers)
    assert not (choosy & ~willing).any()
    assert willing.mean() - choosy.mean() > 0.3


def test_the_gap_is_of_totals_over_hours_as_a_share_of_the_mean() -> None:
    """Agreeable: 6 an hour busy over 2 h; choosy: 4 over 1 h; the gap is 2 of 5."""
    account = Account(
        courier_ids=("a+", "a-"),
        orders=np.array([3, 1]),
        earnings=np.array([12.0, 4.0]),
        busy_s=np.array([7200.0, 3600.0]),
        online_s=np.array([14400.0, 14400.0]),
        offers=np.array([4, 4]),
        acceptances=np.array([3, 1]),
    )
    found = twin_gap([account, account])
    assert found.earnings_per_busy_h == pytest.approx(2 / 5)
    assert found.earnings_per_online_h == pytest.approx(8 / 8)
    assert found.offers_per_online_h == 0
    assert (found.acceptance_agreeable, found.acceptance_choosy) == (0.75, 0.25)
