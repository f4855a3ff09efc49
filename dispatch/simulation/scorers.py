"""What a dispatcher may believe about acceptance where no model is trained."""

from dataclasses import dataclass

import numpy as np

from dispatch.simulation.logit import LogitBehaviour
from dispatch.tables import Floats
from models import PairColumns


@dataclass(frozen=True, slots=True)
class Constant:
    """The same chance for every offer: a dispatcher blind to acceptance."""

    chance: float = 1 - 1e-9

    @property
    def version(self) -> str:
        """Name the belief in plans."""
        return f"constant {self.chance:g}"

    def predict_proba(self, columns: dict[str, Floats]) -> Floats:
        """Return the chance of n offers, shape (n,)."""
        return np.full(len(columns["to_pickup_s"]), self.chance)

    def predict_pairs(self, pairs: PairColumns) -> Floats:
        """Return the chance of k pairs, shape (k,)."""
        return np.full(len(pairs.courier_row), self.chance)


@dataclass(frozen=True, slots=True)
class LearntEffects:
    """The couriers' own law, their hidden effects guessed from their answers so far.

    The guess is the log-odds of the courier's share of offers accepted, shrunk towards `mean` by
    `strength` offers, less the log-odds of `mean`: what a platform that knew the law, and of the
    couriers only their past, would believe.
    """

    law: LogitBehaviour
    mean: float
    strength: float = 8.0

    @property
    def version(self) -> str:
        """Name the belief in plans."""
        return f"learnt effects, {self.strength:g} offers at {self.mean:g}"

    def predict_proba(self, columns: dict[str, Floats]) -> Floats:
        """Return the chance of n offers, shape (n,)."""
        law, wait_s = self.law, columns["wait_s"]
        work_s = columns["to_pickup_s"] + wait_s + columns["trip_s"]
        left_s = columns["shift_left_s"] - columns["until_free_s"] - work_s
        odds = (
            law.intercept
            + law.inbound_per_min * (columns["to_pickup_s"] / 60 - 6)
            + law.outbound_per_min * (columns["trip_s"] / 60 - 10)
            + law.wait_per_min * (wait_s / 60 - 4)
            + law.shift_end * (left_s < 900)
        )
        offers = np.nan_to_num(columns["courier_offers"])
        accepted = np.nan_to_num(columns["courier_accepted"])
        yes, no = accepted + self.strength * self.mean, offers - accepted
        effect = np.log(yes / (no + self.strength * (1 - self.mean)))
        odds = odds + effect - np.log(self.mean / (1 - self.mean))
        return np.asarray(np.clip(1 / (1 + np.exp(-odds)), 1e-6, 1 - 1e-6))
