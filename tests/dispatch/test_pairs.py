"""Candidate pairs against a slow reference that tests every courier for every order."""

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from dispatch.availability import availability
from dispatch.config import CandidateRules
from dispatch.datasets import SyntheticCity, synthetic_snapshot
from dispatch.domain import Snapshot
from dispatch.pairs import CONSTRAINTS, CandidatePairs, Constraint, find_pairs
from dispatch.tables import Tables, tabulate
from dispatch.travel import GreatCircleTravel, great_circle_m

TRAVEL = GreatCircleTravel()


def search(snapshot: Snapshot, rules: CandidateRules) -> tuple[Tables, CandidatePairs]:
    tables = tabulate(snapshot)
    return tables, find_pairs(tables, availability(tables, TRAVEL), TRAVEL, rules)


def reference(snapshot: Snapshot, rules: CandidateRules) -> dict[str, dict[str, Constraint | None]]:
    """First constraint (or none) of every order and courier, by plain Python over objects."""
    tables = tabulate(snapshot)
    free = availability(tables, TRAVEL)
    found: dict[str, dict[str, Constraint | None]] = {}
    for i, order in enumerate(snapshot.orders):
        found[order.id] = {}
        for j, courier in enumerate(snapshot.couriers):
            row_i, row_j = np.array([i]), np.array([j])
            far = great_circle_m(free.place[row_j], tables.orders.pickup[row_i])[0]
            kind, speed = tables.couriers.kind[row_j], tables.couriers.speed_mps[row_j]
            pickup, dropoff = tables.orders.pickup[row_i], tables.orders.dropoff[row_i]
            there = TRAVEL.legs(free.place[row_j], pickup, kind, speed)
            trip = TRAVEL.legs(pickup, dropoff, kind, speed)
            start = free.free_s[j]
            picked = max(
                start + there.seconds[0] + order.pickup.service_before_s, order.ready_at.timestamp()
            )
            done = (
                picked
                + order.pickup.service_after_s
                + trip.seconds[0]
                + order.dropoff.service_before_s
                + order.dropoff.service_after_s
            )
            covered = picked if rules.shift_covers == "pickup" else done
            end = None if courier.shift_end is None else courier.shift_end.timestamp()
            board = len({s.order_id for s in courier.on_board})
            ride = free.metres[j] + there.metres[0] + trip.metres[0]
            range_m = courier.vehicle.range_m
            tests = (
                (Constraint.OFFER_PENDING, bool(courier.pending_offers)),
                (Constraint.CAPACITY, courier.capacity.orders - board < 1),
                (Constraint.SHIFT_OVER, end is not None and end <= start),
                (Constraint.TOO_FAR, far > rules.max_pickup_m),
                (Constraint.REFUSED, courier.id in {r.courier_id for r in order.refusals}),
                (Constraint.SKILLS, not set(order.required_skills) <= set(courier.skills)),
                (Constraint.SIZE, order.size > courier.capacity.size - courier.load_size),
                (Constraint.RANGE, range_m is not None and ride > range_m),
                (Constraint.SHIFT_END, end is not None and covered > end),
            )
            found[order.id][courier.id] = next((name for name, bad in tests if bad), None)
    return found


@pytest.fixture(scope="module")
def city() -> Snapshot:
    return synthetic_snapshot(SyntheticCity(seed=3), n_orders=40, n_couriers=60)


def shortened(snapshot: Snapshot) -> Snapshot:
    """Make ranges bind for every third courier."""
    couriers = tuple(
        replace(c, vehicle=replace(c.vehicle, range_m=3000.0)) if j % 3 == 0 else c
        for j, c in enumerate(snapshot.couriers)
    )
    return replace(snapshot, couriers=couriers)


