"""The environment: a day lived through, event by event, under a policy and a behaviour.

Orders exist for the policy from their placement on, couriers from log-on to log-off; all it sees
is snapshots, and all it can do is offer, hold and send idle couriers somewhere.
"""

import math
import time
from dataclasses import dataclass
from functools import partial

from dispatch.domain import Snapshot
from dispatch.fairness import Books
from dispatch.simulation.behaviour import Behaviour, Draws
from dispatch.simulation.day import Day, moment
from dispatch.simulation.events import Event, Kind, Rank
from dispatch.simulation.offers import OfferDesk
from dispatch.simulation.policy import Policy
from dispatch.simulation.reposition import Stay
from dispatch.simulation.state import Fate, show_courier
from dispatch.simulation.world import Progress, World

_TICK_S = 1e-3


@dataclass(frozen=True, slots=True)
class Timing:
    """One decision: when, about how much, and what it took; `cpu_s` is of the deciding thread."""

    at_s: float
    orders: int
    couriers: int
    cpu_s: float
    wall_s: float


@dataclass(frozen=True, slots=True, eq=False)
class DayLog:
    """A day that was lived through: what happened, the books at its end, what deciding took."""

    day: Day
    events: tuple[Event, ...]
    account: Books
    timings: tuple[Timing, ...]


class Environment:
    """A day under a policy, lived through once.

    Parameters
    ----------
    day
        What happens by itself.
    policy
        What is decided.
    behaviour
        How couriers answer and how long they stay.
    seed
        Of the couriers' draws; two policies under one seed meet the same couriers.
    progress
        Told how far the day is.
    """

    def __init__(
        self,
        day: Day,
        policy: Policy,
        behaviour: Behaviour,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> None:
        draws = Draws(seed)
        self._day, self._policy = day, policy
        self._world = World(day, behaviour, draws, progress)
        self._world.listener = self._hear
        self._desk = OfferDesk(self._world, behaviour, draws)
        self._timings: list[Timing] = []
        self._epochs: set[float] = set()
        self._decided_s = -math.inf
        self._next_s = policy.when.first(self._world.now_s)
        self._plan_epoch(self._next_s)

    def run(self) -> DayLog:
        """Live through the day to its end.

        Raises
        ------
        PolicyError
            The policy proposed what cannot be done.
        """
        world = self._world
        while (entry := world.agenda.pop()) is not None:
            world.now_s, action = entry
            action()
        account = world.ledger.account(world.now_s)
        return DayLog(self._day, tuple(world.events), account, tuple(self._timings))

    def snapshot(self) -> Snapshot:
        """Show what a platform would know now: open orders and the couriers logged on."""
        world, day = self._world, self._day
        now_s, rules = world.now_s, day.rules
        return Snapshot(
            now=moment(now_s),
            orders=tuple(order.shown(now_s, rules.block_s) for order in world.open.values()),
            couriers=tuple(
                show_courier(state, world.ledger, now_s, rules)
                for state in world.online.values()
                if not state.leaving
            ),
            city_id=day.city_id,
            timezone=day.timezone,
            currency=day.currency,
            skills=day.skills,
            weather=day.weather_at(now_s),
        )

    def _hear(self, kind: Kind) -> None:
        now_s = self._world.now_s
        if now_s == self._decided_s:  # what comes of a decision is for a later one
            now_s += _TICK_S
        at_s = self._policy.when.after(kind, now_s)
        if at_s is not None:
            self._plan_epoch(max(at_s, now_s))

    def _plan_epoch(self, at_s: float) -> None:
        if at_s not in self._epochs:
            self._epochs.add(at_s)
            self._world.agenda.add(at_s, Rank.DECIDE, partial(self._epoch, at_s))

    def _epoch(self, at_s: float) -> None:
        self._epochs.discard(at_s)
        self._decided_s = at_s
        if self._world.over:
            return
        if at_s == self._next_s:
            self._next_s = self._policy.when.next(at_s)
            self._plan_epoch(self._next_s)
        self._decide()

    def _decide(self) -> None:
        world, policy = self._world, self._policy
        waiting = sum(order.fate is Fate.WAITING for order in world.open.values())
        if not waiting and isinstance(policy.reposition, Stay):
            return
        cpu_s, wall_s = time.thread_time(), time.perf_counter()
        snapshot = policy.whom.consider(self.snapshot())
        policy.assign.observe(self._desk.outcomes())
        decision = policy.assign.decide(snapshot, self._next_s)
        moves = policy.reposition.moves(snapshot)
        self._timings.append(
            Timing(
                at_s=world.now_s,
                orders=waiting,
                couriers=len(snapshot.couriers),
                cpu_s=time.thread_time() - cpu_s,
                wall_s=time.perf_counter() - wall_s,
            )
        )
        world.log(Kind.DECIDED, value=float(waiting))
        for held in decision.held:
            world.log(Kind.HELD, held.order_id, note=held.reason)
        for proposal in decision.proposals:
            self._desk.offer(proposal)
        for name, place in moves:
            state = world.online.get(name)
            if state is not None and state.idle and not state.leaving:
                world.move(state, place)
