"""Whole days of the public formats and of the synthetic city, ready to be lived through."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from dispatch import DispatchConfig, Dispatcher
from dispatch.config import CandidateRules
from dispatch.datasets import ColombianDay, GrubhubInstance, SyntheticCity, synthetic_day
from dispatch.datasets.grubhub import ANCHOR, MIDNIGHT
from dispatch.datasets.planar import Anchor, PlanarTravel
from dispatch.datasets.synthetic import World
from dispatch.simulation import (
    AlwaysAccept,
    Constant,
    Environment,
    Every,
    Kind,
    Policy,
    RollingHorizon,
)
from dispatch.tables import Points


def test_planar_legs_are_exact_in_whole_and_half_metres_anywhere_on_the_globe() -> None:
    rng = np.random.default_rng(0)
    for lat, lon in ((1.0, 1.0), (-59.0, 170.0)):
        travel = PlanarTravel(Anchor(lat, lon), 100)
        x, y = rng.integers(-40_000, 40_000, (2, 2_000)) / 2
        legs = travel.legs(
            travel.anchor.points(x, y),
            travel.anchor.points(np.zeros(2_000), np.zeros(2_000)),
            np.zeros(2_000, dtype=np.int64),
            np.full(2_000, np.nan),
        )
        assert legs.metres.tolist() == np.hypot(x, y).tolist()
        assert legs.seconds.tolist() == (60 * np.ceil(np.hypot(x, y) / 100)).tolist()


def test_the_day_s_travel_times_are_those_of_the_snapshots_matrix(grubhub: Path) -> None:
    instance = GrubhubInstance.read(grubhub)
    matrix = instance.snapshot(20).travel_matrix
    assert matrix is not None
    day = instance.day()
    places = {f"courier/{s.courier.id}": s.courier.position for s in day.shifts}
    places |= {f"dropoff/{o.id}": o.dropoff.location for o in day.orders}
    places |= {f"restaurant/{o.merchant_id}": o.pickup.location for o in day.orders}
    size = len(matrix.location_ids)
    here = Points.of((places[name] for name in matrix.location_ids), {})
    origin, destination = np.divmod(np.arange(size * size), size)
    kind = np.zeros(size * size, dtype=np.int64)
    legs = day.travel.legs(here[origin], here[destination], kind, np.full(size * size, np.nan))
    assert legs.seconds.tolist() == np.array(matrix.classes[0].seconds).ravel().tolist()
    assert legs.metres.tolist() == np.array(matrix.classes[0].metres).ravel().tolist()
    assert ANCHOR.lat == day.travel.anchor.lat  # type: ignore[attr-defined]


def test_a_grubhub_day_is_lived_through_by_its_rules(grubhub: Path) -> None:
    """c1 (0 to 60) serves o2 and o3 of r1 in one visit, once o3 is ready at 30."""
    day = GrubhubInstance.read(grubhub).day()
    assert day.rules.finish_first
    assert [s.start_at for s in day.shifts] == [
        MIDNIGHT + timedelta(minutes=minutes) for minutes in (0, 20, 0)
    ]
    config = DispatchConfig(candidates=CandidateRules(shift_covers="pickup"))
    horizon = RollingHorizon(Dispatcher(Constant(), config, day.travel))
    log = Environment(day, Policy(horizon, Every(60)), AlwaysAccept()).run()
    assert {e.order_id for e in log.events if e.kind is Kind.DELIVERED} == {"o1", "o2", "o3", "o4"}
    assert all(
        (e.at_s - MIDNIGHT.timestamp()) % 60 == 0
        for e in log.events
        if e.kind in (Kind.PICKED_UP, Kind.DELIVERED)
    )


def test_a_synthetic_day_has_the_city_s_own_demand_and_shifts() -> None:
    city = SyntheticCity(seed=9, orders_per_day=80, n_couriers=20)
    day, world = synthetic_day(city, 3), World(city)
    assert day == synthetic_day(city, 3)
    assert [o.ready_at.timestamp() for o in day.orders] == world.demand(3).ready_s.tolist()
    start_s, _ = world.shifts(3)
    assert len(day.shifts) == np.isfinite(start_s).sum()
    assert day.weather_at(day.orders[0].placed_at.timestamp()).precipitation_mm_h is not None


@pytest.mark.parametrize("hours", [0, 30])
def test_weather_holds_on_beyond_the_day(hours: float) -> None:
    day = synthetic_day(SyntheticCity(seed=9, orders_per_day=5, n_couriers=5))
    known = day.weather[0 if hours == 0 else -1]
    assert day.weather_at((day.start_at + timedelta(hours=hours)).timestamp()) == known


def test_a_colombian_day_keeps_orders_couriers_and_shifts_past_midnight(colombia: Path) -> None:
    source = ColombianDay.read(colombia)
    day = source.day()
    assert len(day.orders) == len(source.orders)
    assert len(day.shifts) == len(source.couriers)
    assert all(s.courier.shift_end > s.start_at for s in day.shifts)
