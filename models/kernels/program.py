"""A forest as the kernels run it: codes, planes, multiplexers, leaf tables.

Each bit of the number of the leaf reached is a function of the answers to the splits, and that
function is the tree itself: at every split, the bit of the left or of the right side. Equal parts
are computed once, and leaves are numbered so that many are equal (`models.kernels.numbering`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.forest import Forest
from models.kernels.mask_steps import MaskSteps
from models.kernels.numbering import number_leaves
from models.kernels.scales import SCALE, Scales

MAX_PLANE_LEAVES: Final = 256
"""Leaves of a tree that a byte can number; a forest with a larger tree is walked."""

FIRST_PLANE: Final = 2
"""Slots before the first split plane: all zeros, all ones."""

_PLANES_PER_TREE: Final = 8
_SMALLEST_TABLE: Final = 32
_SLOTS: Final = 1 << 16

NODE: Final = np.dtype([("scale", "<i4"), ("answer", "<i4"), ("left", "<i4"), ("right", "<i4")])
"""One step of a walk as the kernels read it (`Node` in forest.h)."""

_WALKED_TREES: Final = 16

Op = tuple[int, int, int]
Number = Callable[[Sequence[int], Sequence[int]], list[int]]


@dataclass(frozen=True, slots=True, eq=False)
class Multiplexers:
    """Every tree as three-operand operations on slots.

    Attributes
    ----------
    ops
        (selector, taken where 0, taken where 1), shape (o, 3); operation i of a tree writes slot
        `first_result + i`.
    op_first
        First operation of each tree, shape (t + 1,).
    out
        Slots of the bits of the leaf number, lowest first, shape (t, 8).
    n_slots
        Slots in all.
    """

    ops: NDArray[np.uint16]
    op_first: NDArray[np.int32]
    out: NDArray[np.uint16]
    n_slots: int


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Every tree as steps that end on themselves.

    Attributes
    ----------
    nodes
        All splits, then one node for each place of the leaf table, dtype `NODE`.
    answers
        Bytes that say whether a code goes right, looked up at a node's `answer` plus the code.
    root
        First node of each tree, filled up to a multiple of 16 trees.
    n_steps
        Steps of the deepest of each 16 trees.
    """

    nodes: NDArray[np.void]
    answers: NDArray[np.uint8]
    root: NDArray[np.int32]
    n_steps: NDArray[np.int32]


