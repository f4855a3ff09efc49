"""Masks of leaves for vectors: a split of each of 32 trees at a time, for the C kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.forest import Forest
from models.kernels.masks import ALL, LEAVES_PER_WORD, MaskForest

MASK_TREES: Final = 32
MASK_SCALES: Final = 64
"""Codes that two vectors hold."""

MASK_STEP: Final = np.dtype(
    [(name, kind, MASK_TREES) for name, kind in (
        ("scale", "u1"), ("low", "<u2"), ("span", "<u2"), ("kept", "<u4"),
    )]
)  # fmt: skip
"""A split of each of 32 trees (`MaskStep` in forest.h)."""

_MOST_CUTS: Final = 65_535


@dataclass(frozen=True, slots=True, eq=False)
class MaskSteps:
    """What the splits of a forest take away; empty where vectors cannot hold it.

    Attributes
    ----------
    steps
        Dtype `MASK_STEP`; a tree that has no more splits in a step keeps all.
    first
        First step of each 32 trees, shape (g + 1,).
    leaf
        Leaf values of each tree from left to right, 32 a tree, shape (1024 g,).
    """

    steps: NDArray[np.void]
    first: NDArray[np.int32]
    leaf: NDArray[np.float64]

    @classmethod
    def of(cls, forest: Forest) -> MaskSteps:
        """Lay a forest out: trees of at most 32 leaves, at most 64 scales of 16-bit codes."""
        if forest.leaves.max() > LEAVES_PER_WORD or not np.isfinite(forest.leaf_value).all():
            return cls._none()
        masks = MaskForest(forest)
        splits = masks.splits
        if len(splits.columns) > MASK_SCALES or any(
            len(column.cuts) >= _MOST_CUTS for column in splits.columns
        ):
            return cls._none()
        n_groups = -(-forest.n_trees // MASK_TREES)
        count = np.zeros(n_groups * MASK_TREES, dtype=np.int64)
        count[: forest.n_trees] = np.diff(splits.first.astype(np.int64))
        first = np.concatenate(([0], np.cumsum(count.reshape(n_groups, -1).max(axis=1))))
        steps = np.zeros(int(first[-1]), dtype=MASK_STEP)
        steps["kept"] = ALL
        tree = np.repeat(np.arange(len(count)), count)
        own = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
        place = first[tree // MASK_TREES] + own, tree % MASK_TREES
        rows = splits.table[: len(tree)]
        for name, values in zip(("scale", "low", "span", "kept"), rows.T, strict=True):
            steps[name][place] = values
        leaf = np.zeros(n_groups * MASK_TREES * LEAVES_PER_WORD)
        leaf[masks.place] = forest.leaf_value
        return cls(steps, first.astype(np.int32), leaf)

    @property
    def n_groups(self) -> int:
        """Groups of 32 trees."""
        return len(self.first) - 1

    @classmethod
    def _none(cls) -> MaskSteps:
        return cls(np.zeros(1, MASK_STEP), np.zeros(1, np.int32), np.zeros(1))
