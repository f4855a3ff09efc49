"""Policies for each decision point: when, whom, commitment, where to, and the bias."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from dispatch import DispatchConfig, Dispatcher
from dispatch.config import BundleRules
from dispatch.domain import PastWork, Snapshot
from dispatch.simulation import (
    AlwaysAccept,
    Answer,
    BackToPickups,
    Commitment,
    Constant,
    Day,
    DayRules,
    Environment,
    Every,
    Everyone,
    Kind,
    OnEvents,
    Policy,
    Question,
    RollingHorizon,
    UrgentFirst,
)
from dispatch.simulation.bias import BiasedHorizon, orders_per_hour


@pytest.fixture
def fork(street: Any) -> Snapshot:
    """One ready order at 5; left at 0 is a minute nearer than right at 11."""
    couriers = [street.shift("left", 0, 99, 0).courier, street.shift("right", 0, 99, 11).courier]
    return Snapshot(
        now=street.at(10), orders=(street.order("a", 8, 8, 5, 5.5),), couriers=tuple(couriers)
    )


def dispatcher(street: Any, **objective: float) -> Dispatcher:
    config = DispatchConfig()
    config = replace(config, objective=replace(config.objective, **objective))
    return Dispatcher(Constant(), config, street.travel)


def test_a_bonus_makes_the_plan_prefer_a_courier_and_is_listed(fork: Snapshot, street: Any) -> None:
    decide = dispatcher(street, fairness=0.0)
    assert decide.assign(fork).offers[0].courier_id == "left"
    assert "courier_bonus" not in decide.assign(fork).solver.weights
    # a minute to the door is worth 0.02
    for worth, chosen in ((0.019, "left"), (0.021, "right")):
        plan = decide.assign(fork, courier_bonus={"right": worth})
        assert plan.offers[0].courier_id == chosen
        assert plan.solver.weights["courier_bonus"] == 1.0
        assert plan.offers[0].probability == decide.assign(fork).offers[0].probability


def test_a_bonus_counts_for_bundles_as_well(fork: Snapshot, street: Any) -> None:
    two = replace(fork, orders=(*fork.orders, street.order("b", 8, 8, 5, 5.6)))
    decide = Dispatcher(
        Constant(), DispatchConfig(bundles=BundleRules(enabled=True)), street.travel
    )
    for name in ("left", "right"):
        plan = decide.assign(two, courier_bonus={name: 3.0})
        assert [o.courier_id for o in plan.offers] == [name]
        assert len(plan.offers[0].order_ids) == 2


@pytest.mark.parametrize(("fairness", "second"), [(0.0, "left"), (1.0, "right")])
def test_the_fairness_term_looks_at_the_day_so_far(
    street: Any, fairness: float, second: str
) -> None:
    """left is at the door of the first order, 5 minutes nearer to the second than right is.

    Each order is alone in its epoch, so a term on one epoch's work would always choose left.
    """
    day = street.day(
        (street.order("a", 0, 0, 5, 5.5), street.order("b", 60, 60, 5, 5.5)),
        (street.shift("left", 0, 120, 0), street.shift("right", 0, 120, 11)),
    )
    horizon = RollingHorizon(dispatcher(street, fairness=fairness), Commitment(late=False))
    log = Environment(day, Policy(horizon), AlwaysAccept()).run()
    taken = [e.courier_id for e in log.events if e.kind is Kind.ACCEPTED]
    assert taken == ["left", second]


def test_biases_rise_for_those_below_the_mean_and_fall_above(fork: Snapshot, street: Any) -> None:
    worked = PastWork(orders=3, online_s=3600.0)
    idle = PastWork(orders=1, online_s=3600.0)
    left, right = fork.couriers
    seen = replace(fork, couriers=(replace(left, past_work=worked), replace(right, past_work=idle)))
    assert orders_per_hour(seen).tolist() == [3, 1]
    horizon = RollingHorizon(dispatcher(street, fairness=0.0), Commitment(late=False))
    policy = BiasedHorizon(horizon, step=0.006)
    chosen = [policy.decide(seen, 0.0).proposals[0].courier_id for _ in range(3)]
    assert policy.bias == pytest.approx({"left": -0.018, "right": 0.018})
    # the way is worth 0.02: a gap of 0.012 is too little, 0.024 enough
    assert chosen == ["left", "right", "right"]


def test_events_bring_decisions_on_multiples_of_the_gap(
    tiny_day: Day, rolling: Callable[..., Policy]
) -> None:
    policy = rolling(tiny_day, commitment=Commitment(late=False))
    policy = replace(policy, when=OnEvents(gap_s=90, period_s=3600))
    log = Environment(tiny_day, policy, AlwaysAccept()).run()
    start_s = tiny_day.start_at.timestamp()
    offered = {e.order_id: (e.at_s - start_s) / 60 for e in log.events if e.kind is Kind.OFFERED}
    # placed at 5, 6 and 30
    assert offered == pytest.approx({"a": 6, "b": 6, "c": 30})


def test_answers_given_at_once_wait_for_the_next_multiple_of_the_gap(
    tiny_day: Day, rolling: Callable[..., Policy]
) -> None:
    class Never(AlwaysAccept):
        def answer(self, question: Question, rng: np.random.Generator) -> Answer:  # noqa: ARG002
            return Answer(accepted=False)

    policy = rolling(tiny_day, commitment=Commitment(late=False))
    policy = replace(policy, when=OnEvents(gap_s=90, period_s=3600))
    log = Environment(tiny_day, policy, Never()).run()
    start_s = tiny_day.start_at.timestamp()
    offered = [(e.at_s - start_s) / 60 for e in log.events if e.kind is Kind.OFFERED]
    # both refuse a and b, at 6 and at 7.5, and c, at 30 and at 31.5
    assert offered == pytest.approx([6, 6, 7.5, 7.5, 30, 31.5])


def test_urgency_raises_priority_with_the_wait_to_ten_at_most(fork: Snapshot) -> None:
    urgent = UrgentFirst(step_s=60)
    assert urgent.consider(fork).orders[0].priority == 3
    later = replace(fork, now=fork.now + timedelta(hours=1))
    assert urgent.consider(later).orders[0].priority == 10
    assert UrgentFirst(step_s=600).consider(fork).orders == fork.orders


def test_urgent_orders_come_first_where_couriers_are_short(street: Any) -> None:
    """x carries one order at a time: old has waited 20 minutes, new is late unless taken now."""
    new = replace(street.order("new", 20, 20, 0, 2), due_at=street.at(24))
    day = street.day(
        (street.order("old", 0, 0, 3, 5), new),
        (street.shift("x", 20, 120, 0, orders=1),),
    )
    for whom, first in ((Everyone(), "new"), (UrgentFirst(step_s=600), "old")):
        horizon = RollingHorizon(dispatcher(street), Commitment(late=False))
        log = Environment(day, Policy(horizon, whom=whom), AlwaysAccept()).run()
        taken = [e.order_id for e in log.events if e.kind is Kind.ACCEPTED]
        assert taken == [first, *{"old", "new"} - {first}]


def test_a_refused_order_is_offered_again_to_somebody_who_has_not_refused(street: Any) -> None:
    """x, y and z stand 0, 1 and 2 minutes from the pickup; only z wants it, after both refused.

    Blocked for 3 minutes, x is asked again when nobody else is left to ask.
    """

    class Refusing(AlwaysAccept):
        def answer(self, question: Question, rng: np.random.Generator) -> Answer:  # noqa: ARG002
            return Answer(accepted=question.courier.id == "z", delay_s=30)

    shifts = tuple(street.shift(name, 0, 120, k) for k, name in enumerate("xyz"))
    day = street.day((street.order("a", 0, 0, 0, 4),), shifts, rules=DayRules(block_s=180))

    def asked(day: Day) -> list[str]:
        policy = Policy(RollingHorizon(dispatcher(street), Commitment(late=False)), Every(60))
        log = Environment(day, policy, Refusing()).run()
        return [e.courier_id for e in log.events if e.kind is Kind.OFFERED]

    assert asked(day) == ["x", "y", "z"]
    two = replace(day, shifts=shifts[:2])
    # asked at 0 and 1, refused at 0.5 and 1.5; free to be asked again from 3.5 and 4.5 on
    assert asked(two)[:4] == ["x", "y", "x", "y"]


@pytest.mark.parametrize(
    ("pickup", "one_visit", "doors"),
    [(2, False, [9, 12]), (1, True, [7, 10])],
    ids=["across restaurants", "of one restaurant"],
)
def test_bundles_are_offered_and_ridden_as_one_trip(
    street: Any, pickup: float, one_visit: bool, doors: list[float]
) -> None:
    """a goes from 1 to 5, b from 2 or 1 to 4; one after the other b's door would be at 17.

    Up a at 2, up b at 5, down b 7 + 2, down a 10 + 2; or both up at 2, down b 6 + 1, down a 9 + 1.
    """
    day = street.day(
        (street.order("a", 0, 0, 1, 5), street.order("b", 0, 0, pickup, 4)),
        (street.shift("x", 0, 120, 0),),
        rules=DayRules(one_visit_per_place=one_visit),
    )
    rules = BundleRules(enabled=True, one_visit_per_place=one_visit)
    horizon = RollingHorizon(
        Dispatcher(Constant(), DispatchConfig(bundles=rules), street.travel), Commitment(late=False)
    )
    log = Environment(day, Policy(horizon), AlwaysAccept()).run()
    offers = {e.offer_id for e in log.events if e.kind is Kind.OFFERED}
    assert len(offers) == 1
    at = {
        e.order_id: e.at_s - log.day.start_at.timestamp()
        for e in log.events
        if e.kind is Kind.DELIVERED
    }
    assert [at["b"] / 60, at["a"] / 60] == pytest.approx(doors)


def test_idle_couriers_go_back_to_where_orders_were(fork: Snapshot, street: Any) -> None:
    policy = BackToPickups(near_m=300)
    assert dict(policy.moves(fork)) == {"left": street.place(5), "right": street.place(5)}
    elsewhere = replace(fork, orders=())
    assert dict(policy.moves(elsewhere)) == {"left": street.place(5), "right": street.place(5)}
    near = replace(fork.couriers[0], position=street.place(4))
    assert not policy.moves(replace(elsewhere, couriers=(near,)))
    assert not BackToPickups().moves(elsewhere)


def test_a_courier_sent_somewhere_starts_the_next_job_from_there(
    street: Any, rolling: Callable[..., Policy]
) -> None:
    """After a's door at 20, x rides back to 1 and takes b there, ready at 60, without a ride."""
    day = street.day(
        (street.order("a", 0, 0, 1, 20), street.order("b", 55, 60, 1, 3)),
        (street.shift("x", 0, 120, 0),),
    )
    policy = replace(rolling(day), reposition=BackToPickups(near_m=300))
    log = Environment(day, policy, AlwaysAccept()).run()
    moved = [e for e in log.events if e.kind is Kind.MOVED]
    assert [e.courier_id for e in moved] == ["x"]
    picked = {e.order_id: e for e in log.events if e.kind is Kind.PICKED_UP}
    assert (picked["b"].at_s - day.start_at.timestamp()) / 60 == pytest.approx(60)


