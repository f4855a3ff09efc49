"""Planted worlds: the truth of every pair is known, and is what the offers were answered by."""

import numpy as np
import pytest

from dispatch.datasets.worlds import CHOICES, WORLDS, DrawnWorld
from dispatch.datasets.worlds_tables import HISTORY_S
from dispatch.errors import InvalidInputError
from models import read_log
from models.columns import RAW_COLUMNS


@pytest.fixture(scope="module", params=sorted(WORLDS))
def drawn(request: pytest.FixtureRequest) -> DrawnWorld:
    return DrawnWorld(WORLDS[request.param], 5_960, seed=3)


def test_the_log_is_one_that_a_model_can_be_trained_on(drawn: DrawnWorld) -> None:
    log = read_log(drawn.log, tuple(RAW_COLUMNS))
    assert len(log) == 5_960
    assert (np.diff(log.offered_at_s) >= 0).all()
    assert len(np.unique(log.orders)) < len(log)  # refused orders are offered again


def test_offers_are_answered_by_the_planted_truth(drawn: DrawnWorld) -> None:
    """The share accepted lies within four standard errors of the mean true chance."""
    error = np.sqrt((drawn.truth * (1 - drawn.truth)).sum()) / len(drawn.truth)
    assert abs(drawn.log["accepted"].mean() - drawn.truth.mean()) < 4 * error


def test_the_same_seed_draws_the_same_world_and_another_seed_another() -> None:
    one, two, other = (DrawnWorld(WORLDS["B"], 500, seed) for seed in (1, 1, 2))
    assert one.log.equals(two.log)
    assert (one.epochs(2).truth == two.epochs(2).truth).all()
    assert not one.log["pay"].equals(other.log["pay"])


def test_the_asked_one_of_eight_is_the_one_in_the_log(drawn: DrawnWorld) -> None:
    rows = np.arange(5_000, 5_960)
    choices = drawn.choices(rows)
    asked = CHOICES * np.arange(len(rows)) + choices.asked
    assert np.allclose(choices.truth[asked], drawn.truth[rows])
    for name in ("to_pickup_s", "pay", "courier_offers", "since_offer_s"):
        logged = drawn.log[name].to_numpy()[rows]
        assert np.allclose(choices.columns[name][asked], logged, equal_nan=True)


def test_history_counts_the_answers_of_the_week_before_and_no_other() -> None:
    log = DrawnWorld(WORLDS["B"], 2_000, seed=5).log
    at_s = (log["offered_at"].dt.tz_localize(None).to_numpy() - np.datetime64(0, "s")) / (
        np.timedelta64(1, "s")
    )
    courier, taken = log["courier_id"].to_numpy(), log["accepted"].to_numpy()
    for row in range(1_500, 2_000, 25):
        before = (courier == courier[row]) & (at_s < at_s[row]) & (at_s >= at_s[row] - HISTORY_S)
        assert log["courier_offers"][row] == before.sum()
        assert log["courier_accepted"][row] == taken[before].sum()


def test_in_world_a_every_assignment_is_worth_the_same() -> None:
    epochs = DrawnWorld(WORLDS["A"], 500, seed=1).epochs(1)
    truth = epochs.truth.reshape(epochs.n_orders, epochs.n_couriers)
    assert epochs.n_orders == epochs.n_couriers
    assert np.allclose(truth, truth[0])


def test_in_world_c_the_first_who_could_be_there_was_asked() -> None:
    drawn = DrawnWorld(WORLDS["C"], 500, seed=1)
    choices = drawn.choices(np.arange(500))
    reach_s = choices.columns["until_free_s"] + choices.columns["to_pickup_s"]
    assert (reach_s.reshape(-1, CHOICES).argmin(axis=1) == choices.asked).all()
    assert (drawn.log["propensity"] == 1).all()


def test_propensities_are_how_often_each_of_the_eight_is_asked() -> None:
    """Weighted by 1 / propensity, every place among the eight is asked one time in eight."""
    drawn = DrawnWorld(WORLDS["B"], 20_000, seed=2)
    asked = drawn.choices(np.arange(20_000)).asked
    share = np.bincount(asked, 1 / drawn.log["propensity"], minlength=CHOICES) / 20_000
    assert np.allclose(share, 1.0, atol=0.15)


def test_world_d_drifts_between_the_log_and_its_use() -> None:
    same, drifted = (DrawnWorld(WORLDS[name], 500, seed=1) for name in "BD")
    assert same.log.equals(drifted.log)
    assert drifted.epochs(1).truth.mean() < same.epochs(1).truth.mean() - 0.05


def test_a_log_too_short_to_learn_from_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="n_offers"):
        DrawnWorld(WORLDS["A"], 100, seed=1)
