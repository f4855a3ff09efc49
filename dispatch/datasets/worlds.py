"""Planted worlds A to D: offers logs and epochs of which the true chance of every pair is known.

They are for judging what is claimed of an assignment, so they are drawn with array code alone
(600,000 offers in seconds) and leave out what does not bear on that: shifts, merchants, zones.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from dispatch.datasets.law import PlantedLaw
from dispatch.datasets.ranges import check_ranges, ranged
from dispatch.datasets.synthetic import (
    ANCHOR,
    CLOSE_HOUR,
    FLEET,
    OPEN_HOUR,
    day_start_s,
)
from dispatch.datasets.worlds_tables import (
    History,
    WorldCouriers,
    WorldOrders,
    measure,
    stack,
    take,
)
from dispatch.errors import InvalidInputError, Problem
from dispatch.formulate import NORMAL_ORDER
from dispatch.tables import KIND_CODE, KINDS, Floats, Ints
from dispatch.travel import GreatCircleTravel
from optimization import AssignmentProblem, Weights, acceptance_term, solve

N_DAYS: Final = 28
CHOICES: Final = 8
"""Couriers among whom the policy of the past chose for each offer."""

MAX_ATTEMPTS: Final = 3
RETRY_S: Final = 60.0
OFFERS_PER_DAY: Final = 10
"""Offers that a courier gets on a day of the past."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedWorld:
    """A city whose couriers answer by a planted law, and the policy that made its offers.

    `law` answered the past, `law_in_use` answers now; they differ only where the world drifts.
    Each logged offer went to one of eight couriers at random places, with odds falling by e for
    every `softmax_s` later at the pickup (0: to the first who could be there), but a share
    `explored` of the offers to any of the eight alike.
    """

    name: str
    meaning: str
    law: PlantedLaw
    law_in_use: PlantedLaw
    softmax_s: float = ranged(150.0, 0, 1e6, "this much later makes a courier e times less likely")
    explored: float = ranged(0.1, 0, 1, "share of past offers made at random")
    courier_sd: float = ranged(0.8, 0, 10, "of the hidden effect per courier, in log-odds")
    n_orders: int = ranged(60, 1, 10_000, "waiting orders of an epoch")
    n_couriers: int = ranged(100, 1, 10_000, "couriers online in an epoch")
    radius_m: float = ranged(1_800, 100, 20_000, "sd of where couriers and pickups are")

    def __post_init__(self) -> None:
        check_ranges(self)


_LAW: Final = PlantedLaw(intercept=1.1)

WORLDS: Final[dict[str, PlantedWorld]] = {
    world.name: world
    for world in (
        PlantedWorld(
            name="A",
            meaning="no assignment can help: only who the courier is matters, and all are asked",
            law=replace(_LAW, strength=0.0),
            law_in_use=replace(_LAW, strength=0.0),
            n_couriers=60,
        ),
        PlantedWorld(name="B", meaning="distance and courier matter", law=_LAW, law_in_use=_LAW),
        PlantedWorld(
            name="C",
            meaning="selection: the past policy offered to the nearest only",
            law=_LAW,
            law_in_use=_LAW,
            softmax_s=0.0,
            explored=0.0,
        ),
        PlantedWorld(
            name="D",
            meaning="drift: couriers have become choosier since the log was written",
            law=_LAW,
            law_in_use=replace(_LAW, intercept=0.5, reach_per_min=-0.15),
        ),
    )
}


