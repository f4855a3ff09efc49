"""New stops before those on board, through `Dispatcher.assign`, the second check and whole days."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from dispatch.check import check_plan
from dispatch.config import BundleRules, CandidateRules, DispatchConfig
from dispatch.datasets import SyntheticCity, synthetic_day, synthetic_snapshot
from dispatch.domain import (
    BoardStop,
    Capacity,
    Courier,
    Handover,
    Location,
    Order,
    Snapshot,
    StopKind,
    Vehicle,
    VehicleKind,
)
from dispatch.explain import why
from dispatch.pipeline import Dispatcher
from dispatch.result import Plan
from dispatch.simulation import (
    AlwaysAccept,
    Constant,
    Decision,
    Environment,
    Every,
    Kind,
    Policy,
    RollingHorizon,
)
from dispatch.simulation.rolling import commit
from dispatch.snapshot import Intake
from dispatch.tables import Points
from dispatch.travel import GreatCircleTravel, great_circle_m

UP, DOWN = StopKind.PICKUP, StopKind.DROPOFF
NOW = datetime(2025, 6, 2, 10, tzinfo=UTC)
STREET = GreatCircleTravel(circuity={**GreatCircleTravel().circuity, VehicleKind.FOOT: 1.0})
MINUTE_M = float(
    great_circle_m(Points.of([Location(0, 0)], {}), Points.of([Location(0, 0.001)], {}))[0]
)
OPEN = BundleRules(open_stops=4)


def config(bundling: BundleRules = OPEN, **candidates: Any) -> DispatchConfig:
    return DispatchConfig(candidates=CandidateRules(**candidates), bundles=bundling)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def place(minutes: float) -> Handover:
    """Somewhere on a street, in minutes of walking east of its start; handing over takes none."""
    return Handover(Location(0.0, minutes / 1000))


def street(*, due: float | None = None, ready: float = 0, room: int = 2) -> Snapshot:
    """A courier with order x on board, an order n on the way; on paper, minutes from now:

    The courier is busy at 0 until now + 1, then walks to the door of x at 10: there at 11. Order n
    goes from 3 to 6: taken on the way it is picked up at 4, delivered at 7, and x is at 11 as ever.
    After x it would be 11 + 7 = 18 and 21. If n is ready at 8 only, it is picked up at 8, delivered
    at 11, and x at 15, 4 minutes later.
    """
    x = BoardStop(DOWN, "x", place(10), due_at=None if due is None else at(due), size=1)
    courier = Courier(
        id="c",
        position=place(0).location,
        vehicle=Vehicle(VehicleKind.FOOT, speed_mps=MINUTE_M / 60),
        capacity=Capacity(orders=room),
        available_at=at(1),
        on_board=(x,),
        load_size=1,
    )
    order = Order(id="n", pickup=place(3), dropoff=place(6), placed_at=at(-1), ready_at=at(ready))
    return Snapshot(now=NOW, orders=(order,), couriers=(courier,))


def planned(snapshot: Snapshot, rules: DispatchConfig) -> tuple[Plan, list[tuple[str, str, float]]]:
    plan = Dispatcher(Constant(0.9), rules, STREET).assign(snapshot)
    (route,) = plan.routes
    stops = [
        (s.kind.value, s.order_id, round((s.at - NOW).total_seconds() / 60, 3)) for s in route.stops
    ]
    return plan, stops


ON_THE_WAY = [("pickup", "n", 4), ("dropoff", "n", 7), ("dropoff", "x", 11)]
AFTER_IT = [("dropoff", "x", 11), ("pickup", "n", 18), ("dropoff", "n", 21)]


@pytest.mark.parametrize("enabled", [False, True])
def test_an_order_on_the_way_is_taken_on_the_way(enabled: bool) -> None:
    snapshot = street(due=11)
    rules = config(replace(OPEN, enabled=enabled))
    plan, stops = planned(snapshot, rules)
    assert stops == ON_THE_WAY
    assert plan.offers[0].door_in_s == pytest.approx(7 * 60)
    assert plan.offers[0].delay_on_board_s == pytest.approx(0, abs=0.01)
    assert planned(snapshot, config(BundleRules(enabled=enabled)))[1] == AFTER_IT


def test_no_detour_breaks_a_promise_or_waits_too_long() -> None:
    """Ready at 8 the order delays x by 4 minutes: kept to 15 it is taken, promised for 14 not."""
    slow = street(due=15, ready=8)
    plan, stops = planned(slow, config())
    assert stops == [("pickup", "n", 8), ("dropoff", "n", 11), ("dropoff", "x", 15)]
    assert plan.offers[0].delay_on_board_s == pytest.approx(240)
    assert "4.0 min in all" in why(plan, "n")
    assert planned(street(due=14, ready=8), config())[1] == AFTER_IT
    assert planned(street(ready=8), config(replace(OPEN, delay_on_board_s=200)))[1] == AFTER_IT
    # who is late already is not made later than the allowance either
    assert planned(street(due=5, ready=8), config())[1][0] == ("pickup", "n", 8)
    late = config(replace(OPEN, delay_on_board_s=200))
    assert planned(street(due=5, ready=8), late)[1] == AFTER_IT


def test_the_delay_of_orders_on_board_is_part_of_the_objective() -> None:
    plan, _ = planned(street(due=15, ready=8), config())
    on_time, _ = planned(street(ready=0), config())
    chance = plan.offers[0].probability
    # of the wait for another try, both count the same: door and two minutes more
    for each, door, delay in ((plan, 11, 4), (on_time, 7, 0)):
        wait = door + 2
        expected = wait + chance * (door + delay - wait)
        assert each.objectives.delivery_time_min == pytest.approx(expected, abs=0.01)


def test_a_full_courier_takes_the_order_after_the_door() -> None:
    plan, stops = planned(street(room=1), config())
    assert stops == AFTER_IT
    assert plan.offers
    assert not Dispatcher(Constant(), config(BundleRules()), STREET).assign(street(room=1)).offers


def test_who_is_full_until_the_next_door_may_be_offered_what_comes_after_it() -> None:
    """Nothing is open where the only stop is begun; the load after it is nothing all the same."""
    snapshot = street(room=1)
    riding = replace(snapshot.couriers[0], available_at=None)
    _, stops = planned(replace(snapshot, couriers=(riding,)), config())
    assert [name for _, name, _ in stops] == ["x", "n", "n"]


def test_the_stop_that_is_ridden_to_stays_first() -> None:
    """Free to go now, the courier is on the way to x already."""
    snapshot = street()
    on_the_way = replace(snapshot.couriers[0], available_at=None)
    _, stops = planned(replace(snapshot, couriers=(on_the_way,)), config())
    assert [name for _, name, _ in stops] == ["x", "n", "n"]


def test_more_stops_than_are_open_are_said_to_be_kept() -> None:
    snapshot = street()
    (courier,) = snapshot.couriers
    doors = tuple(BoardStop(DOWN, f"x{k}", place(10 + k), size=1) for k in range(6))
    many = replace(courier, on_board=doors, capacity=Capacity(orders=9), load_size=6)
    plan, stops = planned(replace(snapshot, couriers=(many,)), config())
    assert [name for _, name, _ in stops[:2]] == ["x0", "x1"]
    assert "2 stops on board of 1 couriers kept before new ones" in plan.solver.message


@pytest.fixture(scope="module")
def busy() -> Snapshot:
    """Forty orders, and couriers of whom every other has two orders on board for far away."""
    city = synthetic_snapshot(SyntheticCity(seed=11), n_orders=40, n_couriers=60)
    extra = synthetic_snapshot(SyntheticCity(seed=12), n_orders=60, n_couriers=10)
    rng = np.random.default_rng(1)
    couriers = []
    for k, courier in enumerate(city.couriers[::2]):
        one, two = extra.orders[2 * (k % 30)], extra.orders[2 * (k % 30) + 1]
        far = [
            replace(o.dropoff, location=Location(o.dropoff.location.lat + 0.05, 28.9))
            for o in (one, two)
        ]
        due = None if k % 3 else city.now + timedelta(hours=2)
        stops = [
            BoardStop(UP, f"{k}a", one.pickup, ready_at=one.ready_at, size=one.size),
            BoardStop(DOWN, f"{k}b", far[1], due_at=due, size=two.size),
            BoardStop(DOWN, f"{k}a", far[0], due_at=due, size=one.size),
        ]
        if k % 4 == 1:
            stops = [replace(s, size=None) for s in stops]
        couriers.append(
            replace(
                courier,
                capacity=Capacity(orders=3, size=one.size + two.size + 3),
                pending_offers=(),
                available_at=city.now + timedelta(seconds=int(rng.integers(20, 200))),
                on_board=tuple(stops) if k % 2 else (),
                load_size=one.size + two.size if k % 2 else 0,
            )
        )
    return replace(city, couriers=tuple(couriers))


LONG = replace(OPEN, delay_on_board_s=1500.0)
CASES = [
    config(LONG),
    config(replace(LONG, enabled=True), max_new_orders=3),
    config(replace(OPEN, delay_on_board_s=900.0), max_new_orders=1),
    config(replace(LONG, enabled=True, open_stops=2), shift_covers="pickup"),
]


@pytest.mark.parametrize("rules", CASES)
def test_plans_with_new_stops_among_old_ones_pass_both_checks(
    busy: Snapshot, dispatcher: Dispatcher, rules: DispatchConfig
) -> None:
    plan = Dispatcher(dispatcher.model, rules).assign(busy)
    assert check_plan(plan, busy, GreatCircleTravel(), rules.candidates, rules.bundles) == []
    among = [r for r in plan.routes if r.stops[-1].accepted]
    assert among
    assert plan.to_geojson(busy)["features"]
    o, w = plan.objectives, plan.solver.weights
    value = w["delivery_time"] * o.delivery_time_min + w["lateness"] * o.lateness_min
    value += w["fairness"] * o.fairness_spread - w["acceptance"] * o.naive_acceptances
    if rules.bundles.enabled or rules.candidates.max_new_orders == 1:
        # nothing is estimated: the plan's objectives are the solver's
        assert plan.solver.objective == pytest.approx(value, abs=1e-3)


def test_planted_faults_on_board_are_caught(busy: Snapshot, dispatcher: Dispatcher) -> None:
    rules = CASES[1]
    plan = Dispatcher(dispatcher.model, rules).assign(busy)
    travel = GreatCircleTravel()
    strict = replace(rules.bundles, delay_on_board_s=0.0)
    route = max(plan.routes, key=lambda r: sum(o.delay_on_board_s for o in _of(plan, r.courier_id)))
    courier = next(c for c in busy.couriers if c.id == route.courier_id)

    def told(plan: Plan, snapshot: Snapshot = busy, bundling: BundleRules = rules.bundles) -> str:
        return "\n".join(check_plan(plan, snapshot, travel, rules.candidates, bundling))

    def moved(**changes: Any) -> Snapshot:
        couriers = tuple(replace(c, **changes) if c.id == courier.id else c for c in busy.couriers)
        return replace(busy, couriers=couriers)

    def with_stops(*stops: Any) -> Plan:
        return replace(
            plan, routes=tuple(replace(r, stops=stops) if r is route else r for r in plan.routes)
        )

    assert "on board comes too late" in told(plan, bundling=strict)
    assert "not open" in told(plan, bundling=replace(rules.bundles, open_stops=0))
    assert "not what offers say" in told(
        replace(plan, offers=tuple(replace(o, delay_on_board_s=1e4) for o in plan.offers))
    )
    assert "more orders on board" in told(plan, moved(capacity=Capacity(orders=1, size=10**6)))
    assert "more size on board" in told(plan, moved(capacity=Capacity(orders=9, size=0)))
    k = next(k for k, s in enumerate(route.stops) if s.accepted)
    early = replace(route.stops[k], at=route.stops[k].at - timedelta(seconds=30))
    assert "is timed wrongly" in told(with_stops(*route.stops[:k], early, *route.stops[k + 1 :]))
    assert "stops on board were changed" in told(with_stops(*route.stops[::-1]))


def _of(plan: Plan, courier_id: str) -> list[Any]:
    return [offer for offer in plan.offers if offer.courier_id == courier_id]


def test_couriers_with_nothing_on_board_are_planned_as_before(
    busy: Snapshot, dispatcher: Dispatcher
) -> None:
    idle = replace(busy, couriers=tuple(c for c in busy.couriers if not c.on_board))
    for enabled in (False, True):
        plans = [
            Dispatcher(
                dispatcher.model, config(BundleRules(enabled=enabled, open_stops=count))
            ).assign(idle)
            for count in (0, 4)
        ]
        assert plans[0].routes == plans[1].routes
        assert plans[0].objectives == plans[1].objectives


class Watching(RollingHorizon):
    """Remembers what its committed plans promised, stops on board included."""

    promised: dict[tuple[str, str], float]
    among: int = 0

    def decide(self, snapshot: Snapshot, next_epoch_s: float) -> Decision:
        plan = self.dispatcher.assign(Intake(snapshot))
        decision = commit(plan, snapshot, next_epoch_s, self.commitment)
        asked = {proposal.courier_id for proposal in decision.proposals}
        for route in plan.routes:
            if route.courier_id in asked:
                new = [not stop.accepted for stop in route.stops]
                self.among += not all(new[new.index(True) :])
                for stop in route.stops:
                    self.promised[stop.order_id, stop.kind.value] = stop.at.timestamp()
        return decision


@pytest.mark.parametrize(("enabled", "orders", "couriers"), [(False, 80, 6), (True, 50, 4)])
def test_every_stop_happens_when_the_last_plan_said(
    enabled: bool, orders: int, couriers: int
) -> None:
    """Couriers accept everything: their remaining stops are made in the sequence of the plan."""
    day = synthetic_day(SyntheticCity(seed=4, orders_per_day=orders, n_couriers=couriers), 1)
    rules = config(replace(OPEN, enabled=enabled), shift_covers=day.rules.shift_covers)
    policy = Watching(Dispatcher(Constant(), rules, day.travel))
    policy.promised = {}
    log = Environment(day, Policy(policy, Every(120)), AlwaysAccept()).run()
    assert policy.among > 0
    moved = {Kind.PICKED_UP: "pickup", Kind.DELIVERED: "dropoff"}
    happened = {(e.order_id, moved[e.kind]): e.at_s for e in log.events if e.kind in moved}
    assert len(happened) > orders
    assert max(abs(policy.promised[stop] - at_s) for stop, at_s in happened.items()) < 0.01
