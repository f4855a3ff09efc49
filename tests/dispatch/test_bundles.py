"""Bundles through `Dispatcher.assign`: offered whole, timed as enumerated, checked, explained."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from dispatch.check import check_plan
from dispatch.config import BundleRules, CandidateRules, DispatchConfig
from dispatch.datasets import SyntheticCity, synthetic_snapshot
from dispatch.domain import Capacity, Snapshot, StopKind
from dispatch.explain import why
from dispatch.operating import AtKnee
from dispatch.pipeline import Dispatcher
from dispatch.prepare import Prepared, Stopwatch, prepare
from dispatch.result import Offer, Plan
from dispatch.travel import GreatCircleTravel
from optimization import stop_sequences

TRAVEL = GreatCircleTravel()
CONFIG = DispatchConfig(
    candidates=CandidateRules(max_new_orders=3), bundles=BundleRules(enabled=True)
)


@pytest.fixture(scope="module")
def crowded() -> Snapshot:
    """Forty orders, twelve couriers with room for three each."""
    city = synthetic_snapshot(SyntheticCity(seed=11), n_orders=40, n_couriers=45)
    return replace(
        city,
        couriers=tuple(
            replace(c, capacity=Capacity(orders=5, size=1000), pending_offers=())
            for c in city.couriers[::4]
        ),
    )


@pytest.fixture(scope="module")
def bundling(dispatcher: Dispatcher) -> Dispatcher:
    return Dispatcher(dispatcher.model, CONFIG)


@pytest.fixture(scope="module")
def plan(crowded: Snapshot, bundling: Dispatcher) -> Plan:
    return bundling.assign(crowded)


@pytest.fixture(scope="module")
def ready(crowded: Snapshot, bundling: Dispatcher) -> Prepared:
    return prepare(crowded, bundling.model, CONFIG, TRAVEL, Stopwatch())


def bundle_of(plan: Plan) -> Offer:
    return next(offer for offer in plan.offers if len(offer.order_ids) > 1)


def test_a_courier_gets_one_offer_with_all_its_orders(plan: Plan, crowded: Snapshot) -> None:
    assert plan.solver.mode == "bundles"
    assert plan.solver.bundles > 0
    couriers = [offer.courier_id for offer in plan.offers]
    assert len(couriers) == len(set(couriers)) == len(plan.routes)
    assert max(len(offer.order_ids) for offer in plan.offers) == 3
    assert check_plan(plan, crowded, TRAVEL, CONFIG.candidates) == []


def test_an_accepted_bundle_counts_its_size(plan: Plan) -> None:
    expected = sum(offer.probability * len(offer.order_ids) for offer in plan.offers)
    assert plan.objectives.expected_acceptances == pytest.approx(expected)


def test_delivery_time_is_the_sum_over_the_doors_of_the_routes(
    plan: Plan, crowded: Snapshot, ready: Prepared
) -> None:
    door = {
        stop.order_id: (stop.at - crowded.now).total_seconds()
        for route in plan.routes
        for stop in route.stops
        if stop.kind is StopKind.DROPOFF and not stop.accepted
    }
    wait = dict(zip(ready.tables.orders.ids, ready.costs.wait_s.tolist(), strict=True))
    total = sum(wait.values())
    for offer in plan.offers:
        total += sum(offer.probability * (door[name] - wait[name]) for name in offer.order_ids)
    assert plan.objectives.delivery_time_min == pytest.approx(total / 60)
    bundle = bundle_of(plan)
    assert bundle.door_in_s == pytest.approx(max(door[name] for name in bundle.order_ids))


def test_the_solver_priced_the_plan_as_it_is_timed(plan: Plan) -> None:
    """Nothing is estimated: the weighted objectives of the plan are the solver's objective."""
    o, w = plan.objectives, plan.solver.weights
    value = -w["acceptance"] * o.expected_acceptances + w["delivery_time"] * o.delivery_time_min
    value += w["lateness"] * o.lateness_min + w["fairness"] * o.fairness_spread
    assert plan.solver.objective == pytest.approx(value, abs=1e-3)
    assert plan.solver.bound <= plan.solver.objective + 1e-9


