"""The forest's Metal kernels, as MLX writes them out, agree with the slow reference to the bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from models.calibration import (
    PROBABILITY_FLOOR,
    BetaCalibration,
    Calibration,
    IsotonicCalibration,
    SigmoidCalibration,
)
from models.forest import Forest
from models.kernels import device
from models.kernels.device import DeviceRunner
from models.kernels.masks import MaskForest, ordered
from models.kernels.pairs import Entity, PairScorer

Matrix = np.ndarray
ROWS_AT_ONCE = 1 << 18


def exact(forest: Forest, masks: MaskForest, matrix: Matrix) -> Matrix:
    """Raw log-odds from the leaves of the slow reference, added as whole numbers."""
    first = np.cumsum(forest.leaves) - forest.leaves
    value = np.rint(np.ldexp(forest.leaf_value, masks.shift)).astype(np.int64)
    return masks.score(value[forest.leaf_of(matrix) + first].sum(axis=1))


def seeding(right: str, wrong: str) -> tuple[list[bool], Callable[[str], str]]:
    """Whether each source seen held what is right, and the change that puts what is wrong there."""
    seeded: list[bool] = []

    def change(source: str) -> str:
        seeded.append(right in source)
        return source.replace(right, wrong)

    return seeded, change


@pytest.fixture
def metal(harness: ModuleType, kernels: Path) -> Any:
    return harness.MetalOnCPU(kernels, schedules=(0, 1, 2))


def test_the_kernels_reach_the_leaves_of_the_reference(
    metal: Any, forest: Forest, hard_rows: Matrix
) -> None:
    masks = MaskForest(forest)
    scorer = PairScorer(masks, DeviceRunner(masks, "metal", metal, 64), ROWS_AT_ONCE)
    np.testing.assert_array_equal(scorer.score(hard_rows), exact(forest, masks, hard_rows))
    assert metal.launches == ["forest_codes", "forest_scores_0"]


@pytest.mark.parametrize(
    "threads_per_group",
    [pytest.param(1, marks=pytest.mark.slow), 37, pytest.param(1024, marks=pytest.mark.slow)],
)
def test_masks_prepared_once_for_couriers_and_orders_change_no_bit(
    metal: Any, forest: Forest, hard_rows: Matrix, threads_per_group: int
) -> None:
    masks, rng = MaskForest(forest), np.random.default_rng(5)
    couriers = Entity(hard_rows[:40, [5, 0]], rng.integers(40, size=len(hard_rows)))
    orders = Entity(hard_rows[40:95, [1, 2, 3]], rng.integers(55, size=len(hard_rows)))
    whole = hard_rows.copy()
    whole[:, [5, 0]] = couriers.matrix[couriers.row]
    whole[:, [1, 2, 3]] = orders.matrix[orders.row]
    runner = DeviceRunner(masks, "metal", metal, threads_per_group)
    scorer = PairScorer(masks, runner, ROWS_AT_ONCE, ([5, 0], [1, 2, 3]))
    scores = scorer.score(hard_rows, (couriers, orders))
    np.testing.assert_array_equal(scores, exact(forest, masks, whole))
    assert metal.launches[-1] == "forest_scores_2"


def test_the_cuda_rendering_reaches_the_same_leaves(
    harness: ModuleType, kernels: Path, forest: Forest, hard_rows: Matrix
) -> None:
    cuda = harness.MetalOnCPU(
        kernels, schedules=(0, 1), source_of=harness.trace_cuda, whole_groups=True
    )
    masks = MaskForest(forest)
    couriers = Entity(hard_rows[:40, [5, 0]], np.arange(len(hard_rows)) % 40)
    whole = hard_rows.copy()
    whole[:, [5, 0]] = couriers.matrix[couriers.row]
    scorer = PairScorer(masks, DeviceRunner(masks, "cuda", cuda), ROWS_AT_ONCE, ([5, 0],))
    scores = scorer.score(hard_rows, (couriers,))
    np.testing.assert_array_equal(scores, exact(forest, masks, whole))


@pytest.mark.parametrize(
    "calibration",
    [
        SigmoidCalibration(1.3, -0.4),
        BetaCalibration(0.7, 2.1, 0.3),
        IsotonicCalibration((-1.5, -0.2, 0.1, float(np.nextafter(0.1, 1))), (0.02, 0.3, 0.4, 0.9)),
    ],
    ids=lambda each: each.name,
)
@pytest.mark.parametrize("target", ["metal", "cuda"])
def test_the_launch_that_adds_up_calibrates_to_a_millionth(
    harness: ModuleType,
    kernels: Path,
    forest_of: Callable[[int], Forest],
    hard_rows: Matrix,
    calibration: Calibration,
    target: str,
) -> None:
    source_of = {"metal": {}, "cuda": {"source_of": harness.trace_cuda, "whole_groups": True}}
    device = harness.MetalOnCPU(kernels, schedules=(0, 1, 2), **source_of[target])
    masks = MaskForest(forest_of(31))
    couriers = Entity(hard_rows[:40, [5, 0]], np.arange(len(hard_rows)) % 40)
    scorer = PairScorer(masks, DeviceRunner(masks, target, device), ROWS_AT_ONCE, ([5, 0],))
    bound = scorer.bind(len(hard_rows), (couriers,))
    found = bound.probabilities(hard_rows, calibration)
    np.testing.assert_allclose(found, calibration.apply(bound.score(hard_rows)), rtol=0, atol=1e-6)
    assert PROBABILITY_FLOOR <= found.min() <= found.max() <= 1 - PROBABILITY_FLOOR
    form = "knots_1" if calibration.name == "isotonic" else "beta_1"
    assert device.launches[:3] == ["forest_codes", "forest_masks", "forest_codes"]
    assert device.launches[3] == f"forest_{form}"


@pytest.mark.parametrize(
    ("calibration", "right", "wrong"),
    [
        (BetaCalibration(0.7, 2.1, 0.3), "score < 0.0f ? 1 : 2", "score < 0.0f ? 2 : 1"),
        (BetaCalibration(0.7, 2.1, 0.3), "(odds < 0.0f ? less : 1.0f)", "less"),
        (IsotonicCalibration((-0.2, 0.1), (0.3, 0.9)), "knots[next] <= sum", "knots[next] > sum"),
        (IsotonicCalibration((-0.2, 0.1), (0.3, 0.9)), "slopes[at]", "slopes[at + 1]"),
    ],
)
def test_a_fault_seeded_in_the_calibration_is_caught(
    harness: ModuleType,
    kernels: Path,
    forest_of: Callable[[int], Forest],
    hard_rows: Matrix,
    calibration: Calibration,
    right: str,
    wrong: str,
) -> None:
    """A step between neighbouring scores, one of which is among the rows, is taken exactly."""
    seeded, change = seeding(right, wrong)
    masks = MaskForest(forest_of(31))
    metal = harness.MetalOnCPU(kernels, schedules=(0,), change=change)
    bound = PairScorer(masks, DeviceRunner(masks, "metal", metal), ROWS_AT_ONCE).bind(
        len(hard_rows)
    )
    scores = bound.score(hard_rows)
    if isinstance(calibration, IsotonicCalibration):
        knot = float(np.sort(scores)[len(scores) // 2])
        calibration = IsotonicCalibration((knot, float(np.nextafter(knot, 9))), (0.1, 0.9))
    found = bound.probabilities(hard_rows, calibration)
    assert any(seeded)
    assert np.abs(found - calibration.apply(scores)).max() > 1e-3


def test_a_launch_too_large_to_count_in_32_bits_is_refused(
    forest_of: Callable[[int], Forest], monkeypatch: pytest.MonkeyPatch, hard_rows: Matrix
) -> None:
    monkeypatch.setattr(device, "MOST_THREADS", 100)
    masks = MaskForest(forest_of(31))
    scorer = PairScorer(masks, DeviceRunner(masks, "metal", lambda _: None), ROWS_AT_ONCE)
    with pytest.raises(ValueError, match="too large for one launch"):
        scorer.score(hard_rows)


def test_every_code_of_the_kernel_is_that_of_the_exact_binning(
    metal: Any, forest: Forest, hard_rows: Matrix
) -> None:
    masks = MaskForest(forest)
    runner = DeviceRunner(masks, "metal", metal)
    codes = runner._codes(runner.load(masks.splits), hard_rows)
    np.testing.assert_array_equal(codes, masks.splits.codes(hard_rows))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("splits[4 * k] * n + row", "splits[4 * k] * (n + 1) + row"),
        ("splits[4 * k] * n + row", "splits[4 * k] + row"),
        ("columns[column + 2]", "columns[column + 2] + 9"),
        ("cuts[first + next - 1]", "cuts[first + next]"),
        ("if (row >= n) return;", "row += 1;"),
        ("metal::ctz(bits)", "metal::clz(bits)"),
        ("k < first[word + 1]", "k < first[word + 1] - 1"),
        ("values[place]", "values[place * 2]"),
    ],
)
def test_a_fault_seeded_in_the_forest_is_caught(
    harness: ModuleType,
    kernels: Path,
    forest_of: Callable[[int], Forest],
    hard_rows: Matrix,
    right: str,
    wrong: str,
) -> None:
    seeded, change = seeding(right, wrong)
    forest = forest_of(31)
    masks = MaskForest(forest)
    metal = harness.MetalOnCPU(kernels, schedules=(0, 1, 2), change=change)
    scorer = PairScorer(masks, DeviceRunner(masks, "metal", metal), ROWS_AT_ONCE)
    try:
        caught = not np.array_equal(scorer.score(hard_rows), exact(forest, masks, hard_rows))
    except harness.MetalFaultError:
        caught = True
    assert any(seeded)
    assert caught


def test_keys_keep_the_order_of_float64_and_set_nan_apart() -> None:
    values = np.array([-np.inf, -1e308, -1.0, -5e-324, -0.0, 0.0, 5e-324, 1.0, 1e308, np.inf])
    keys = ordered(values)
    assert (np.diff(keys.astype(object)) > 0).all()
    unknown = ordered(np.array([np.nan, -np.nan]))
    assert ((unknown > keys[-1]) | (unknown < keys[0])).all()
