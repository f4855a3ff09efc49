"""A forest as masks of leaves: every split that goes right takes the leaves on its left away.

Leaves are numbered from left to right; of those that remain, the first is the one reached
(QuickScorer, Lucchese et al., SIGIR 2015). Splits look at codes, the ranks of values among the
model's own cuts, so that nothing a tree can tell apart is rounded, and leaf values are whole
multiples of a power of two, so that their sum is exact in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.forest import CATEGORICAL, DEFAULT_LEFT, NAN_MISSING, ZERO, ZERO_MISSING, Forest

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
CodeArray = NDArray[np.unsignedinteger[Any]]
WordArray = NDArray[np.uint32]

LEAVES_PER_WORD: Final = 32
ALL: Final = np.uint32(0xFFFFFFFF)
SUM_BITS: Final = 62
"""Sums of one leaf a tree stay below 2 ** 62."""


def ordered(values: FloatArray) -> NDArray[np.uint64]:
    """Whole numbers in the order of the values, so that devices without float64 compare exactly.

    NaN lies below -inf or above inf, by its sign bit; -0.0 lies just below 0.0.
    """
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One way to code a feature: a value's code is the number of `cuts` below it.

    Attributes
    ----------
    feature
        Column of the feature matrix.
    cuts
        Rising values, shape (c,).
    nan_code, zero_code
        Codes of what is unknown and of |x| <= `ZERO`.
    """

    feature: int
    cuts: FloatArray
    nan_code: int
    zero_code: int

    def codes(self, values: FloatArray) -> IntArray:
        """Codes of shape (n,) for values of shape (n,)."""
        code = np.searchsorted(self.cuts, values, side="left")
        code[np.abs(values) <= ZERO] = self.zero_code
        code[np.isnan(values)] = self.nan_code
        return code


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """What the splits on some columns take away, word by word.

    Attributes
    ----------
    columns
        The columns, which `column` of the table counts.
    first
        First row of each word in the table, shape (w + 1,); never ends before it begins.
    table
        (column, low, span, mask), shape (s, 4): where code - low < span, unsigned, only the leaves
        in mask remain.
    """

    columns: tuple[Column, ...]
    first: WordArray
    table: WordArray

    @property
    def code_type(self) -> np.dtype[Any]:
        """Narrowest type that holds every code."""
        return np.min_scalar_type(max(len(column.cuts) for column in self.columns))

    def codes(self, matrix: FloatArray) -> CodeArray:
        """Codes of shape (c, n) for a matrix of shape (n, f)."""
        found = np.empty((len(self.columns), len(matrix)), dtype=self.code_type)
        for k, column in enumerate(self.columns):
            found[k] = column.codes(matrix[:, column.feature])
        return found

    @property
    def least_features(self) -> int:
        """Features that a matrix must have at least."""
        return max(column.feature for column in self.columns) + 1


