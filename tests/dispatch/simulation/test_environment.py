"""The environment: a day worked out on paper, no sight ahead, the same seed the same day."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from dispatch import DispatchConfig, Dispatcher
from dispatch.config import CandidateRules
from dispatch.datasets import SyntheticCity, synthetic_day
from dispatch.domain import Location, Snapshot, StopKind
from dispatch.errors import InvalidInputError
from dispatch.simulation import (
    AlwaysAccept,
    BackToPickups,
    Commitment,
    Constant,
    Day,
    DayLog,
    Decision,
    Environment,
    Every,
    Kind,
    OnEvents,
    Outcome,
    Policy,
    Proposal,
    RollingHorizon,
)
from dispatch.simulation.logit import LogitBehaviour
from dispatch.simulation.rolling import commit
from dispatch.simulation.spec import POLICIES
from dispatch.snapshot import Intake
from dispatch.validate import validate


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


class Told:
    """Passes on what a policy is told, and remembers it."""

    def __init__(self, policy: Policy) -> None:
        self._assign, self._whom, self._reposition = policy.assign, policy.whom, policy.reposition
        self.what: list[tuple[float, str]] = []

    def consider(self, snapshot: Snapshot) -> Snapshot:
        self.what.append((snapshot.now.timestamp(), repr(snapshot)))
        return self._whom.consider(snapshot)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        self.what += [(outcome.answered_s, repr(outcome)) for outcome in outcomes]
        self._assign.observe(outcomes)

    def decide(self, snapshot: Snapshot, next_epoch_s: float) -> Decision:
        self.what.append((snapshot.now.timestamp(), repr(next_epoch_s)))
        return self._assign.decide(snapshot, next_epoch_s)

    def moves(self, snapshot: Snapshot) -> Sequence[tuple[str, Location]]:
        self.what.append((snapshot.now.timestamp(), repr(snapshot)))
        return self._reposition.moves(snapshot)


class Rash:
    """Offers whatever waits to whoever is there, by lot."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(8)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        pass

    def decide(self, snapshot: Snapshot, _: float) -> Decision:
        waiting = [o.id for o in snapshot.orders if not self._on_offer(o.id, snapshot)]
        names = [c.id for c in snapshot.couriers]
        if not names:
            return Decision()
        return Decision(
            tuple(
                Proposal(
                    str(self._rng.choice(names)), ((StopKind.PICKUP, n), (StopKind.DROPOFF, n))
                )
                for n in waiting
                if self._rng.random() < 0.3
            )
        )

    @staticmethod
    def _on_offer(order: str, snapshot: Snapshot) -> bool:
        return any(order in p.order_ids for c in snapshot.couriers for p in c.pending_offers)


def _rash(_: Day) -> Policy:
    return Policy(Rash(), OnEvents(gap_s=120.0), reposition=BackToPickups())


@pytest.mark.parametrize(
    "make",
    [_rash, *(replace(POLICIES[name], period_s=600.0).make for name in ("default", "bias"))],
    ids=["by lot", "default", "bias"],
)
def test_no_policy_sees_ahead(make: Callable[[Day], Policy]) -> None:
    """What a policy is told by a moment says nothing about what comes after it.

    The afternoon of one day is another: orders and shifts are gone, new ones are there, and what
    stays is ready at another time elsewhere. A policy is handed snapshots, outcomes, the next epoch
    and the kinds of events; by the cut these are the same whatever it does with them, so nothing
    it could compute tells the two days apart. Nor does anything happen differently before the cut.
    """
    day = synthetic_day(SyntheticCity(seed=3, orders_per_day=60, n_couriers=9))
    cut = day.start_at + timedelta(hours=13)
    stranger = replace(day.orders[0], id="stranger", placed_at=cut + timedelta(minutes=1))
    other = replace(
        day,
        orders=(
            stranger,
            *(
                replace(o, ready_at=o.ready_at + timedelta(minutes=9), pickup=o.dropoff)
                if o.placed_at > cut
                else o
                for o in day.orders
                if o.placed_at <= cut or o.id[-1] in "02468"
            ),
        ),
        shifts=tuple(s for s in day.shifts if s.start_at <= cut),
    )
    assert other.shifts != day.shifts
    told, happened = [], []
    for each in (day, other):
        policy = make(each)
        ear = Told(policy)
        policy = replace(policy, assign=ear, whom=ear, reposition=ear)
        log = Environment(each, policy, LogitBehaviour(patience_s=3600), seed=2).run()
        told.append([what for at_s, what in ear.what if at_s <= cut.timestamp()])
        happened.append([repr(e) for e in log.events if e.at_s <= cut.timestamp()])
        assert any(e.kind is Kind.ACCEPTED and e.at_s > cut.timestamp() for e in log.events)
    assert len(told[0]) > 30
    assert len(happened[0]) > 100
    assert told[0] == told[1]
    assert happened[0] == happened[1]


