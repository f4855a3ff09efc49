"""The world of sets: answers follow the planted truth, and the truth what an offer is beside."""

import numpy as np
import pytest

from dispatch.datasets.law import PlantedLaw
from dispatch.datasets.worlds_sets import CARRIED, OFFERED, DrawnSets, SetLaw
from dispatch.errors import InvalidInputError
from models import read_log
from models.attention import read_sets
from models.columns import RAW_COLUMNS


@pytest.fixture(scope="module")
def drawn() -> DrawnSets:
    return DrawnSets(SetLaw(), 6_000, seed=3)


def test_log_and_stops_are_what_models_are_trained_on(drawn: DrawnSets) -> None:
    log, sets = read_log(drawn.log, tuple(RAW_COLUMNS)), read_sets(drawn.log, drawn.stops)
    assert (np.diff(log.offered_at_s) >= 0).all()
    assert np.bincount(sets.moment).max() == len(OFFERED)
    stops = np.bincount(sets.stop_moment, minlength=sets.n_moments)
    assert stops.max() == len(CARRIED) - 1
    np.testing.assert_array_equal(log.columns["load_orders"], stops[sets.moment])


def test_places_are_metres_from_the_courier(drawn: DrawnSets) -> None:
    """A vehicle's ways to the pickup and on are longer than beelines by one factor."""
    pickup, dropoff = (
        np.stack([drawn.log[f"{kind}_{axis}_m"] for axis in ("east", "north")])
        for kind in ("pickup", "dropoff")
    )
    there = drawn.log["to_pickup_m"] / np.hypot(*pickup)
    on = drawn.log["trip_m"] / np.hypot(*dropoff - pickup)
    assert np.allclose(there, on, rtol=0.005)


def test_offers_are_answered_by_the_planted_truth(drawn: DrawnSets) -> None:
    """The share accepted lies within four standard errors of the mean true chance."""
    error = np.sqrt((drawn.truth * (1 - drawn.truth)).sum()) / len(drawn.truth)
    assert abs(drawn.log["accepted"].mean() - drawn.truth.mean()) < 4 * error


def test_both_effects_are_those_of_the_law_offer_by_offer() -> None:
    """The same draw under three laws; sums are recomputed in plain loops for some moments."""
    alone = PlantedLaw(intercept=2.2)
    plain, along, rivals = (
        DrawnSets(SetLaw(alone=alone, along=a, rivals=r), 500, seed=1)
        for a, r in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    )
    sets = read_sets(plain.log, plain.stops)
    for k in range(0, 500, 7):
        way = sets.places[k, 2:]
        cosines = [
            stop @ way / np.linalg.norm(stop) / np.linalg.norm(way)
            for stop in sets.stops[sets.stop_moment == sets.moment[k]]
        ]
        assert along.log_odds[k] - plain.log_odds[k] == pytest.approx(sum(cosines))
        beside = np.flatnonzero((sets.moment == sets.moment[k]) & (np.arange(500) != k))
        better = np.exp(plain.log_odds[beside] - plain.log_odds[k]).sum()
        assert rivals.log_odds[k] - plain.log_odds[k] == pytest.approx(-np.log1p(better))


def test_the_same_seed_draws_the_same_world_and_another_seed_another(drawn: DrawnSets) -> None:
    again, other = (DrawnSets(SetLaw(), 6_000, seed) for seed in (3, 4))
    assert again.log.equals(drawn.log)
    assert again.stops.equals(drawn.stops)
    assert not other.log["pay"].equals(drawn.log["pay"])


def test_a_log_too_short_to_learn_from_and_a_law_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="n_offers"):
        DrawnSets(SetLaw(), 100, seed=1)
    with pytest.raises(InvalidInputError, match="rivals"):
        SetLaw(rivals=11.0)
