"""A log that gives its answers away is refused with the reason; an honest one is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models import (
    AcceptanceModel,
    AcceptanceParams,
    FeatureError,
    group_folds,
    leakage_problems,
    read_log,
    split_by_time,
    split_problems,
)
from models.columns import RAW_COLUMNS

RAW = tuple(RAW_COLUMNS)


def _zeros_at_refusals(log: pd.DataFrame) -> pd.DataFrame:
    return log.assign(to_pickup_m=log["to_pickup_m"].where(log["accepted"], 0.0))


def _gaps_at_refusals(log: pd.DataFrame) -> pd.DataFrame:
    return log.assign(slack_s=log["slack_s"].fillna(1.0).where(log["accepted"]))


def _gaps_at_acceptances(log: pd.DataFrame) -> pd.DataFrame:
    return log.assign(since_offer_s=log["since_offer_s"].fillna(1.0).where(~log["accepted"]))


def _tells_all(log: pd.DataFrame) -> pd.DataFrame:
    return log.assign(value=log["value"] + 500.0 * log["accepted"])


def _counts_itself(log: pd.DataFrame) -> pd.DataFrame:
    return log.assign(
        courier_offers=log["courier_offers"] + 1.0,
        courier_accepted=log["courier_accepted"] + log["accepted"],
    )


def _merchants_count_themselves(log: pd.DataFrame) -> pd.DataFrame:
    merchant = np.arange(len(log)) % 30
    past = log["accepted"].groupby(merchant)
    return log.assign(
        merchant_id=merchant,
        merchant_offers=past.cumcount() + 1.0,
        merchant_accepted=past.cumsum().astype(float),
    )


def _stamped_late(log: pd.DataFrame) -> pd.DataFrame:
    answered = log["offered_at"] + pd.to_timedelta(60, unit="s")
    answered[7] = log["offered_at"][7] - pd.to_timedelta(5, unit="s")
    return log.assign(answered_at=answered)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_zeros_at_refusals, "to_pickup_m: 0 exactly where the offer was refused"),
        (_gaps_at_refusals, "slack_s: empty exactly where the offer was refused"),
        (_gaps_at_acceptances, "since_offer_s: empty exactly where the offer was accepted"),
        (_tells_all, r"value: separates accepted from refused offers alone \(AUC 1.000\)"),
        (_counts_itself, "courier_accepted: counts the row itself"),
        (_merchants_count_themselves, "merchant_accepted: counts the row itself"),
        (_stamped_late, r"offered_at: 1 rows are stamped after their answer \(rows 7\)"),
    ],
)
def test_each_trap_is_refused_with_its_reason(
    world: Any, spoil: Callable[[pd.DataFrame], pd.DataFrame], told: str
) -> None:
    with pytest.raises(FeatureError, match=told):
        AcceptanceModel(AcceptanceParams(max_trees=5, n_bags=0)).fit(spoil(world.log))


def test_all_traps_are_told_at_once(world: Any) -> None:
    spoilt = _counts_itself(_tells_all(_zeros_at_refusals(world.log)))
    assert len(leakage_problems(read_log(spoilt, RAW))) == 3


@pytest.mark.parametrize("seed", range(3))
def test_an_honest_log_is_not_refused(world_of: Callable[[int, int], Any], seed: int) -> None:
    log = world_of(3000, seed + 20).log
    log["answered_at"] = log["offered_at"] + pd.to_timedelta(30, unit="s")
    assert leakage_problems(read_log(log, RAW)) == []


def test_a_random_split_tears_retries_apart_and_ours_do_not(world: Any) -> None:
    log = read_log(world.log, RAW)
    at_random = np.random.default_rng(0).integers(0, 2, len(log))
    assert "retries of" in split_problems(log.orders, at_random)[0]
    assert split_problems(log.orders, group_folds(log.orders, 5, 0)) == []
    parts = split_by_time(log.offered_at_s, log.orders, (0.7, 0.3))
    rows = np.concatenate(parts)
    of = np.repeat(np.arange(2), [len(part) for part in parts])
    assert split_problems(log.orders[rows], of) == []