def test_backups_are_the_cheapest_couriers_without_an_offer(fork: Snapshot, street: Any) -> None:
    horizon = RollingHorizon(dispatcher(street), Commitment(late=False), backups=2)
    (proposal,) = horizon.decide(fork, 0.0).proposals
    assert (proposal.courier_id, proposal.backups) == ("left", ("right",))


def test_a_margin_for_answers_makes_offers_earlier(
    tiny_day: Day, rolling: Callable[..., Policy]
) -> None:
    for margin_s, minute in ((0.0, 12), (120.0, 10)):
        policy = rolling(tiny_day, commitment=Commitment(margin_s=margin_s))
        log = Environment(tiny_day, policy, AlwaysAccept()).run()
        (offered,) = [e for e in log.events if e.kind is Kind.OFFERED and e.order_id == "a"]
        assert (offered.at_s - tiny_day.start_at.timestamp()) / 60 == pytest.approx(minute)


def test_what_is_held_says_until_when(fork: Snapshot, street: Any) -> None:
    order = street.order("a", 8, 40, 5, 5.5)
    later = replace(fork, orders=(order,), couriers=fork.couriers[:1])
    horizon = RollingHorizon(dispatcher(street))
    decision = horizon.decide(later, Every(60).next(fork.now.timestamp()))
    assert not decision.proposals
    (held,) = decision.held
    assert held.order_id == "a"
    # 5 minutes to ride and 1 of service before it changes hands at 40
    assert held.reason == "courier left would still be in time if told by 10:34:00"
