"""Scores of courier-order pairs straight from the tables: no feature matrix is ever made.

The features of couriers, orders and the moment are built by the formulas that training uses, on
their own small tables, and coded once for all pairs; the features that differ from pair to pair are
built in runs that stay in the cache. So every feature is bit for bit that of the matrix, and with
it every score.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration
from models.features import FeatureSchema, build_matrix, feature_values
from models.history import HistoryPrior
from models.kernels import CodedEntity, NativeForest
from models.kernels.pairs import BoundRows, Entity
from models.pairs import Columns, PairColumns
from models.scoring.base import ScoringBackend
from models.scoring.mlx import MLXBackend
from models.scoring.native import NativeBackend

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

RUN: Final = 8192
"""Pairs whose features are built at a time."""

PAIRS_PER_THREAD: Final = 32_768


def score_pairs(
    backend: ScoringBackend, schema: FeatureSchema, prior: HistoryPrior, pairs: PairColumns
) -> FloatArray:
    """Raw log-odds of shape (k,) for k pairs; backends without a kernel for it get the matrix.

    Raises
    ------
    FeatureError
        If the tables break the contract of `models.columns`.
    """
    return _scored(backend, schema, prior, pairs, None)


def pair_probabilities(
    backend: ScoringBackend,
    schema: FeatureSchema,
    prior: HistoryPrior,
    pairs: PairColumns,
    calibration: Calibration,
) -> FloatArray:
    """Calibrated scores of shape (k,), calibrated where the scores are made if the backend can.

    Raises
    ------
    FeatureError
        As in `score_pairs`.
    """
    return _scored(backend, schema, prior, pairs, calibration)


def _scored(
    backend: ScoringBackend,
    schema: FeatureSchema,
    prior: HistoryPrior,
    pairs: PairColumns,
    calibration: Calibration | None,
) -> FloatArray:
    pairs.check(schema.raw_names)
    if isinstance(backend, MLXBackend):
        rows = _RowsOfPairs(backend, _Features(schema, prior, pairs))
        if calibration is None:
            return _joined(rows.bound.score(part, at) for at, part in rows.parts())
        return _joined(rows.bound.probabilities(part, calibration, at) for at, part in rows.parts())
    if not isinstance(backend, NativeBackend) or backend.forest.program.multiplexers is None:
        scores = backend.score(build_matrix(pairs.expand(), schema, prior))
        return scores if calibration is None else calibration.apply(scores)
    plan = _CodedPairs(backend.forest, _Features(schema, prior, pairs), calibration)
    out = np.empty(len(pairs))
    threads = max(1, min(backend.threads, len(pairs) // PAIRS_PER_THREAD))
    if threads == 1:
        plan.score(out, 0, len(pairs))
    else:
        edges = [len(pairs) * part // threads for part in range(threads + 1)]
        with ThreadPoolExecutor(threads) as pool:
            # list, so that what a thread raised is raised here
            list(pool.map(lambda part: plan.score(out, *part), pairwise(edges)))
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Brought:
    """Features that a table brings: their places in the schema, and the row of each pair."""

    columns: Columns
    row: IntArray | None
    places: Sequence[int]


class _Features:
    """Who brings which feature: a table, once for all its pairs, or the pairs themselves."""

    def __init__(self, schema: FeatureSchema, prior: HistoryPrior, pairs: PairColumns) -> None:
        self.schema, self._prior = schema, prior
        self.pairs = pairs.with_unknown(schema.raw_names)
        self.brought = []
        for columns, row in self.pairs.groups():
            inputs = (spec.inputs for spec in schema.features)
            places = [place for place, names in enumerate(inputs) if columns.keys() >= {*names}]
            if places:
                self.brought.append(_Brought(columns, row, places))
        told = {place for each in self.brought for place in each.places}
        self.own = [place for place in range(len(schema.features)) if place not in told]

    def of_table(self, columns: Columns, places: Sequence[int]) -> FloatArray:
        """Return features (m, p) of a table of m rows."""
        names = [self.schema.names[place] for place in places]
        return np.column_stack([feature_values(name, columns, self._prior) for name in names])

    def of_pairs(self, places: Sequence[int], here: slice) -> Iterator[FloatArray]:
        """Return features of a run of pairs, one array each."""
        specs = [self.schema.features[place] for place in places]
        columns = self._columns({name for spec in specs for name in spec.inputs}, here)
        for spec in specs:
            found = feature_values(spec.name, columns, self._prior)
            yield np.ascontiguousarray(found, dtype=np.float64)

    def _columns(self, needed: set[str], here: slice) -> Mapping[str, FloatArray]:
        found = {name: self.pairs.pair[name][here] for name in needed & self.pairs.pair.keys()}
        for columns, row in self.pairs.groups():
            for name in needed & columns.keys():
                if row is None:
                    found[name] = np.broadcast_to(columns[name], (here.stop - here.start,))
                else:
                    found[name] = columns[name].take(row[here])
        return found


class _CodedPairs:
    """The tables coded once, and the pairs run by run, for the compiled kernels."""

    def __init__(
        self, forest: NativeForest, features: _Features, calibration: Calibration | None
    ) -> None:
        self._forest, self._features, self._calibration = forest, features, calibration
        looked_at = forest.program.scales.table["feature"]
        entities = [
            self._coded(each, scales)
            for each in features.brought
            if len(scales := np.flatnonzero(np.isin(looked_at, each.places)).astype(np.int32))
        ]
        scales = np.flatnonzero(np.isin(looked_at, features.own)).astype(np.int32)
        # One feature may have several scales.
        self._own, self._place = np.unique(looked_at[scales], return_inverse=True)
        self._pairs = forest.pairs(entities, scales)

    def score(self, out: FloatArray, start: int, stop: int) -> None:
        """Score the pairs from `start` to `stop` into their places of `out`."""
        for at in range(start, stop, RUN):
            here = slice(at, min(at + RUN, stop))
            values = list(self._features.of_pairs(self._own.tolist(), here))
            self._pairs.score(at, [values[place] for place in self._place], out[here])
            if self._calibration is not None:
                out[here] = self._calibration.apply(out[here])

    def _coded(self, brought: _Brought, scales: NDArray[np.int32]) -> CodedEntity:
        table = self._forest.program.scales.table[scales]
        values = self._features.of_table(brought.columns, table["feature"].tolist())
        byte_columns = [
            np.arange(
                each["first_column"], each["first_column"] + each["n_columns"], dtype=np.int32
            )
            for each in table
        ]
        row = None if brought.row is None else np.ascontiguousarray(brought.row)
        return CodedEntity(self._forest.code(scales, values), np.concatenate(byte_columns), row)


class _RowsOfPairs:
    """The same for MLX: what a table excludes is worked out once, where the masks are made."""

    def __init__(self, backend: MLXBackend, features: _Features) -> None:
        self._features, self._step = features, backend.rows_at_once
        n_pairs = len(features.pairs)
        self._n_pairs = n_pairs
        entities = [
            Entity(
                features.of_table(each.columns, each.places),
                np.zeros(n_pairs, dtype=np.int64) if each.row is None else each.row,
            )
            for each in features.brought
        ]
        scorer = backend.sharing(*(each.places for each in features.brought))
        self.bound: BoundRows = scorer.bind(n_pairs, entities)

    def parts(self) -> Iterator[tuple[int, FloatArray]]:
        """Return the features that pairs bring themselves, part by part: first pair, matrix."""
        features = self._features
        for at in range(0, self._n_pairs, self._step):
            here = slice(at, min(at + self._step, self._n_pairs))
            matrix = np.zeros((here.stop - at, len(features.schema.features)))
            for place, values in zip(
                features.own, features.of_pairs(features.own, here), strict=True
            ):
                matrix[:, place] = values
            yield at, matrix


def _joined(parts: Iterator[FloatArray]) -> FloatArray:
    return np.concatenate([np.empty(0), *parts])
