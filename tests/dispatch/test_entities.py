"""Tables and columns tell the acceptance model the same, and give the same plan."""

from dataclasses import replace

import numpy as np
import pytest

from dispatch import DispatchConfig, Dispatcher
from dispatch.availability import availability
from dispatch.columns import OfferContext, heading_off_deg, local_clock, raw_columns
from dispatch.config import BundleRules, CandidateRules
from dispatch.datasets import (
    SyntheticCity,
    load_sample_offers,
    load_sample_snapshot,
    offers_log,
    synthetic_snapshot,
)
from dispatch.demand import local_demand
from dispatch.domain import MerchantPast, Snapshot
from dispatch.entities import pair_columns
from dispatch.pairs import find_pairs
from dispatch.tables import tabulate
from dispatch.travel import GreatCircleTravel
from models import AcceptanceModel, AcceptanceParams, train
from models.ensemble import Ensemble
from models.uplift import fold_pair_probabilities, fold_probabilities

CITY = SyntheticCity(seed=4, n_couriers=60)


@pytest.fixture(scope="module")
def model() -> AcceptanceModel:
    return train(offers_log(CITY, 3000)[0], AcceptanceParams(max_trees=60, learning_rate=0.2))


class ByMatrix:
    """The slow path: one row of columns a pair, scored by LightGBM."""

    def __init__(self, model: AcceptanceModel) -> None:
        self.version = model.version
        self._calibration, self._matrix = model.calibration_, model.matrix
        self._ensemble = Ensemble(model.ensemble_.forest, model.ensemble_.names, 1, "lightgbm")

    def predict_proba(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        return self._calibration.apply(self._ensemble.score(self._matrix(columns)))


def with_headings(snapshot: Snapshot) -> Snapshot:
    """Every other courier heads somewhere; the rest do not say."""
    turned = (
        replace(courier, heading_deg=None if k % 2 else 9.0 * k)
        for k, courier in enumerate(snapshot.couriers)
    )
    return replace(snapshot, couriers=tuple(turned))


@pytest.mark.parametrize("bundled", [False, True])
def test_the_plan_from_tables_is_the_plan_from_the_matrix(
    model: AcceptanceModel, bundled: bool
) -> None:
    """All but the correction and the reasons, which take an `AcceptanceModel`."""
    snapshot = with_headings(synthetic_snapshot(CITY, n_orders=25, n_couriers=40))
    config = DispatchConfig(
        candidates=CandidateRules(max_new_orders=2), bundles=BundleRules(enabled=bundled)
    )
    plans = [Dispatcher(each, config).assign(snapshot) for each in (model, ByMatrix(model))]
    assert plans[0].offers
    assert [replace(offer, reasons=()) for offer in plans[0].offers] == list(plans[1].offers)
    naive = [plan.objectives.naive_acceptances for plan in plans]
    assert naive[0] == naive[1]


def test_the_slow_exact_evaluator_and_the_kernels_give_the_same_plan_on_the_sample() -> None:
    """The reference walks every tree for every row of the matrix, one split at a time."""
    trained = train(
        load_sample_offers().head(4000), AcceptanceParams(max_trees=60, learning_rate=0.2)
    )

    class ByReference(ByMatrix):
        def predict_proba(self, columns: dict[str, np.ndarray]) -> np.ndarray:
            return self._calibration.apply(self._ensemble.forest.score(self._matrix(columns)))

    snapshot = load_sample_snapshot()
    fast, slow = (Dispatcher(each).assign(snapshot) for each in (trained, ByReference(trained)))
    assert fast.offers
    assert [replace(offer, reasons=()) for offer in fast.offers] == list(slow.offers)
    assert fast.objectives.naive_acceptances == slow.objectives.naive_acceptances


def test_folds_judge_tables_as_they_judge_columns(model: AcceptanceModel) -> None:
    """To the last bit, with and without headings."""
    snapshot = with_headings(synthetic_snapshot(CITY, n_orders=25, n_couriers=40))
    tables, travel = tabulate(snapshot), GreatCircleTravel()
    free = availability(tables, travel)
    pairs = find_pairs(tables, free, travel, DispatchConfig().candidates)
    told = pair_columns(snapshot, tables, free, pairs)
    assert np.isfinite(told.pair["heading_off_deg"]).any()
    bare = {name: v for name, v in told.pair.items() if name != "heading_off_deg"}
    for each in (told, replace(told, pair=bare)):
        np.testing.assert_array_equal(
            fold_pair_probabilities(model, each), fold_probabilities(model, each.expand())
        )


def test_a_cautious_reading_of_a_model_scores_the_columns(model: AcceptanceModel) -> None:
    """The lower end of each interval needs the matrix; the plan is that of those ends."""
    snapshot = synthetic_snapshot(CITY, n_orders=25, n_couriers=40)
    bold, shy = (Dispatcher(model, DispatchConfig(caution=c)).assign(snapshot) for c in (0.0, 0.9))
    assert shy.offers
    assert sum(o.probability for o in shy.offers) < sum(o.probability for o in bold.offers)


def test_tables_expand_to_the_columns_of_an_offers_log() -> None:
    """Column by column, to the last bit: the log's own function makes the other side."""
    snapshot = synthetic_snapshot(CITY, n_orders=25, n_couriers=40)
    pasts = [MerchantPast(offers=10.0 + k, acceptances=k / 2) for k in range(25)]
    told = zip(snapshot.orders, pasts, strict=True)
    snapshot = replace(snapshot, orders=tuple(replace(o, merchant_past=p) for o, p in told))
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
            temperature_c=warmth * all_pairs,
            local_demand=local_demand(orders.pickup, free.place)[i],
        ),
    )  # fmt: skip
    expected["heading_off_deg"] = heading_off_deg(
        couriers.position[j], orders.pickup[i], couriers.heading_deg[j]
    )
    expected["merchant_offers"] = np.array([o.merchant_past.offers for o in snapshot.orders])[i]
    expected["merchant_accepted"] = np.array(
        [o.merchant_past.acceptances for o in snapshot.orders]
    )[i]
    found = pair_columns(snapshot, tables, free, pairs).expand()
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
