"""Offers: joint trips, refusals that block, silence, backups, shifts, and couriers who leave."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from dispatch.domain import Courier, Snapshot, StopKind
from dispatch.simulation import (
    AlwaysAccept,
    Answer,
    Day,
    DayLog,
    DayRules,
    Decision,
    Environment,
    Every,
    Kind,
    Outcome,
    Policy,
    PolicyError,
    Proposal,
    Question,
)
from dispatch.validate import validate

UP, DOWN = StopKind.PICKUP, StopKind.DROPOFF


@dataclass
class Scripted:
    """Offers what a script says at a minute; remembers what it saw."""

    script: dict[int, tuple[Proposal, ...]]
    start_s: float
    seen: list[Snapshot] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes

    def decide(self, snapshot: Snapshot, _: float) -> Decision:
        validate(snapshot)
        self.seen.append(snapshot)
        minute = round((snapshot.now.timestamp() - self.start_s) / 60)
        return Decision(self.script.get(minute, ()))


@dataclass
class Answering:
    """Answers by courier: accepted or not, after so many seconds."""

    answers: dict[str, Answer]
    patience_by_courier: dict[str, float] = field(default_factory=dict)

    def answer(self, question: Question, _: np.random.Generator) -> Answer:
        return self.answers[question.courier.id]

    def patience(self, courier: Courier, _: np.random.Generator) -> float:
        return self.patience_by_courier.get(courier.id, float("inf"))


def alone(order: str, courier: str, **more: Any) -> Proposal:
    return Proposal(courier, ((UP, order), (DOWN, order)), **more)


def live(
    day: Day, script: dict[int, tuple[Proposal, ...]], behaviour: Any = None
) -> tuple[DayLog, Scripted]:
    scripted = Scripted(script, day.start_at.timestamp())
    log = Environment(day, Policy(scripted, Every(60)), behaviour or AlwaysAccept()).run()
    return log, scripted


def story(log: DayLog, *kinds: Kind) -> list[tuple[str, float, str, str]]:
    start_s = log.day.start_at.timestamp()
    return [
        (e.kind.value, round((e.at_s - start_s) / 60, 3), e.order_id, e.courier_id)
        for e in log.events
        if e.kind in kinds
    ]


@pytest.fixture
def pair_day(street: Any) -> Day:
    """Two ready orders, a from 1 to 5 and b from 2 to 4, and two couriers at 0."""
    return street.day(
        (street.order("a", 0, 0, 1, 5), street.order("b", 0, 0, 2, 4)),
        (street.shift("x", 0, 120, 0), street.shift("y", 0, 120, 0)),
    )


def test_offers_of_one_decision_to_one_courier_make_the_trip_that_was_planned(
    pair_day: Day,
) -> None:
    """Up a, up b, down b, down a: 1+1, 2+2, then 7+1 and 10+1; one after the other b's door is
    at 17."""
    route = ((UP, "a"), (UP, "b"), (DOWN, "b"), (DOWN, "a"))
    script = {0: (alone("a", "x", route=route), alone("b", "x", route=route))}
    log, _ = live(pair_day, script)
    assert story(log, Kind.PICKED_UP, Kind.DELIVERED) == [
        ("picked_up", 2, "a", "x"),
        ("picked_up", 5, "b", "x"),
        ("delivered", 9, "b", "x"),
        ("delivered", 12, "a", "x"),
    ]


def test_the_trip_that_was_planned_is_made_after_stops_on_board(street: Any) -> None:
    """Two offers planned together are ridden together, though an order's door comes before them.

    c, from 1 to 3, is told at once: up 1 + 1, down 3 + 2 + 1, left at 7. Then a and b, told at 1:
    up a 7 + 2 + 1, up b 11 + 1 + 1, down b 14 + 2 + 1, down a 18 + 1 + 1; one after the other a's
    door comes first."""
    day = street.day(
        (
            street.order("a", 0, 0, 1, 5),
            street.order("b", 0, 0, 2, 4),
            street.order("c", 0, 0, 1, 3),
        ),
        (street.shift("x", 0, 120, 0),),
    )
    route = ((UP, "a"), (UP, "b"), (DOWN, "b"), (DOWN, "a"))
    together = (alone("a", "x", route=route), alone("b", "x", route=route))
    log, _ = live(day, {0: (alone("c", "x"),), 1: together})
    assert [name for _, _, name, _ in story(log, Kind.PICKED_UP)] == ["c", "a", "b"]
    assert story(log, Kind.DELIVERED) == [
        ("delivered", 6, "c", "x"),
        ("delivered", 17, "b", "x"),
        ("delivered", 20, "a", "x"),
    ]


def test_without_a_route_new_stops_come_last(pair_day: Day) -> None:
    log, _ = live(pair_day, {0: (alone("a", "x"), alone("b", "x"))})
    assert story(log, Kind.DELIVERED) == [("delivered", 8, "a", "x"), ("delivered", 17, "b", "x")]


def test_stops_begun_are_never_moved(pair_day: Day) -> None:
    """The second answer comes when the courier rides to a already; the rest may still be moved."""
    route = ((UP, "b"), (UP, "a"), (DOWN, "b"), (DOWN, "a"))

    class Slow(Answering):
        def answer(self, question: Question, _: np.random.Generator) -> Answer:
            return Answer(accepted=True, delay_s=30 if question.orders[0].id == "b" else 0)

    log, _ = live(pair_day, {0: (alone("a", "x"), alone("b", "x", route=route))}, Slow({}))
    picked = story(log, Kind.PICKED_UP)
    assert picked[0] == ("picked_up", 2, "a", "x")
    assert Counter(kind for kind, *_ in story(log, Kind.DELIVERED)) == {"delivered": 2}


def test_a_visit_ridden_to_is_not_taken_apart_by_a_later_answer(street: Any) -> None:
    """Riding to a and b in one visit, ready at 8, when c is accepted: both at 8 all the same."""
    day = street.day(
        (
            street.order("a", 0, 0, 4, 6),
            street.order("b", 0, 8, 4, 7),
            street.order("c", 0, 0, 7, 9),
        ),
        (street.shift("x", 0, 120, 0),),
        rules=DayRules(one_visit_per_place=True),
    )

    class Slow(Answering):
        def answer(self, question: Question, _: np.random.Generator) -> Answer:
            return Answer(accepted=True, delay_s=30 if question.orders[0].id == "c" else 0)

    first = ((UP, "a"), (UP, "b"), (DOWN, "a"), (DOWN, "b"))
    route = (*first, (UP, "c"), (DOWN, "c"))
    script = {0: (Proposal("x", first, route), alone("c", "x", route=route))}
    log, _ = live(day, script, Slow({}))
    picked = {order: minute for _, minute, order, _ in story(log, Kind.PICKED_UP)}
    assert (picked["a"], picked["b"]) == (8, 8)
    assert len(story(log, Kind.DELIVERED)) == 3


def test_the_snapshot_shows_pending_offers_refusals_and_work_on_board(pair_day: Day) -> None:
    behaviour = Answering({"x": Answer(False, 90), "y": Answer(True, 30)})
    script = {0: (alone("a", "x", expires_after_s=120), alone("b", "y"))}
    waits = replace(pair_day.orders[0], id="w")
    day = replace(pair_day, orders=(*pair_day.orders, waits), rules=DayRules(block_s=300))
    log, seen = live(day, script, behaviour)
    snapshot = seen.seen[1]  # minute 1: x has not answered, y rides
    x, y = snapshot.couriers
    assert [o.id for o in snapshot.orders] == ["a", "w"]
    assert [p.order_ids for p in x.pending_offers] == [("a",)]
    assert [(s.kind, s.order_id) for s in y.on_board] == [(UP, "b"), (DOWN, "b")]
    assert y.past_work.acceptances == 1
    refused = seen.seen[2]  # minute 2
    assert refused.orders[0].attempt == 2
    assert [r.courier_id for r in refused.orders[0].refusals] == ["x"]
    assert not refused.couriers[0].pending_offers
    later = seen.seen[7]  # minute 7: refused at 1.5, blocked for 5
    assert not later.orders[0].refusals
    assert later.orders[0].attempt == 2
    assert [(o.order_ids, o.answer, o.answered_s - o.offered_s) for o in seen.outcomes] == [
        (("b",), "accepted", 30),
        (("a",), "refused", 90),
    ]
    assert log.account.offers.tolist() == [1, 1]


def test_who_does_not_answer_in_time_has_ignored_the_offer(pair_day: Day) -> None:
    behaviour = Answering({"x": Answer(True, float("inf")), "y": Answer(True)})
    script = {0: (alone("a", "x", expires_after_s=45, backups=("y",)),)}
    log, _ = live(pair_day, script, behaviour)
    assert story(log, Kind.OFFERED, Kind.IGNORED, Kind.ACCEPTED) == [
        ("offered", 0, "a", "x"),
        ("ignored", 0.75, "a", "x"),
        ("offered", 0.75, "a", "y"),
        ("accepted", 0.75, "a", "y"),
    ]


def test_backups_who_hold_an_offer_or_refused_before_are_skipped(street: Any) -> None:
    day = street.day(
        (street.order("a", 0, 0, 1, 5), street.order("b", 0, 0, 2, 4)),
        tuple(street.shift(name, 0, 120, 0) for name in "wxyz"),
    )
    no, yes = Answer(False), Answer(True)
    behaviour = Answering({"w": no, "x": Answer(True, 60), "y": no, "z": yes})
    script = {
        0: (alone("b", "x"), alone("a", "w", backups=("w", "nobody", "x", "y", "z"))),
    }
    log, _ = live(day, script, behaviour)
    asked = [courier for _, _, order, courier in story(log, Kind.OFFERED) if order == "a"]
    assert asked == ["w", "y", "z"]


def test_work_that_does_not_fit_the_shift_when_the_answer_comes_is_void(street: Any) -> None:
    """Done at 8 if begun at 0: a shift to 9 is long enough, but not after two minutes."""
    day = street.day((street.order("a", 0, 0, 1, 4),), (street.shift("x", 0, 9, 0),))
    log, _ = live(day, {0: (alone("a", "x"),)})
    assert story(log, Kind.DELIVERED) == [("delivered", 7, "a", "x")]
    late = Answering({"x": Answer(True, 120)})
    log, seen = live(day, {0: (alone("a", "x", expires_after_s=300),)}, late)
    assert story(log, Kind.VOID, Kind.DELIVERED) == [("void", 2, "a", "x")]
    assert not seen.seen[-1].orders[0].refusals
    by_pickup = replace(day, rules=DayRules(shift_covers="pickup"))
    log, _ = live(by_pickup, {0: (alone("a", "x", expires_after_s=300),)}, late)
    # the shift ends at 9, the last stop is left at 10
    assert story(log, Kind.DELIVERED, Kind.LOGGED_OFF) == [
        ("delivered", 9, "a", "x"),
        ("logged_off", 10, "", "x"),
    ]


def test_who_has_nothing_to_do_for_too_long_logs_off(street: Any) -> None:
    """x is idle from 0 on and leaves at 5; y works from 2 to 10 and leaves 5 minutes after."""
    day = street.day(
        (street.order("a", 2, 2, 1, 5), street.order("late", 60, 60, 1, 5)),
        (street.shift("x", 0, 120, 0), street.shift("y", 0, 120, 0)),
    )
    behaviour = Answering({"y": Answer(True)}, {"x": 300.0, "y": 300.0})
    log, _ = live(day, {2: (alone("a", "y"),)}, behaviour)
    assert story(log, Kind.FREED, Kind.DROPPED_OUT) == [
        ("dropped_out", 5, "", "x"),
        ("freed", 11, "", "y"),
        ("dropped_out", 16, "", "y"),
    ]
    assert (log.account.online_s / 60).tolist() == pytest.approx([5, 16])


def test_an_order_that_waited_too_long_is_cancelled(pair_day: Day) -> None:
    log, seen = live(replace(pair_day, rules=DayRules(give_up_s=600)), {})
    assert story(log, Kind.CANCELLED) == [("cancelled", 10, "a", ""), ("cancelled", 10, "b", "")]
    assert len(seen.seen) == 10


@pytest.mark.parametrize(
    ("proposal", "message"),
    [
        (alone("a", "nobody"), "not online"),
        (alone("zz", "x"), "not waiting"),
        (Proposal("x", ((DOWN, "a"), (UP, "a"))), "one pickup and then one dropoff"),
        (Proposal("x", ((UP, "a"),)), "one pickup and then one dropoff"),
    ],
)
def test_a_policy_that_asks_for_the_impossible_is_told(
    pair_day: Day, proposal: Proposal, message: str
) -> None:
    with pytest.raises(PolicyError, match=message):
        live(pair_day, {0: (proposal,)})


def test_an_order_on_offer_cannot_be_offered_again(pair_day: Day) -> None:
    script = {0: (alone("a", "x"), alone("a", "y"))}
    with pytest.raises(PolicyError, match="not waiting"):
        live(pair_day, script, Answering({"x": Answer(True, 30), "y": Answer(True)}))
