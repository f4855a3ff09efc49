"""An online bias per courier: raised for the underloaded, lowered for the overloaded.

The balancing of experts without an auxiliary loss (DeepSeek-V3, arXiv 2412.19437, section 2.1.2):
after every decision each bias moves one step towards those who have had less than the mean, and it
counts in choosing only, never in what is claimed. It is dual ascent with a fixed step on the
constraint that all couriers have the same orders per online hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dispatch.domain import Snapshot
from dispatch.simulation.policy import Decision, Outcome
from dispatch.simulation.rolling import RollingHorizon, commit
from dispatch.snapshot import Intake
from dispatch.tables import Floats

_FLOOR_S = 1800.0  # of time online, so that a courier's first order does not count as a rush


@dataclass(slots=True)
class BiasedHorizon:
    """A rolling horizon whose dispatcher favours couriers by a bias of their own.

    Attributes
    ----------
    horizon
        What plans and commits; its fairness weight is best 0.
    step
        How much a bias moves after each decision, in the unit of the weighted sum.
    bias
        Of each courier seen so far, by id; couriers who log on start at 0, the mean.
    """

    horizon: RollingHorizon
    step: float
    bias: dict[str, float] = field(default_factory=dict)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """Learn nothing from single answers: the ledger in the snapshot says who has what."""

    def decide(self, snapshot: Snapshot, next_epoch_s: float) -> Decision:
        """Move the biases by the ledger, then plan with them."""
        names = [courier.id for courier in snapshot.couriers]
        load = orders_per_hour(snapshot)
        move = self.step * np.sign(load.mean() - load) if len(names) else load
        for name, change in zip(names, move.tolist(), strict=True):
            self.bias[name] = self.bias.get(name, 0.0) + change
        plan = self.horizon.dispatcher.assign(Intake(snapshot), courier_bonus=self.bias)
        horizon = self.horizon
        return commit(plan, snapshot, next_epoch_s, horizon.commitment, backups=horizon.backups)


def orders_per_hour(snapshot: Snapshot) -> Floats:
    """Orders accepted per hour online of every courier of a snapshot, shape (m,)."""
    orders = [
        c.past_work.orders + len({stop.order_id for stop in c.on_board}) for c in snapshot.couriers
    ]
    online_s = np.array([c.past_work.online_s for c in snapshot.couriers], dtype=np.float64)
    return np.asarray(3600 * np.array(orders) / np.maximum(online_s, _FLOOR_S))
