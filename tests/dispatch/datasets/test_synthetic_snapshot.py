"""The synthetic moment is a valid snapshot with every case a dispatcher meets."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from dispatch.availability import availability
from dispatch.config import CandidateRules
from dispatch.datasets import PlantedLaw, SyntheticCity, synthetic_snapshot
from dispatch.datasets.synthetic import World
from dispatch.datasets.synthetic_snapshot import DEFAULT_AT
from dispatch.domain import Snapshot, StopKind
from dispatch.errors import InvalidInputError
from dispatch.pairs import find_pairs
from dispatch.tables import tabulate
from dispatch.travel import GreatCircleTravel
from dispatch.validate import validate

CITY = SyntheticCity(seed=11)


@pytest.fixture(scope="module")
def moment() -> Snapshot:
    return synthetic_snapshot(CITY)


def test_the_snapshot_is_valid_and_of_the_size_asked_for(moment: Snapshot) -> None:
    validate(moment)
    assert (len(moment.orders), len(moment.couriers)) == (60, 100)


@pytest.mark.parametrize(("n_orders", "n_couriers"), [(1, 1), (7, 2), (300, 130)])
def test_other_sizes_and_moments_are_valid_too(n_orders: int, n_couriers: int) -> None:
    at = DEFAULT_AT - timedelta(days=9, hours=6)
    small = synthetic_snapshot(CITY, n_orders, n_couriers, at)
    validate(small)
    assert (len(small.orders), len(small.couriers), small.now) == (n_orders, n_couriers, at)


def test_same_city_and_moment_same_snapshot(moment: Snapshot) -> None:
    assert synthetic_snapshot(SyntheticCity(seed=11)) == moment
    assert synthetic_snapshot(SyntheticCity(seed=12)) != moment


def test_couriers_are_the_citys_own(moment: Snapshot) -> None:
    fleet = World(CITY).fleet
    row = {name: j for j, name in enumerate(fleet.ids)}
    assert all(c.capacity.orders == fleet.capacity_orders[row[c.id]] for c in moment.couriers)


def test_every_case_occurs(moment: Snapshot) -> None:
    couriers, orders = moment.couriers, moment.orders
    stops = [c.on_board for c in couriers if c.on_board]
    assert 25 <= len(stops) <= 55
    assert {s[0].kind for s in stops} == set(StopKind)
    assert {c.capacity.orders for c in couriers} == {1, 2, 3}
    assert sum(bool(c.pending_offers) for c in couriers) in (2, 3)
    assert sum(c.available_at is not None for c in couriers) >= 1
    assert len({c.vehicle.kind for c in couriers}) == 5
    assert any(o.refusals for o in orders)
    assert all(o.attempt == 1 + len(o.refusals) for o in orders)
    assert {s for o in orders for s in o.required_skills} == {"alcohol", "cold_chain", "pharmacy"}
    assert any(c.past_work.orders > 0 for c in couriers)


def test_some_orders_can_be_served_by_nobody_for_three_different_reasons(moment: Snapshot) -> None:
    tables, travel = tabulate(moment), GreatCircleTravel()
    pairs = find_pairs(tables, availability(tables, travel), travel, CandidateRules())
    hopeless = (pairs.feasible == 0) & ~tables.orders.locked
    orders = [o for o, none in zip(moment.orders, hopeless, strict=True) if none]
    assert any(o.size == 40 for o in orders)
    assert any("pharmacy" in o.required_skills for o in orders)
    assert any(o.ready_at > moment.now + timedelta(hours=4) for o in orders)
    assert hopeless.sum() <= 0.1 * len(moment.orders)


def test_past_acceptance_shows_the_hidden_effect() -> None:
    city = replace(CITY, n_couriers=400, law=PlantedLaw(intercept=1.0))
    fleet = World(city).fleet
    effect = dict(zip(fleet.ids, fleet.effect, strict=True))
    work = [
        (c.past_work.acceptances / c.past_work.offers, effect[c.id])
        for c in synthetic_snapshot(city, 10, 400).couriers
        if c.past_work.offers > 30
    ]
    assert np.corrcoef(np.array(work).T)[0, 1] > 0.8


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"n_orders": 0}, "n_orders"),
        ({"n_couriers": 131}, "n_couriers"),
        ({"at": datetime(2025, 3, 31, 19, 30)}, "at"),
        ({"at": DEFAULT_AT - timedelta(days=40)}, "at"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        synthetic_snapshot(CITY, **arguments)  # type: ignore[arg-type]
    assert [p.path for p in refused.value.problems] == [path]
