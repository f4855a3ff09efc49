"""Moments of a log are read as they were, or refused with what is wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.attention import SetParams, read_sets
from models.attention.sets import PLACES, STOPS
from models.attention.tokens import Encoder
from models.errors import FeatureError

AT = pd.Timestamp("2026-03-02 12:00", tz="UTC")


@pytest.fixture
def offers() -> pd.DataFrame:
    """Anna is offered two orders at noon and one an hour later, Ben one at noon."""
    frame = pd.DataFrame(
        {"courier_id": ["anna", "ben", "anna", "anna"], "offered_at": [AT, AT, AT, AT]}
    )
    frame.loc[3, "offered_at"] = AT + pd.Timedelta(hours=1)
    for k, name in enumerate(PLACES):
        frame[name] = 100.0 * k + np.arange(4.0)
    return frame


@pytest.fixture
def stops() -> pd.DataFrame:
    """Anna carries two stops at noon, none an hour later."""
    return pd.DataFrame(
        {
            "courier_id": ["anna", "anna"],
            "offered_at": [AT, AT],
            "east_m": [300.0, 0.0],
            "north_m": [400.0, -2000.0],
        }
    )


def test_offers_to_one_courier_at_one_time_are_one_moment(
    offers: pd.DataFrame, stops: pd.DataFrame
) -> None:
    sets = read_sets(offers, stops)
    assert sets.moment.tolist() == [0, 1, 0, 2]
    assert sets.stop_moment.tolist() == [0, 0]
    assert sets.places[2].tolist() == [2.0, 102.0, 202.0, 302.0]


def test_couriers_may_carry_nothing(offers: pd.DataFrame, stops: pd.DataFrame) -> None:
    assert read_sets(offers, stops.head(0)).stops.shape == (0, 2)


def test_every_problem_of_a_log_is_named_at_once(offers: pd.DataFrame, stops: pd.DataFrame) -> None:
    offers.loc[1, "pickup_east_m"] = np.nan
    stops.loc[1, "courier_id"] = "carl"
    with pytest.raises(FeatureError) as refused:
        read_sets(offers, stops)
    assert len(refused.value.problems) == 2
    with pytest.raises(FeatureError, match=f"missing columns {STOPS[1]}"):
        read_sets(offers, stops.drop(columns=STOPS[1]))


def test_a_log_whose_moments_were_lost_is_refused(offers: pd.DataFrame) -> None:
    many = pd.concat([offers] * 40)
    with pytest.raises(FeatureError, match="more than 64 offers and stops at"):
        read_sets(many, many.head(0).assign(east_m=0.0, north_m=0.0))


def test_tokens_hold_offers_before_stops_and_zeros_behind(
    offers: pd.DataFrame, stops: pd.DataFrame
) -> None:
    """Worked out by hand for Anna at noon: a stop at (300, 400) m lies 500 m off."""
    matrix = np.array([[1.0], [3.0], [1.0], [3.0]])
    encoder = Encoder.fit(matrix)
    tokens = encoder.tokens(matrix, read_sets(offers, stops))
    assert tokens.offers.tolist() == [2, 1, 1]
    assert tokens.all.tolist() == [4, 1, 1]
    assert tokens.place.tolist() == [0, 0, 1, 0]
    batch = tokens.batch(np.array([1, 0]))
    assert batch.shape == (2, 4, encoder.width)
    assert not batch[0, 1:].any()
    np.testing.assert_allclose(batch[1, 2, 6:9], [0.6, 0.8, np.log(1.5)], rtol=1e-6)
    assert batch[1, :, 9].tolist() == [-1.0, -1.0, 0.0, 0.0]
    assert batch[1, :, -1].tolist() == [0.0, 0.0, 1.0, 1.0]
    np.testing.assert_allclose(batch[1, :, 10], np.log(2.0), rtol=1e-6)
    np.testing.assert_allclose(batch[1, :, 11], np.log(3.0), rtol=1e-6)


def test_a_quarter_turn_moves_what_lay_north_to_the_west_and_nothing_else(
    offers: pd.DataFrame, stops: pd.DataFrame
) -> None:
    tokens = Encoder.fit(np.ones((4, 1))).tokens(np.ones((4, 1)), read_sets(offers, stops))
    still, turned = (tokens.batch(np.array([0]), turn) for turn in (None, np.array([np.pi / 2])))
    for k in (0, 3, 6):
        np.testing.assert_allclose(turned[..., k], -still[..., k + 1], atol=1e-6)
        np.testing.assert_allclose(turned[..., k + 1], still[..., k], atol=1e-6)
    others = [k for k in range(still.shape[2]) if k not in (0, 1, 3, 4, 6, 7)]
    np.testing.assert_array_equal(turned[..., others], still[..., others])


def test_every_parameter_out_of_its_range_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"width.*head_width: expected int.*learning_rate"):
        SetParams(width=0, head_width=8.5, learning_rate=7.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shared_heads to divide heads"):
        SetParams(heads=4, shared_heads=3)
