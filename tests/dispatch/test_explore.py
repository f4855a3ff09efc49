"""Exploration: off by default, seeded, cheap, and logged with the propensities it truly has."""

from collections import Counter
from dataclasses import replace

import pytest

from dispatch.config import DispatchConfig, OfferRules
from dispatch.datasets import SyntheticCity, synthetic_snapshot
from dispatch.domain import Snapshot
from dispatch.operating import ByBound
from dispatch.pipeline import Dispatcher
from dispatch.result import Plan

NEAR = 0.2


@pytest.fixture(scope="module")
def city() -> Snapshot:
    return synthetic_snapshot(SyntheticCity(seed=3), n_orders=15, n_couriers=40)


def explored(dispatcher: Dispatcher, city: Snapshot, share: float, seed: int = 0) -> Plan:
    offers = OfferRules(explored=share, near_tie=NEAR, explore_seed=seed)
    return Dispatcher(dispatcher.model, DispatchConfig(offers=offers)).assign(city)


def test_nothing_is_random_unless_asked_for(dispatcher: Dispatcher, city: Snapshot) -> None:
    assert {offer.propensity for offer in dispatcher.assign(city).offers} == {1.0}


def test_the_same_seed_explores_alike(dispatcher: Dispatcher, city: Snapshot) -> None:
    plans = [explored(dispatcher, city, 0.5, seed).to_json(timings=False) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


def test_offers_are_made_as_often_as_their_propensities_say(
    dispatcher: Dispatcher, city: Snapshot
) -> None:
    """Over 60 seeds, within four binomial standard errors for every order and courier."""
    runs, share = 60, 0.6
    made: Counter[tuple[str, str]] = Counter()
    said: dict[tuple[str, str], float] = {}
    for seed in range(runs):
        for offer in explored(dispatcher, city, share, seed).offers:
            key = offer.order_ids[0], offer.courier_id
            made[key] += 1
            assert said.setdefault(key, offer.propensity) == pytest.approx(offer.propensity)
    assert min(said.values()) < 0.5
    for key, chance in said.items():
        error = (chance * (1 - chance) / runs) ** 0.5
        assert abs(made[key] / runs - chance) <= 4 * error + 1e-9


def test_an_explored_plan_costs_at_most_the_near_tie_for_each_swap(
    dispatcher: Dispatcher, city: Snapshot
) -> None:
    best, random = dispatcher.assign(city), explored(dispatcher, city, 1.0)
    couriers = {f.order_ids[0]: f.courier_id for f in best.offers}
    swaps = sum(couriers[f.order_ids[0]] != f.courier_id for f in random.offers)
    assert swaps > 0
    assert 0 <= random.solver.objective - best.solver.objective <= swaps * NEAR + 1e-9
    assert random.solver.status == "feasible"
    assert f"{swaps} of " in random.solver.message


def test_a_bound_asked_for_is_never_risked(dispatcher: Dispatcher, city: Snapshot) -> None:
    rules = OfferRules(explored=1.0, near_tie=NEAR)
    exploring = Dispatcher(dispatcher.model, replace(DispatchConfig(), offers=rules))
    plan = exploring.assign(city, operating_point=ByBound("acceptance", 1.0))
    assert {offer.propensity for offer in plan.offers} == {1.0}
