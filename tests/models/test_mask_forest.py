"""Masks and exact sums say what the slow reference and LightGBM say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models.forest import Forest
from models.kernels.masks import ALL, MaskForest, Splits
from models.kernels.pairs import Entity, PairScorer

Matrix = np.ndarray


class ReferenceRunner:
    """The plainest runner: one row and word after the other."""

    def __init__(self, forest: MaskForest) -> None:
        self.forest = forest

    def load(self, splits: Splits) -> Splits:
        return splits

    def masks(self, loaded: Splits, matrix: Matrix) -> Matrix:
        bits = np.full((len(matrix), self.forest.n_words), ALL)
        codes = loaded.codes(matrix).astype(np.int64)
        for word, (first, end) in enumerate(zip(loaded.first, loaded.first[1:], strict=False)):
            for column, low, span, mask in loaded.table[first:end].tolist():
                hit = (codes[column] >= low) & (codes[column] < low + span)
                bits[hit, word] &= np.uint32(mask)
        return bits

    def sums(self, loaded: Splits, matrix: Matrix, shared: list[tuple[Matrix, Matrix]]) -> Matrix:
        bits = self.masks(loaded, matrix)
        for masks, row in shared:
            bits &= masks[row]
        leaves = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")
        trees = leaves.reshape(len(matrix), -1, 32 * self.forest.words_per_tree)
        place = np.arange(trees.shape[1]) * trees.shape[2] + trees.argmax(axis=2)
        return self.forest.values[place].sum(axis=1)


def test_the_first_leaf_left_is_the_leaf_of_the_reference(
    forest: Forest, hard_rows: Matrix
) -> None:
    masks = MaskForest(forest)
    scorer = PairScorer(masks, ReferenceRunner(masks), 300)
    first = np.cumsum(forest.leaves) - forest.leaves
    value = np.rint(np.ldexp(forest.leaf_value, masks.shift)).astype(np.int64)
    expected = masks.score(value[forest.leaf_of(hard_rows) + first].sum(axis=1))
    np.testing.assert_array_equal(scorer.score(hard_rows), expected)
    np.testing.assert_allclose(scorer.score(hard_rows), forest.score(hard_rows), rtol=0, atol=1e-13)


@pytest.mark.parametrize("values", [[0.0, 0.0], [1e-300, -2e-300], [1e12, -3e-9], [0.1, 0.7]])
def test_sums_lose_nothing_beyond_one_rounding(values: list[float]) -> None:
    forest = Forest(
        leaves=np.array([2, 1]),
        feature=np.array([0], dtype=np.int32),
        threshold=np.array([0.5]),
        decision=np.array([2], dtype=np.uint8),
        left=np.array([-1], dtype=np.int32),
        right=np.array([-2], dtype=np.int32),
        words=np.array([0], dtype=np.int32),
        category_words=np.empty(0, dtype=np.uint32),
        leaf_value=np.array([*values, values[1]]),
        leaf_count=np.array([3, 4, 0]),
    )
    masks = MaskForest(forest)
    scores = PairScorer(masks, ReferenceRunner(masks), 10).score(np.array([[0.5], [0.6]]))
    largest = max(map(abs, values))
    np.testing.assert_allclose(
        scores, [values[0] + values[1], 2 * values[1]], rtol=2e-16, atol=largest * 2.0**-58
    )


def test_a_forest_without_splits_gives_its_constant() -> None:
    empty, one = np.empty(0, dtype=np.int32), np.array([1])
    forest = Forest(
        leaves=one, feature=empty, threshold=np.empty(0), decision=np.empty(0, dtype=np.uint8),
        left=empty, right=empty, words=empty, category_words=np.empty(0, dtype=np.uint32),
        leaf_value=np.array([0.25]), leaf_count=one,
    )  # fmt: skip
    masks = MaskForest(forest)
    assert (
        PairScorer(masks, ReferenceRunner(masks), 10).score(np.zeros((3, 1))).tolist() == [0.25] * 3
    )


@pytest.mark.parametrize(
    ("matrix", "entity", "said"),
    [
        (np.zeros((4, 2)), Entity(np.zeros((3, 1)), np.zeros(4, int)), "8 features or more"),
        (np.zeros((4, 8)), Entity(np.zeros((3, 2)), np.zeros(4, int)), "expected 1 columns"),
        (np.zeros((4, 8)), Entity(np.zeros((3, 1)), np.zeros(5, int)), "5 rows for 4 scored"),
        (np.zeros((4, 8)), Entity(np.zeros((3, 1)), np.array([0, 1, 3, -1])), r"rows \[2, 3\]"),
    ],
)
def test_rows_and_entities_that_do_not_fit_are_refused(
    forest_of: Callable[[int], Forest], matrix: Matrix, entity: Entity, said: str
) -> None:
    masks = MaskForest(forest_of(31))
    scorer = PairScorer(masks, ReferenceRunner(masks), 10, ([0],))
    with pytest.raises(ValueError, match=said):
        scorer.score(matrix, (entity,))


def test_a_feature_that_two_entities_bring_is_refused(forest_of: Callable[[int], Forest]) -> None:
    masks = MaskForest(forest_of(31))
    with pytest.raises(ValueError, match=r"features \[3\] are shared by two"):
        PairScorer(masks, ReferenceRunner(masks), 10, ([0, 3], [3, 4]))
