"""Leaf numbers are distinct, as short as can be, and cheap to compute."""

from __future__ import annotations

import numpy as np
import pytest

from models.kernels.numbering import number_leaves
from models.kernels.program import _multiplex


def random_tree(n_leaves: int, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Split a leaf chosen at random until there are enough."""
    left, right = [], []
    place: list[tuple[list[int], int] | None] = [None]
    for split in range(n_leaves - 1):
        leaf = int(rng.integers(len(place)))
        above = place[leaf]
        if above is not None:
            above[0][above[1]] = split
        left.append(~leaf)
        right.append(~len(place))
        place[leaf] = (left, split)
        place.append((right, split))
    return left, right


@pytest.mark.parametrize("n_leaves", [1, 2, 3, 7, 8, 17, 31, 32, 33, 200])
def test_numbers_are_distinct_and_no_longer_than_they_must_be(n_leaves: int) -> None:
    rng = np.random.default_rng(n_leaves)
    for _ in range(20):
        numbers = number_leaves(*random_tree(n_leaves, rng))
        assert len(set(numbers)) == len(numbers) == n_leaves
        assert min(numbers) >= 0
        assert max(numbers) < 1 << (n_leaves - 1).bit_length()


def operations(left: list[int], right: list[int], numbers: list[int]) -> int:
    slot = list(range(2, 2 + len(left)))
    bits = (len(numbers) - 1).bit_length()
    return len(_multiplex(slot, left, right, numbers, bits, 2 + len(left))[0])


def test_a_full_tree_of_32_leaves_takes_4_multiplexers_at_the_root_and_fewer_below() -> None:
    """Of 5 bits one is the split itself: 4, then 2 x 3, 4 x 2 and 8 x 1; pairs of leaves cost 0."""
    left = [2 * k + 1 if k < 15 else ~(2 * (k - 15)) for k in range(31)]
    right = [2 * k + 2 if k < 15 else ~(2 * (k - 15) + 1) for k in range(31)]
    assert operations(left, right, number_leaves(left, right)) == 4 + 6 + 8 + 8


def test_random_trees_take_a_fifth_fewer_multiplexers_than_numbered_from_left_to_right() -> None:
    rng = np.random.default_rng(0)
    ours = others = 0
    for _ in range(50):
        left, right = random_tree(31, rng)
        ours += operations(left, right, number_leaves(left, right))
        in_order: list[int] = [0] * 31
        stack, at = [0], 0
        while stack:
            part = stack.pop()
            if part >= 0:
                stack += [right[part], left[part]]
            else:
                in_order[~part] = at
                at += 1
        others += operations(left, right, in_order)
    assert ours < 0.8 * others