@dataclass(frozen=True, slots=True, eq=False)
class Epochs:
    """Moments to decide on, every order paired with every courier of its epoch.

    `columns` are the raw columns of the pairs and `truth` their true chance of acceptance, shape
    (k,); `order` and `courier` number orders and couriers through all epochs, shape (k,).
    """

    columns: dict[str, Floats]
    truth: Floats
    order: Ints
    courier: Ints
    n_orders: int
    n_couriers: int

    def assign(self, probability: Floats) -> Ints:
        """Choose the pairs of most expected acceptances, every order once, one to a courier."""
        once, each = np.ones(self.n_couriers, dtype=np.int64), np.ones(len(self.order), np.int64)
        problem = AssignmentProblem.from_pairs(
            self.order,
            self.courier,
            order_size=np.ones(self.n_orders, dtype=np.int64),
            max_orders=once,
            max_size=once,
            leave=np.full(self.n_orders, NORMAL_ORDER),
            terms=(acceptance_term(probability, each, once),),
        )
        return solve(problem, Weights({"acceptance": 1.0})).columns


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """Logged offers with all eight couriers who could have been asked; row after row of eight.

    `columns` and `truth` have shape (8 n,); `asked` (n,) is the place of the one who was asked.
    """

    columns: dict[str, Floats]
    truth: Floats
    asked: Ints


def _eight_of(rows: Ints) -> Ints:
    """Rows of the eight couriers of each offer, row after row."""
    return np.asarray((CHOICES * rows[:, None] + np.arange(CHOICES)).ravel())


