"""Everything before a decision: arrays, candidate pairs, their features and probabilities."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np

from dispatch.availability import Availability, availability
from dispatch.bundling import bundle_raw_columns, find_bundles
from dispatch.config import DispatchConfig
from dispatch.domain import Snapshot
from dispatch.entities import pair_columns
from dispatch.formulate import Costs, ScoredBundles, price
from dispatch.pairs import CandidatePairs, find_pairs
from dispatch.tables import Floats, Ints, Tables, tabulate
from dispatch.travel import TravelTimes
from models import PairColumns


class AcceptanceScorer(Protocol):
    """Whatever predicts acceptance: `models.AcceptanceModel`, or a known law in a test."""

    @property
    def version(self) -> str:
        """Identify the model in plans."""
        ...

    def predict_proba(self, columns: dict[str, Floats]) -> Floats:
        """Predict the chance of acceptance, shape (n,), from the raw columns."""
        ...


@runtime_checkable
class PairScorer(Protocol):
    """A model that takes the tables as they are, as `models.AcceptanceModel` does."""

    def predict_pairs(self, pairs: PairColumns) -> Floats:
        """Predict the chance of acceptance of each pair, shape (k,)."""
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
class HeldBack:
    """Orders kept for the next epoch on purpose, h of them.

    Attributes
    ----------
    order
        Their rows, shape (h,).
    price_s, offer_s
        Expected seconds of delivery time that holding costs, and that the best use of a courier
        would have, shape (h,).
    """

    order: Ints
    price_s: Floats
    offer_s: Floats


_NOBODY = HeldBack(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A snapshot ready to be decided on; no bundles: pairs are added up.

    `bonus` is what offering an order to each courier is worth besides, in the weighted sum, shape
    (m,); None where no courier is favoured.
    """

    snapshot: Snapshot
    tables: Tables
    travel: TravelTimes
    free: Availability
    pairs: CandidatePairs
    columns: PairColumns
    costs: Costs
    bundles: ScoredBundles | None
    held: HeldBack = _NOBODY
    bonus: Floats | None = None


def without(ready: Prepared, orders: Ints) -> Prepared:
    """Leave out every pair and bundle of some orders; what the orders count while waiting stays."""
    pairs = ready.pairs
    keep = np.ones(len(ready.tables.orders), dtype=np.bool_)
    keep[orders] = False
    of_pair = keep[pairs.order]
    rows = np.flatnonzero(of_pair)
    bundles = ready.bundles
    return replace(
        ready,
        pairs=pairs[rows],
        columns=ready.columns.take(rows),
        costs=ready.costs[rows],
        bundles=None if bundles is None else bundles.among(of_pair),
    )


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
        free = availability(tables, travel, config.bundles)
        pairs = find_pairs(tables, free, travel, config.candidates)
    with watch.stage("features"):
        columns = pair_columns(snapshot, tables, free, pairs)
    with watch.stage("probability"):
        probability = (
            model.predict_pairs(columns)
            if isinstance(model, PairScorer)
            else model.predict_proba(columns.expand())
        )
    costs = price(tables, pairs, probability, config)
    bundles = None
    if config.bundles.enabled and config.candidates.max_new_orders > 1 and len(pairs):
        with watch.stage("bundles"):
            found = find_bundles(tables, free, travel, pairs, config.candidates, config.bundles)
            described = bundle_raw_columns(tables, free, travel, columns, found)
        with watch.stage("probability"):
            chance = model.predict_proba(described) if len(found) else np.zeros(0)
        bundles = ScoredBundles(found, described, chance)
    return Prepared(snapshot, tables, travel, free, pairs, columns, costs, bundles)
