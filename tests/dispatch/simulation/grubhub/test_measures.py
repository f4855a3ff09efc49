"""Measures of a day worked out on paper, and the unavoidable part as published."""

from dataclasses import replace

import numpy as np
import pytest

from dispatch.datasets import GrubhubInstance, public_data_dir
from dispatch.simulation.grubhub import GrubhubRun, measure, unavoidable_min
from dispatch.simulation.grubhub.published import SEED_0, Published


def test_measures_are_those_worked_out_by_hand(good: GrubhubRun, tiny: GrubhubInstance) -> None:
    found = measure(good, tiny)
    assert unavoidable_min(tiny).tolist() == [17, 19, 11]
    assert (found.orders, found.undelivered) == (3, 0)
    assert found.click_to_door == pytest.approx((19 + 23 + 20) / 3)
    assert found.penalised_excess == pytest.approx(5)
    assert found.ready_to_pickup == pytest.approx((2 + 0 + 9) / 3)
    assert found.ready_to_door == pytest.approx((9 + 13 + 15) / 3)
    assert found.orders_per_bundle == 1.5
    # c1: 17 minutes of riding, 2 pickups and 3 dropoffs of 4 minutes, in 40; c2 nothing in 10.
    assert found.utilisation == pytest.approx((37 / 40 + 0) / 2)
    # c1 earns 30 by order; c2 is guaranteed 15 an hour for 10 minutes.
    assert found.cost_per_order == pytest.approx((30 + 2.5) / 3)
    assert found.overage == 0


def test_an_order_never_delivered_counts_ninety_minutes(
    good: GrubhubRun, tiny: GrubhubInstance
) -> None:
    short = replace(good, deliveries=good.deliveries[:2], assignments=good.assignments[:1])
    found = measure(short, tiny)
    assert (found.undelivered, found.undelivered_percent) == (1, pytest.approx(100 / 3))
    assert found.penalised_excess == pytest.approx((19 + 23 + 90 - 47) / 3)


def test_overage_is_what_lies_beyond_the_target(good: GrubhubRun, tiny: GrubhubInstance) -> None:
    strict = replace(tiny, parameters=replace(tiny.parameters, target_click_to_door_min=20))
    assert measure(good, strict).overage == pytest.approx((0 + 3 + 0) / 3)


def test_a_day_without_deliveries_is_all_penalty(tiny: GrubhubInstance) -> None:
    found = measure(GrubhubRun((), (), ()), tiny)
    assert found.penalised_excess == pytest.approx(90 - 47 / 3)
    assert np.isnan([found.click_to_door, found.cost_per_order, found.orders_per_bundle]).all()


@pytest.mark.parametrize("row", SEED_0, ids=lambda row: row.instance)
def test_unavoidable_click_to_door_is_the_published_one(row: Published) -> None:
    data = public_data_dir()
    if data is None or not (data / "grubhub" / row.instance).is_dir():
        pytest.skip("data not present, get it from github.com/grubhub/mdrplib")
    instance = GrubhubInstance.read(data / "grubhub" / row.instance)
    assert unavoidable_min(instance).mean() == pytest.approx(row.unavoidable, abs=0.0051)
