"""A forest in the hands of the compiled kernels."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.kernels.library import CEntity, CForest, CPairs, library, variants
from models.kernels.program import Program

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BLOCK: Final = 512
WALKED_ROWS: Final = 12
"""Up to here a row is walked: a block of planes costs as much whether it is full or not."""

ROWS_PER_THREAD: Final = 16_384
"""Fewer are done before a second thread has started."""


@dataclass(frozen=True, slots=True, eq=False)
class CodedEntity:
    """Rows coded once and shared by many pairs: bytes (m, c), their columns, each pair's row.

    `row` is None where every pair shares the only row.
    """

    codes: NDArray[np.uint8]
    columns: NDArray[np.int32]
    row: IntArray | None


class NativeForest:
    """Scores a forest with the compiled kernels; the lock is released while they run.

    Parameters
    ----------
    program
        What the kernels read.
    variant
        One of `models.kernels.library.variants()`; the fastest where not given.

    Raises
    ------
    RuntimeError
        If there is no library, or the processor cannot run that variant.
    """

    def __init__(self, program: Program, variant: str | None = None) -> None:
        found, here = library(), variants()
        if found is None:
            raise RuntimeError("the kernels are not compiled; install with a C compiler present")
        self.variant = variant or here[-1]
        if self.variant not in here:
            raise RuntimeError(f"expected a variant in {', '.join(here)}, got {self.variant!r}")
        self.program = program
        self._library = found
        self._number = here.index(self.variant)
        self._least_features = int(program.scales.table["feature"].max(initial=-1)) + 1
        self._forest, self._held = _lay_out(program)

    def score(self, matrix: FloatArray, threads: int = 1) -> FloatArray:
        """Raw log-odds of shape (n,) for a float64 matrix of shape (n, f), bit for bit LightGBM's.

        Raises
        ------
        ValueError
            If the matrix has fewer columns than the splits look at.
        """
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[1] < self._least_features:
            raise ValueError(
                f"expected a matrix of at least {self._least_features} columns, "
                f"got shape {matrix.shape}; build it with the model's own schema"
            )
        n, n_features = matrix.shape
        out = np.empty(n)
        by_walk = int(n <= WALKED_ROWS)

        def part(start: int, stop: int) -> int:
            return int(
                self._library.forest_rows(
                    self._number,
                    ctypes.byref(self._forest),
                    _at(matrix, start * n_features),
                    stop - start,
                    n_features,
                    by_walk,
                    _at(out, start),
                )
            )

        _in_parts(part, n, threads)
        return out

    def code(self, scales: NDArray[np.int32], values: FloatArray) -> NDArray[np.uint8]:
        """Code values (m, k) of the features of k scales: bytes, one column or more a scale.

        Raises
        ------
        ValueError
            If there is no such scale, or not one column of values for each.
        """
        table = self.program.scales.table
        values = np.ascontiguousarray(values, dtype=np.float64)
        scales = self._checked(scales)
        if values.ndim != 2 or values.shape[1] != len(scales):
            raise ValueError(f"expected values of {len(scales)} scales, got shape {values.shape}")
        n_columns = int(table["n_columns"][scales].sum())
        codes = np.empty((len(values), n_columns), dtype=np.uint8)
        self._library.forest_codes(
            self._number,
            ctypes.byref(self._forest),
            _at(scales),
            len(scales),
            _at(values),
            len(values),
            n_columns,
            _at(codes),
        )
        return codes

    def score_pairs(
        self,
        entities: Sequence[CodedEntity],
        start: int,
        n: int,
        scales: NDArray[np.int32],
        values: Sequence[FloatArray],
        out: FloatArray,
    ) -> None:
        """Score n pairs from `start` on into `out` (n,).

        `values` holds the features of the scales that differ from pair to pair, each (n,); all
        other scales are in the entities.

        Raises
        ------
        ValueError
            If a shape, row or column does not fit, or a byte column is given twice or never.
        """
        self._check_pairs(entities, start, n, scales, values, out)
        scales = np.ascontiguousarray(scales, dtype=np.int32)
        c_entities = (CEntity * len(entities))(
            *(
                CEntity(
                    _at(each.codes),
                    None if each.row is None else _at(each.row),
                    _at(each.columns),
                    len(each.columns),
                )
                for each in entities
            )
        )
        pointers = np.array([_at(column) for column in values], dtype=np.uintp)
        pairs = CPairs(c_entities, len(entities), _at(scales), _at(pointers), len(scales))
        failed = self._library.forest_pairs(
            self._number, ctypes.byref(self._forest), ctypes.byref(pairs), start, n, _at(out)
        )
        if failed:
            raise MemoryError("no memory for the planes of the forest")

    def _checked(self, scales: NDArray[np.int32]) -> NDArray[np.int32]:
        scales = np.ascontiguousarray(scales, dtype=np.int32)
        if len(scales) and not 0 <= scales.min() <= scales.max() < len(self.program.scales.table):
            raise ValueError("a scale is not one of the forest's")
        return scales

    def _check_pairs(
        self,
        entities: Sequence[CodedEntity],
        start: int,
        n: int,
        scales: NDArray[np.int32],
        values: Sequence[FloatArray],
        out: FloatArray,
    ) -> None:
        table = self.program.scales.table
        scales = self._checked(scales)
        if self.program.multiplexers is None:
            raise ValueError("a forest this large is walked row by row: use score")
        sound = out.shape == (n,) and out.dtype == np.float64 and out.flags.c_contiguous
        sound &= len(values) == len(scales) and start >= 0
        for column in values:
            sound &= column.shape == (n,) and column.dtype == np.float64
            sound &= column.flags.c_contiguous
        given = [
            np.arange(row["first_column"], row["first_column"] + row["n_columns"])
            for row in table[scales]
        ]
        for each in entities:
            given.append(each.columns)
            sound &= each.codes.dtype == np.uint8 and each.codes.flags.c_contiguous
            sound &= each.codes.shape[1:] == each.columns.shape
            sound &= each.columns.dtype == np.int32 and each.columns.flags.c_contiguous
            if each.row is None:
                sound &= len(each.codes) == 1
                continue
            sound &= each.row.dtype == np.int64 and each.row.flags.c_contiguous
            own = each.row[start : start + n]
            sound &= len(own) == n
            sound &= n == 0 or bool(0 <= own.min() <= own.max() < len(each.codes))
        columns = np.sort(np.concatenate([np.empty(0, np.int64), *given]))
        sound &= np.array_equal(columns, np.arange(self.program.scales.n_columns))
        if not sound:
            raise ValueError("the pairs do not fit the forest: check shapes, rows and columns")


def _in_parts(part: Callable[[int, int], int], n: int, threads: int) -> None:
    """Call `part` on runs of whole blocks, one run a thread."""
    threads = max(1, min(threads, n // ROWS_PER_THREAD))
    step = -(-n // threads // BLOCK) * BLOCK if threads > 1 else max(n, 1)
    runs = [(start, min(start + step, n)) for start in range(0, n, step)]
    if len(runs) <= 1:
        failed = [part(*run) for run in runs]
    else:
        with ThreadPoolExecutor(len(runs)) as pool:
            failed = list(pool.map(lambda run: part(*run), runs))
    if any(failed):
        raise MemoryError("no memory for the planes of the forest")


def _at(array: NDArray[Any], offset: int = 0) -> int:
    return int(array.ctypes.data) + offset * array.itemsize


def _lay_out(program: Program) -> tuple[CForest, dict[str, NDArray[Any]]]:
    """Return the structure that the kernels read, and the arrays that it points into."""
    scales, multiplexers = program.scales, program.multiplexers
    empty = np.zeros(1, dtype=np.uint16)
    held: dict[str, NDArray[Any]] = {
        "scales": program.scale_table,
        "cuts": scales.cuts,
        "cells": scales.cells,
        "set_first": scales.set_first,
        "set_plane": scales.set_plane,
        "ops": multiplexers.ops * np.uint32(BLOCK // 8) if multiplexers else empty,
        "op_first": multiplexers.op_first if multiplexers else empty,
        "out": multiplexers.out if multiplexers else empty,
        "leaf_first": program.leaf_first,
        "leaf_count": program.leaf_count,
        "leaf": program.leaf,
        "root": program.walk.root,
        "n_steps": program.walk.n_steps,
        "nodes": program.walk.nodes,
        "answers": program.walk.answers,
    }
    forest = CForest(
        **{name: _at(array) for name, array in held.items()},
        n_scales=len(scales.table),
        n_columns=scales.n_columns,
        n_cut_planes=scales.n_cuts,
        n_sets=program.n_sets,
        n_slots=multiplexers.n_slots if multiplexers else 0,
        n_trees=program.forest.n_trees,
        n_splits=len(program.forest.left),
        walk_only=int(multiplexers is None),
    )
    return forest, held
