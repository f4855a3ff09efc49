"""The strict checker finds every rule broken, one planted at a time, and nothing in a good day."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dispatch.datasets.grubhub import GrubhubInstance
from dispatch.simulation.grubhub import GrubhubRun, Rule, check_run

Plant = Callable[[GrubhubRun], GrubhubRun]


def edited(table: str, row: int, **changes: Any) -> Plant:
    """Change one row of one of the three tables."""

    def plant(run: GrubhubRun) -> GrubhubRun:
        rows = list(getattr(run, table))
        rows[row] = replace(rows[row], **changes)
        return replace(run, **{table: tuple(rows)})

    return plant


def without(table: str, row: int) -> Plant:
    def plant(run: GrubhubRun) -> GrubhubRun:
        rows = getattr(run, table)
        return replace(run, **{table: rows[:row] + rows[row + 1 :]})

    return plant


def both(*plants: Plant) -> Plant:
    def plant(run: GrubhubRun) -> GrubhubRun:
        for one in plants:
            run = one(run)
        return run

    return plant


def later(minutes: float) -> Plant:
    """Put off the first dropoff, and what follows, by some minutes."""
    return both(
        edited("deliveries", 0, dropoff_min=19 + minutes),
        edited("deliveries", 1, dropoff_min=25 + minutes),
        edited("deliveries", 2, pickup_min=34 + minutes, dropoff_min=40 + minutes),
        edited("assignments", 1, pickup_min=34 + minutes),
        *(
            edited("departures", k, departure_min=at + minutes)
            for k, at in ((2, 21), (3, 27), (4, 36))
        ),
    )


PLANTED: dict[str, tuple[Plant, Rule, tuple[str, ...]]] = {
    "an order nobody knows": (
        edited("deliveries", 0, order="o9"),
        Rule.UNKNOWN,
        ("o9",),
    ),
    "an order assigned twice": (
        edited("assignments", 1, orders=("o3", "o1")),
        Rule.TWICE,
        ("o1",),
    ),
    "delivered without being assigned": (
        edited("assignments", 0, orders=("o1",)),
        Rule.ACCOUNTS,
        ("o2",),
    ),
    "assigned and never delivered": (without("deliveries", 2), Rule.ACCOUNTS, ("o3",)),
    "delivered by somebody else": (
        edited("deliveries", 2, courier="c2"),
        Rule.ACCOUNTS,
        ("o3", "c2", "c1"),
    ),
    "an order's own pickup time": (
        edited("deliveries", 0, pickup_min=11),
        Rule.ACCOUNTS,
        ("o1",),
    ),
    "a ready time changed": (edited("deliveries", 0, ready_min=9), Rule.ACCOUNTS, ("o1",)),
    "two restaurants in a bundle": (
        both(
            edited("assignments", 0, orders=("o1", "o2", "o3")),
            without("assignments", 1),
        ),
        Rule.ONE_RESTAURANT,
        ("o1", "o2", "o3"),
    ),
    "assigned before it is placed": (
        edited("assignments", 0, assigned_min=1),
        Rule.PLACED_FIRST,
        ("o2",),
    ),
    "assigned after pickup": (
        edited("assignments", 1, assigned_min=35),
        Rule.NOT_AFTER_PICKUP,
        ("o3",),
    ),
    "gone before the shift": (
        edited("departures", 0, departure_min=-1),
        Rule.ON_SHIFT,
        ("c1", "o1", "o2"),
    ),
    "picked up after the shift": (
        later(7),
        Rule.PICKUP_BY_OFF_TIME,
        ("c1", "o3"),
    ),
    "picked up before it is ready": (
        both(
            edited("assignments", 0, pickup_min=11),
            edited("deliveries", 0, pickup_min=11),
            edited("deliveries", 1, pickup_min=11),
        ),
        Rule.READY_FIRST,
        ("o2",),
    ),
    "half the pickup service skipped on arrival": (
        both(
            edited("assignments", 1, pickup_min=32),
            edited("deliveries", 2, pickup_min=32),
        ),
        Rule.PICKUP_SERVICE,
        ("c1", "o3"),
    ),
    "half the pickup service skipped on leaving": (
        both(
            edited("departures", 1, departure_min=12),
            edited("deliveries", 0, dropoff_min=17),
        ),
        Rule.LEAVE_PICKUP,
        ("c1", "o1"),
    ),
    "half the dropoff service skipped on arrival": (
        edited("deliveries", 2, dropoff_min=38),
        Rule.DROPOFF_SERVICE,
        ("c1", "o3"),
    ),
    "a dropoff put off": (later(1), Rule.DROPOFF_LATE, ("c1", "o1")),
    "half the dropoff service skipped on leaving": (
        both(
            edited("departures", 2, departure_min=19),
            edited("deliveries", 1, dropoff_min=23),
        ),
        Rule.LEAVE_DROPOFF,
        ("c1", "o2"),
    ),
    "the next job begun before the last is done": (
        edited("departures", 3, departure_min=25),
        Rule.LEAVE_DROPOFF,
        ("c1", "o3"),
    ),
    "a ride to the restaurant before being told": (
        edited("assignments", 1, assigned_min=30),
        Rule.ASSIGNED_FIRST,
        ("c1", "o3"),
    ),
    "a stop that is not part of the job": (
        edited("departures", 1, destination="r2"),
        Rule.NO_DIVERSION,
        ("c1",),
    ),
    "a place left that was never reached": (
        edited("departures", 3, origin="o1"),
        Rule.NO_DIVERSION,
        ("c1",),
    ),
    "a ride left out": (without("departures", 4), Rule.NO_DIVERSION, ("c1",)),
    "a ride of somebody without a job": (
        edited("departures", 4, courier="c2"),
        Rule.NO_DIVERSION,
        ("c2",),
    ),
}


def test_a_day_that_keeps_every_rule_passes(good: GrubhubRun, tiny: GrubhubInstance) -> None:
    assert check_run(good, tiny) == []


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(name: str, good: GrubhubRun, tiny: GrubhubInstance) -> None:
    plant, rule, who = PLANTED[name]
    found = check_run(plant(good), tiny)
    assert (rule, who) in [(violation.rule, violation.who) for violation in found]


def test_every_rule_is_planted_somewhere() -> None:
    assert {rule for _, rule, _ in PLANTED.values()} == set(Rule)


def test_a_violation_says_who_and_what(good: GrubhubRun, tiny: GrubhubInstance) -> None:
    run = edited("departures", 4, destination="o1")(good)
    (found,) = check_run(run, tiny)
    assert str(found).startswith("c1: departures are not those of the assignments")
    assert "r2 to o1, expected r2 to o3" in str(found)
