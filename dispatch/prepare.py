"""Everything before a decision: arrays, candidate pairs, their features and probabilities."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from dispatch.availability import Availability, availability
from dispatch.bundling import bundle_raw_columns, find_bundles
from dispatch.columns import OfferContext, heading_off_deg, local_clock, raw_columns
from dispatch.config import DispatchConfig
from dispatch.domain import Snapshot
from dispatch.formulate import Costs, ScoredBundles, price
from dispatch.pairs import CandidatePairs, find_pairs
from dispatch.tables import Floats, Tables, tabulate
from dispatch.travel import TravelTimes


class AcceptanceScorer(Protocol):
    """Whatever predicts acceptance: `models.AcceptanceModel`, or a known law in a test."""

    @property
    def version(self) -> str:
        """Identify the model in plans."""
        ...

    def predict_proba(self, columns: dict[str, Floats]) -> Floats:
        """Predict the chance of acceptance, shape (n,), from the raw columns."""
        ...


@dataclass(slots=True)
class Stopwatch:
    """Seconds by stage, for the plan's timings."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A snapshot ready to be decided on; no bundles: pairs are added up."""

    snapshot: Snapshot
    tables: Tables
    travel: TravelTimes
    free: Availability
    pairs: CandidatePairs
    columns: dict[str, Floats]
    costs: Costs
    bundles: ScoredBundles | None


def prepare(
    snapshot: Snapshot,
    model: AcceptanceScorer,
    config: DispatchConfig,
    travel: TravelTimes,
    watch: Stopwatch,
) -> Prepared:
    """Find candidate pairs and price them; the snapshot must be valid."""
    with watch.stage("tables"):
        tables = tabulate(snapshot)
    with watch.stage("pairs"):
        free = availability(tables, travel)
        pairs = find_pairs(tables, free, travel, config.candidates)
    with watch.stage("features"):
        context = offer_context(snapshot, tables, pairs)
        columns = raw_columns(pairs.trip, context)
    with watch.stage("probability"):
        probability = model.predict_proba(columns)
    costs = price(tables, pairs, probability, config)
    bundles = None
    if config.bundles.enabled and config.candidates.max_new_orders > 1 and len(pairs):
        with watch.stage("bundles"):
            found = find_bundles(tables, free, travel, pairs, config.candidates, config.bundles)
            more = bundle_raw_columns(tables, free, travel, context, columns, found)
        with watch.stage("probability"):
            chance = model.predict_proba(more) if len(found) else np.zeros(0)
        bundles = ScoredBundles(found, chance)
        columns = {name: np.concatenate((columns[name], more[name])) for name in columns}
    return Prepared(snapshot, tables, travel, free, pairs, columns, costs, bundles)


def offer_context(snapshot: Snapshot, tables: Tables, pairs: CandidatePairs) -> OfferContext:
    """Gather what else is known about every candidate pair."""
    orders, couriers = tables.orders, tables.couriers
    order, courier = pairs.order, pairs.courier
    hour, weekday = local_clock(np.array([tables.now_s]), snapshot.timezone)

    def constant(value: float | None) -> Floats:
        return np.full(len(pairs), np.nan if value is None else value)

    def of(values: np.ndarray, rows: np.ndarray) -> Floats:
        return np.asarray(values[rows], dtype=np.float64)

    return OfferContext(
        now_s=constant(tables.now_s),
        due_s=orders.due_s[order],
        pay=orders.pay[order],
        value=orders.value[order],
        order_size=of(orders.size, order),
        attempt=of(orders.attempt, order),
        load_orders=of(couriers.load_orders, courier),
        load_size=of(couriers.load_size, courier),
        vehicle=of(couriers.kind, courier),
        shift_end_s=couriers.shift_end_s[courier],
        last_offer_s=couriers.last_offer_s[courier],
        courier_offers=of(couriers.past_offers, courier),
        courier_accepted=of(couriers.past_acceptances, courier),
        hour=constant(hour[0]),
        weekday=constant(weekday[0]),
        precipitation_mm_h=constant(snapshot.weather.precipitation_mm_h),
        temperature_c=constant(snapshot.weather.temperature_c),
        demand_ratio=constant(len(orders) / max(len(couriers), 1)),
        heading_off_deg=heading_off_deg(
            couriers.position[courier], orders.pickup[order], couriers.heading_deg[courier]
        ),
    )
