"""How couriers answer: a protocol, common random numbers, and couriers who always accept."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dispatch.domain import Courier, Order
from dispatch.simulation.timeline import TimedStop


@dataclass(frozen=True, slots=True)
class Draws:
    """Random numbers that belong to a purpose, not to a sequence.

    The generator of (seed, purpose, names) is the counter-based Philox keyed by their hash: two
    policies that ask the same courier the same thing get the same draw, whatever happened before.
    """

    seed: int

    def generator(self, purpose: str, *names: str) -> np.random.Generator:
        """Return the generator of one purpose."""
        text = "\x1f".join((str(self.seed), purpose, *names))
        key = hashlib.blake2b(text.encode(), digest_size=16).digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


@dataclass(frozen=True, slots=True)
class Question:
    """An offer as its courier sees it.

    Attributes
    ----------
    courier, orders
        Who is asked for what.
    stops
        The new stops as they would be made.
    now_s, free_s
        When the courier is asked and when they would start on this, epoch seconds.
    attempt
        How many times this courier has been asked for these orders, this time included.
    """

    courier: Courier
    orders: tuple[Order, ...]
    stops: tuple[TimedStop, ...]
    now_s: float
    free_s: float
    attempt: int

    @property
    def inbound_min(self) -> float:
        """Minutes of riding to the first pickup."""
        return self.stops[0].ride_s / 60

    @property
    def outbound_min(self) -> float:
        """Minutes of riding from the first pickup to the last door."""
        return sum(stop.ride_s for stop in self.stops[1:]) / 60

    @property
    def wait_min(self) -> float:
        """Minutes of waiting at the pickups."""
        return sum(stop.wait_s for stop in self.stops) / 60


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the courier accepts, and after how long; `delay_s` inf: no answer at all."""

    accepted: bool
    delay_s: float = 0.0


class Behaviour(Protocol):
    """What a courier does of their own will; a function of the draws it is given."""

    def answer(self, question: Question, rng: np.random.Generator) -> Answer:
        """Answer an offer; `rng` belongs to this courier, these orders and this attempt."""
        ...

    def patience(self, courier: Courier, rng: np.random.Generator) -> float:
        """Seconds without work after which a courier logs off for the day; inf: never."""
        ...


@dataclass(frozen=True, slots=True)
class AlwaysAccept:
    """Every offer is accepted at once; nobody leaves early."""

    def answer(self, question: Question, rng: np.random.Generator) -> Answer:  # noqa: ARG002
        """Accept."""
        return Answer(accepted=True)

    def patience(self, courier: Courier, rng: np.random.Generator) -> float:  # noqa: ARG002
        """Stay."""
        return float("inf")