def test_bundles_serve_more_when_couriers_are_short(
    plan: Plan, crowded: Snapshot, dispatcher: Dispatcher
) -> None:
    one_each = replace(CONFIG, candidates=CandidateRules(max_new_orders=1))
    alone = Dispatcher(dispatcher.model, one_each).assign(crowded)
    served = sum(len(offer.order_ids) for offer in plan.offers)
    assert served > 1.5 * len(alone.offers)


def test_the_same_snapshot_gives_the_same_bytes(
    plan: Plan, crowded: Snapshot, bundling: Dispatcher
) -> None:
    assert bundling.assign(crowded).to_json(timings=False) == plan.to_json(timings=False)
    assert Plan.from_json(plan.to_json()) == plan


def test_the_knee_of_the_frontier_is_a_plan_of_bundles(
    crowded: Snapshot, bundling: Dispatcher
) -> None:
    knee = bundling.assign(crowded, operating_point=AtKnee())
    assert knee.solver.mode == "bundles"
    assert knee.frontier is not None
    assert check_plan(knee, crowded, TRAVEL, CONFIG.candidates) == []


def test_summary_and_why_read_well(plan: Plan) -> None:
    bundle = bundle_of(plan)
    served = sum(len(offer.order_ids) for offer in plan.offers)
    several = sum(len(offer.order_ids) > 1 for offer in plan.offers)
    assert f"{served} of " in plan.summary()
    assert f"({several} bundles)" in plan.summary()
    text = why(plan, bundle.order_ids[0])
    assert f"together with {', '.join(bundle.order_ids[1:])}" in text
    frame = plan.to_frame()
    assert len(frame) == served


def test_rivals_of_a_bundle_could_have_taken_the_same_orders(plan: Plan, ready: Prepared) -> None:
    assert ready.bundles is not None
    pairs, ids = ready.pairs, ready.tables.orders.ids
    able: dict[frozenset[str], set[str]] = {}
    for row in ready.bundles.pairs:
        mine = row[row >= 0]
        names = frozenset(ids[i] for i in pairs.order[mine].tolist())
        courier = ready.tables.couriers.ids[pairs.courier[mine[0]]]
        able.setdefault(names, set()).add(courier)
    with_rivals = 0
    for offer in plan.offers:
        if len(offer.order_ids) > 1:
            names = {rival.courier_id for rival in offer.rivals}
            assert names <= able[frozenset(offer.order_ids)] - {offer.courier_id}
            with_rivals += bool(names)
    assert with_rivals


