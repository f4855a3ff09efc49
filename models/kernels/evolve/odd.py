"""Forests and rows made to be hard: what every candidate must get right before it is timed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.forest import CATEGORICAL, Forest

FloatArray = NDArray[np.float64]

NOT_NUMBERS: Final = (
    *(np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-35, -1e-35, 1.1e-35, -1.1e-35),
    *(float(np.float32(1e-35)), 5e-324, -5e-324, 1e-310, 1e308, -1e308, -1.0, -0.5, 0.999),
    *(4.5, 31.0, 32.0, 63.5, 64.0, 255.0, 256.0, 1e6, 2.0**31, 2.0**40),
)
_KINDS: Final = (0, 2, 4, 6, 8, 10, 1, 9)
_WORDS: Final = 3


def odd_forests(seed: int = 0) -> Mapping[str, Forest]:
    """Small forests of every kind of split and every size that kernels treat on its own."""
    rng = np.random.default_rng(seed)
    return {
        "every rule": grown(rng, [int(n) for n in rng.integers(2, 32, 37)], 5),
        "full trees": grown(rng, [32] * 33, 4),
        "thresholds alone": grown(rng, [31] * 20, 3, kinds=(2, 8, 10)),
        "mixed sizes": grown(rng, [1, 33, 7, 40, 2, 32, 1, 64, 31], 5),
        "many cuts": grown(rng, [32] * 40, 1, kinds=(2, 10)),
        "large trees": grown(rng, [200, 256, 31], 4),
        "many features": grown(rng, [32] * 8, 90),
        "larger than a byte": grown(rng, [300, 5], 3),
        "one leaf": grown(rng, [1], 2),
    }


def grown(
    rng: np.random.Generator,
    leaves: list[int],
    n_features: int,
    kinds: tuple[int, ...] = _KINDS,
) -> Forest:
    """Draw a forest: leaves split at random, thresholds ordinary, tiny, infinite or shared."""
    parts: dict[str, list[NDArray[np.generic]]] = {"left": [], "right": []}
    for n in leaves:
        left, right = np.zeros((2, n - 1), np.int32)
        above = {0: (-1, 0)}
        for k in range(n - 1):
            leaf = int(rng.integers(k + 1))
            parent, side = above[leaf]
            if parent >= 0:
                (right if side else left)[parent] = k
            left[k], right[k] = ~leaf, ~(k + 1)
            above[leaf], above[k + 1] = (k, 0), (k, 1)
        parts["left"].append(left)
        parts["right"].append(right)
    n_splits = sum(leaves) - len(leaves)
    decision = rng.choice(np.array(kinds, dtype=np.uint8), n_splits)
    categorical = decision & CATEGORICAL > 0
    pool = np.concatenate(
        [rng.normal(size=max(n_splits, 1)), [0.0, 1e-40, -1e-36, np.inf, -np.inf, 1e300]]
    )
    words = np.where(categorical, rng.integers(1, _WORDS + 1, n_splits), 0).astype(np.int32)
    n_leaves = sum(leaves)
    return Forest(
        leaves=np.array(leaves, dtype=np.int64),
        feature=rng.integers(n_features, size=n_splits).astype(np.int32),
        threshold=np.where(categorical, 0.0, rng.choice(pool, n_splits)),
        decision=decision,
        left=np.concatenate([np.empty(0, np.int32), *parts["left"]]),
        right=np.concatenate([np.empty(0, np.int32), *parts["right"]]),
        words=words,
        category_words=rng.integers(1 << 32, size=int(words.sum()), dtype=np.uint64).astype(
            np.uint32
        ),
        leaf_value=rng.normal(size=n_leaves) / len(leaves),
        leaf_count=np.ones(n_leaves, dtype=np.int64),
    )


def hard_rows(forest: Forest, n_rows: int, n_features: int, seed: int = 0) -> FloatArray:
    """Rows of thresholds and their neighbours, of what is no ordinary number, and of noise."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_rows, n_features))
    for feature in range(n_features):
        own = forest.feature == feature
        numeric = own & (forest.decision & CATEGORICAL == 0)
        cuts = np.append(forest.threshold[numeric], 0.0)
        near = np.concatenate([cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf)])
        draw = rng.random(n_rows)
        rows[:, feature] = np.where(draw < 0.5, rng.choice(near, n_rows), rows[:, feature])
        rows[:, feature] = np.where(draw > 0.75, rng.choice(NOT_NUMBERS, n_rows), rows[:, feature])
        whole = rng.integers(-3, 32 * _WORDS + 9, n_rows)
        mostly = 0.8 if (own & ~numeric).any() else 0.05
        rows[:, feature] = np.where(rng.random(n_rows) < mostly / 2, whole, rows[:, feature])
    return rows