class MaskForest:
    """A forest as masks and exact leaf values.

    Attributes
    ----------
    words_per_tree
        Words of 32 leaves that every tree is given, at least as many as the largest needs.
    place
        Of each leaf of the forest (l,), its place in `values`: trees after one another, leaves from
        left to right.
    values
        Leaf values times 2 ** shift, shape (32 w,), where word w of leaves begins at 32 w.
    shift
        Binary places after the point; sums of one leaf a tree stay below 2 ** 62.
    splits
        All splits; `splits_on` takes some.

    Raises
    ------
    ValueError
        If leaf values add up beyond float64.
    """

    def __init__(self, forest: Forest) -> None:
        self.words_per_tree = -(-int(forest.leaves.max()) // LEAVES_PER_WORD)
        self.n_words = forest.n_trees * self.words_per_tree
        number, start, middle = _number_leaves(forest)
        largest = np.maximum.reduceat(
            np.abs(forest.leaf_value), np.cumsum(forest.leaves) - forest.leaves
        ).sum()
        if not np.isfinite(largest):
            raise ValueError("leaf values add up beyond float64; use the lightgbm backend")
        self.shift = SUM_BITS - int(np.frexp(largest)[1])
        self.values = np.zeros(self.n_words * LEAVES_PER_WORD, dtype=np.int64)
        tree_of = np.repeat(np.arange(forest.n_trees), forest.leaves)
        self.place = tree_of * self.words_per_tree * LEAVES_PER_WORD + number
        # A power of two only moves the point; what lies beyond it is rounded once.
        self.values[self.place] = np.rint(np.ldexp(forest.leaf_value, self.shift)).astype(np.int64)
        self._columns, intervals = _intervals(forest)
        self._word, self._rows = self._lay_out(forest, intervals, start, middle)
        self.splits = self._take(np.ones(len(self._columns), dtype=np.bool_))

    def splits_on(self, features: Sequence[int], *, inside: bool) -> Splits:
        """Return the splits that look at `features`, or (`inside` false) those that do not."""
        of = np.array([column.feature for column in self._columns])
        return self._take(np.isin(of, features) == inside)

    def score(self, sums: IntArray) -> FloatArray:
        """Raw log-odds of shape (n,) for sums of leaf values of shape (n,)."""
        return np.ldexp(sums.astype(np.float64), -self.shift)

    def _take(self, kept: NDArray[np.bool_]) -> Splits:
        columns = tuple(c for c, keep in zip(self._columns, kept, strict=True) if keep)
        rows = kept[self._rows[:, 0]]
        table = self._rows[rows]
        table[:, 0] = (np.cumsum(kept) - 1)[table[:, 0]]
        first = np.searchsorted(self._word[rows], np.arange(self.n_words + 1))
        # Devices take no empty array: one column and one row that nothing refers to.
        return Splits(
            columns or (Column(0, np.empty(0), 0, 0),),
            first.astype(np.uint32),
            (table if len(table) else np.zeros((1, 4))).astype(np.uint32),
        )

    def _lay_out(
        self, forest: Forest, intervals: IntArray, start: IntArray, middle: IntArray
    ) -> tuple[IntArray, IntArray]:
        """One row for each interval of a split and word that it takes leaves from, by word."""
        column, low, span, split = intervals.T
        tree = np.repeat(np.arange(forest.n_trees), forest.leaves - 1)[split]
        start, end = start[split], middle[split]
        words = (end - 1) // LEAVES_PER_WORD - start // LEAVES_PER_WORD + 1
        of = np.repeat(np.arange(len(split)), words)
        own = start[of] // LEAVES_PER_WORD + np.arange(len(of))
        own -= np.repeat(np.cumsum(words) - words, words)
        begin = np.maximum(start[of] - own * LEAVES_PER_WORD, 0)
        stop = np.minimum(end[of] - own * LEAVES_PER_WORD, LEAVES_PER_WORD)
        mask = int(ALL) ^ ((1 << stop) - (1 << begin))
        word = tree[of] * self.words_per_tree + own
        # Words that no leaf of their tree lies in are emptied whatever the code.
        used = -(-forest.leaves // LEAVES_PER_WORD)
        spare = np.flatnonzero(np.arange(self.words_per_tree) >= used[:, None])
        empty = np.tile(np.array([0, 0, int(ALL), 0], dtype=np.int64), (len(spare), 1))
        rows = np.column_stack((column[of], low[of], span[of], mask))
        word, rows = np.concatenate((word, spare)), np.concatenate((rows, empty))
        order = np.lexsort((rows[:, 0], word))
        return word[order], rows[order]


def _number_leaves(forest: Forest) -> tuple[IntArray, IntArray, IntArray]:
    """Place of each leaf (l,) in its tree from left to right.

    And of each split (s,) the place where its left side begins and where its right side does.
    """
    number = np.zeros(len(forest.leaf_value), dtype=np.int64)
    begins, middles = np.zeros((2, len(forest.left)), dtype=np.int64)
    split_at = leaf_at = 0
    for n_leaves in forest.leaves.tolist():
        own = slice(split_at, split_at + n_leaves - 1)
        left, right = forest.left[own].tolist(), forest.right[own].tolist()
        size, start, middle = [0] * (n_leaves - 1), [0] * (n_leaves - 1), [0] * (n_leaves - 1)
        for k in reversed(range(n_leaves - 1)):
            size[k] = sum(size[c] if c >= 0 else 1 for c in (left[k], right[k]))
        for k in range(n_leaves - 1):
            middle[k] = start[k] + (size[left[k]] if left[k] >= 0 else 1)
            for child, at in ((left[k], start[k]), (right[k], middle[k])):
                if child >= 0:
                    start[child] = at
                else:
                    number[leaf_at + ~child] = at
        begins[own], middles[own] = start, middle
        split_at, leaf_at = split_at + n_leaves - 1, leaf_at + n_leaves
    return number, begins, middles


def _intervals(forest: Forest) -> tuple[list[Column], IntArray]:
    """Columns, and the intervals of codes that go right: (column, low, span, split), shape (i, 4).

    A feature has one column for each way its splits treat the unknown. A set of categories begins
    and ends at whole numbers, which are cuts like any other.
    """
    missing = forest.decision & (NAN_MISSING | ZERO_MISSING)
    # Where nothing is missing the default direction is never taken.
    kind = np.where(missing, forest.decision, 0)
    kind = np.where(forest.decision & CATEGORICAL, CATEGORICAL, kind)
    keys, column_of = np.unique(
        np.column_stack((forest.feature.astype(np.int64), kind)), axis=0, return_inverse=True
    )
    column_of = column_of.reshape(-1)
    columns: list[Column] = []
    found: list[tuple[int, int, int, int]] = []
    word_end = np.cumsum(forest.words, dtype=np.int64)
    for place, (feature, treated) in enumerate(keys.tolist()):
        splits = np.flatnonzero(column_of == place)
        if treated == CATEGORICAL:
            ends = [
                _edges(forest.category_words[word_end[k] - forest.words[k] : word_end[k]])
                for k in splits
            ]
            cuts = np.unique(np.concatenate(ends))
            inside = [(np.searchsorted(cuts, each) + 1).tolist() for each in ends]
        else:
            cuts, rank = np.unique(forest.threshold[splits] + 0.0, return_inverse=True)
            inside = [[0, k + 1] for k in rank.reshape(-1).tolist()]
        # Code 0 goes left at every threshold and lies in no set; the last goes right.
        aside = 0 if treated & (DEFAULT_LEFT | CATEGORICAL) else len(cuts)
        at_zero = int(np.searchsorted(cuts, 0.0, side="left"))
        zero_code = aside if treated & ZERO_MISSING else at_zero
        nan_code = aside if treated & (NAN_MISSING | CATEGORICAL) else zero_code
        columns.append(Column(feature, cuts, nan_code, zero_code))
        found += [
            (place, low, high - low, split)
            for split, bounds in zip(splits.tolist(), inside, strict=True)
            for low, high in _outside(bounds, len(cuts) + 1)
        ]
    return columns, np.array(found, dtype=np.int64).reshape(-1, 4)


def _edges(words: WordArray) -> FloatArray:
    """Largest values below each category at which a set begins or ends."""
    inside = np.unpackbits(np.ascontiguousarray(words, "<u4").view(np.uint8), bitorder="little")
    edge = np.flatnonzero(np.diff(inside, prepend=np.uint8(0), append=np.uint8(0)))
    # Categories are cut towards zero, so all above -1 is category 0.
    return np.where(edge == 0, -1.0, np.nextafter(edge.astype(np.float64), -np.inf))


def _outside(inside: Sequence[int], end: int) -> Iterator[tuple[int, int]]:
    """Intervals of [0, end) between those that begin and end, by turns, at the codes `inside`."""
    bounds = [0, *inside, end]
    return ((low, high) for low, high in zip(bounds[::2], bounds[1::2], strict=True) if low < high)