class DrawnWorld:
    """One draw of a world: its couriers, its log, and epochs of the day after.

    Attributes
    ----------
    log
        `n_offers` offers as `dispatch.datasets.read_offers` gives them, in time order; who refuses
        an order leaves it to somebody else a minute later, twice at most.
    truth
        True chance of acceptance of each of them, shape (n,).

    Raises
    ------
    InvalidInputError
        If `n_offers` is not in [200, 10,000,000].
    """

    def __init__(self, world: PlantedWorld, n_offers: int, seed: int) -> None:
        if not 200 <= n_offers <= 10_000_000:
            message = f"expected n_offers in [200, 10000000], got {n_offers!r}"
            raise InvalidInputError("planted world", [Problem("n_offers", message)])
        self._world, self._seed = world, seed
        rng = np.random.default_rng([seed, n_offers])
        m = max(n_offers // (OFFERS_PER_DAY * N_DAYS), world.n_couriers + 20)
        share = np.array([share for share, _ in FLEET.values()])
        codes = np.array([KIND_CODE[kind] for kind in FLEET], dtype=np.int64)
        self._kind = codes[rng.choice(len(share), m, p=share)]
        self._effect = rng.normal(0, world.courier_sd, m)
        self._make_offers(rng, n_offers)

    def epochs(self, count: int) -> Epochs:
        """Draw epochs, every order paired with every courier online, answered by the law in use."""
        world, rng = self._world, np.random.default_rng([self._seed, count, 1])
        n, m = world.n_orders, world.n_couriers
        day = int((self._offered.now_s[-1] - day_start_s(0)) // 86_400) + 1
        now_s = np.repeat(day_start_s(day) + rng.uniform(11, 22, count) * 3600, n)
        orders = WorldOrders.draw(rng, now_s, world.radius_m)
        online = np.argsort(rng.uniform(size=(count, len(self._effect))), axis=1)[:, :m]
        couriers = self._look_at(rng, online.ravel())
        order = np.repeat(np.arange(count * n), m)
        courier = (m * np.repeat(np.arange(count), n)[:, None] + np.arange(m)).ravel()
        columns = self._measure(take(orders, order), take(couriers, courier))
        truth = world.law_in_use.probability(columns, couriers.effect[courier])
        return Epochs(columns, truth, order, courier, count * n, count * m)

    def choices(self, rows: Ints) -> Choices:
        """Show, for some offers of the log, all eight couriers of whom one was asked."""
        eight = take(self._eight, _eight_of(rows))
        columns = self._measure(take(self._offered, np.repeat(rows, CHOICES)), eight)
        truth = self._world.law.probability(columns, eight.effect)
        return Choices(columns, truth, self._asked[rows])

    def _look_at(self, rng: np.random.Generator, who: Ints) -> WorldCouriers:
        """Draw where couriers are and what they carry."""
        return WorldCouriers.draw(
            rng, who, self._kind[who], self._effect[who], self._world.radius_m
        )

    def _make_offers(self, rng: np.random.Generator, n: int) -> None:
        midnight_s = np.array([day_start_s(day) for day in range(N_DAYS)])
        now_s = midnight_s[rng.integers(N_DAYS, size=n)]
        now_s = np.sort(np.floor(now_s + rng.uniform(OPEN_HOUR, CLOSE_HOUR, n) * 3600))
        waiting, number = WorldOrders.draw(rng, now_s, self._world.radius_m), np.arange(n)
        rounds = []
        for _ in range(MAX_ATTEMPTS):
            eight = self._look_at(rng, self._eight_each(rng, len(number)))
            asked, propensity = self._choose(rng, waiting, eight)
            couriers = take(eight, CHOICES * np.arange(len(number)) + asked)
            # the law reads no history, so there need not be one yet
            truth = self._world.law.probability(measure(waiting, couriers), couriers.effect)
            accepted = rng.uniform(size=len(number)) < truth
            rounds.append((waiting, eight, (number, asked, propensity, truth, accepted)))
            again = np.flatnonzero(~accepted)
            number, now_s = number[again], waiting.now_s[again] + RETRY_S
            waiting = take(waiting, again, now_s=now_s, attempt=waiting.attempt[again] + 1)
        offered, eights, answers = zip(*rounds, strict=True)
        orders = stack(offered)
        rows = np.argsort(orders.now_s, kind="stable")[:n]
        self._offered, self._eight = take(orders, rows), take(stack(eights), _eight_of(rows))
        number, self._asked, propensity, self.truth, accepted = (
            np.concatenate(parts)[rows] for parts in zip(*answers, strict=True)
        )
        couriers = take(self._eight, CHOICES * np.arange(n) + self._asked)
        self._history = History(couriers.who, self._offered.now_s, accepted)
        columns = self._measure(self._offered, couriers)
        vehicle = np.array([kind.value for kind in KINDS], dtype=object)[couriers.kind]
        self.log = pd.DataFrame(
            {
                "offer_id": np.char.add("f", np.arange(n).astype(str)).astype(object),
                "order_id": np.char.add("o", number.astype(str)).astype(object),
                "courier_id": np.char.add("c", couriers.who.astype(str)).astype(object),
                "offered_at": pd.to_datetime(self._offered.now_s, unit="s", utc=True),
                "accepted": accepted.astype(np.int8),
                "propensity": propensity,
                **columns,
                "vehicle": vehicle,
            }
        )

    def _eight_each(self, rng: np.random.Generator, n: int) -> Ints:
        """Draw eight different couriers for each of n offers, shape (8 n,)."""
        m = len(self._effect)
        steps = rng.integers(1, m // CHOICES + 1, (n, CHOICES))
        return np.asarray(((rng.integers(m, size=(n, 1)) + steps.cumsum(axis=1)) % m).ravel())

    def _choose(
        self, rng: np.random.Generator, orders: WorldOrders, eight: WorldCouriers
    ) -> tuple[Ints, Floats]:
        """Ask one of eight as the past policy did: its place, and the chance of that."""
        n = len(orders.now_s)
        pickup = ANCHOR.points(*np.repeat(orders.pickup_m, CHOICES, axis=1))
        legs = GreatCircleTravel().legs(
            ANCHOR.points(*eight.place_m), pickup, eight.kind, np.full(CHOICES * n, np.nan)
        )
        reach_s = (eight.until_free_s + legs.seconds).reshape(n, CHOICES)
        late_s = reach_s - reach_s.min(axis=1, keepdims=True)
        softmax_s = self._world.softmax_s
        weight = np.exp(-late_s / softmax_s) if softmax_s else (late_s == 0).astype(np.float64)
        weight /= weight.sum(axis=1, keepdims=True)
        weight = (1 - self._world.explored) * weight + self._world.explored / CHOICES
        # the last edge may fall short of 1 by rounding
        asked = (weight.cumsum(axis=1)[:, :-1] < rng.uniform(size=(n, 1))).sum(axis=1)
        return asked, weight[np.arange(n), asked]

    def _measure(self, orders: WorldOrders, couriers: WorldCouriers) -> dict[str, Floats]:
        """Measure pairs with their couriers' history, shape (n,) each."""
        return measure(orders, couriers) | self._history.columns(couriers.who, orders.now_s)
