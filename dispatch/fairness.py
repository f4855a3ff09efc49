"""The ledger: what every courier earned and how long they worked and waited, across epochs.

It fills `Courier.past_work`, so that the optimizer's fairness term looks at the day and not at one
epoch, and it says how evenly work is shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from dispatch.domain import PastWork
from dispatch.tables import Floats, Ints

_CENT = Decimal("0.0001")  # the resolution of money in a snapshot


@dataclass(frozen=True, slots=True)
class Evenness:
    """How evenly a rate is shared; 0 to 1 unless it says otherwise.

    Attributes
    ----------
    mean
        Of the rate over couriers, in its own unit.
    gini
        0: all alike; towards 1: one has everything.
    jain
        Jain's index (sum x)^2 / (n sum x^2): 1 all alike, 1/n one has everything.
    worst_decile
        Mean of the lowest tenth of couriers (at least one) as a share of the mean of all.
    nothing
        Couriers with a rate of zero, a count.
    """

    mean: float
    gini: float
    jain: float
    worst_decile: float
    nothing: int


def evenness(rate: Floats) -> Evenness:
    """Measure how evenly a rate of couriers, shape (m,), is shared; nobody or nothing is even."""
    m, total = len(rate), float(rate.sum())
    nothing = int((rate == 0).sum())
    if m == 0 or total == 0:
        return Evenness(0.0, 0.0, 1.0, 1.0, nothing)
    low = np.sort(rate)
    gini = float(2 * (np.arange(1, m + 1) * low).sum() / (m * total) - (m + 1) / m)
    worst = float(low[: max(m // 10, 1)].mean())
    return Evenness(
        mean=total / m,
        gini=gini,
        jain=float(total**2 / (m * (rate**2).sum())),
        worst_decile=worst / (total / m),
        nothing=nothing,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Books:
    """The ledger at a moment, one courier per row; shape (m,).

    `orders` are those accepted, `earnings` are paid at the door, `busy_s` counts time with a stop
    to make, `online_s` all time logged on.
    """

    courier_ids: tuple[str, ...]
    orders: Ints
    earnings: Floats
    busy_s: Floats
    online_s: Floats
    offers: Ints
    acceptances: Ints

    def per_online_hour(self, amount: Floats | Ints, floor_s: float = 1800.0) -> Floats:
        """Rate of an amount over hours online (at least `floor_s`), of couriers who were online."""
        online = self.online_s > 0
        return np.asarray(3600 * amount[online] / np.maximum(self.online_s[online], floor_s))


class Ledger:
    """Keeps the books of a fleet, given what happens and when (epoch seconds)."""

    def __init__(self, courier_ids: Sequence[str]) -> None:
        self.courier_ids = tuple(courier_ids)
        m = len(self.courier_ids)
        self._orders = [0] * m
        self._earnings = [Decimal(0)] * m
        self._offers = [0] * m
        self._acceptances = [0] * m
        self._busy_s, self._busy_since = [0.0] * m, [np.inf] * m
        self._online_s, self._online_since = [0.0] * m, [np.inf] * m

    def log_on(self, row: int, at_s: float) -> None:
        """Start counting a courier's time online."""
        self._online_since[row] = at_s

    def log_off(self, row: int, at_s: float) -> None:
        """Stop counting a courier's time online."""
        self._online_s[row] += at_s - self._online_since[row]
        self._online_since[row] = np.inf

    def start_work(self, row: int, at_s: float) -> None:
        """Start counting a courier's busy time."""
        self._busy_since[row] = at_s

    def end_work(self, row: int, at_s: float) -> None:
        """Stop counting a courier's busy time."""
        self._busy_s[row] += at_s - self._busy_since[row]
        self._busy_since[row] = np.inf

    def answer(self, row: int, *, accepted_orders: int) -> None:
        """Count an answered offer; 0 orders: it was refused or ran out."""
        self._offers[row] += 1
        self._acceptances[row] += accepted_orders > 0
        self._orders[row] += accepted_orders

    def pay(self, row: int, amount: Decimal) -> None:
        """Credit a courier."""
        self._earnings[row] += amount

    def past_work(self, row: int, now_s: float, *, shown_on_board: int = 0) -> PastWork:
        """State a courier's work for a snapshot; orders it shows on board are not past yet."""
        return PastWork(
            orders=self._orders[row] - shown_on_board,
            earnings=self._earnings[row].quantize(_CENT),
            busy_s=self._busy_s[row] + max(now_s - self._busy_since[row], 0.0),
            online_s=self._online_s[row] + max(now_s - self._online_since[row], 0.0),
            offers=self._offers[row],
            acceptances=self._acceptances[row],
        )

    def account(self, now_s: float) -> Books:
        """Read the books at a moment."""
        return Books(
            courier_ids=self.courier_ids,
            orders=np.array(self._orders, dtype=np.int64),
            earnings=np.array([float(amount) for amount in self._earnings]),
            busy_s=_until(self._busy_s, self._busy_since, now_s),
            online_s=_until(self._online_s, self._online_since, now_s),
            offers=np.array(self._offers, dtype=np.int64),
            acceptances=np.array(self._acceptances, dtype=np.int64),
        )


def _until(done_s: Sequence[float], since_s: Sequence[float], now_s: float) -> Floats:
    return np.asarray(np.array(done_s) + np.maximum(now_s - np.array(since_s), 0.0))
