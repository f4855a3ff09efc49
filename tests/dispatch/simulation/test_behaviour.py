"""Couriers who answer: the same question gets the same answer, and laws do what they say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dispatch.domain import StopKind
from dispatch.errors import InvalidInputError
from dispatch.simulation import Draws, Question
from dispatch.simulation.logit import Listening, LogitBehaviour, tuned
from dispatch.simulation.scorers import LearntEffects
from dispatch.simulation.timeline import ride_stops


def question(street: Any, inbound: float = 3, name: str = "c", end: float = 300) -> Question:
    """An offer of an order from 10 to 15, ready at once, `inbound` minutes away."""
    order = street.order("o", 0, 0, 10, 15)
    courier = street.shift(name, 0, end, 10 - inbound).courier
    now_s = street.start.timestamp()
    stops = ride_stops(
        courier,
        courier.position,
        now_s,
        [(StopKind.PICKUP, order), (StopKind.DROPOFF, order)],
        street.travel,
        one_visit_per_place=False,
    )
    return Question(courier, (order,), stops, now_s, now_s, attempt=1)


def test_draws_depend_on_what_is_asked_and_on_nothing_else() -> None:
    draws = Draws(5)
    first = draws.generator("answer", "o1", "c1", "1").uniform()
    draws.generator("answer", "o2", "c1", "1").uniform()
    assert draws.generator("answer", "o1", "c1", "1").uniform() == first
    others = [("answer", "o1", "c1", "2"), ("answer", "o1", "c2", "1"), ("patience", "o1", "c1")]
    assert all(draws.generator(*other).uniform() != first for other in others)
    assert Draws(6).generator("answer", "o1", "c1", "1").uniform() != first


def test_draws_are_uniform() -> None:
    values = np.array([Draws(0).generator("answer", str(k)).uniform() for k in range(2_000)])
    assert abs(values.mean() - 0.5) < 4 / np.sqrt(12 * 2_000)
    assert abs((values < 0.1).mean() - 0.1) < 4 * np.sqrt(0.09 / 2_000)


def test_the_farther_the_pickup_and_the_nearer_the_end_of_the_shift_the_fewer_accept(
    street: Any,
) -> None:
    law = LogitBehaviour()
    near, far = (law.probability(question(street, inbound)) for inbound in (1, 9))
    assert near > far
    assert law.probability(question(street, end=20)) < law.probability(question(street))
    # 1.4 at the centres: 3 less than 6 minutes in, 5 less than 10 out, none of 4 waiting
    known = replace(law, courier_sd=0.0)
    odds = 1.4 + 0.10 * 3 + 0.05 * 5 + 0.08 * 4
    assert known.log_odds(question(street)) == pytest.approx(odds)


def test_couriers_keep_their_hidden_effect_and_differ(street: Any) -> None:
    law = LogitBehaviour(courier_sd=1.0)
    effects = [law.effect(f"c{k}") for k in range(400)]
    assert law.effect("c7") == effects[7]
    assert np.std(effects) == pytest.approx(1.0, abs=0.15)
    assert LogitBehaviour(traits_seed=1).effect("c7") != law.effect("c7")


def test_answers_come_within_the_latency_and_as_often_as_the_law_says(street: Any) -> None:
    law, asked = LogitBehaviour(courier_sd=0.0, intercept=0.0), question(street)
    answers = [law.answer(asked, Draws(k).generator("answer")) for k in range(1_500)]
    share = np.mean([a.accepted for a in answers])
    chance = law.probability(asked)
    assert abs(share - chance) < 4 * np.sqrt(chance * (1 - chance) / 1_500)
    heard = [a.delay_s for a in answers if np.isfinite(a.delay_s)]
    assert min(heard) >= 60
    assert max(heard) <= 120
    ignored = np.mean([np.isinf(a.delay_s) for a in answers if not a.accepted])
    assert ignored == pytest.approx(0.25, abs=0.08)


def test_a_tuned_law_accepts_the_share_asked_for(street: Any) -> None:
    questions = [question(street, k % 9, f"c{k}") for k in range(200)]
    for share in (0.48, 0.71, 0.87):
        law = tuned(LogitBehaviour(), questions, share)
        assert np.mean([law.probability(q) for q in questions]) == pytest.approx(share)


def test_listening_changes_no_answer(street: Any) -> None:
    law, asked = LogitBehaviour(), question(street)
    listening = Listening(law)
    rngs = [Draws(1).generator("answer") for _ in range(2)]
    assert listening.answer(asked, rngs[0]) == law.answer(asked, rngs[1])
    assert listening.questions == [asked]


def test_learnt_effects_know_the_law_and_move_with_the_courier_s_answers(street: Any) -> None:
    law = LogitBehaviour(courier_sd=0.0)
    asked = question(street)
    columns = {
        "to_pickup_s": [180.0] * 3,
        "trip_s": [300.0] * 3,
        "wait_s": [0.0] * 3,
        "shift_left_s": [9000.0] * 3,
        "until_free_s": [0.0] * 3,
        "courier_offers": [0.0, 20.0, 20.0],
        "courier_accepted": [0.0, 20.0, 2.0],
    }
    scorer = LearntEffects(law, mean=0.7)
    new, willing, choosy = scorer.predict_proba({k: np.array(v) for k, v in columns.items()})
    assert new == pytest.approx(law.probability(asked))
    assert choosy < new < willing


def test_a_parameter_out_of_range_is_named() -> None:
    with pytest.raises(InvalidInputError, match="courier_sd"):
        LogitBehaviour(courier_sd=-1)
