"""The flat forest is LightGBM's model to the last bit, or it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.forest import LAYOUT, Forest
from models.packing import unpack

N_FEATURES = 6
NAMES = tuple(f"f{k}" for k in range(N_FEATURES))
ODD = (
    np.nan,
    0.0,
    1e-36,
    -1e-36,
    1e-35,
    1.00000001e-35,
    2e-35,
    -0.5,
    -1.0,
    3.5,
    40.0,
    1e20,
    np.inf,
    -np.inf,
)


def _grow(seed: int, n_trees: int = 25, **settings: Any) -> Any:
    """Grow on numbers, gaps, zeros and 40 categories (two words of a set)."""
    import lightgbm

    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4000, N_FEATURES))
    x[:, 1] = np.where(rng.random(4000) < 0.3, np.nan, x[:, 1])
    x[:, 2] = np.where(rng.random(4000) < 0.5, 0.0, x[:, 2])
    x[:, 3] = rng.integers(0, 40, 4000)
    x[:, 4] = np.where(rng.random(4000) < 0.2, np.inf, x[:, 4])
    x[:, 5] = np.where(rng.random(4000) < 0.2, np.nan, x[:, 5])
    logit = (
        x[:, 0]
        + 3.0 * np.isnan(x[:, 5])
        + np.nan_to_num(x[:, 1], nan=1.5)
        + np.sin(x[:, 3])
        + (x[:, 2] == 0.0)
    )
    y = rng.random(4000) < 1.0 / (1.0 + np.exp(-logit - np.isinf(x[:, 4])))
    given = {"objective": "binary", "verbosity": -1, "num_leaves": 15, "num_threads": 1}
    data = lightgbm.Dataset(x, y.astype(float), categorical_feature=[3])
    return lightgbm.train({**given, **settings}, data, num_boost_round=n_trees), x


def _rows(x: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    yield x
    rng = np.random.default_rng(9)
    odd = x.copy()
    for value in ODD:
        odd[rng.random(odd.shape) < 0.05] = value
    yield odd
    for value in ODD:
        yield np.full((1, N_FEATURES), value)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"zero_as_missing": True},
        {"use_missing": False},
        {"num_leaves": 2},
        {"max_cat_to_onehot": 1, "cat_smooth": 1.0, "min_data_per_group": 5},
        {"min_data_in_leaf": 5000},
    ],
)
def test_the_forest_agrees_with_lightgbm_in_every_leaf_and_every_bit(
    settings: dict[str, Any],
) -> None:
    import lightgbm

    booster, x = _grow(0, **settings)
    forest = Forest.from_lightgbm(booster.model_to_string())
    again = Forest.from_bytes(forest.to_bytes(), N_FEATURES)
    written = lightgbm.Booster(model_str=forest.to_lightgbm(NAMES))
    for rows in _rows(x):
        expected = booster.predict(rows, raw_score=True)
        np.testing.assert_array_equal(again.score(rows), expected)
        np.testing.assert_array_equal(written.predict(rows, raw_score=True), expected)
        leaves = booster.predict(rows, pred_leaf=True).reshape(len(rows), -1)
        np.testing.assert_array_equal(again.leaf_of(rows), leaves)


def test_the_odd_cases_are_in_the_forests_that_were_compared() -> None:
    forest = Forest.from_lightgbm(_grow(0)[0].model_to_string())
    assert np.isinf(forest.threshold).any()
    assert (forest.words == 2).any()
    assert len(np.unique(forest.decision)) >= 3


def test_contributions_survive_being_written_out() -> None:
    import lightgbm

    booster, x = _grow(1)
    forest = Forest.from_lightgbm(booster.model_to_string())
    written = lightgbm.Booster(model_str=forest.to_lightgbm(NAMES))
    np.testing.assert_allclose(
        written.predict(x[:200], pred_contrib=True),
        booster.predict(x[:200], pred_contrib=True),
        rtol=0.0,
        atol=1e-12,
    )


def test_a_model_of_another_kind_is_not_taken_for_one() -> None:
    text = _grow(0, 2)[0].model_to_string()
    with pytest.raises(ValueError, match="one summed score"):
        Forest.from_lightgbm(text.replace("num_tree_per_iteration=1", "num_tree_per_iteration=3"))
    with pytest.raises(ValueError, match="constant leaves"):
        Forest.from_lightgbm(text.replace("is_linear=0", "is_linear=1"))


@pytest.fixture(scope="module")
def forest() -> Forest:
    return Forest.from_lightgbm(_grow(0, 3)[0].model_to_string())


def _set(name: str, place: int, value: Any) -> Any:
    def change(forest: Forest) -> Forest:
        array = getattr(forest, name).copy()
        array[place] = value
        return replace(forest, **{name: array})

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_set("leaves", 0, 0), "leaves"),
        (_set("leaves", 0, 10**6), "leaves"),
        (_set("leaves", 0, 14), "different lengths"),
        (_set("feature", 0, -1), "no feature"),
        (_set("threshold", 1, np.nan), "not a number"),
        (_set("decision", 0, 77), "no known kind"),
        (_set("left", 0, 0), "outside its tree"),
        (_set("left", 0, 2**30), "outside its tree"),
        (_set("right", 3, -(2**31)), "outside its tree"),
        (_set("left", 3, -1), "reached twice"),
        (_set("leaf_value", 0, np.inf), "not finite"),
        (_set("leaf_count", 0, 0), "no rows"),
        (_set("words", 0, 9), "no words"),
        (lambda f: replace(f, leaf_value=f.leaf_value[:-1]), "different lengths"),
        (lambda f: replace(f, category_words=f.category_words[:-1]), "do not fit"),
        (lambda f: replace(f, **{x.name: getattr(f, x.name)[:0] for x in fields(f)}), "no trees"),
    ],
)
def test_a_forest_that_leads_outside_itself_is_refused(
    forest: Forest, change: Any, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        change(forest)


def test_a_split_beyond_the_features_is_refused(forest: Forest) -> None:
    with pytest.raises(ValueError, match="beyond 3 features"):
        Forest.from_bytes(forest.to_bytes(), 3)


@pytest.mark.parametrize("content", [b"", b"x" * 200, b"courier-dispatch arrays 1\n"])
def test_other_bytes_are_no_arrays(content: bytes) -> None:
    with pytest.raises(ValueError, match="packed arrays"):
        unpack(content, LAYOUT)


def test_lengths_that_do_not_add_up_are_refused(forest: Forest) -> None:
    content = bytearray(forest.to_bytes())
    content[26] += 1
    with pytest.raises(ValueError, match="stated lengths"):
        unpack(bytes(content), LAYOUT)
    with pytest.raises(ValueError, match="stated lengths"):
        unpack(forest.to_bytes() + b"\0", LAYOUT)
