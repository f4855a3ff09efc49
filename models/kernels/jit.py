"""The plane kernel in numba: the same program, 64 rows a word."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.forest import ZERO
from models.kernels.program import FIRST_PLANE, Program
from models.kernels.scales import COUNT

FloatArray = NDArray[np.float64]

WALKED_ROWS: Final = 6
"""Up to here a row is walked: a block of planes costs as much whether it is full or not."""

NARROW_ROWS: Final = 320
"""Up to here planes are one word wide."""


def score(program: Program, matrix: FloatArray) -> FloatArray:
    """Raw log-odds of shape (n,) for a float64 matrix of shape (n, f), bit for bit LightGBM's.

    Raises
    ------
    ValueError
        If the matrix has fewer columns than the splits look at.
    """
    matrix = np.ascontiguousarray(matrix, dtype=np.float64)
    scales, walk = program.scales, program.walk
    least = int(scales.table["feature"].max(initial=-1)) + 1
    if matrix.ndim != 2 or matrix.shape[1] < least:
        raise ValueError(
            f"expected a matrix of at least {least} columns, got shape {matrix.shape}; "
            "build it with the model's own schema"
        )
    out = np.empty(len(matrix))
    multiplexers = program.multiplexers
    if multiplexers is None or len(matrix) <= WALKED_ROWS:
        n_trees, n_splits = program.forest.n_trees, len(program.forest.left)
        _walk(
            matrix, scales.table, scales.cuts, scales.cells, walk.nodes, walk.answers, walk.root,
            program.leaf, n_trees, n_splits, out,
        )  # fmt: skip
    else:
        _KERNELS[1 if len(matrix) <= NARROW_ROWS else 8](
            matrix, scales.table, scales.cuts, scales.cells, scales.n_cuts, scales.set_first,
            scales.set_plane, multiplexers.ops, multiplexers.op_first, multiplexers.out,
            multiplexers.n_slots, program.leaf_first, program.leaf, out,
        )  # fmt: skip
    return out


@njit(cache=True)
def _code(scale, cuts, cells, x):  # type: ignore[no-untyped-def]
    if x != x:
        return scale.nan_code
    if abs(x) <= ZERO:
        return scale.zero_code
    place = (np.float32(x) - scale.low) * scale.per_unit
    cell = scale.first_cell + int(min(max(place, np.float32(0.0)), np.float32(scale.last_cell)))
    low, high = cells[cell] & COUNT, cells[cell + 1] & COUNT
    while low < high:
        middle = (low + high) // 2
        if x > cuts[scale.first_cut + middle]:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    matrix, table, cuts, cells, nodes, answers, root, leaf, n_trees, n_splits, out
):
    codes = np.zeros(len(table) + 1, np.int32)
    for r in range(len(matrix)):
        for i in range(len(table)):
            codes[i] = _code(table[i], cuts, cells, matrix[r, table[i].feature])
        total = 0.0
        for tree in range(n_trees):
            at = root[tree]
            while at < n_splits:
                here = nodes[at]
                right = answers[here.answer + codes[here.scale]]
                at = here.right if right else here.left
            total += leaf[at - n_splits]
        out[r] = total


@njit(cache=True)
def _merge(mask, a, b):  # type: ignore[no-untyped-def]
    return b ^ (mask & (a ^ b))


@njit(cache=True)
def _numbers(slot, planes, w, number):  # type: ignore[no-untyped-def]
    """Eight planes to a byte a row, as `leaf_numbers` of forest_body.h."""
    ones, twos = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
    fours = np.uint64(0x0F0F0F0F0F0F0F0F)
    s1, s2, s4 = np.uint64(1), np.uint64(2), np.uint64(4)
    for h in range(2):
        p0, p1 = slot[planes[4 * h], w], slot[planes[4 * h + 1], w]
        p2, p3 = slot[planes[4 * h + 2], w], slot[planes[4 * h + 3], w]
        e0, o0 = _merge(ones, p0, p1 << s1), _merge(ones, p0 >> s1, p1)
        e1, o1 = _merge(ones, p2, p3 << s1), _merge(ones, p2 >> s1, p3)
        number[4 * h] = _merge(twos, e0, e1 << s2)
        number[4 * h + 1] = _merge(twos, o0, o1 << s2)
        number[4 * h + 2] = _merge(twos, e0 >> s2, e1)
        number[4 * h + 3] = _merge(twos, o0 >> s2, o1)
    for q in range(4):
        low, high = number[q], number[4 + q]
        number[q] = _merge(fours, low, high << s4)
        number[4 + q] = _merge(fours, low >> s4, high)


def _compile(words):  # type: ignore[no-untyped-def]
    """Compile the kernel for blocks of 64 rows a word; loops over a fixed number are unrolled."""
    rows_at_once = 64 * words

    @njit(cache=True, nogil=True)
    def planes(  # type: ignore[no-untyped-def]
        matrix, table, cuts, cells, n_cuts, set_first, set_plane, ops, op_first, tree_out, n_slots,
        leaf_first, leaf, out,
    ):  # fmt: skip
        zero, ones = np.uint64(0), ~np.uint64(0)
        slot = np.zeros((n_slots, words), np.uint64)
        slot[1] = ones
        codes = np.zeros(rows_at_once, np.int32)
        # Bit b of word w is row words * b + w: rows after one another go to different words.
        total = np.zeros((words, 64))
        number = np.zeros(8, np.uint64)
        first_result = FIRST_PLANE + n_cuts + len(set_first) - 1
        for start in range(0, len(matrix), rows_at_once):
            m = min(rows_at_once, len(matrix) - start)
            at = FIRST_PLANE
            for i in range(len(table)):
                scale = table[i]
                for r in range(m):
                    codes[r] = _code(scale, cuts, cells, matrix[start + r, scale.feature])
                # Each row sets one bit, at its own code; from above, every plane takes in the next.
                slot[at : at + scale.n_cuts] = zero
                for r in range(m):
                    if codes[r] > 0:
                        bit = np.uint64(1) << np.uint64(r // words)
                        slot[at + codes[r] - 1, r % words] |= bit
                for k in range(scale.n_cuts - 2, -1, -1):
                    row, after = slot[at + k], slot[at + k + 1]
                    for w in range(words):
                        row[w] |= after[w]
                at += scale.n_cuts
            for i in range(len(set_first) - 1):
                row = slot[at]
                row[:] = ones
                for j in range(set_first[i], set_first[i + 1]):
                    other = slot[FIRST_PLANE + set_plane[j]]
                    for w in range(words):
                        row[w] ^= other[w]
                at += 1
            total[:] = 0.0
            for tree in range(len(leaf_first)):
                for i in range(op_first[tree], op_first[tree + 1]):
                    select, a, b = slot[ops[i, 0]], slot[ops[i, 1]], slot[ops[i, 2]]
                    row = slot[first_result + i - op_first[tree]]
                    for w in range(words):
                        row[w] = a[w] ^ (select[w] & (a[w] ^ b[w]))
                first = leaf_first[tree]
                outputs = tree_out[tree]
                for w in range(words):
                    _numbers(slot, outputs, w, number)
                    for j in range(8):
                        numbers = number[j]
                        for p in range(8):
                            leaf_at = first + np.int64(numbers & np.uint64(255))
                            total[w, 8 * p + j] += leaf[leaf_at]
                            numbers >>= np.uint64(8)
            for r in range(m):
                out[start + r] = total[r % words, r // words]

    return planes


_KERNELS: Final = {words: _compile(words) for words in (1, 8)}  # type: ignore[no-untyped-call]
"""By the words of a plane; each is compiled when first called."""
