"""The same forest in MLX's own operations, for machines without a device that runs the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import Any, Final

import numpy as np

from models.kernels.ending import HIGHEST, LOWEST, Ending
from models.kernels.masks import ALL, LEAVES_PER_WORD, FloatArray, IntArray, MaskForest, Splits

TABLES_LIMIT: Final = 1 << 30
"""Bytes of all tables of a forest; beyond, other backends are the better choice anyway."""

_EXPONENT_BIAS: Final = 127
_FRACTION_BITS: Final = 23


@dataclass(frozen=True, slots=True, eq=False)
class LoadedTables:
    """Splits as tables: of each column, the leaves left by each code, shape (codes, w)."""

    splits: Splits
    tables: Sequence[Any]


class OperationRunner:
    """Runs a forest in operations of `mx`, the module `mlx.core`."""

    def __init__(self, forest: MaskForest, mx: ModuleType) -> None:
        self._forest = forest
        self._mx = mx

    def load(self, splits: Splits) -> LoadedTables:
        """Write out what each code of each column leaves.

        Raises
        ------
        ValueError
            If that takes more than `TABLES_LIMIT` bytes.
        """
        heights = [len(column.cuts) + 1 for column in splits.columns]
        size = sum(heights) * self._forest.n_words * ALL.itemsize
        if size > TABLES_LIMIT:
            raise ValueError(
                f"the forest takes {size >> 20} MiB of tables without a device that runs kernels, "
                f"more than {TABLES_LIMIT >> 20}; use another scoring backend"
            )
        tables = [np.full((height, self._forest.n_words), ALL) for height in heights]
        first = splits.first.tolist()
        for word, rows in enumerate(pairwise(first)):
            for column, low, span, mask in splits.table[slice(*rows)].tolist():
                tables[column][low : low + span, word] &= np.uint32(mask)
        return LoadedTables(splits, [self._mx.array(table) for table in tables])

    def masks(self, loaded: LoadedTables, matrix: FloatArray) -> Any:
        """Masks of shape (m, w) for a matrix (m, f), m > 0."""
        mx = self._mx
        codes = mx.array(loaded.splits.codes(matrix))
        bits = mx.take(loaded.tables[0], codes[0], axis=0)
        for column, table in enumerate(loaded.tables[1:], start=1):
            bits = bits & mx.take(table, codes[column], axis=0)
        return bits

    def sums(
        self, loaded: LoadedTables, matrix: FloatArray, shared: Sequence[tuple[Any, IntArray]]
    ) -> IntArray:
        """Return sums of leaf values (n,) for rows (n, f), n > 0, each with its masks' rows."""
        return np.asarray(self._sums(loaded, matrix, shared))

    def probabilities(
        self,
        loaded: LoadedTables,
        matrix: FloatArray,
        shared: Sequence[tuple[Any, IntArray]],
        ending: Ending,
    ) -> FloatArray:
        """Return what `ending` makes of the sums, (n,), step by step as the device kernels do."""
        mx, sums = self._mx, self._sums(loaded, matrix, shared)
        given = {name: mx.array(values) for name, values in ending.inputs.items()}
        if ending.form == "beta":
            unit, a, b, c = given["curve"]
            score = sums.astype(mx.float32) * unit
            small = mx.log(1.0 + mx.exp(-mx.abs(score)))
            odds = mx.where(score < 0, a, b) * score + (b - a) * small + c
            less = mx.exp(-mx.abs(odds))
            chance = mx.where(odds < 0, less, 1.0) / (1.0 + less)
        else:
            at = (given["knots"] <= sums[:, None]).sum(axis=1) - 1
            way = (sums - mx.take(given["knots"], at)).astype(mx.float32)
            chance = mx.take(given["heights"], at) + mx.take(given["slopes"], at) * way
        found = np.clip(np.asarray(chance), LOWEST, HIGHEST)
        return np.asarray(found, dtype=np.float64)

    def _sums(
        self, loaded: LoadedTables, matrix: FloatArray, shared: Sequence[tuple[Any, IntArray]]
    ) -> Any:
        mx = self._mx
        bits = self.masks(loaded, matrix)
        for masks, row in shared:
            bits = bits & mx.take(masks, mx.array(row), axis=0)
        # The lowest bit alone is a power of two, whose exponent float32 holds exactly.
        lowest = (bits & (~bits + 1)).astype(mx.float32).view(mx.uint32)
        leaf = (lowest >> _FRACTION_BITS) - _EXPONENT_BIAS
        place = mx.arange(self._forest.n_words, dtype=mx.uint32) * LEAVES_PER_WORD + leaf
        # Of a tree's words, the first with a leaf left holds the leaf reached.
        place = mx.where(bits != 0, place, mx.array(ALL))
        if self._forest.words_per_tree > 1:
            place = place.reshape(len(matrix), -1, self._forest.words_per_tree).min(axis=2)
        return mx.take(mx.array(self._forest.values), place).sum(axis=1)
