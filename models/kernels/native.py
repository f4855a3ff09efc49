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
"""Threads are given whole blocks of the widest kind."""

_SLOT_UNIT: Final = np.uint64(8)
"""Slots are counted in bytes of the narrowest block."""

_SLOT_BITS: Final = np.uint64(21)
"""A multiplexer is one word of three slots, read at once."""

ROWS_PER_THREAD: Final = 16_384
"""Fewer are done before a second thread has started."""

TOLD_FROM: Final = 4096
"""So many pairs win back the time of working into the forest what they all share."""


@dataclass(frozen=True, slots=True, eq=False)
class CodedEntity:
    """Rows coded once and shared by many pairs: bytes (m, c), their columns, each pair's row.

    `row` is None where every pair shares the only row.

    Raises
    ------
    ValueError
        If a shape, type or row does not fit.
    """

    codes: NDArray[np.uint8]
    columns: NDArray[np.int32]
    row: IntArray | None

    def __post_init__(self) -> None:
        sound = self.codes.dtype == np.uint8 and self.codes.flags.c_contiguous
        sound &= self.codes.shape[1:] == self.columns.shape
        sound &= self.columns.dtype == np.int32 and self.columns.flags.c_contiguous
        if self.row is None:
            sound &= len(self.codes) == 1
        else:
            sound &= self.row.dtype == np.int64 and self.row.flags.c_contiguous
            sound &= self.row.ndim == 1
            if sound and len(self.row):
                sound &= bool(0 <= self.row.min() <= self.row.max() < len(self.codes))
        if not sound:
            raise ValueError("the entity's rows do not fit its codes: check shapes, types and rows")


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
        self._held, numbers = lay_out(program)
        self._forest = CForest(**{k: _at(v) for k, v in self._held.items()}, **numbers)
        self._reference = ctypes.byref(self._forest)
        self._rows = found.forest_rows

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
        rows, to = _at(matrix), _at(out)

        def part(start: int, stop: int) -> int:
            return int(
                self._rows(
                    self._number,
                    self._reference,
                    rows + 8 * start * n_features,
                    stop - start,
                    n_features,
                    to + 8 * start,
                )
            )

        if any(_in_parts(part, n, threads)):
            raise MemoryError("no memory for the planes of the forest")
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
            self._reference,
            _at(scales),
            len(scales),
            _at(values),
            len(values),
            n_columns,
            _at(codes),
        )
        return codes

    def told(self, shared: Sequence[CodedEntity]) -> ToldForest:
        """Work what all pairs share, checked by `NativePairs`, into the forest."""
        columns = np.concatenate([np.empty(0, np.int32), *(each.columns for each in shared)])
        codes = np.concatenate([np.empty(0, np.uint8), *(each.codes[0] for each in shared)])
        held = {name: np.empty_like(self._held[name]) for name in ("ops", "op_first", "out")}
        held["told"] = np.empty(len(self.program.scales.table), dtype=np.uint8)
        told = CForest.from_buffer_copy(self._forest)
        if self._library.forest_told(
            self._reference, _at(codes), _at(columns), len(columns), *map(_at, held.values())
        ):
            raise MemoryError("no memory for the slots of the forest")
        for name, array in held.items():
            setattr(told, name, _at(array))
        return ToldForest(told, held)

    def run_pairs(self, told: ToldForest | None, pairs: Any, start: int, n: int, out: int) -> int:
        """Call the kernel on pairs laid out and checked by `NativePairs`."""
        forest = self._reference if told is None else ctypes.byref(told.forest)
        return int(self._library.forest_pairs(self._number, forest, pairs, start, n, out))

    def pairs(self, entities: Sequence[CodedEntity], scales: NDArray[np.int32]) -> NativePairs:
        """Pairs whose codes are in the entities, but for the scales that differ pair by pair.

        Raises
        ------
        ValueError
            If there is no such scale, a byte column is given twice or never, or the forest is one
            that is walked row by row.
        """
        return NativePairs(self, entities, self._checked(scales))

    def _checked(self, scales: NDArray[np.int32]) -> NDArray[np.int32]:
        scales = np.ascontiguousarray(scales, dtype=np.int32)
        if len(scales) and not 0 <= scales.min() <= scales.max() < len(self.program.scales.table):
            raise ValueError("a scale is not one of the forest's")
        return scales


@dataclass(frozen=True, slots=True, eq=False)
class ToldForest:
    """A forest into which is worked what all pairs share, and the arrays it points to."""

    forest: CForest
    held: dict[str, NDArray[Any]]


