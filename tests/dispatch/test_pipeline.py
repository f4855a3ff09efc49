"""`Dispatcher.assign` end to end: what a plan promises, at every operating point."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import numpy as np
import pytest

from dispatch.config import DispatchConfig, Objective
from dispatch.datasets import SyntheticCity, synthetic_snapshot
from dispatch.domain import Capacity, PastWork, Snapshot
from dispatch.errors import DeadlineError, InvalidInputError, UnattainableBoundError
from dispatch.operating import AtKnee, ByBound, ByWeights
from dispatch.pipeline import Dispatcher
from dispatch.prepare import Stopwatch, prepare
from dispatch.result import Plan
from optimization import Deadline


@pytest.fixture(scope="module")
def city() -> Snapshot:
    return synthetic_snapshot(SyntheticCity(seed=11), n_orders=40, n_couriers=45)


@pytest.fixture(scope="module")
def crowded(city: Snapshot) -> Snapshot:
    """A quarter of the couriers: orders must share trips."""
    return replace(
        city,
        couriers=tuple(
            replace(c, capacity=Capacity(orders=4, size=1000), pending_offers=(), shift_end=None)
            for c in city.couriers[::4]
        ),
    )


def test_every_order_is_accounted_for_once(city: Snapshot, dispatcher: Dispatcher) -> None:
    plan = dispatcher.assign(city)
    named = [
        *(name for offer in plan.offers for name in offer.order_ids),
        *(u.order_id for u in plan.unassigned),
        *(entry.order_id for entry in plan.locked),
    ]
    assert sorted(named) == sorted(o.id for o in city.orders)


def test_the_same_input_gives_the_same_bytes(city: Snapshot, dispatcher: Dispatcher) -> None:
    first = dispatcher.assign(city, include_frontier=True)
    second = dispatcher.assign(city, include_frontier=True)
    assert first.to_json(timings=False) == second.to_json(timings=False)
    assert first.timings_s.keys() >= {"pairs", "features", "probability", "solve", "verify"}


def test_ids_follow_from_snapshot_configuration_model_and_operating_point(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    plan = dispatcher.assign(city)
    other = replace(dispatcher.config, policy_id="other")
    changed = [
        dispatcher.assign(replace(city, request_id="again")),
        Dispatcher(dispatcher.model, other).assign(city),
        dispatcher.assign(city, operating_point=ByWeights(fairness=0.5)),
    ]
    assert plan.decision_id not in {p.decision_id for p in changed}
    assert plan.snapshot_hash == changed[1].snapshot_hash != changed[0].snapshot_hash
    assert plan.config_hash != changed[1].config_hash
    assert all(offer.offer_id.startswith(plan.decision_id[:12]) for offer in plan.offers)


def test_a_plan_reads_back_from_its_json(city: Snapshot, dispatcher: Dispatcher) -> None:
    plan = dispatcher.assign(city, include_frontier=True)
    assert Plan.from_json(plan.to_json()) == plan


def test_a_tiny_plan_is_the_best_of_all_by_enumeration(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    """Two orders, two couriers with room for one each: all assignments priced by hand.

    The weighted sum of a complete assignment is the sum of -p + 0.02 (time + lateness terms) with
    fairness switched off; the plan must be the cheapest.
    """
    snapshot = replace(
        small_snapshot,
        orders=(small_snapshot.orders[0], small_snapshot.orders[4]),
        couriers=tuple(
            replace(c, capacity=Capacity(orders=1), on_board=(), load_size=0)
            for c in (small_snapshot.couriers[0], small_snapshot.couriers[2])
        ),
    )
    off = Dispatcher(dispatcher.model, DispatchConfig(objective=Objective(fairness=0.0)))
    plan = off.assign(snapshot)
    cost = {}
    for offer in plan.offers:
        cost[offer.order_ids[0], offer.courier_id] = offer.cost
        for rival in offer.rivals:
            cost[offer.order_ids[0], rival.courier_id] = rival.cost
    best = min(cost["o1", a] + cost["o5", b] for a, b in product(("c1", "c3"), repeat=2) if a != b)
    assert len(plan.offers) == 2
    assert sum(offer.cost for offer in plan.offers) == pytest.approx(best, abs=1e-9)


def test_objectives_are_those_of_the_offers(city: Snapshot, dispatcher: Dispatcher) -> None:
    plan = dispatcher.assign(city)
    o = plan.objectives
    waiting = len(city.orders) - len(plan.locked)
    assert o.expected_acceptances == pytest.approx(sum(f.probability for f in plan.offers))
    assert o.acceptance_rate == pytest.approx(o.expected_acceptances / waiting)
    assert o.mean_delivery_time_min == pytest.approx(o.delivery_time_min / waiting)
    hours = [max(c.past_work.online_s, 1800) / 3600 for c in city.couriers]
    given = {c.id: 0 for c in city.couriers}
    for offer in plan.offers:
        given[offer.courier_id] += 1
    rate = np.array(
        [
            (c.past_work.orders + len({s.order_id for s in c.on_board}) + given[c.id]) / h
            for c, h in zip(city.couriers, hours, strict=True)
        ]
    )
    assert o.fairness["spread_sd"] == pytest.approx(rate.std())
    assert o.fairness["worst_off"] == pytest.approx(rate.min())


def test_leaving_an_order_never_makes_delivery_look_faster(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    """Waiting for the next epoch counts longer than any candidate would have taken."""
    ready = prepare(city, dispatcher.model, dispatcher.config, dispatcher.travel, Stopwatch())
    retry_s = dispatcher.config.objective.retry_s
    waits = ready.costs.wait_s[ready.pairs.order]
    assert (waits >= ready.costs.door_in_s + retry_s - 1e-6).all()
    hopeless = np.bincount(ready.pairs.order, minlength=len(city.orders)) == 0
    hopeless &= ~ready.tables.orders.locked
    assert hopeless.any()
    assert (ready.costs.wait_s[hopeless] >= waits.max() - 1e-6).all()


def test_fairness_weight_moves_work_to_those_who_had_less(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    spreads = [
        dispatcher.assign(city, operating_point=ByWeights(fairness=w)).objectives.fairness_spread
        for w in (0.0, 0.1, 10.0)
    ]
    assert spreads[0] > spreads[1] > spreads[2]


def test_no_fairness_weight_trades_away_coverage(city: Snapshot, dispatcher: Dispatcher) -> None:
    offered = {
        len(dispatcher.assign(city, operating_point=ByWeights(fairness=w)).offers)
        for w in (0.0, 1.0, 1e6)
    }
    assert len(offered) == 1


@pytest.mark.parametrize(
    ("objective", "value"),
    [("acceptance", 1.02), ("delivery_time", 0.97), ("fairness", 0.98)],
)
def test_a_bound_is_kept_and_costs_something(
    city: Snapshot, dispatcher: Dispatcher, objective: Any, value: float
) -> None:
    """Tightening one objective a little past the weighted plan keeps it, at a higher sum."""
    plan = dispatcher.assign(city, operating_point=ByWeights(fairness=1.0))
    now = {
        "acceptance": plan.objectives.expected_acceptances,
        "delivery_time": plan.objectives.delivery_time_min,
        "fairness": plan.objectives.fairness_spread,
    }[objective]
    heavy = Dispatcher(
        dispatcher.model, replace(dispatcher.config, objective=Objective(fairness=1.0))
    )
    bounded = heavy.assign(city, operating_point=ByBound(objective, now * value))
    reached = {
        "acceptance": bounded.objectives.expected_acceptances,
        "delivery_time": bounded.objectives.delivery_time_min,
        "fairness": bounded.objectives.fairness_spread,
    }[objective]
    if objective == "acceptance":
        assert reached >= now * value - 1e-6
    else:
        assert reached <= now * value + 1e-6
    assert bounded.solver.objective >= plan.solver.objective - 1e-6
    assert bounded.solver.operating_point == "bound"


def test_a_bound_out_of_reach_says_what_can_be_reached(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    with pytest.raises(UnattainableBoundError, match="reaches") as refused:
        dispatcher.assign(city, operating_point=ByBound("acceptance", 1000.0))
    best = float(str(refused.value).rsplit(" ", 1)[1])
    most = dispatcher.assign(city, operating_point=ByBound("acceptance", math.floor(best)))
    assert most.objectives.expected_acceptances >= math.floor(best)


def test_the_knee_is_a_point_of_the_frontier(city: Snapshot, dispatcher: Dispatcher) -> None:
    plan = dispatcher.assign(city, operating_point=AtKnee())
    assert plan.frontier is not None
    knee = next(p for p in plan.frontier.points if p.knee)
    assert plan.solver.weights == knee.weights
    assert plan.objectives.fairness_spread == pytest.approx(knee.fairness_spread)


def test_frontier_points_do_not_dominate_each_other(city: Snapshot, dispatcher: Dispatcher) -> None:
    report = dispatcher.frontier(city)
    efficiency = [p.efficiency for p in report.points]
    spread = [p.fairness_spread for p in report.points]
    assert report.complete
    assert len(report.points) >= 5
    assert efficiency == sorted(efficiency)
    assert spread == sorted(spread, reverse=True)


def test_couriers_short_of_hands_share_trips_in_the_best_sequence(
    crowded: Snapshot, dispatcher: Dispatcher
) -> None:
    plan = dispatcher.assign(crowded)
    shared = [r for r in plan.routes if sum(not s.accepted for s in r.stops) == 4]
    assert shared
    assert len(plan.offers) == 2 * len(crowded.couriers)
    assert {u.reason for u in plan.unassigned} >= {"couriers_taken"}


def test_a_joint_trip_that_breaks_the_shift_is_limited_to_one_order(
    crowded: Snapshot, dispatcher: Dispatcher
) -> None:
    """Alone each order fits the shift; together they may not, and then only one is offered."""
    ended = replace(
        crowded,
        couriers=tuple(
            replace(c, shift_end=crowded.now + timedelta(minutes=28)) for c in crowded.couriers
        ),
    )
    plan = dispatcher.assign(ended)
    assert "limited to one order" in plan.solver.message
    assert plan.solver.bound <= plan.solver.objective
    assert plan.solver.status == "feasible" if plan.solver.gap > 0 else "optimal"


def test_bundles_never_exceed_sizes(crowded: Snapshot, dispatcher: Dispatcher) -> None:
    tight = replace(
        crowded,
        couriers=tuple(replace(c, capacity=Capacity(orders=4, size=c.load_size + 3))
                       for c in crowded.couriers),
    )  # fmt: skip
    plan = dispatcher.assign(tight)
    size = {o.id: o.size for o in tight.orders}
    for route in plan.routes:
        taken = {s.order_id for s in route.stops if not s.accepted}
        assert sum(size[name] for name in taken) <= 3
    assert plan.solver.status == "optimal"


def test_a_deadline_too_short_for_anything_still_gives_a_checked_plan(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    plan = dispatcher.assign(city, deadline=Deadline.after(1e-6), include_frontier=True)
    assert plan.offers
    assert plan.frontier is not None
    assert plan.solver.bound <= plan.solver.objective + 1e-9


def test_an_empty_snapshot_gives_an_empty_plan(city: Snapshot, dispatcher: Dispatcher) -> None:
    for empty in (replace(city, orders=(), couriers=()), replace(city, couriers=())):
        plan = dispatcher.assign(empty, include_frontier=True)
        assert plan.offers == ()
        assert len(plan.unassigned) == len(empty.orders)
        assert plan.summary()
    nobody_waits = replace(city, orders=(), couriers=tuple(
        replace(c, pending_offers=()) for c in city.couriers))  # fmt: skip
    assert dispatcher.assign(nobody_waits).offers == ()


def test_what_cannot_be_served_says_which_constraint(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    skilled = replace(city.orders[0], required_skills=("crane",))
    plan = dispatcher.assign(
        replace(city, skills=(*city.skills, "crane"), orders=(skilled, *city.orders[1:]))
    )
    entry = next(u for u in plan.unassigned if u.order_id == skilled.id)
    assert entry.reason == "no_eligible_courier"
    assert entry.considered.ruled_out["skills"] > 0
    assert sum(entry.considered.ruled_out.values()) == len(city.couriers)


def test_priority_decides_who_is_left(crowded: Snapshot, dispatcher: Dispatcher) -> None:
    """With too few couriers, the orders left are never the urgent ones."""
    left = dispatcher.assign(crowded).unassigned
    urgent = {u.order_id for u in left if u.reason == "couriers_taken"}
    raised = replace(
        crowded,
        orders=tuple(replace(o, priority=10) if o.id in urgent else o for o in crowded.orders),
    )
    again = {u.order_id for u in dispatcher.assign(raised).unassigned}
    assert len(urgent) <= 2 * len(crowded.couriers)
    assert not urgent & again


def test_past_work_counts_towards_fairness(city: Snapshot, dispatcher: Dispatcher) -> None:
    """Of two couriers alike in all but past work, the one who had less is offered the order."""
    one = city.couriers[0]
    twins = tuple(
        replace(
            one,
            id=name,
            on_board=(),
            load_size=0,
            pending_offers=(),
            shift_end=None,
            past_work=PastWork(orders=orders, online_s=7200, offers=10, acceptances=8),
        )
        for name, orders in (("busy", 9), ("idle", 1))
    )
    order = replace(city.orders[0], required_skills=(), size=1, refusals=())
    plan = dispatcher.assign(replace(city, orders=(order,), couriers=twins))
    assert plan.offers[0].courier_id == "idle"


def test_a_broken_snapshot_is_refused_before_anything_runs(
    small_raw: dict[str, Any], dispatcher: Dispatcher, small_snapshot: Snapshot
) -> None:
    twice = replace(small_snapshot, orders=(*small_snapshot.orders, small_snapshot.orders[0]))
    with pytest.raises(InvalidInputError, match="more than one order"):
        dispatcher.assign(twice)


def test_geojson_has_a_line_per_route_in_lon_lat(city: Snapshot, dispatcher: Dispatcher) -> None:
    plan = dispatcher.assign(city)
    drawn = plan.to_geojson(city)
    lines = [f for f in drawn["features"] if f["geometry"]["type"] == "LineString"]
    assert len(lines) == len(plan.routes)
    start = next(c.position for c in city.couriers if c.id == plan.routes[0].courier_id)
    assert lines[0]["geometry"]["coordinates"][0] == [start.lon, start.lat]
    json.dumps(drawn, allow_nan=False)


def test_a_plan_holds_no_location(city: Snapshot, dispatcher: Dispatcher) -> None:
    text = dispatcher.assign(city).to_json()
    for order in city.orders:
        assert repr(order.pickup.location.lat) not in text


def test_the_frame_has_a_row_per_offered_order(city: Snapshot, dispatcher: Dispatcher) -> None:
    plan = dispatcher.assign(city)
    frame = plan.to_frame()
    assert len(frame) == sum(len(f.order_ids) for f in plan.offers)
    assert (frame["door_at"] > frame["pickup_at"]).all()


def test_nobody_sees_a_model_that_fails_silently(
    city: Snapshot, make_stub_model: Callable[[Callable[[], None]], Any]
) -> None:
    def fail() -> None:
        raise RuntimeError("scoring backend lost")

    with pytest.raises(RuntimeError, match="backend lost"):
        Dispatcher(make_stub_model(fail)).assign(city)


def test_a_bound_without_time_is_met_or_said_to_be_out_of_time(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    """No deadline makes an attainable bound look unattainable."""
    knee = dispatcher.assign(city, operating_point=AtKnee()).objectives.fairness_spread
    try:
        plan = dispatcher.assign(
            city, operating_point=ByBound("fairness", knee + 1), deadline=Deadline.after(1e-6)
        )
    except DeadlineError:
        return
    assert plan.objectives.fairness_spread <= knee + 1
