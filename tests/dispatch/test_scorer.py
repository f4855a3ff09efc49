"""A snapshot is decided by its city's model, at the end of the interval that was asked for."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dispatch.config import DispatchConfig, load_config
from dispatch.domain import Snapshot
from dispatch.errors import InvalidInputError
from dispatch.pipeline import Dispatcher
from dispatch.scorer import scorer_for


@dataclass(frozen=True)
class CityModel:
    """0.8 everywhere and 0.6 in `far`, 0.1 either way."""

    city: str = ""
    version: str = "city"

    def of_city(self, city: str) -> "CityModel":
        return replace(self, city=city)

    def predict_proba(self, columns: Any) -> Any:
        return np.full(len(columns["pay"]), 0.6 if self.city == "far" else 0.8)

    def predict_interval(self, columns: Any, level: float) -> Any:
        p = self.predict_proba(columns)
        return p - 0.1 * level, p + 0.1 * level


@pytest.mark.parametrize(
    ("city", "caution", "told"),
    [
        ("near", 0.0, 0.8),
        ("far", 0.0, 0.6),
        ("near", 0.9, 0.71),
        ("far", 0.5, 0.55),
    ],
)
def test_the_plan_states_the_probability_of_its_city_and_caution(
    small_snapshot: Snapshot, city: str, caution: float, told: float
) -> None:
    dispatcher = Dispatcher(CityModel(), DispatchConfig(caution=caution))
    plan = dispatcher.assign(replace(small_snapshot, city_id=city))
    assert plan.offers
    assert {round(offer.probability, 9) for offer in plan.offers} == {told}


def test_caution_without_intervals_is_refused(make_stub_model: Any) -> None:
    with pytest.raises(InvalidInputError, match="caution: asks for intervals"):
        scorer_for(make_stub_model(), "x", DispatchConfig(caution=0.9))


def test_caution_is_read_from_the_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("caution = 0.9\n")
    assert load_config(tmp_path / "c.toml").caution == 0.9
