"""The planted law says what its documentation says."""

import numpy as np
import pytest

from dispatch.datasets import PlantedLaw
from dispatch.errors import InvalidInputError

OFFER = {
    "to_pickup_s": 300.0,
    "to_pickup_m": 2_000.0,
    "until_free_s": 240.0,
    "wait_s": 300.0,
    "trip_s": 600.0,
    "detour_s": 240.0,
    "load_orders": 0.0,
    "pay": 0.28 * 20,
    "hour": 12.0,
    "precipitation_mm_h": 0.0,
    "temperature_c": 15.0,
}


def chance(law: PlantedLaw, effect: float = 0.0, **changes: float) -> float:
    columns = {name: np.array([value]) for name, value in (OFFER | changes).items()}
    return float(law.probability(columns, np.array([effect]))[0])


def log_odds(p: float) -> float:
    return float(np.log(p / (1 - p)))


def test_an_offer_at_every_centre_is_accepted_with_the_odds_of_intercept_plus_effect() -> None:
    # 240 + 300 s to reach it: 9 min; 2 km; wait 5 min; detour 4 min; 20 min of work at 0.28 a min
    law = PlantedLaw(intercept=0.7)
    assert log_odds(chance(law)) == pytest.approx(0.7)
    assert log_odds(chance(law, effect=-1.5)) == pytest.approx(0.7 - 1.5)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"until_free_s": 300.0}, "reach_per_min"),
        ({"to_pickup_m": 3_000.0}, "pickup_per_km"),
        ({"detour_s": 300.0}, "detour_per_min"),
        ({"load_orders": 1.0}, "load_per_order"),
        ({"pay": 1.28 * 20}, "pay_per_rate"),
        ({"hour": 22.0}, "late_evening"),
        ({"precipitation_mm_h": 1.0}, "rain_per_mm_h"),
        ({"temperature_c": 9.0}, "cold_per_degree"),
    ],
)
def test_one_more_unit_of_a_term_moves_the_log_odds_by_its_coefficient(
    change: dict[str, float], expected: str
) -> None:
    law = PlantedLaw()
    moved = log_odds(chance(law, **change)) - log_odds(chance(law))
    assert moved == pytest.approx(getattr(law, expected))


def test_a_longer_wait_counts_by_itself_and_lowers_the_pay_per_minute() -> None:
    law = PlantedLaw()
    moved = log_odds(chance(law, wait_s=360.0)) - log_odds(chance(law))
    assert moved == pytest.approx(law.wait_per_min + law.pay_per_rate * (0.28 * 20 / 21 - 0.28))


def test_unknown_weather_counts_as_dry_and_mild() -> None:
    law = PlantedLaw()
    unknown = chance(law, precipitation_mm_h=np.nan, temperature_c=np.nan)
    assert unknown == chance(law)


def test_at_strength_zero_only_the_courier_matters() -> None:
    law = PlantedLaw(strength=0)
    far = chance(law, effect=0.4, to_pickup_m=9_000.0, pay=0.0, hour=23.0)
    assert far == chance(law, effect=0.4)
    assert far != chance(law, effect=0.5)


def test_every_parameter_out_of_range_is_named_at_once() -> None:
    with pytest.raises(InvalidInputError) as refused:
        PlantedLaw(strength=-1, intercept=float("nan"))
    assert {p.path for p in refused.value.problems} == {"strength", "intercept"}
    assert "expected strength in [0, 10], got -1" in str(refused.value)