@pytest.mark.parametrize("shift_covers", ["pickup", "dropoff"])
@pytest.mark.parametrize("max_pickup_m", [1500.0, 15_000.0])
def test_with_no_cap_the_pairs_are_exactly_the_feasible_ones(
    city: Snapshot, max_pickup_m: float, shift_covers: str
) -> None:
    rules = CandidateRules(
        couriers_per_order=100,
        max_pickup_m=max_pickup_m,
        shift_covers=shift_covers,  # type: ignore[arg-type]
    )
    snapshot = shortened(city)
    tables, pairs = search(snapshot, rules)
    expected = reference(snapshot, rules)
    locked = {n for c in snapshot.couriers for p in c.pending_offers for n in p.order_ids}
    got = {
        (tables.orders.ids[i], tables.couriers.ids[j])
        for i, j in zip(pairs.order, pairs.courier, strict=True)
    }
    assert got == {
        (order, courier)
        for order, row in expected.items()
        for courier, fault in row.items()
        if fault is None and order not in locked
    }
    for i, order_id in enumerate(tables.orders.ids):
        if order_id in locked:
            continue
        counted = Counter(fault for fault in expected[order_id].values() if fault is not None)
        shown = {c: int(n) for c, n in zip(CONSTRAINTS, pairs.refused[i], strict=True) if n}
        assert shown == counted


def test_a_cap_keeps_for_each_order_couriers_that_arrive_first_and_counts_the_rest(
    city: Snapshot,
) -> None:
    rules = CandidateRules(couriers_per_order=5)
    tables, pairs = search(city, rules)
    _, everyone = search(city, replace(rules, couriers_per_order=100))
    assert np.bincount(pairs.order).max() == 5
    counted = pairs.refused.sum(axis=1) + np.bincount(pairs.order, minlength=40) + pairs.cut
    assert set(counted[~tables.orders.locked]) == {len(city.couriers)}
    # every order with a feasible courier keeps as many as there are, up to the cap
    assert np.array_equal(
        np.bincount(pairs.order, minlength=40),
        np.minimum(np.bincount(everyone.order, minlength=40), 5),
    )


def test_pairs_are_sorted_and_unique(city: Snapshot) -> None:
    _, pairs = search(city, CandidateRules(couriers_per_order=8))
    key = pairs.order * len(city.couriers) + pairs.courier
    assert (np.diff(key) > 0).all()


def test_a_rare_skill_is_found_beyond_the_nearest_couriers(city: Snapshot) -> None:
    """The search widens until a feasible courier is found, however many near ones are not."""
    rare = replace(
        city,
        skills=(*city.skills, "crane"),
        orders=(replace(city.orders[0], required_skills=("crane",), size=1, refusals=()),),
        couriers=tuple(
            replace(c, pending_offers=(), skills=(*c.skills, "crane") if j == 59 else c.skills)
            for j, c in enumerate(
                sorted(
                    city.couriers,
                    key=lambda c: abs(c.position.lat - city.orders[0].pickup.location.lat),
                )
            )
        ),
    )
    rare = replace(
        rare,
        couriers=(
            *rare.couriers[:-1],
            replace(rare.couriers[-1], shift_end=None, on_board=(), load_size=0),
        ),
    )
    _, pairs = search(rare, CandidateRules(couriers_per_order=2))
    assert pairs.courier.tolist() == [59]


def test_no_orders_or_no_couriers_give_no_pairs(city: Snapshot) -> None:
    for empty in (replace(city, orders=()), replace(city, couriers=(), orders=city.orders[:3])):
        _, pairs = search(empty, CandidateRules())
        assert len(pairs) == 0


def test_two_thousand_orders_are_searched_without_a_loop_over_pairs() -> None:
    """Not a timed claim, a guard: a Python loop over these 80,000 pairs would take far longer."""
    big = synthetic_snapshot(SyntheticCity(seed=1, n_couriers=4000), n_orders=2000, n_couriers=3000)
    tables = tabulate(big)
    free = availability(tables, TRAVEL)
    start = time.process_time()
    pairs = find_pairs(tables, free, TRAVEL, CandidateRules())
    assert len(pairs) > 60_000
    assert time.process_time() - start < 5.0