class Watching(RollingHorizon):
    """A rolling horizon that checks every snapshot and remembers what its plans promised."""

    promised: dict[tuple[str, str], float]

    def decide(self, snapshot: Snapshot, next_epoch_s: float) -> Decision:
        validate(snapshot)
        plan = self.dispatcher.assign(Intake(snapshot))
        for route in plan.routes:
            for stop in route.stops:
                if not stop.accepted:
                    self.promised[stop.order_id, stop.kind.value] = stop.at.timestamp()
        return commit(plan, snapshot, next_epoch_s, self.commitment)


def watching(day: Day, *, late: bool) -> Watching:
    config = DispatchConfig(candidates=CandidateRules(shift_covers=day.rules.shift_covers))
    policy = Watching(Dispatcher(Constant(), config, day.travel), Commitment(late=late))
    policy.promised = {}
    return policy


SMALL = SyntheticCity(seed=4, orders_per_day=60, n_couriers=12)


@pytest.mark.parametrize("late", [False, True])
def test_everybody_accepting_couriers_are_at_every_stop_when_the_last_plan_said(
    late: bool,
) -> None:
    """What snapshots show of couriers is exact: riding, waiting, on board, done at the door."""
    day = synthetic_day(SMALL, 1)
    policy = watching(day, late=late)
    log = Environment(day, Policy(policy, Every(120)), AlwaysAccept()).run()
    moved = {Kind.PICKED_UP: "pickup", Kind.DELIVERED: "dropoff"}
    happened = {(e.order_id, moved[e.kind]): e.at_s for e in log.events if e.kind in moved}
    assert len(happened) > 80
    wrong = {k: (policy.promised[k] - s) for k, s in happened.items()}
    assert max(map(abs, wrong.values())) < 0.01


def test_every_snapshot_is_sound_with_couriers_who_choose_and_leave() -> None:
    day = synthetic_day(SMALL, 2)
    policy = watching(day, late=True)
    behaviour = LogitBehaviour(intercept=0.5, patience_s=1800)
    log = Environment(day, Policy(policy, Every(300)), behaviour).run()
    kinds = {e.kind for e in log.events}
    assert {Kind.REFUSED, Kind.IGNORED, Kind.ACCEPTED, Kind.DROPPED_OUT} <= kinds


def test_the_same_offer_gets_the_same_answer_under_two_policies() -> None:
    """Common random numbers: who accepts a near-certain offer does so whatever was asked before."""
    day = synthetic_day(SMALL, 2)
    law = LogitBehaviour(
        inbound_per_min=0, outbound_per_min=0, wait_per_min=0, shift_end=0, intercept=0.5
    )
    answers: list[dict[tuple[str, str], Kind]] = []
    for late in (False, True):
        policy = Policy(watching(day, late=late), Every(300))
        log = Environment(day, policy, law, seed=5).run()
        ends = (Kind.ACCEPTED, Kind.REFUSED, Kind.IGNORED)
        answers.append({(e.order_id, e.courier_id): e.kind for e in log.events if e.kind in ends})
    shared = answers[0].keys() & answers[1].keys()
    assert len(shared) > 15
    assert len({answers[0][pair] for pair in shared}) == 3
    assert all(answers[0][pair] == answers[1][pair] for pair in shared)


def test_a_day_refuses_what_makes_no_sense(tiny_day: Day) -> None:
    twice = replace(tiny_day.orders[0], placed_at=tiny_day.start_at - timedelta(minutes=1))
    shift = tiny_day.shifts[0]
    endless = replace(shift, courier=replace(shift.courier, shift_end=None))
    with pytest.raises(InvalidInputError) as caught:
        replace(tiny_day, orders=(*tiny_day.orders, twice), shifts=(*tiny_day.shifts, endless))
    said = str(caught.value)
    for part in ("used by more than one order", "before the day's", "more than one shift", "end"):
        assert part in said