def test_features_of_a_bundle_are_those_documented(ready: Prepared) -> None:
    """Recomputed stop by stop in plain Python for some bundles."""
    assert ready.bundles is not None
    tables, bundles, found = ready.tables, ready.bundles.bundles, ready.bundles.columns
    assert found.keys() == ready.columns.expand().keys()
    low = 0
    for trips in bundles.trips:
        for b in range(0, len(trips), max(1, len(trips) // 20)):
            now, ride, wait, slack = ready.free.free_s[trips.courier[b]], 0.0, 0.0, np.inf
            for k, i in enumerate(trips.order[b].tolist()):
                ride += trips.arrive_s[b, k] - now
                now = trips.leave_s[b, k]
                if trips.is_pickup[b, k]:
                    ready_to = trips.arrive_s[b, k] + tables.orders.pickup_before_s[i]
                    wait += max(0.0, tables.orders.ready_s[i] - ready_to)
                elif not np.isnan(tables.orders.due_s[i]):
                    slack = min(slack, tables.orders.due_s[i] - trips.event_s[b, k])
            orders = np.unique(trips.order[b])
            at = low + b
            assert found["to_pickup_s"][at] + found["trip_s"][at] == pytest.approx(ride)
            assert found["wait_s"][at] == pytest.approx(wait, abs=1e-6)
            assert found["slack_s"][at] == pytest.approx(slack) or np.isinf(slack)
            assert found["pay"][at] == pytest.approx(tables.orders.pay[orders].sum())
            assert found["attempt"][at] == tables.orders.attempt[orders].max()
            demand = ready.columns.order["local_demand"][orders].mean()
            assert found["local_demand"][at] == pytest.approx(demand)
            assert found["hour"][at] == ready.columns.context["hour"][0]
            load = tables.couriers.load_orders[trips.courier[b]]
            assert found["load_orders"][at] == load
        low += len(trips)


def test_no_sequence_of_a_bundle_beats_the_one_planned(ready: Prepared) -> None:
    """Every other sequence of some bundles, timed by the same rule, costs no less."""
    from dispatch.trips import time_sequences

    assert ready.bundles is not None
    tables = ready.tables
    for trips, cost in zip(
        ready.bundles.bundles.trips,
        np.split(
            ready.bundles.bundles.door_in_s + ready.bundles.bundles.late_s,
            [len(ready.bundles.bundles.trips[0])],
        ),
        strict=True,
    ):
        some = np.arange(0, len(trips), max(1, len(trips) // 30))
        best = np.full(some.size, np.inf)
        for node in stop_sequences(trips.pairs.shape[1]):
            nodes = np.tile(node, (some.size, 1))
            mine = trips.pairs[some]
            other = time_sequences(
                tables,
                ready.free,
                trips.courier[some],
                ready.pairs.order[mine],
                nodes,
                TRAVEL,
                CONFIG.candidates,
                pairs=mine,
            )
            door = np.where(other.is_pickup, 0.0, other.event_s - tables.now_s)
            due = np.where(other.is_pickup, np.nan, tables.orders.due_s[other.order])
            late = np.nan_to_num(np.maximum(other.event_s - due, 0.0)).sum(axis=1)
            best = np.minimum(best, np.where(other.feasible, door.sum(axis=1) + late, np.inf))
        assert cost[some] == pytest.approx(best)


def later(plan: Plan, courier_id: str) -> Plan:
    def moved(route):
        if route.courier_id != courier_id:
            return route
        stops = list(route.stops)
        stops[-1] = replace(stops[-1], at=stops[-1].at + timedelta(seconds=30))
        return replace(route, stops=tuple(stops))

    return replace(plan, routes=tuple(moved(r) for r in plan.routes))


def test_planted_faults_in_bundles_are_caught(plan: Plan, crowded: Snapshot) -> None:
    bundle = bundle_of(plan)
    rest = tuple(o for o in plan.offers if o is not bundle)

    def with_bundle(**changes: object) -> Plan:
        return replace(plan, offers=(*rest, replace(bundle, **changes)))  # type: ignore[arg-type]

    faults = {
        "appears 2 times": with_bundle(order_ids=(*bundle.order_ids, bundle.order_ids[0])),
        "is lost": with_bundle(order_ids=bundle.order_ids[1:]),
        "stops do not match": with_bundle(order_ids=bundle.order_ids[1:]),
        "new orders, 3 allowed": with_bundle(order_ids=(*bundle.order_ids, *rest[0].order_ids) * 2),
        "several offers": replace(
            plan,
            offers=(
                *rest,
                replace(bundle, order_ids=bundle.order_ids[:1], offer_id="x"),
                replace(bundle, order_ids=bundle.order_ids[1:]),
            ),
        ),
        "pickup_in_s or door_in_s": with_bundle(door_in_s=bundle.door_in_s - 60),
        "wrong time": later(plan, bundle.courier_id),
    }
    for message, broken in faults.items():
        found = check_plan(broken, crowded, TRAVEL, CONFIG.candidates)
        assert any(message in fault for fault in found), message