class NativePairs:
    """Pairs to be scored in runs; made by `NativeForest.pairs`, any thread may score."""

    def __init__(
        self, native: NativeForest, entities: Sequence[CodedEntity], scales: NDArray[np.int32]
    ) -> None:
        if native.program.multiplexers is None:
            raise ValueError("a forest this large is walked row by row: use score")
        table = native.program.scales.table[scales]
        own = [
            np.arange(first, first + count)
            for first, count in zip(table["first_column"], table["n_columns"], strict=True)
        ]
        given = np.concatenate([np.empty(0, np.int64), *own, *(e.columns for e in entities)])
        if not np.array_equal(np.sort(given), np.arange(native.program.scales.n_columns)):
            raise ValueError("a byte column of the forest is given twice or never")
        self._native, self._scales = native, scales
        self._rows = min((len(e.row) for e in entities if e.row is not None), default=None)
        shared = [each for each in entities if each.row is None]
        worth_it = shared and self._rows is not None and self._rows >= TOLD_FROM
        self._told = native.told(shared) if worth_it else None
        self._held = tuple((each, in_eights(each.codes)) for each in entities)
        self._entities = (CEntity * len(entities))(
            *(
                CEntity(
                    _at(codes),
                    None if each.row is None else _at(each.row),
                    _at(each.columns),
                    len(each.columns),
                )
                for each, codes in self._held
            )
        )

    def score(self, start: int, values: Sequence[FloatArray], out: FloatArray) -> None:
        """Score as many pairs from `start` on as `out` (n,) has room for.

        `values` holds, for each scale that differs from pair to pair, its feature (n,).

        Raises
        ------
        ValueError
            If a shape, type or row does not fit.
        """
        n = len(out)
        sound = len(values) == len(self._scales) and start >= 0
        sound &= self._rows is None or start + n <= self._rows
        for column in (*values, out):
            sound &= column.shape == (n,) and column.dtype == np.float64
            sound &= column.flags.c_contiguous
        if not sound:
            raise ValueError("the pairs do not fit the forest: check shapes, types and rows")
        pointers = np.array([_at(column) for column in values], dtype=np.uintp)
        pairs = CPairs(
            self._entities,
            len(self._held),
            _at(self._scales),
            _at(pointers),
            len(self._scales),
        )
        if self._native.run_pairs(self._told, ctypes.byref(pairs), start, n, _at(out)):
            raise MemoryError("no memory for the planes of the forest")


def _in_parts(part: Callable[[int, int], int], n: int, threads: int) -> list[int]:
    """Call `part` on runs of whole blocks, one run a thread, and return what it returned."""
    threads = min(threads, n // ROWS_PER_THREAD)
    if threads <= 1:
        return [part(0, n)]
    step = -(-n // threads // BLOCK) * BLOCK
    starts = range(0, n, step)
    with ThreadPoolExecutor(len(starts)) as pool:
        return list(pool.map(lambda start: part(start, min(start + step, n)), starts))


def _in_words(ops: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Multiplexers (n, 3) as words of three slots."""
    places = ops.astype(np.uint64) * _SLOT_UNIT << _SLOT_BITS * np.arange(3, dtype=np.uint64)
    found: NDArray[np.uint64] = np.bitwise_or.reduce(places, axis=1)
    return found


def in_eights(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rows of a multiple of eight bytes, as the kernels take them; at least of one row."""
    n_rows, n_columns = codes.shape
    wide = np.zeros((max(n_rows, 1), -(-n_columns // 8) * 8), dtype=np.uint8)
    wide[:n_rows, :n_columns] = codes
    return wide


def _at(array: NDArray[Any]) -> int:
    if array.flags.writeable and array.size:
        # A third of the time of `ctypes.data`, which counts where one row is scored.
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))
    return int(array.ctypes.data)


def lay_out(program: Program) -> tuple[dict[str, NDArray[Any]], dict[str, int | float]]:
    """Arrays that `Forest` of forest.h points to, by name, and its numbers."""
    scales, multiplexers, masks = program.scales, program.multiplexers, program.masks
    empty = np.zeros(1, dtype=np.uint16)
    arrays: dict[str, NDArray[Any]] = {
        "scales": program.scale_table,
        "cuts": scales.cuts,
        "cells": scales.cells,
        "set_first": scales.set_first,
        "set_plane": scales.set_plane,
        "ops": _in_words(multiplexers.ops) if multiplexers else empty,
        "op_first": multiplexers.op_first if multiplexers else empty,
        "out": multiplexers.out if multiplexers else empty,
        "leaf_first": program.leaf_first,
        "leaf_count": program.leaf_count,
        "leaf": program.leaf,
        "root": program.walk.root,
        "n_steps": program.walk.n_steps,
        "nodes": program.walk.nodes,
        "answers": program.walk.answers,
        "leaf_words": program.leaf_words,
        "mask_steps": masks.steps,
        "mask_first": masks.first,
        "mask_leaf": masks.leaf,
    }
    numbers: dict[str, int | float] = {
        "leaf_scale": program.leaf_scale,
        "n_scales": len(scales.table),
        "n_columns": scales.n_columns,
        "n_cut_planes": scales.n_cuts,
        "n_sets": program.n_sets,
        "n_slots": multiplexers.n_slots if multiplexers else 0,
        "n_trees": program.forest.n_trees,
        "n_splits": len(program.forest.left),
        "n_mask_groups": masks.n_groups,
        "walk_only": int(multiplexers is None),
    }
    return arrays, numbers
