"""The agreeable-courier tax: what it costs a courier to be willing, measured on twins.

Every courier of a day is made two, alike in everything but willingness: one's log-odds of accepting
are raised, the other's lowered. What the two end with, per hour, says whether the platform gives
the willing what nobody else wants.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dispatch.domain import Courier
from dispatch.fairness import Account
from dispatch.simulation.behaviour import Answer, Question
from dispatch.simulation.day import Day
from dispatch.simulation.logit import LogitBehaviour
from dispatch.tables import Floats

AGREEABLE, CHOOSY = "+", "-"


def twin_day(day: Day) -> Day:
    """Make every second courier of a day two, and leave the others out.

    As many couriers as before, so that there is as much work for each.
    """
    twins = tuple(
        replace(shift, courier=replace(shift.courier, id=shift.courier.id + sign))
        for shift in day.shifts[::2]
        for sign in (AGREEABLE, CHOOSY)
    )
    return replace(day, shifts=twins)


@dataclass(frozen=True, slots=True)
class TwinBehaviour:
    """A logit that is `gap / 2` higher for the agreeable twin, and as much lower for the other."""

    law: LogitBehaviour
    gap: float = 2.0

    def answer(self, question: Question, rng: np.random.Generator) -> Answer:
        """Answer as the twin would."""
        effect = self.gap / 2 if question.courier.id.endswith(AGREEABLE) else -self.gap / 2
        own = replace(self.law, intercept=self.law.intercept + effect, courier_sd=0.0)
        return own.answer(question, rng)

    def patience(self, courier: Courier, rng: np.random.Generator) -> float:
        """Stay as long as the law says."""
        return self.law.patience(courier, rng)


@dataclass(frozen=True, slots=True)
class TwinGap:
    """The agreeable twins' total less the choosy ones', as a share of the mean of both.

    Attributes
    ----------
    earnings_per_busy_h, earnings_per_online_h, orders_per_online_h, offers_per_online_h
        Of all twins together: totals over total hours, so that nobody's short day counts more.
    acceptance_agreeable, acceptance_choosy
        Shares of offers accepted.
    """

    earnings_per_busy_h: float
    earnings_per_online_h: float
    orders_per_online_h: float
    offers_per_online_h: float
    acceptance_agreeable: float
    acceptance_choosy: float


def twin_gap(accounts: Sequence[Account]) -> TwinGap:
    """Measure the gap between twins over one or more days."""
    agreeable, choosy = (_totals(accounts, sign) for sign in (AGREEABLE, CHOOSY))
    orders, earnings, busy, online, offers, accepted = range(6)

    def gap(amount: int, hours: int) -> float:
        rates = [total[amount] / max(total[hours], 1.0) for total in (agreeable, choosy)]
        return float((rates[0] - rates[1]) / max(np.mean(rates), 1e-12))

    return TwinGap(
        earnings_per_busy_h=gap(earnings, busy),
        earnings_per_online_h=gap(earnings, online),
        orders_per_online_h=gap(orders, online),
        offers_per_online_h=gap(offers, online),
        acceptance_agreeable=float(agreeable[accepted] / max(agreeable[offers], 1.0)),
        acceptance_choosy=float(choosy[accepted] / max(choosy[offers], 1.0)),
    )


def _totals(accounts: Sequence[Account], sign: str) -> Floats:
    """Orders, earnings, busy and online seconds, offers, acceptances of one kind of twin, (6,)."""
    total = np.zeros(6)
    for account in accounts:
        mine = np.array([name.endswith(sign) for name in account.courier_ids])
        for k, amount in enumerate(
            (
                account.orders,
                account.earnings,
                account.busy_s,
                account.online_s,
                account.offers,
                account.acceptances,
            )
        ):
            total[k] += amount[mine].sum()
    return total
