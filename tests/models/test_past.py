"""Histories know the past and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models import AcceptanceModel, past_counts, read_log
from models.columns import RAW_COLUMNS


def _log(n: int, seed: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 6, n), rng.uniform(0.0, 20_000.0, n), rng.random(n) < 0.7


def _by_definition(
    groups: Any, at_s: Any, accepted: Any, answer: float, window: float, half: float
):
    age = at_s[:, None] - at_s
    known = (groups[:, None] == groups) & (age >= answer) & (age < window)
    weight = known * 0.5 ** (np.where(known, age, 0.0) / half)
    return weight.sum(axis=1), (weight * accepted).sum(axis=1)


@pytest.mark.parametrize("window", [np.inf, 3000.0])
@pytest.mark.parametrize("half_life", [np.inf, 1500.0])
@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_the_definition(window: float, half_life: float, seed: int) -> None:
    log = _log(300, seed)
    found = past_counts(*log, answer_s=90.0, window_s=window, half_life_s=half_life)
    for one, other in zip(found, _by_definition(*log, 90.0, window, half_life), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("half_life", [np.inf, 1500.0])
def test_permuting_the_future_moves_no_history(half_life: float) -> None:
    groups, at_s, accepted = _log(400, 5)
    rng = np.random.default_rng(6)
    for now in (5000.0, 12_000.0):
        future = np.flatnonzero(at_s >= now)
        shuffled = rng.permutation(future)
        groups_2, accepted_2 = groups.copy(), accepted.copy()
        groups_2[future], accepted_2[future] = groups[shuffled], ~accepted[shuffled]
        past = at_s < now
        before = past_counts(groups, at_s, accepted, answer_s=60.0, half_life_s=half_life)
        after = past_counts(groups_2, at_s, accepted_2, answer_s=60.0, half_life_s=half_life)
        np.testing.assert_array_equal(before[0][past], after[0][past])
        np.testing.assert_array_equal(before[1][past], after[1][past])


def test_permuting_the_future_moves_no_feature(model: AcceptanceModel, world: Any) -> None:
    """Histories built from the log, then the matrix: rows before a moment stay as they were."""

    def matrix(log: Any) -> Any:
        read = read_log(log, tuple(RAW_COLUMNS))
        columns = dict(read.columns)
        for whose, groups in (("courier", read.couriers), ("merchant", read.merchants)):
            counts = past_counts(groups, read.offered_at_s, read.accepted, answer_s=1.0)
            columns[f"{whose}_offers"], columns[f"{whose}_accepted"] = counts
        return model.matrix(columns)

    log = world.log.reset_index(drop=True)
    future = log.index[4000:]
    changed = log.copy()
    shuffled = log.loc[np.random.default_rng(7).permutation(future)].reset_index(drop=True)
    for name in (*RAW_COLUMNS, "courier_id", "merchant_id", "order_id", "accepted"):
        changed.loc[future, name] = shuffled[name].to_numpy()
    # Ids become numbers by first appearance, so those of the past stay the same.
    np.testing.assert_array_equal(matrix(log)[:4000], matrix(changed)[:4000])


def test_a_row_may_not_count_itself() -> None:
    with pytest.raises(ValueError, match="answer_s > 0"):
        past_counts(*_log(10, 0), answer_s=0.0)
    assert [len(part) for part in past_counts(*_log(0, 0), answer_s=1.0)] == [0, 0]
