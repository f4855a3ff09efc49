"""Holding: an order waits on purpose where waiting costs less than any courier it could get."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from dispatch.check import check_plan
from dispatch.config import BundleRules, DispatchConfig, HoldRules
from dispatch.datasets import SyntheticCity, synthetic_snapshot
from dispatch.domain import Snapshot
from dispatch.explain import why
from dispatch.hold import HalfTrip, Reached, policy_of
from dispatch.operating import AtKnee, ByBound, ByWeights
from dispatch.pairs import CandidatePairs
from dispatch.pipeline import Dispatcher
from dispatch.prepare import Prepared, Stopwatch, prepare
from dispatch.result import Plan
from dispatch.tables import Floats, Tables
from optimization import Deadline


@dataclass(frozen=True)
class Fixed:
    """The same price for every order."""

    seconds: float

    def price_s(self, tables: Tables, pairs: CandidatePairs) -> Floats:  # noqa: ARG002
        return np.full(len(tables.orders), self.seconds)


@pytest.fixture(scope="module")
def city() -> Snapshot:
    return synthetic_snapshot(SyntheticCity(seed=11), n_orders=40, n_couriers=45)


def _holding(
    dispatcher: Dispatcher, seconds: float, config: DispatchConfig | None = None
) -> Dispatcher:
    return Dispatcher(dispatcher.model, config, hold=Fixed(seconds))


def _prepared(city: Snapshot, dispatcher: Dispatcher) -> Prepared:
    return prepare(city, dispatcher.model, dispatcher.config, dispatcher.travel, Stopwatch())


def test_nothing_is_held_unless_asked_for(city: Snapshot, dispatcher: Dispatcher) -> None:
    assert policy_of(DispatchConfig().hold) is None
    assert dispatcher.assign(city).held == ()


def test_holding_free_of_charge_holds_every_order_with_a_candidate(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    plan = _holding(dispatcher, 0.0).assign(city)
    assert plan.offers == ()
    assert {u.reason for u in plan.unassigned} == {"no_eligible_courier"}
    assert len(plan.held) + len(plan.unassigned) + len(plan.locked) == len(city.orders)


def test_holding_that_costs_more_than_any_offer_changes_nothing(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    plan = _holding(dispatcher, 1e6).assign(city)
    assert plan.held == ()
    assert plan.offers == dispatcher.assign(city).offers


def test_a_lone_order_is_held_exactly_below_its_best_expected_delivery_time(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    """One order, no rivals: the least of p x door + (1 - p) x wait over its candidates decides."""
    alone = replace(small_snapshot, orders=small_snapshot.orders[:1])
    alone = replace(alone, couriers=tuple(replace(c, pending_offers=()) for c in alone.couriers))
    ready = _prepared(alone, dispatcher)
    p, costs = ready.costs.probability, ready.costs
    best_s = float((p * costs.door_in_s + (1 - p) * costs.wait_s[0]).min())
    held = _holding(dispatcher, best_s - 1).assign(alone)
    offered = _holding(dispatcher, best_s + 1).assign(alone)
    assert [entry.order_id for entry in held.held] == ["o1"]
    assert held.held[0].best_offer_min == pytest.approx(best_s / 60, abs=1e-4)
    assert held.held[0].holding_min == pytest.approx((best_s - 1) / 60)
    assert offered.held == ()
    assert len(offered.offers) == 1


@pytest.mark.parametrize("seconds", [900.0, 1500.0, 2100.0])
def test_what_is_held_costs_less_than_its_best_offer_and_the_rest_is_covered(
    city: Snapshot, dispatcher: Dispatcher, seconds: float
) -> None:
    holding = _holding(dispatcher, seconds)
    plan = holding.assign(city)
    assert all(h.holding_min < h.best_offer_min for h in plan.held)
    assert all(h.reason.startswith("holding costs") for h in plan.held)
    assert check_plan(plan, city, dispatcher.travel, dispatcher.config.candidates) == []
    named = [n for f in plan.offers for n in f.order_ids]
    named += [u.order_id for u in (*plan.unassigned, *plan.held, *plan.locked)]
    assert sorted(named) == sorted(o.id for o in city.orders)
    assert Plan.from_json(plan.to_json()) == plan
    for entry in plan.held:
        assert "held for the next epoch: holding costs" in why(plan, entry.order_id)


def test_dearer_holding_holds_fewer(city: Snapshot, dispatcher: Dispatcher) -> None:
    counts = [
        len(_holding(dispatcher, s).assign(city).held) for s in (300.0, 900.0, 1500.0, 2400.0)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_the_same_orders_are_held_at_every_operating_point(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    """So the fairest plan is not the one that holds everything."""
    holding = _holding(dispatcher, 1200.0)
    plans = [
        holding.assign(city, operating_point=point)
        for point in (
            ByWeights(),
            ByWeights(fairness=1000.0),
            ByBound("fairness", 1e6),
            AtKnee(),
        )
    ]
    assert plans[0].held
    assert all(plan.held == plans[0].held for plan in plans)
    assert len({sum(len(f.order_ids) for f in plan.offers) for plan in plans}) == 1


def test_bundles_are_held_from_as_well(city: Snapshot, dispatcher: Dispatcher) -> None:
    config = DispatchConfig(bundles=BundleRules(enabled=True))
    plan = _holding(dispatcher, 1200.0, config).assign(city)
    held = {entry.order_id for entry in plan.held}
    assert held
    assert held.isdisjoint(n for f in plan.offers for n in f.order_ids)
    assert plan.solver.mode == "bundles"


@pytest.mark.usefixtures("cold")
def test_without_time_nothing_is_held(city: Snapshot, dispatcher: Dispatcher) -> None:
    plan = _holding(dispatcher, 0.0).assign(city, deadline=Deadline.after(0.0))
    assert plan.held == ()
    assert plan.offers


def test_a_check_finds_orders_held_though_an_offer_was_cheaper(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    plan = _holding(dispatcher, 900.0).assign(city)
    first = plan.held[0]
    false = replace(plan, held=(replace(first, best_offer_min=first.holding_min), *plan.held[1:]))
    faults = check_plan(false, city, dispatcher.travel, dispatcher.config.candidates)
    assert len(faults) == 1
    assert first.order_id in faults[0]


def test_the_price_is_the_trip_as_if_reached_and_infinite_past_the_promise(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    """o1 is ready in 4 minutes, serviced 60 s before and 30 s after; its promise is in 34."""
    ready = _prepared(small_snapshot, dispatcher)
    tables, pairs = ready.tables, ready.pairs
    ride_s = pairs.trip.trip_s[pairs.order == 0].min()
    for minutes, picked_up in ((2.0, 4 * 60), (10.0, 11 * 60)):
        price = Reached(minutes).price_s(tables, pairs)[0]
        assert price == pytest.approx(picked_up + 30 + ride_s + 60)
        assert HalfTrip(minutes).price_s(tables, pairs)[0] == pytest.approx(price - ride_s / 2)
    late = 34 - (30 + ride_s + 60) / 60 - 1
    assert np.isinf(Reached(late + 0.1).price_s(tables, pairs)[0])
    assert np.isfinite(Reached(late - 0.1).price_s(tables, pairs)[0])
    assert np.isfinite(Reached(200.0).price_s(tables, pairs)[2])  # o3 has no promise


def test_the_configuration_names_the_policy() -> None:
    assert policy_of(HoldRules("reached", 4.0)) == Reached(4.0)
    assert policy_of(HoldRules("half_trip", 4.0)) == HalfTrip(4.0)
