"""The MLX backend scores like LightGBM here, and says what it runs on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from models.forest import Forest
from models.kernels import operations
from models.kernels.pairs import Entity
from models.scoring import mlx as module
from models.scoring.mlx import MLXBackend

Matrix = np.ndarray
needs_mlx = pytest.mark.usefixtures("mx")


@pytest.fixture
def mx() -> object:
    return pytest.importorskip(
        "mlx.core", reason="needs MLX: pip install 'courier-dispatch[mlx]'", exc_type=ImportError
    )


def probability(scores: Matrix) -> Matrix:
    return 0.5 + 0.5 * np.tanh(0.5 * scores)


@needs_mlx
def test_probabilities_differ_by_far_less_than_a_millionth(
    forest: Forest, hard_rows: Matrix
) -> None:
    found = probability(MLXBackend(forest).score(hard_rows))
    np.testing.assert_allclose(found, probability(forest.score(hard_rows)), rtol=0, atol=1e-12)


@needs_mlx
def test_rows_split_into_blocks_keep_their_scores(
    forest_of: Callable[[int], Forest], hard_rows: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = MLXBackend(forest_of(31))
    whole = backend.score(hard_rows)
    monkeypatch.setitem(module.ROWS_AT_ONCE, backend.device, 100)
    np.testing.assert_array_equal(MLXBackend(forest_of(31)).score(hard_rows), whole)


@needs_mlx
def test_shared_features_change_no_bit(forest: Forest, hard_rows: Matrix) -> None:
    backend, rng = MLXBackend(forest), np.random.default_rng(5)
    couriers = Entity(hard_rows[:40, [0, 5]], rng.integers(40, size=len(hard_rows)))
    orders = Entity(hard_rows[40:95, [1, 2]], rng.integers(55, size=len(hard_rows)))
    whole = hard_rows.copy()
    whole[:, [0, 5]] = couriers.matrix[couriers.row]
    whole[:, [1, 2]] = orders.matrix[orders.row]
    scores = backend.sharing([0, 5], [1, 2]).score(hard_rows, (couriers, orders))
    np.testing.assert_array_equal(scores, backend.score(whole))


@needs_mlx
def test_trees_of_hundreds_of_leaves_are_scored(
    forest_of: Callable[[int], Forest], hard_rows: Matrix
) -> None:
    forest = forest_of(600)
    assert forest.leaves.max() > 200
    scores = MLXBackend(forest).score(hard_rows)
    np.testing.assert_allclose(scores, forest.score(hard_rows), rtol=0, atol=1e-12)


@needs_mlx
def test_tables_too_large_for_operations_are_refused(
    forest_of: Callable[[int], Forest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "TABLES_LIMIT", 1000)
    monkeypatch.setattr(module, "device", lambda _: "cpu")
    with pytest.raises(ValueError, match="use another scoring backend"):
        MLXBackend(forest_of(31))


@needs_mlx
@pytest.mark.parametrize(("found", "untimed"), [("cpu", False), ("metal", True), ("cuda", True)])
def test_no_speed_is_claimed_of_a_device_that_was_not_timed(
    forest_of: Callable[[int], Forest],
    monkeypatch: pytest.MonkeyPatch,
    found: str,
    untimed: bool,
) -> None:
    monkeypatch.setattr(module, "device", lambda _: found)
    monkeypatch.setattr(module, "launcher", lambda _: None)
    description = MLXBackend(forest_of(31)).description
    assert f"on {found}" in description
    assert ("untimed on this device" in description) == untimed


@pytest.mark.parametrize(
    ("metal", "cuda", "expected"),
    [(True, None, "metal"), (False, True, "cuda"), (False, False, "cpu"), (False, None, "cpu")],
)
def test_the_best_device_is_taken_without_a_flag(
    metal: bool, cuda: bool | None, expected: str
) -> None:
    stand_in = SimpleNamespace(metal=SimpleNamespace(is_available=lambda: metal))
    if cuda is not None:
        stand_in.cuda = SimpleNamespace(is_available=lambda: cuda)
    assert module.device(stand_in) == expected


def test_without_mlx_the_error_says_what_to_install(
    forest_of: Callable[[int], Forest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlx.core", None)
    with pytest.raises(ValueError, match=r"install courier-dispatch\[mlx\]"):
        MLXBackend(forest_of(31))
