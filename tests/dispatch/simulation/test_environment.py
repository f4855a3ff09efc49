"""The environment: a day worked out on paper, no sight ahead, the same seed the same day."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from dispatch.simulation import (
    AlwaysAccept,
    Commitment,
    Day,
    DayLog,
    Environment,
    Kind,
    Policy,
)


def minutes(log: DayLog, kind: Kind) -> dict[str, float]:
    """When something happened to each order, in minutes since the day's start."""
    start_s = log.day.start_at.timestamp()
    return {e.order_id: (e.at_s - start_s) / 60 for e in log.events if e.kind is kind}


def test_the_tiny_day_goes_as_worked_out_on_paper(
    tiny_day: Day, rolling: Callable[..., Policy]
) -> None:
    log = Environment(tiny_day, rolling(tiny_day), AlwaysAccept()).run()
    assert minutes(log, Kind.OFFERED) == pytest.approx({"b": 11, "a": 12, "c": 34})
    assert minutes(log, Kind.PICKED_UP) == pytest.approx({"b": 12, "a": 15, "c": 35})
    assert minutes(log, Kind.DELIVERED) == pytest.approx({"b": 17, "a": 21, "c": 41})
    account = log.account
    assert account.courier_ids == ("left", "right")
    assert account.orders.tolist() == [1, 2]
    assert account.earnings.tolist() == [4.5, 9.0]
    # left: 11 to 18; right: 12 to 22 and 34 to 42
    assert (account.busy_s / 60).tolist() == pytest.approx([7, 18])
    assert (account.online_s / 60).tolist() == pytest.approx([120, 120])


def test_told_at_once_or_as_late_as_is_safe_the_doors_are_reached_at_the_same_times(
    tiny_day: Day, rolling: Callable[..., Policy]
) -> None:
    policy = rolling(tiny_day, commitment=Commitment(late=False))
    log = Environment(tiny_day, policy, AlwaysAccept()).run()
    assert minutes(log, Kind.OFFERED) == pytest.approx({"a": 5, "b": 6, "c": 30})
    assert minutes(log, Kind.DELIVERED) == pytest.approx({"b": 17, "a": 21, "c": 41})


def test_no_policy_sees_ahead(rolling: Callable[..., Policy]) -> None:
    """Changing everything after a moment changes nothing that happened before it."""
    from dispatch.datasets import SyntheticCity, synthetic_day

    day = synthetic_day(SyntheticCity(seed=3, orders_per_day=120, n_couriers=15))
    cut = day.start_at + timedelta(hours=14)
    other = replace(
        day,
        orders=tuple(
            replace(o, ready_at=o.ready_at + timedelta(minutes=9), pickup=o.dropoff)
            if o.placed_at > cut
            else o
            for o in day.orders
            if o.placed_at <= cut or o.id[-1] in "02468"
        ),
        shifts=tuple(s for s in day.shifts if s.start_at <= cut),
    )
    assert other.orders != day.orders
    assert other.shifts != day.shifts
    logs = [
        Environment(each, rolling(each, period_s=300.0), AlwaysAccept()).run()
        for each in (day, other)
    ]
    before = [[e for e in log.events if e.at_s <= cut.timestamp()] for log in logs]
    assert len(before[0]) > 100
    assert list(map(repr, before[0])) == list(map(repr, before[1]))
    assert len(logs[0].events) != len(logs[1].events)
