"""Scores of courier-order pairs straight from the tables: no feature matrix is ever made.

The features of couriers, orders and the moment are built by the formulas that training uses, on
their own small tables, and coded once for all pairs; the features that differ from pair to pair are
built in runs that stay in the cache. So every feature, and with it every score, is bit for bit that
of the matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.features import FeatureSchema, build_matrix, feature_values
from models.history import HistoryPrior
from models.kernels import CodedEntity, NativeForest
from models.pairs import PairColumns
from models.scoring.base import ScoringBackend
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
    pairs.check(schema.raw_names)
    if not isinstance(backend, NativeBackend) or backend.forest.program.multiplexers is None:
        return backend.score(build_matrix(pairs.expand(), schema, prior))
    plan = _Plan(backend.forest, schema, prior, pairs.with_unknown(schema.raw_names))
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


class _Plan:
    """Who brings which feature: a coded table, or the pairs themselves."""

    def __init__(
        self, forest: NativeForest, schema: FeatureSchema, prior: HistoryPrior, pairs: PairColumns
    ) -> None:
        self._forest, self._schema, self._prior, self._pairs = forest, schema, prior, pairs
        looked_at = forest.program.scales.table["feature"]
        entities: list[CodedEntity] = []
        of_pairs = np.ones(len(looked_at), dtype=bool)
        for columns, row in pairs.groups():
            own = {
                place
                for place, spec in enumerate(schema.features)
                if all(name in columns for name in spec.inputs)
            }
            scales = np.flatnonzero(np.isin(looked_at, list(own))).astype(np.int32)
            of_pairs[scales] = False
            if len(scales):
                entities.append(self._coded(columns, row, scales))
        own_scales = np.flatnonzero(of_pairs).astype(np.int32)
        self._features = [schema.features[place] for place in looked_at[own_scales]]
        self._coded_pairs = forest.pairs(entities, own_scales)

    def score(self, out: FloatArray, start: int, stop: int) -> None:
        """Score the pairs from `start` to `stop` into their places of `out`."""
        for at in range(start, stop, RUN):
            here = slice(at, min(at + RUN, stop))
            columns = self._columns(here)
            values: dict[str, FloatArray] = {}
            for spec in self._features:
                if spec.name not in values:
                    found = feature_values(spec.name, columns, self._prior)
                    values[spec.name] = np.ascontiguousarray(found, dtype=np.float64)
            self._coded_pairs.score(at, [values[spec.name] for spec in self._features], out[here])

    def _columns(self, here: slice) -> Mapping[str, FloatArray]:
        """Raw columns of a run of pairs, those that its own features are computed from."""
        needed = {name for spec in self._features for name in spec.inputs}
        found = {name: self._pairs.pair[name][here] for name in needed & self._pairs.pair.keys()}
        for columns, row in self._pairs.groups():
            at = slice(0, 1) if row is None else row[here]
            found |= {name: columns[name][at] for name in needed & columns.keys()}
        size = here.stop - here.start
        return {name: np.broadcast_to(values, (size,)) for name, values in found.items()}

    def _coded(
        self, columns: Mapping[str, FloatArray], row: IntArray | None, scales: NDArray[np.int32]
    ) -> CodedEntity:
        table = self._forest.program.scales.table[scales]
        names = [self._schema.names[place] for place in table["feature"]]
        values = [feature_values(name, columns, self._prior) for name in names]
        byte_columns = [
            np.arange(
                each["first_column"], each["first_column"] + each["n_columns"], dtype=np.int32
            )
            for each in table
        ]
        rows = None if row is None else np.ascontiguousarray(row)
        return CodedEntity(
            self._forest.code(scales, np.column_stack(values)), np.concatenate(byte_columns), rows
        )
