"""Couriers who choose: a logit in what they are offered and who they are, and who leave if idle.

Invented, but of the form the discrete-choice literature on couriers uses: acceptance falls with the
way to the pickup, the way to the door, the wait and the nearness of the shift's end, and couriers
differ in a way that no platform sees.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from dispatch.datasets.ranges import check_ranges, ranged
from dispatch.domain import Courier
from dispatch.simulation.behaviour import Answer, Behaviour, Draws, Question

_FAR = 50.0  # log-odds beyond which every answer is certain


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitBehaviour:
    """Accepts with log-odds that are linear in the offer, after a while.

    log-odds = intercept + courier effect + sum of coefficient * (minutes - centre)

    The effect of a courier is normal, drawn from `traits_seed` and the courier's id: couriers keep
    it from day to day, whatever the seed of a run. Who would refuse does not answer at all with
    chance `ignored`. A courier without a stop to make for `patience_s` (mean of an exponential,
    drawn once a day) logs off; 0: never.
    """

    intercept: float = ranged(1.4, -_FAR, _FAR, "log-odds of an offer at every centre")
    inbound_per_min: float = ranged(-0.10, -5, 5, "riding to the first pickup, less 6 min")
    outbound_per_min: float = ranged(-0.05, -5, 5, "riding from there to the last door, less 10")
    wait_per_min: float = ranged(-0.08, -5, 5, "waiting at the pickups, less 4 min")
    shift_end: float = ranged(-1.5, -10, 10, "if less than 15 min of shift are left afterwards")
    courier_sd: float = ranged(0.8, 0, 10, "of the hidden effect per courier, in log-odds")
    ignored: float = ranged(0.25, 0, 1, "share of refusals that are never answered")
    delay_low_s: float = ranged(60, 0, 3600, "shortest time to an answer")
    delay_high_s: float = ranged(120, 0, 3600, "longest time to an answer")
    patience_s: float = ranged(0, 0, 86_400, "mean idle time before logging off; 0: never")
    traits_seed: int = ranged(0, 0, 2**63 - 1, "of the couriers' effects")

    def __post_init__(self) -> None:
        check_ranges(self)

    def effect(self, courier_id: str) -> float:
        """Return the hidden effect of a courier, in log-odds."""
        rng = Draws(self.traits_seed).generator("effect", courier_id)
        return self.courier_sd * float(rng.normal())

    def log_odds(self, question: Question) -> float:
        """Return the log-odds of acceptance of an offer."""
        left_s = float("inf")
        if question.courier.shift_end is not None:
            left_s = question.courier.shift_end.timestamp() - question.stops[-1].leave_s
        return (
            self.intercept
            + self.effect(question.courier.id)
            + self.inbound_per_min * (question.inbound_min - 6)
            + self.outbound_per_min * (question.outbound_min - 10)
            + self.wait_per_min * (question.wait_min - 4)
            + self.shift_end * (left_s < 900)
        )

    def probability(self, question: Question) -> float:
        """Return the true chance that an offer is accepted."""
        return float(1 / (1 + np.exp(-self.log_odds(question))))

    def answer(self, question: Question, rng: np.random.Generator) -> Answer:
        """Accept, refuse or ignore an offer after a while."""
        would, slow, silent = rng.uniform(size=3)
        accepted = would < self.probability(question)
        if not accepted and silent < self.ignored:
            return Answer(accepted=False, delay_s=float("inf"))
        delay_s = self.delay_low_s + slow * (self.delay_high_s - self.delay_low_s)
        return Answer(accepted=bool(accepted), delay_s=float(np.round(delay_s)))

    def patience(self, courier: Courier, rng: np.random.Generator) -> float:  # noqa: ARG002
        """Return how long a courier stays without work; inf: for ever."""
        return float(rng.exponential(self.patience_s)) if self.patience_s else float("inf")


class Listening:
    """A behaviour that remembers what it was asked."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self.questions: list[Question] = []

    def answer(self, question: Question, rng: np.random.Generator) -> Answer:
        """Remember the question and pass it on."""
        self.questions.append(question)
        return self._behaviour.answer(question, rng)

    def patience(self, courier: Courier, rng: np.random.Generator) -> float:
        """Pass it on."""
        return self._behaviour.patience(courier, rng)


def tuned(
    behaviour: LogitBehaviour, questions: Iterable[Question], acceptance: float
) -> LogitBehaviour:
    """Move the intercept so that the mean chance over some offers is `acceptance`.

    The offers should be those of a day under the policies to be compared, or under couriers who
    accept everything: which offers are made depends on the answers, so a policy's own rate differs.
    """
    without = replace(behaviour, intercept=0.0)
    odds = np.array([without.log_odds(question) for question in questions])

    def missing(intercept: float) -> float:
        return float((1 / (1 + np.exp(-(odds + intercept)))).mean() - acceptance)

    return replace(behaviour, intercept=float(brentq(missing, -_FAR, _FAR)))
