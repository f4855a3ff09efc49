"""What moved the chance of each offer of a plan, in words."""

from typing import Final

import numpy as np

from dispatch.decide import Decision
from dispatch.prepare import AcceptanceScorer, Prepared
from dispatch.result import Reason
from dispatch.tables import Floats, Ints
from models import AcceptanceModel, reason_codes
from optimization import Deadline

AT_A_TIME: Final = 256
"""Offers explained between two looks at the clock."""


def reasons_of_offers(
    ready: Prepared, decision: Decision, model: AcceptanceScorer, deadline: Deadline
) -> list[tuple[Reason, ...]]:
    """Give the strongest reasons of each offer of the decision, none where there are none.

    A model that is not trees (a known law in a test) gives no reasons, and an offer whose turn
    comes after the deadline goes without.
    """
    found: list[tuple[Reason, ...]] = [()] * len(decision.columns)
    if not isinstance(model, AcceptanceModel):
        return found
    here, n_pairs = model.of_city(ready.snapshot.city_id), len(ready.pairs)
    single = decision.columns < n_pairs
    for bundled, rows in ((False, np.flatnonzero(single)), (True, np.flatnonzero(~single))):
        for start in range(0, len(rows), AT_A_TIME):
            if deadline.expired:
                return found
            some = rows[start : start + AT_A_TIME]
            told = reason_codes(here, _columns(ready, decision.columns[some], n_pairs, bundled))
            for row, reasons in zip(some.tolist(), told, strict=True):
                found[row] = tuple(Reason(r.code, r.words, r.log_odds) for r in reasons)
    return found


def _columns(ready: Prepared, columns: Ints, n_pairs: int, bundled: bool) -> dict[str, Floats]:
    """Raw columns of some chosen columns, all single pairs or all bundles."""
    if not bundled:
        return ready.columns.take(columns).expand()
    if ready.bundles is None:
        raise RuntimeError("a bundle was chosen where none was scored")
    return {name: values[columns - n_pairs] for name, values in ready.bundles.columns.items()}
