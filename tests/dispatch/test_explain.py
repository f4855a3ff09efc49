"""Asking why: every order of a plan has an answer in words."""

from dataclasses import replace

import pytest

from dispatch.domain import Snapshot
from dispatch.errors import InvalidInputError
from dispatch.explain import WORDS, why
from dispatch.pairs import Constraint
from dispatch.pipeline import Dispatcher


def test_every_constraint_has_words() -> None:
    assert WORDS.keys() == {c.value for c in Constraint}


def test_every_order_and_every_courier_gets_an_answer(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    plan = dispatcher.assign(small_snapshot)
    for order in small_snapshot.orders:
        assert order.id in why(plan, order.id)
        for courier in small_snapshot.couriers:
            assert why(plan, order.id, courier.id)


def test_the_answer_names_chance_times_rivals_and_counts(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    plan = dispatcher.assign(small_snapshot)
    offer = next(f for f in plan.offers if f.order_ids == ("o2",))
    text = why(plan, "o2")
    assert f"{offer.probability:.0%} likely to accept" in text
    assert offer.rivals[0].courier_id in text
    assert "lacked a skill" in text
    assert "unanswered offer" in text


def test_a_rival_is_told_what_spoke_for_the_other(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    plan = dispatcher.assign(small_snapshot)
    offer = plan.offers[0]
    text = why(plan, offer.order_ids[0], offer.rivals[-1].courier_id)
    assert offer.courier_id in text
    assert any(word in text for word in ("less likely", "later", "instead", "more work per hour"))


def test_an_unassigned_and_a_locked_order_say_why(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    nobody = replace(small_snapshot, couriers=small_snapshot.couriers[2:])
    plan = dispatcher.assign(nobody)
    assert "lacked a skill" in why(plan, "o2")
    assert "answer to offer p1" in why(plan, "o6")


def test_an_unknown_order_is_an_input_error(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    with pytest.raises(InvalidInputError, match="not in this plan"):
        why(dispatcher.assign(small_snapshot), "o77")
