"""What a day comes to, against the tiny day worked out on paper."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dispatch.simulation import AlwaysAccept, Day, Environment, Kind, Policy
from dispatch.simulation.measures import couriers_table, orders_table, summarise, unavoidable_s


@pytest.fixture
def lived(tiny_day: Day, rolling: Callable[..., Policy]) -> Any:
    return Environment(tiny_day, rolling(tiny_day), AlwaysAccept()).run()


def test_the_unavoidable_is_preparing_leaving_riding_and_handing_over(tiny_day: Day) -> None:
    """a: 10 + 1 + 4 + 1; b: 6 + 1 + 3 + 1; c: 5 + 1 + 4 + 1."""
    assert (unavoidable_s(tiny_day) / 60).tolist() == pytest.approx([16, 11, 11])


def test_orders_of_the_tiny_day(lived: Any) -> None:
    table = orders_table(lived).set_index("order_id")
    assert table["click_to_door_min"].to_dict() == pytest.approx({"a": 16, "b": 11, "c": 11})
    assert table["excess_min"].tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    assert table["ready_to_pickup_min"].tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    assert table["courier_id"].to_dict() == {"a": "right", "b": "left", "c": "right"}
    assert table["late_min"].tolist() == [0, 0, 0]


def test_couriers_of_the_tiny_day(lived: Any) -> None:
    """left rides 3 minutes; right 2 + 4, then 0 + 4: metres are minutes of walking."""
    table = couriers_table(lived).set_index("courier_id")
    walk = table["ridden_km"] / table["ridden_km"]["left"] * 3
    assert walk.to_dict() == pytest.approx({"left": 3, "right": 10})
    assert table["busy_share"].to_dict() == pytest.approx({"left": 7 / 120, "right": 18 / 120})
    assert table["earnings_per_busy_h"]["right"] == pytest.approx(9 / (18 / 60))


def test_the_summary_of_the_tiny_day(lived: Any) -> None:
    found = summarise(lived)
    assert found["orders"]["click_to_door_min"]["mean"] == pytest.approx(38 / 3)
    assert found["orders"]["penalised_excess_min"] == pytest.approx(0, abs=1e-6)
    assert found["offers"] | {"first_offer_to_acceptance_min": None} == {
        "made": 3,
        "accepted": 3,
        "refused": 0,
        "ignored": 0,
        "void": 0,
        "acceptance_rate": 1.0,
        "per_order": 1.0,
        "first_offer_to_acceptance_min": None,
    }
    assert found["fairness"]["orders_per_online_h"]["gini"] == pytest.approx(1 / 6)
    # 4.50 in 7 minutes, 9.00 in 18
    low, high = 9 / 18, 4.5 / 7
    per_busy_h = found["fairness"]["earnings_per_busy_h"]
    assert per_busy_h["gini"] == pytest.approx((high - low) / (high + low) / 2)
    assert per_busy_h["nothing"] == 0
    held = [e for e in lived.events if e.kind is Kind.HELD]
    assert found["decisions"]["held"] == len(held) == 7 + 5 + 4  # a from 5, b from 6, c from 30


def test_an_order_nobody_delivers_counts_ninety_minutes(
    street: Any, rolling: Callable[..., Policy]
) -> None:
    """One done in 16 minutes, unavoidably; one too late for the shift, 16 as well."""
    day = street.day(
        (street.order("a", 5, 15, 10, 14), street.order("z", 100, 110, 10, 14)),
        (street.shift("x", 0, 105, 10),),
    )
    log = Environment(day, rolling(day), AlwaysAccept()).run()
    found = summarise(log)["orders"]
    assert found["undelivered_share"] == 0.5
    assert found["penalised_excess_min"] == pytest.approx((16 + 90) / 2 - 16)
    assert found["late_share"] == 0.5
    row = orders_table(log).set_index("order_id").loc["z"]
    assert np.isnan(row["click_to_door_min"])
    assert row["courier_id"] == ""


def test_a_day_on_which_nothing_happens_has_no_numbers(
    street: Any, rolling: Callable[..., Policy]
) -> None:
    day = street.day((), (street.shift("x", 0, 105, 10),))
    found = summarise(Environment(day, rolling(day), AlwaysAccept()).run())
    assert found["orders"]["click_to_door_min"]["mean"] is None
    assert found["couriers"]["online_h"] == pytest.approx(105 / 60)
