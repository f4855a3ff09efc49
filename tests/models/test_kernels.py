"""The kernels give LightGBM's scores to the last bit, whatever the forest and the row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from models.forest import CATEGORICAL, Forest
from models.kernels import CodedEntity, NativeForest, Program, jit, variants
from models.kernels.native import TOLD_FROM

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Score = Callable[[FloatArray], FloatArray]

KERNELS = (*variants(), "numba")
N_FEATURES = 7


class World:
    """Two numeric features, one with gaps, one that is mostly zero, one constant, two of codes."""

    def __init__(self, seed: int, n_rows: int = 4000) -> None:
        self.rng = np.random.default_rng(seed)
        x = self.rng.normal(size=(n_rows, N_FEATURES))
        x[:, 1] = np.exp(3 * x[:, 1])
        x[self.rng.random(n_rows) < 0.2, 2] = np.nan
        x[self.rng.random(n_rows) < 0.6, 3] = 0.0
        x[:, 4] = 1.0
        x[:, 5] = self.rng.integers(0, 5, n_rows)
        x[:, 6] = self.rng.integers(0, 90, n_rows)
        score = np.sin(x[:, 0]) + np.log(x[:, 1]) + np.nan_to_num(x[:, 2]) + x[:, 3]
        score += np.array([0, 2, -1, 3, -2])[x[:, 5].astype(int)] + np.cos(x[:, 6])
        self.x, self.y = x, score + self.rng.normal(size=n_rows) > score.mean()

    def grow(self, **settings: object) -> lightgbm.Booster:
        n_trees = settings.pop("n_trees", 40)
        settings = {
            "objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_per_group": 1,
            "cat_smooth": 1.0, "num_leaves": 31, "min_data_in_leaf": 5, **settings,
        }  # fmt: skip
        data = lightgbm.Dataset(self.x, self.y.astype(float), categorical_feature=[5, 6])
        return lightgbm.train(settings, data, num_boost_round=n_trees)

    def adversarial(self, forest: Forest, n_rows: int) -> FloatArray:
        """Thresholds, their neighbours and everything that is not an ordinary number."""
        x = np.resize(self.x, (n_rows, N_FEATURES)).copy()
        odd = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-35, -1e-35, 1.1e-35, 5e-324, -5e-324, 1e308,
               -1e308, -1.0, -0.5, np.nextafter(-1.0, 0.0), 0.999, 4.5, 31.0, 32.0, 64.0, 89.0,
               90.0, 255.0, 256.0, 1e6, 2.0**31, 2.0**40]  # fmt: skip
        for feature in range(N_FEATURES):
            numeric = (forest.feature == feature) & (forest.decision & CATEGORICAL == 0)
            cuts = np.append(forest.threshold[numeric], 0.0)
            near = np.concatenate([cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf)])
            kind = self.rng.random(n_rows)
            x[:, feature] = np.where(kind < 0.5, self.rng.choice(near, n_rows), x[:, feature])
            x[:, feature] = np.where(kind > 0.8, self.rng.choice(odd, n_rows), x[:, feature])
        return x


def scorer(kernel: str, forest: Forest) -> Score:
    program = Program(forest)
    if kernel == "numba":
        return lambda matrix: jit.score(program, matrix)
    return NativeForest(program, kernel).score


SETTINGS = {
    "usual": {},
    "small leaves, zero is missing": {"num_leaves": 8, "zero_as_missing": True},
    "no missing": {"use_missing": False, "num_leaves": 17},
    "33 leaves": {"num_leaves": 33},
    "many leaves": {"num_leaves": 200, "min_data_in_leaf": 1, "n_trees": 5},
    "many cuts": {"max_bin": 2000, "min_data_in_bin": 1, "n_trees": 60, "num_leaves": 60},
    "one tree": {"n_trees": 1, "num_leaves": 2},
}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_scores_are_lightgbms_to_the_last_bit_on_adversarial_rows(
    kernel: str, settings: dict[str, object]
) -> None:
    world = World(seed=len(settings))
    booster = world.grow(**settings)
    forest = Forest.from_lightgbm(booster.model_to_string())
    rows = world.adversarial(forest, 5000)
    expected = booster.predict(rows, raw_score=True, num_threads=1)
    score = scorer(kernel, forest)
    np.testing.assert_array_equal(score(rows), expected)
    few = np.concatenate([score(rows[start : start + 9]) for start in range(0, 900, 9)])
    np.testing.assert_array_equal(few, expected[:900])


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_leaf_is_the_references(kernel: str) -> None:
    """Leaf numbers of four trees at a time are read off one sum, in which each has its digits."""
    world = World(seed=3)
    forest = Forest.from_lightgbm(world.grow().model_to_string())
    rows = world.adversarial(forest, 2000)
    expected = forest.leaf_of(rows)
    digits = 4096
    for first in range(0, forest.n_trees, 4):
        worth = np.zeros(forest.n_trees)
        worth[first : first + 4] = float(digits) ** np.arange(4)
        number = np.concatenate([np.arange(n) for n in forest.leaves])
        values = number * np.repeat(worth, forest.leaves)
        total = scorer(kernel, replace(forest, leaf_value=values))(rows).astype(np.int64)
        for place in range(4):
            leaf = total // digits**place % digits
            np.testing.assert_array_equal(leaf, expected[:, first + place])


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_tree_larger_than_a_byte_can_number_is_walked(kernel: str) -> None:
    world = World(seed=5)
    booster = world.grow(num_leaves=600, min_data_in_leaf=1, n_trees=3)
    forest = Forest.from_lightgbm(booster.model_to_string())
    assert forest.leaves.max() > 256
    assert Program(forest).multiplexers is None
    rows = world.adversarial(forest, 1000)
    expected = booster.predict(rows, raw_score=True, num_threads=1)
    np.testing.assert_array_equal(scorer(kernel, forest)(rows), expected)


def chain(n_splits: int) -> Forest:
    """Splits below one another, with infinite and denormal thresholds among them."""
    thresholds = np.linspace(-1.0, 1.0, n_splits)
    thresholds[:3] = np.array([np.inf, -np.inf, 5e-324])[:n_splits]
    child = np.arange(1, n_splits + 1)
    child[-1] = ~n_splits
    return Forest(
        leaves=np.array([n_splits + 1, 1]),
        feature=np.zeros(n_splits, np.int32),
        threshold=thresholds,
        decision=np.resize(np.array([0, 2, 4, 6, 8, 10], np.uint8), n_splits),
        left=(~np.arange(n_splits)).astype(np.int32),
        right=child.astype(np.int32),
        words=np.zeros(n_splits, np.int32),
        category_words=np.zeros(0, np.uint32),
        leaf_value=np.append(np.arange(n_splits + 1) / 7.0, 0.1),
        leaf_count=np.append(np.ones(n_splits + 1, np.int64), 0),
    )


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n_splits", [1, 31, 32, 255, 700])
@pytest.mark.parametrize("n_rows", [1, 12, 13, 25, 64, 65, 200, 511, 512, 513, 1300])
def test_every_missing_rule_in_a_chain_agrees_with_the_reference(
    kernel: str, n_splits: int, n_rows: int
) -> None:
    forest = chain(n_splits)
    rng = np.random.default_rng(n_rows)
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, 5e-324, -5e-324, 1e300])
    rows = np.concatenate([odd, forest.threshold, rng.normal(size=n_rows)])[-n_rows:, None]
    rng.shuffle(rows)
    np.testing.assert_array_equal(scorer(kernel, forest)(rows), forest.score(rows))


def test_two_threads_give_what_one_gives() -> None:
    if not variants():
        pytest.skip("the kernels are not compiled")
    world = World(seed=7)
    forest = Forest.from_lightgbm(world.grow(n_trees=3).model_to_string())
    rows = np.resize(world.x, (40_001, N_FEATURES))
    native = NativeForest(Program(forest))
    np.testing.assert_array_equal(native.score(rows, threads=2), native.score(rows))
    np.testing.assert_array_equal(native.score(rows, threads=2), forest.score(rows))


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_matrix_without_all_features_is_refused(kernel: str) -> None:
    forest = replace(chain(3), feature=np.array([0, 1, 4], np.int32))
    with pytest.raises(ValueError, match="at least 5 columns, got shape"):
        scorer(kernel, forest)(np.zeros((2, 4)))


def test_an_unknown_variant_is_refused_with_those_that_run_here() -> None:
    if not variants():
        pytest.skip("the kernels are not compiled")
    with pytest.raises(RuntimeError, match=f"expected a variant in {variants()[0]}"):
        NativeForest(Program(chain(2)), "neon")


BAD_PAIRS: dict[str, Callable[[dict[str, object]], object]] = {
    "row beyond the table": lambda p: p.update(row=np.array([0, 3], np.int64)),
    "negative row": lambda p: p.update(row=np.array([0, -1], np.int64)),
    "rows of another type": lambda p: p.update(row=np.array([0, 1], np.int32)),
    "too few rows": lambda p: p.update(row=np.array([0], np.int64)),
    "a column given twice": lambda p: p.update(columns=np.array([0, 0], np.int32)),
    "a column beyond the forest": lambda p: p.update(columns=np.array([9], np.int32)),
    "values of another length": lambda p: p.update(value=np.zeros(3)),
    "output of another length": lambda p: p.update(out=np.zeros(3)),
}


@pytest.mark.parametrize("spoil", BAD_PAIRS.values(), ids=BAD_PAIRS.keys())
def test_pairs_that_do_not_fit_never_reach_the_kernel(
    spoil: Callable[[dict[str, object]], object],
) -> None:
    if not variants():
        pytest.skip("the kernels are not compiled")
    forest = replace(chain(2), feature=np.array([0, 1], np.int32), decision=np.zeros(2, np.uint8))
    native = NativeForest(Program(forest))
    entity_values = np.array([[-2.0], [0.5], [np.inf]])
    parts: dict[str, object] = {
        "row": np.array([2, 0], np.int64),
        "columns": np.array([0], np.int32),
        "value": np.array([-3.0, 3.0]),
        "out": np.zeros(2),
    }
    codes = native.code(np.array([0], np.int32), entity_values)

    def call() -> None:
        entity = CodedEntity(codes, parts["columns"], parts["row"])  # type: ignore[arg-type]
        pairs = native.pairs([entity], np.array([1], np.int32))
        pairs.score(0, [parts["value"]], parts["out"])  # type: ignore

    call()
    rows = np.column_stack((entity_values[parts["row"], 0], parts["value"]))  # type: ignore[index]
    np.testing.assert_array_equal(parts["out"], forest.score(rows))
    spoil(parts)
    with pytest.raises(ValueError, match=r"(do|does|rows do) not fit|given twice or never"):
        call()


@pytest.mark.parametrize("kernel", variants())
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_what_all_pairs_share_is_worked_into_the_forest_without_moving_a_bit(
    kernel: str, settings: dict[str, object]
) -> None:
    """Three features are the moment's, three of a table's rows, one of the pairs themselves."""
    world = World(seed=13)
    forest = Forest.from_lightgbm(world.grow(**settings).model_to_string())
    native = NativeForest(Program(forest), kernel)
    scales = native.program.scales.table
    n = TOLD_FROM + 5
    row = world.rng.integers(0, 50, n)

    def coded(features: list[int], values: FloatArray, row: IntArray | None) -> CodedEntity:
        own = np.flatnonzero(np.isin(scales["feature"], features)).astype(np.int32)
        columns = [
            np.arange(
                each["first_column"], each["first_column"] + each["n_columns"], dtype=np.int32
            )
            for each in scales[own]
        ]
        codes = native.code(own, values[:, scales["feature"][own]])
        return CodedEntity(codes, np.concatenate([np.empty(0, np.int32), *columns]), row)

    of_pairs = np.flatnonzero(scales["feature"] == 3).astype(np.int32)
    for moment in world.adversarial(forest, 6)[:, None]:
        table, matrix = world.adversarial(forest, 50), world.adversarial(forest, n)
        matrix[:, [0, 2, 6]], matrix[:, [1, 4, 5]] = moment[:, [0, 2, 6]], table[row][:, [1, 4, 5]]
        entities = [coded([0, 2, 6], moment, None), coded([1, 4, 5], table, row)]
        out = np.empty(n)
        native.pairs(entities, of_pairs).score(0, [matrix[:, 3].copy() for _ in of_pairs], out)
        np.testing.assert_array_equal(out, native.score(matrix))


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_million_adversarial_rows_score_as_lightgbm_does(kernel: str) -> None:
    world = World(seed=11)
    booster = world.grow()
    forest = Forest.from_lightgbm(booster.model_to_string())
    rows = world.adversarial(forest, 1_000_000)
    expected = booster.predict(rows, raw_score=True, num_threads=1)
    np.testing.assert_array_equal(scorer(kernel, forest)(rows), expected)
