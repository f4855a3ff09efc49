"""A tree ensemble as flat arrays that are checked before they are followed.

LightGBM's text parser aborts the process on a damaged file. So the artefact holds these arrays,
every index of them is proven to stay inside before use, and LightGBM is only ever handed text that
`Forest.to_lightgbm` has written from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.packing import pack, unpack

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ZERO: Final = float(np.float32(1e-35))
"""LightGBM takes |x| up to here as zero (kZeroThreshold in its meta.h, a float)."""

MAX_LEAVES: Final = 4096
CATEGORICAL, DEFAULT_LEFT, ZERO_MISSING, NAN_MISSING = 1, 2, 4, 8
"""Bits of `decision`, as LightGBM writes its decision_type."""

_DECISIONS: Final = (0, 2, 4, 6, 8, 10, 1, 9)
_ROWS_AT_ONCE: Final = 4096
_WORD: Final = 32

LAYOUT: Final[Mapping[str, str]] = {
    "leaves": "<i8",
    "feature": "<i4",
    "threshold": "<f8",
    "decision": "<u1",
    "left": "<i4",
    "right": "<i4",
    "words": "<i4",
    "category_words": "<u4",
    "leaf_value": "<f8",
    "leaf_count": "<i8",
}


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees after one another; tree i has `leaves[i]` leaves and one split fewer.

    Attributes
    ----------
    leaves
        Leaves of each tree, shape (t,).
    feature, threshold, decision, left, right, words
        Of each split, shape (s,): the column looked at, the largest value that goes left, the
        bits above, the children within the tree (a split k > 0, or ~leaf), and how many words of
        `category_words` its set of categories takes (0 where numeric). Splits come after the split
        above them.
    category_words
        32 categories a word, lowest bit first: those that go left.
    leaf_value, leaf_count
        Of each leaf, shape (l,): log-odds added, and rows it was grown on.

    Raises
    ------
    ValueError
        If any index would leave its tree, a part is reached twice or never, or a value is not one
        that training writes.
    """

    leaves: IntArray
    feature: NDArray[np.int32]
    threshold: FloatArray
    decision: NDArray[np.uint8]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    words: NDArray[np.int32]
    category_words: NDArray[np.uint32]
    leaf_value: FloatArray
    leaf_count: IntArray

    def __post_init__(self) -> None:
        problems = [text for sound, text in self._checks() if not sound]
        if problems:
            raise ValueError(f"forest refused: {problems[0]}")

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return len(self.leaves)

    def to_bytes(self) -> bytes:
        """Return the arrays as bytes, the inverse of `from_bytes`; same forest, same bytes."""
        return pack({field.name: getattr(self, field.name) for field in fields(self)}, LAYOUT)

    @classmethod
    def from_bytes(cls, content: bytes, n_features: int) -> Forest:
        """Read what `to_bytes` wrote, for a matrix of `n_features` columns.

        Raises
        ------
        ValueError
            If the bytes are not such a forest.
        """
        forest = cls(**unpack(content, LAYOUT))
        if forest.feature.max(initial=-1) >= n_features:
            raise ValueError(f"forest refused: a split looks beyond {n_features} features")
        return forest

    @classmethod
    def from_lightgbm(cls, text: str) -> Forest:
        """Read the text of a model that LightGBM has just grown (single score, no linear trees).

        Raises
        ------
        ValueError
            If the text is of another kind of model.
        """
        blocks = text.split("\nend of trees")[0].split("\n\n")
        trees = [_entries(block) for block in blocks if block.strip().startswith("Tree=")]
        head = _entries(blocks[0])
        if head.get("num_tree_per_iteration") != "1" or "average_output" in blocks[0]:
            raise ValueError("expected an ensemble of one summed score")
        if any(tree.get("is_linear", "0") != "0" for tree in trees):
            raise ValueError("expected trees with constant leaves")
        words = [_words(tree) for tree in trees]

        def joined(key: str, kind: Any) -> NDArray[Any]:
            parts = [np.array(tree.get(key, "").split(), dtype=kind) for tree in trees]
            return np.concatenate([np.empty(0, dtype=kind), *parts])

        decision = joined("decision_type", np.uint8)
        numeric = decision & CATEGORICAL == 0
        return cls(
            leaves=joined("num_leaves", np.int64),
            feature=joined("split_feature", np.int32),
            threshold=np.where(numeric, joined("threshold", np.float64), 0.0),
            decision=decision,
            left=joined("left_child", np.int32),
            right=joined("right_child", np.int32),
            words=np.concatenate([np.empty(0, np.int32), *(count for count, _ in words)]),
            category_words=np.concatenate([np.empty(0, np.uint32), *(bits for _, bits in words)]),
            leaf_value=joined("leaf_value", np.float64),
            # A tree that found no split has no counts; nothing is shared out below its root.
            leaf_count=np.concatenate(
                [
                    np.array(tree.get("leaf_count", "0").split() or ["0"], dtype=np.int64)
                    for tree in trees
                ]
            ),
        )

    def to_lightgbm(self, feature_names: Sequence[str]) -> str:
        """Write the forest as text that LightGBM reads back to the same scores, bit for bit."""
        return "\n\n".join(
            (
                "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
                f"max_feature_idx={len(feature_names) - 1}\nobjective=binary sigmoid:1\n"
                f"feature_names={' '.join(feature_names)}\n"
                f"feature_infos={' '.join(['[-inf:inf]'] * len(feature_names))}",
                *(self._tree_text(tree) for tree in range(self.n_trees)),
                "end of trees\n",
            )
        )

    def leaf_of(self, matrix: FloatArray) -> IntArray:
        """Leaf reached in every tree, numbered within the tree, shape (n, t), for (n, f) rows."""
        parts = [
            self._leaf_of(matrix[start : start + _ROWS_AT_ONCE])
            for start in range(0, len(matrix), _ROWS_AT_ONCE)
        ]
        return np.concatenate([np.empty((0, self.n_trees), dtype=np.int64), *parts])

    def score(self, matrix: FloatArray) -> FloatArray:
        """Raw log-odds of shape (n,), bit for bit those of LightGBM; slow, made to be checked."""
        reached = self.leaf_of(matrix) + self._first_leaf
        total = np.zeros(len(matrix))
        # One tree after the other, as LightGBM adds: floating-point sums depend on their order.
        for tree in range(self.n_trees):
            total += self.leaf_value[reached[:, tree]]
        return total

    @property
    def _first_leaf(self) -> IntArray:
        return np.cumsum(self.leaves) - self.leaves

    @property
    def _first_split(self) -> IntArray:
        return np.cumsum(self.leaves - 1) - (self.leaves - 1)

    def _leaf_of(self, matrix: FloatArray) -> IntArray:
        x = np.where(np.abs(matrix) <= ZERO, 0.0, matrix)
        first, word_start = self._first_split, np.cumsum(self.words) - self.words
        # A tree of one leaf has no split to begin with.
        at = np.broadcast_to(np.where(self.leaves > 1, 0, -1), (len(x), self.n_trees)).copy()
        while True:
            row, tree = np.nonzero(at >= 0)
            if not len(row):
                return ~at
            split = first[tree] + at[row, tree]
            value = x[row, self.feature[split]]
            left = np.where(
                self.decision[split] & CATEGORICAL,
                self._in_set(value, word_start[split], self.words[split]),
                self._below(value, split),
            )
            at[row, tree] = np.where(left, self.left[split], self.right[split])

    def _below(self, value: FloatArray, split: IntArray) -> NDArray[np.bool_]:
        decision = self.decision[split]
        unknown = np.isnan(value)
        by_nan = decision & NAN_MISSING != 0
        value = np.where(unknown & ~by_nan, 0.0, value)
        missing = np.where(by_nan, unknown, (decision & ZERO_MISSING != 0) & (value == 0.0))
        return np.where(missing, decision & DEFAULT_LEFT != 0, value <= self.threshold[split])

    def _in_set(
        self, value: FloatArray, start: IntArray, words: NDArray[np.int32]
    ) -> NDArray[np.bool_]:
        # Cut towards zero as LightGBM's cast does; what fits no word, NaN included, is in no set.
        whole = np.trunc(value)
        known = (whole >= 0.0) & (whole < words * float(_WORD))
        code = np.where(known, whole, 0.0).astype(np.int64)
        place = np.where(known, start + code // _WORD, 0)
        bits = np.append(self.category_words, np.uint32(0))[place]
        return np.asarray(known & ((bits >> (code % _WORD).astype(np.uint32)) & 1 == 1))

    def _tree_text(self, tree: int) -> str:
        leaf_at, split_at = int(self._first_leaf[tree]), int(self._first_split[tree])
        n = int(self.leaves[tree])
        splits, ends = slice(split_at, split_at + n - 1), slice(leaf_at, leaf_at + n)
        words = self.words[splits].astype(np.int64)
        sets = words > 0
        before = int(self.words[:split_at].sum())
        threshold = self.threshold[splits].copy()
        threshold[sets] = np.arange(int(sets.sum()))
        lines: dict[str, Iterable[Any]] = {
            "num_leaves": [n],
            "num_cat": [int(sets.sum())],
            "split_feature": self.feature[splits].tolist(),
            "threshold": threshold.tolist(),
            "decision_type": self.decision[splits].tolist(),
            "left_child": self.left[splits].tolist(),
            "right_child": self.right[splits].tolist(),
            "leaf_value": self.leaf_value[ends].tolist(),
            "leaf_count": self.leaf_count[ends].tolist(),
            "internal_value": [0] * (n - 1),
            "internal_count": self._split_counts(splits, ends).tolist(),
        }
        if sets.any():
            lines["cat_boundaries"] = [0, *np.cumsum(words[sets]).tolist()]
            own = slice(before, before + int(words.sum()))
            lines["cat_threshold"] = self.category_words[own].tolist()
        lines |= {"is_linear": [0], "shrinkage": [1]}
        rows = (f"{key}={' '.join(map(repr, values))}" for key, values in lines.items())
        return "\n".join((f"Tree={tree}", *rows))

    def _split_counts(self, splits: slice, ends: slice) -> IntArray:
        """Rows that passed each split of a tree: what its children hold."""
        left, right, leaf = self.left[splits], self.right[splits], self.leaf_count[ends]
        count = np.zeros(len(left), dtype=np.int64)
        for k in reversed(range(len(left))):
            count[k] = sum(leaf[~c] if c < 0 else count[c] for c in (left[k], right[k]))
        return count

    def _checks(self) -> Iterable[tuple[bool, str]]:
        """Say step by step what must hold; later steps rely on the earlier ones."""
        yield len(self.leaves) > 0, "no trees"
        if not len(self.leaves):
            return
        sized = self.leaves.min() >= 1 and self.leaves.max() <= MAX_LEAVES
        yield bool(sized), f"a tree has not 1 to {MAX_LEAVES} leaves"
        if not sized:
            return
        n_splits, n_leaves = int((self.leaves - 1).sum()), int(self.leaves.sum())
        per_split = ("feature", "threshold", "decision", "left", "right", "words")
        aligned = all(len(getattr(self, name)) == n_splits for name in per_split)
        aligned &= len(self.leaf_value) == len(self.leaf_count) == n_leaves
        yield aligned, "arrays of different lengths"
        if not aligned:
            return
        yield bool(np.isfinite(self.leaf_value).all()), "a leaf value is not finite"
        alone = np.repeat(self.leaves == 1, self.leaves)
        counted = (self.leaf_count >= np.where(alone, 0, 1)) & (self.leaf_count < 2**31)
        yield bool(counted.all()), "a leaf was grown on no rows"
        yield bool((self.feature >= 0).all()), "a split looks at no feature"
        yield bool(np.isin(self.decision, _DECISIONS).all()), "a decision is of no known kind"
        yield not np.isnan(self.threshold).any(), "a threshold is not a number"
        sets = self.decision & CATEGORICAL != 0
        yield bool(((self.words > 0) == sets).all()), "a set of categories has no words"
        fits = int(self.words.astype(np.int64).sum()) == len(self.category_words)
        yield fits and bool((self.words >= 0).all()), "the sets of categories do not fit"
        yield bool((self.threshold[sets] == 0.0).all()), "a set of categories has a threshold"
        yield from self._child_checks()

    def _child_checks(self) -> Iterable[tuple[bool, str]]:
        child = np.stack([self.left, self.right]).astype(np.int64)
        tree = np.repeat(np.arange(self.n_trees), self.leaves - 1)
        own = np.arange(len(self.left)) - self._first_split[tree]
        to_split = child >= 0
        inside = np.where(to_split, child < (self.leaves - 1)[tree], ~child < self.leaves[tree])
        # Downwards only, so that every walk ends.
        yield bool((inside & (~to_split | (child > own))).all()), "a child lies outside its tree"
        if not inside.all():
            return
        below = (self._first_split[tree] + child)[to_split]
        ends = (self._first_leaf[tree] + ~child)[~to_split]
        roots = self._first_split[self.leaves > 1]
        once = np.bincount(np.append(below, roots), minlength=len(self.left))
        alone = self._first_leaf[self.leaves == 1]
        reached = np.bincount(np.append(ends, alone), minlength=len(self.leaf_value))
        yield bool((once == 1).all() and (reached == 1).all()), "a part is reached twice or never"


def _entries(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _words(tree: Mapping[str, str]) -> tuple[NDArray[np.int32], NDArray[np.uint32]]:
    """Words of each split's set, and the words in the order of the splits."""
    read: Callable[[str, Any], NDArray[Any]] = lambda key, kind: np.array(  # noqa: E731
        tree.get(key, "").split(), dtype=kind
    )
    is_set = read("decision_type", np.int64) & CATEGORICAL != 0
    which = read("threshold", np.float64)[is_set].astype(np.int64)
    edges, bits = read("cat_boundaries", np.int64), read("cat_threshold", np.uint32)
    count = np.zeros(len(is_set), dtype=np.int32)
    count[is_set] = (edges[which + 1] - edges[which]) if len(which) else 0
    parts = [bits[edges[k] : edges[k + 1]] for k in which.tolist()]
    return count, np.concatenate([np.empty(0, np.uint32), *parts])
