"""Every offer of a plan says what moved its chance, and `why` tells it in words."""

import pytest

import models
from dispatch import DispatchConfig
from dispatch.config import BundleRules
from dispatch.datasets import load_sample_offers, load_sample_snapshot
from dispatch.domain import Snapshot
from dispatch.explain import why
from dispatch.pipeline import Dispatcher
from dispatch.result import Plan
from models import AcceptanceModel, AcceptanceParams
from optimization import Deadline


@pytest.fixture(scope="module")
def model() -> AcceptanceModel:
    return models.train(load_sample_offers().head(4_000), AcceptanceParams(n_bags=0))


@pytest.fixture(scope="module")
def sample() -> Snapshot:
    return load_sample_snapshot()


@pytest.mark.parametrize("bundled", [False, True])
def test_every_offer_has_its_strongest_reasons_first(
    model: AcceptanceModel, sample: Snapshot, bundled: bool
) -> None:
    config = DispatchConfig(bundles=BundleRules(enabled=bundled))
    plan = Dispatcher(model, config).assign(sample)
    assert any(len(offer.order_ids) > 1 for offer in plan.offers) == bundled
    for offer in plan.offers:
        strength = [abs(reason.log_odds) for reason in offer.reasons]
        assert 1 <= len(strength) <= 3
        assert strength == sorted(strength, reverse=True)
    assert Plan.from_json(plan.to_json()).offers == plan.offers


def test_the_minutes_to_the_pickup_are_those_of_the_offer(
    model: AcceptanceModel, sample: Snapshot
) -> None:
    plan = Dispatcher(model).assign(sample)
    told = [(o, r) for o in plan.offers for r in o.reasons if r.code == "to_pickup"]
    assert told
    for offer, reason in told:
        minutes = int(reason.words.split(" minutes to the pickup")[0])
        assert minutes * 60 <= offer.pickup_in_s + 30


def test_why_tells_the_reasons_in_words(model: AcceptanceModel, sample: Snapshot) -> None:
    offer = Dispatcher(model).assign(sample).offers[0]
    plan = Dispatcher(model).assign(sample)
    text = why(plan, offer.order_ids[0])
    for reason in offer.reasons:
        way = "more" if reason.log_odds > 0 else "less"
        assert f"{reason.words}: {way} likely" in text


def test_without_time_or_trees_there_are_no_reasons(
    model: AcceptanceModel, sample: Snapshot, dispatcher: Dispatcher
) -> None:
    late = Dispatcher(model).assign(sample, deadline=Deadline.after(0.0))
    known = dispatcher.assign(sample)
    assert not any(offer.reasons for plan in (late, known) for offer in plan.offers)
