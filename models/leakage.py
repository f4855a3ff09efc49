"""Signs that a log tells the answer.

Such a log is refused, because what it teaches is not there when an offer is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation import auc
from models.log import OffersLog

FloatArray = NDArray[np.float64]

TOO_GOOD_AUC: Final = 0.99
"""Published models of acceptance reach 0.51 to 0.91 with all columns together."""

TOO_EXACT: Final = 0.98
"""Share of both classes that a sign such as a zero must name to be called the answer."""

LEAST_STEPS: Final = 50
"""Least successive offers of one courier or merchant by which histories are judged."""


def leakage_problems(log: OffersLog) -> list[str]:
    """Say, one line a trap, what in a log gives the answer away.

    A column that separates the classes alone; zeros or gaps exactly at the refusals (or exactly at
    the acceptances); rows stamped after the answer; a courier's or merchant's history that counts
    the row itself. Retries of one order are kept together by every split of this package, so they
    are no trap here (`split_problems` checks a split of your own).
    """
    if log.accepted.all() or not log.accepted.any():
        return []
    problems = []
    for name, values in log.columns.items():
        problems += _column_problems(name, values, log.accepted)
    if log.answered_at_s is not None:
        late = np.flatnonzero(log.offered_at_s > log.answered_at_s)
        if len(late):
            problems.append(
                f"offered_at: {len(late)} rows are stamped after their answer (rows "
                f"{', '.join(map(str, late[:5]))}); give the time at which the offer was made"
            )
    for whose, groups in (("courier", log.couriers), ("merchant", log.merchants)):
        if groups is not None and f"{whose}_accepted" in log.columns:
            problems += _history_problems(log, whose, groups)
    return problems


def split_problems(orders: NDArray[np.int64], part: NDArray[np.int64]) -> list[str]:
    """Say whether retries of one order stand on both sides of a split (`part` of each row)."""
    _, order = np.unique(orders, return_inverse=True)
    first = np.full(order.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, order, part)
    torn = np.unique(order[part != first[order]])
    if not len(torn):
        return []
    return [
        f"retries of {len(torn)} orders stand on both sides of the split; keep all offers of an "
        "order in one part (models.split_by_time and models.group_folds do)"
    ]


def _column_problems(name: str, values: FloatArray, accepted: NDArray[np.bool_]) -> list[str]:
    problems = []
    for sign, marked in (("empty", np.isnan(values)), ("0", values == 0.0)):
        for answer, rows in (("refused", ~accepted), ("accepted", accepted)):
            hits = marked[rows].mean(), (~marked[~rows]).mean()
            if min(hits) >= TOO_EXACT:
                problems.append(
                    f"{name}: {sign} exactly where the offer was {answer} ({hits[0]:.1%} of those, "
                    f"{1 - hits[1]:.1%} of the others): it was filled in after the answer; drop it "
                    "or give its value at the time of the offer"
                )
    if problems:
        return problems
    known = ~np.isnan(values)
    if accepted[known].any() and not accepted[known].all():
        area = auc(accepted[known], values[known])
        if max(area, 1.0 - area) >= TOO_GOOD_AUC:
            problems.append(
                f"{name}: separates accepted from refused offers alone (AUC "
                f"{max(area, 1.0 - area):.3f}): it knows the answer; drop it or give its value at "
                "the time of the offer"
            )
    return problems


def _history_problems(log: OffersLog, whose: str, groups: NDArray[np.int64]) -> list[str]:
    """Compare how the histories of couriers or merchants grow with the answers.

    Between successive offers of one of them the accepted count grows by the earlier answer; if the
    row counted itself, it would grow by the later one.
    """
    order = np.lexsort((log.offered_at_s, groups))
    columns: Mapping[str, FloatArray] = log.columns
    owner, at_s = groups[order], log.offered_at_s[order]
    taken = log.accepted[order].astype(np.float64)
    grown = np.diff(columns[f"{whose}_accepted"][order])
    step = (np.diff(owner) == 0) & (np.diff(at_s) > 0.0)
    step &= np.diff(columns[f"{whose}_offers"][order]) == 1.0
    # Only steps whose two answers differ tell one from the other.
    step &= taken[1:] != taken[:-1]
    if step.sum() < LEAST_STEPS:
        return []
    itself = float((grown[step] == taken[1:][step]).mean())
    before = float((grown[step] == taken[:-1][step]).mean())
    # three standard errors: answers that say nothing of the history agree with either half the time
    if itself - before <= 3.0 / np.sqrt(step.sum()):
        return []
    return [
        f"{whose}_accepted: counts the row itself (it grows with the answer of its own row in "
        f"{itself:.0%} of {int(step.sum())} steps, with the one before in {before:.0%}); count "
        "earlier offers only"
    ]