class Program:
    """What is derived once from a forest and then read by every kernel.

    Parameters
    ----------
    forest
        What is scored.
    number
        Numbers the leaves of a tree: one of `models.kernels.numbering`.

    Raises
    ------
    ValueError
        If there are more thresholds, sets or leaves than 32-bit offsets can address.
    """

    def __init__(self, forest: Forest, *, number: Number = number_leaves) -> None:
        scales = Scales(forest)
        if max(scales.n_cuts, len(scales.set_plane), len(forest.leaf_value)) > 1 << 28:
            raise ValueError("forest too large for the kernels; use the lightgbm backend")
        self.forest = forest
        self.scales = scales
        self._number = number
        self.n_sets = len(scales.set_first) - 1
        self.plane = np.where(scales.plane >= 0, scales.plane, scales.n_cuts + scales.set_of)
        """Plane of each split (s,): a cut, or a set of categories behind the cuts."""
        self.leaf_count = forest.leaves.astype(np.int32)
        width = np.maximum(self.leaf_count, _SMALLEST_TABLE)
        self.leaf_first = (np.cumsum(width) - width).astype(np.int32)
        self._number_leaves(int(width.sum()))

    def _number_leaves(self, table_size: int) -> None:
        forest = self.forest
        n_splits = forest.leaves - 1
        first_split, first_leaf = np.cumsum(n_splits) - n_splits, np.cumsum(forest.leaves)
        first_leaf = first_leaf - forest.leaves
        self.leaf = np.zeros(table_size)
        self._depth = np.zeros(forest.n_trees, dtype=np.int32)
        self.number = np.zeros(len(forest.leaf_value), dtype=np.int64)
        """Number of each leaf of the forest (l,) in its tree: its place in the leaf table."""
        for tree in range(forest.n_trees):
            n = int(n_splits[tree])
            own = slice(first_split[tree], first_split[tree] + n)
            left, right = forest.left[own].tolist(), forest.right[own].tolist()
            number = self._number(left, right)
            self.number[first_leaf[tree] : first_leaf[tree] + n + 1] = number
            self._depth[tree] = _depth(left, right)
        tree_of = np.repeat(np.arange(forest.n_trees), forest.leaves)
        self._place = self.leaf_first[tree_of] + self.number
        self.leaf[self._place] = forest.leaf_value

    @cached_property
    def walk(self) -> Walk:
        """The trees for one row at a time."""
        forest, scales = self.forest, self.scales
        n_splits, n_trees = len(forest.left), forest.n_trees
        first_leaf = np.cumsum(forest.leaves) - forest.leaves
        first_split = np.cumsum(forest.leaves - 1) - (forest.leaves - 1)
        tree_of = np.repeat(np.arange(n_trees), forest.leaves - 1)
        nodes = np.zeros(n_splits + len(self.leaf), dtype=NODE)
        nodes["left"] = nodes["right"] = np.arange(len(nodes))
        for name in ("left", "right"):
            child = getattr(forest, name).astype(np.int64)
            leaf = self._place[np.where(child < 0, first_leaf[tree_of] + ~child, 0)]
            split = first_split[tree_of] + child
            nodes[name][:n_splits] = np.where(child < 0, n_splits + leaf, split)
        answers, offset = scales.answers()
        nodes["scale"][:n_splits] = scales.scale_of
        nodes["answer"][:n_splits] = offset
        groups = -(-n_trees // _WALKED_TREES)
        root = np.zeros(groups * _WALKED_TREES, dtype=np.int32)
        root[:n_trees] = np.where(forest.leaves > 1, first_split, n_splits + self.leaf_first)
        depth = np.zeros(groups * _WALKED_TREES, dtype=np.int32)
        depth[:n_trees] = self._depth
        return Walk(nodes, answers, root, depth.reshape(groups, -1).max(axis=1))

    @cached_property
    def masks(self) -> MaskSteps:
        """The trees as masks of leaves, thirty-two trees at a time."""
        return MaskSteps.of(self.forest)

    @property
    def leaf_words(self) -> NDArray[np.uint32]:
        """Low, then high words of the first 32 leaves of each tree, where its leaves begin."""
        found = np.zeros((len(self.leaf), 2), dtype=np.uint32)
        rows = self.leaf_first[:, None] + np.arange(_SMALLEST_TABLE)
        words = self.leaf[rows].view(np.uint32).reshape(len(rows), _SMALLEST_TABLE, 2)
        found[rows] = words.swapaxes(1, 2).reshape(words.shape)
        return found

    @property
    def leaf_scale(self) -> float:
        """Power of two by which sums of one leaf a tree stay within 30 bits."""
        largest = np.maximum.reduceat(np.abs(self.leaf), self.leaf_first).sum()
        return float(2.0 ** (30 - np.frexp(largest)[1])) if np.isfinite(largest) else 1.0

    @property
    def scale_table(self) -> NDArray[np.void]:
        """The scales, dtype `SCALE`."""
        return np.ascontiguousarray(self.scales.table, dtype=SCALE)

    @cached_property
    def multiplexers(self) -> Multiplexers | None:
        """The trees on planes; None where bytes or slots cannot number them."""
        forest, first_result = self.forest, FIRST_PLANE + self.scales.n_cuts + self.n_sets
        if int(forest.leaves.max()) > MAX_PLANE_LEAVES or first_result >= _SLOTS:
            return None
        ops: list[Op] = []
        op_first = [0]
        out = np.zeros((forest.n_trees, _PLANES_PER_TREE), dtype=np.uint16)
        split_at = leaf_at = most = 0
        for tree, n_leaves in enumerate(forest.leaves.tolist()):
            own = slice(split_at, split_at + n_leaves - 1)
            bits = (n_leaves - 1).bit_length()
            tree_ops, result = _multiplex(
                (self.plane[own] + FIRST_PLANE).tolist(),
                forest.left[own].tolist(),
                forest.right[own].tolist(),
                self.number[leaf_at : leaf_at + n_leaves].tolist(),
                bits,
                first_result,
            )
            most = max(most, len(tree_ops))
            if first_result + most > _SLOTS:
                return None
            ops += tree_ops
            op_first.append(len(ops))
            out[tree, :bits] = result
            split_at += n_leaves - 1
            leaf_at += n_leaves
        return Multiplexers(
            ops=np.array(ops, dtype=np.uint16).reshape(-1, 3),
            op_first=np.array(op_first, dtype=np.int32),
            out=out,
            n_slots=first_result + most,
        )


def _depth(left: list[int], right: list[int]) -> int:
    """Count the splits on the longest way down; children come after their parents."""
    depth = [1] * len(left)
    for k, children in enumerate(zip(left, right, strict=True)):
        for child in children:
            if child >= 0:
                depth[child] = depth[k] + 1
    return max(depth, default=0)


def _multiplex(
    slot: list[int],
    left: list[int],
    right: list[int],
    number: list[int],
    bits: int,
    first_result: int,
) -> tuple[list[Op], list[int]]:
    """Operations of one tree and the slots of its result; `slot` holds each split's plane.

    What builds on nothing goes first, so that none waits for the one just before it.
    """
    known: dict[Op, int] = {}
    height = [0] * first_result

    def slot_of(select: int, zero: int, one: int) -> int:
        if zero == one:
            return zero
        if (zero, one) == (0, 1):
            return select
        op = (select, zero, one)
        if op not in known:
            known[op] = len(height)
            height.append(1 + max(height[zero], height[one]))
        return known[op]

    found: list[list[int]] = [[] for _ in left]
    for k in reversed(range(len(left))):
        zero, one = (
            found[c] if c >= 0 else [number[~c] >> bit & 1 for bit in range(bits)]
            for c in (left[k], right[k])
        )
        found[k] = [slot_of(slot[k], *pair) for pair in zip(zero, one, strict=True)]
    order = sorted(known, key=lambda op: height[known[op]])
    moved = {known[op]: first_result + place for place, op in enumerate(order)}
    ops = [(select, moved.get(a, a), moved.get(b, b)) for select, a, b in order]
    return ops, [moved.get(slot, slot) for slot in found[0]] if left else []
