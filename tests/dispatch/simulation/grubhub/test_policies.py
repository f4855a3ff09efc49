"""Policies of Grubhub days: what each does on a handful of orders, and that all keep the rules."""

from dataclasses import replace

import pandas as pd
import pytest

from dispatch.datasets import GrubhubInstance, public_data_dir
from dispatch.simulation import AlwaysAccept, DayLog, Environment, Policy
from dispatch.simulation.grubhub import GrubhubRun, check_run, measure
from dispatch.simulation.grubhub.policies import greedy_nearest, rolling_horizon, single_orders
from dispatch.simulation.grubhub.reyes import paper_scheme
from dispatch.simulation.measures import summarise

MAKERS = (rolling_horizon, single_orders, greedy_nearest, paper_scheme)


def logged(instance: GrubhubInstance, make: object, **options: float) -> DayLog:
    day = instance.day()
    policy = make(day, **options)  # type: ignore[operator]
    assert isinstance(policy, Policy)
    return Environment(day, policy, AlwaysAccept()).run()


def lived(instance: GrubhubInstance, make: object, **options: float) -> GrubhubRun:
    return GrubhubRun.of_log(instance, logged(instance, make, **options))


@pytest.fixture
def swap(tiny: GrubhubInstance) -> GrubhubInstance:
    """Two orders ready at once at two places, one courier beside the later order's place.

    c1 stands at r2, c2 a minute farther out. The oldest order first takes c1 away from r2.
    """
    return replace(
        tiny,
        orders=pd.DataFrame(
            [("o1", 0, 100, 0, "r1", 10), ("o2", 1000, 100, 0, "r2", 10)],
            columns=tiny.orders.columns,
        ),
        couriers=pd.DataFrame(
            [("c1", 500, 0, 0, 60), ("c2", 5000, 0, 0, 60)], columns=tiny.couriers.columns
        ),
    )


def test_greedy_takes_the_nearest_for_the_oldest(swap: GrubhubInstance) -> None:
    run = lived(swap, greedy_nearest)
    assert [(a.assigned_min, a.courier, a.orders) for a in run.assignments] == [
        (0, "c1", ("o1",)),
        (0, "c2", ("o2",)),
    ]
    assert check_run(run, swap) == []


def test_a_courier_is_told_as_late_as_is_safe(swap: GrubhubInstance) -> None:
    """500 m to either place and 2 minutes of service: who leaves at 3 is served at 10.

    c2 is 40 minutes from r2: it would deliver the other order long after c1 has come back, so c1
    takes both, one after the other.
    """
    run = lived(swap, rolling_horizon)
    assert [(a.assigned_min, a.pickup_min, a.courier) for a in run.assignments] == [
        (3, 10, "c1"),
        (17, 30, "c1"),
    ]
    assert check_run(run, swap) == []


def test_the_published_scheme_bundles_orders_of_one_restaurant(tiny: GrubhubInstance) -> None:
    """Two orders for the one courier there is: the target size is 2."""
    alone = replace(tiny, couriers=tiny.couriers[:1])
    run = lived(alone, paper_scheme, period_s=120)
    assert [a.orders for a in run.assignments] == [("o1", "o2"), ("o3",)]
    assert check_run(run, alone) == []


def test_single_orders_are_never_bundled(tiny: GrubhubInstance) -> None:
    run = lived(tiny, single_orders, period_s=60)
    assert all(len(a.orders) == 1 for a in run.assignments)
    assert check_run(run, tiny) == []


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_every_policy_keeps_the_rules_on_a_published_hour(make: object) -> None:
    data = public_data_dir()
    if data is None or not (data / "grubhub" / "1o50t100s1p100").is_dir():
        pytest.skip("data not present, get it from github.com/grubhub/mdrplib")
    whole = GrubhubInstance.read(data / "grubhub" / "1o50t100s1p100")
    placed = whole.orders["placement_time"]
    start = placed.median()
    hour = whole.orders[(placed >= start) & (placed < start + 40)].reset_index(drop=True)
    instance = replace(whole, orders=hour)
    log = logged(instance, make)
    run = GrubhubRun.of_log(instance, log)
    assert check_run(run, instance) == []
    found = measure(run, instance)
    # every run's metrics say what the paper's measures say
    assert summarise(log)["orders"]["penalised_excess_min"] == pytest.approx(found.penalised_excess)
    assert len(run.deliveries) > 0.8 * len(hour)
    assert found.penalised_excess < 30
