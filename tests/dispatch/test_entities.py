"""Tables and columns tell the acceptance model the same, and give the same plan."""

from dataclasses import replace

import numpy as np
import pytest

from dispatch import DispatchConfig, Dispatcher
from dispatch.availability import availability
from dispatch.columns import OfferContext, local_clock, raw_columns
from dispatch.datasets import SyntheticCity, offers_log, synthetic_snapshot
from dispatch.entities import pair_columns
from dispatch.pairs import find_pairs
from dispatch.tables import tabulate
from dispatch.travel import GreatCircleTravel
from models import AcceptanceModel, AcceptanceParams, train
from models.ensemble import Ensemble

CITY = SyntheticCity(seed=4, n_couriers=60)


@pytest.fixture(scope="module")
def model() -> AcceptanceModel:
    return train(offers_log(CITY, 3000)[0], AcceptanceParams(max_trees=60, learning_rate=0.2))


class ByMatrix:
    """The slow path: one row of columns a pair, scored by LightGBM."""

    def __init__(self, model: AcceptanceModel) -> None:
        self.version = model.version
        self._calibration, self._matrix = model.calibration_, model.matrix
        self._ensemble = Ensemble(model.ensemble_.text, 1, "lightgbm")

    def predict_proba(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        return self._calibration.apply(self._ensemble.score(self._matrix(columns)))


def test_the_plan_from_tables_is_the_plan_from_the_matrix(model: AcceptanceModel) -> None:
    snapshot = synthetic_snapshot(CITY, n_orders=25, n_couriers=40)
    plans = [Dispatcher(each).assign(snapshot) for each in (model, ByMatrix(model))]
    assert plans[0].offers
    assert replace(plans[0], timings_s={}) == replace(plans[1], timings_s={})


def test_tables_expand_to_the_columns_of_an_offers_log() -> None:
    """Column by column, to the last bit: the log's own function makes the other side."""
    snapshot = synthetic_snapshot(CITY, n_orders=25, n_couriers=40)
    tables, travel = tabulate(snapshot), GreatCircleTravel()
    free = availability(tables, travel)
    pairs = find_pairs(tables, free, travel, DispatchConfig().candidates)
    orders, couriers, now_s = tables.orders, tables.couriers, tables.now_s
    hour, weekday = local_clock(np.array([now_s]), snapshot.timezone)
    i, j, all_pairs = pairs.order, pairs.courier, np.ones(len(pairs))
    weather = snapshot.weather
    known = [weather.precipitation_mm_h, weather.temperature_c]
    rain, warmth = (np.nan if value is None else value for value in known)
    expected = raw_columns(
        pairs.trip,
        OfferContext(
            now_s=now_s * all_pairs, due_s=orders.due_s[i], pay=orders.pay[i],
            value=orders.value[i], order_size=orders.size[i] * 1.0, attempt=orders.attempt[i] * 1.0,
            load_orders=couriers.load_orders[j] * 1.0, load_size=couriers.load_size[j] * 1.0,
            vehicle=couriers.kind[j] * 1.0, shift_end_s=couriers.shift_end_s[j],
            last_offer_s=couriers.last_offer_s[j], courier_offers=couriers.past_offers[j] * 1.0,
            courier_accepted=couriers.past_acceptances[j] * 1.0, hour=hour[0] * all_pairs,
            weekday=weekday[0] * all_pairs, precipitation_mm_h=rain * all_pairs,
            temperature_c=warmth * all_pairs, demand_ratio=len(orders) / len(couriers) * all_pairs,
        ),
    )  # fmt: skip
    found = pair_columns(snapshot, tables, free, pairs).expand()
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
