"""The attention kernel, as MLX writes it out for Metal, equals the float64 reference and MLX's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from models.attention import OfferSets, SetParams, SetScorer
from models.attention.network import attend_with, initial
from models.attention.tokens import Encoder
from models.kernels.attention import attend_slowly, attention_launch
from models.kernels.launch import Launch

Array = np.ndarray
HEADS = [(16, 8), (40, 8), (32, 8)]
LENGTHS = [1, 7, 64, 300, 1000]
TOLERANCE = 1e-5


def draw(
    batch: int, heads: int, shared: int, rows: int, keys: int, width: int, seed: int = 0
) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng([seed, heads, keys, rows])
    q, *kv = (
        rng.normal(size=(batch, n, length, width)).astype(np.float32)
        for n, length in ((heads, rows), (shared, keys), (shared, keys))
    )
    return q, kv[0], kv[1]


def whole(k: Array) -> Array:
    """Lengths by which all of a cache counts."""
    return np.full(len(k), k.shape[2], dtype=np.uint32)


def mlx_attention(q: Any, k: Any, v: Any, scale: float, causal: bool) -> Array:
    import mlx.core as mx

    found = mx.fast.scaled_dot_product_attention(
        *map(mx.array, (q, k, v)), scale=scale, mask="causal" if causal else None
    )
    return np.asarray(found.astype(mx.float32))


@pytest.fixture
def metal(harness: ModuleType, kernels: Path) -> Callable[[Launch], Array]:
    run: Callable[[Launch], Array] = harness.MetalOnCPU(kernels, schedules=(0, 1, 2))
    return run


@pytest.mark.parametrize("n_keys", LENGTHS)
@pytest.mark.parametrize(("heads", "shared"), HEADS)
def test_decoding_equals_the_reference_and_mlx_for_every_cache(
    metal: Callable[[Launch], Array], heads: int, shared: int, n_keys: int
) -> None:
    """One new position against a cache: what the withdrawn kernels got wrong."""
    q, k, v = draw(1, heads, shared, 1, n_keys, 64)
    found = metal(attention_launch(q, k, v, whole(k), scale=0.125, causal=True, target="metal"))
    for expected in (
        attend_slowly(q, k, v, whole(k), scale=0.125, causal=True),
        mlx_attention(q, k, v, scale=0.125, causal=True),
        mlx_attention(q, k, v, scale=0.125, causal=False),
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("rows", "n_keys"), [(7, 7), (5, 64), (9, 300)])
@pytest.mark.parametrize(("heads", "shared"), HEADS)
def test_several_new_positions_see_the_cache_and_each_other_up_to_themselves(
    metal: Callable[[Launch], Array], heads: int, shared: int, rows: int, n_keys: int
) -> None:
    q, k, v = draw(1, heads, shared, rows, n_keys, 32)
    found = metal(attention_launch(q, k, v, whole(k), scale=0.2, causal=True, target="metal"))
    expected = attend_slowly(q, k, v, whole(k), scale=0.2, causal=True)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    by_mlx = mlx_attention(q, k, v, scale=0.2, causal=True)
    np.testing.assert_allclose(found, by_mlx, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("width", [1, 8, 33, 80, 128, 256])
def test_any_width_of_a_head_and_any_number_of_heads_is_served(
    metal: Callable[[Launch], Array], width: int
) -> None:
    """Also where only some lanes, or fewer keys than lanes, find room."""
    q, k, v = draw(2, 9, 3, 2, 41, width)
    found = metal(attention_launch(q, k, v, whole(k), scale=0.3, causal=True, target="metal"))
    expected = attend_slowly(q, k, v, whole(k), scale=0.3, causal=True)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("causal", [False, True])
def test_each_batch_entry_has_a_length_and_nothing_behind_it_counts(
    metal: Callable[[Launch], Array], causal: bool
) -> None:
    """The rest of the cache holds NaN; queries that see no key give zeros."""
    q, k, v = draw(5, 4, 2, 3, 70, 16)
    lengths = np.array([0, 1, 33, 64, 70], dtype=np.uint32)
    for b, length in enumerate(lengths):
        k[b, :, length:] = v[b, :, length:] = np.nan
    found = metal(attention_launch(q, k, v, lengths, scale=0.25, causal=causal, target="metal"))
    expected = attend_slowly(q, k, v, lengths, scale=0.25, causal=causal)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    assert not found[0].any()


@pytest.mark.parametrize("order", ["rising", "falling", "equal", "one far above"])
def test_hard_scores_neither_overflow_nor_lose_what_came_before(
    metal: Callable[[Launch], Array], order: str
) -> None:
    """Exponentials of these scores are beyond float32."""
    q, k, v = draw(1, 4, 2, 1, 100, 8)
    q[:] = 1.0
    steps = {
        "rising": np.linspace(-300, 300, 100),
        "falling": np.linspace(300, -300, 100),
        "equal": np.full(100, 250.0),
        "one far above": np.where(np.arange(100) == 40, 1000.0, -1000.0),
    }
    k[:] = (steps[order] / 8)[:, None]
    found = metal(attention_launch(q, k, v, whole(k), scale=1.0, causal=False, target="metal"))
    expected = attend_slowly(q, k, v, whole(k), scale=1.0, causal=False)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


EVERY_HALF = [
    pytest.param("bfloat16", *heads, n, marks=pytest.mark.slow) for heads in HEADS for n in LENGTHS
]


@pytest.mark.parametrize(
    ("kind", "heads", "shared", "n_keys"),
    [
        ("bfloat16", 40, 8, 7),
        ("bfloat16", 16, 8, 300),
        ("float16", 16, 8, 7),
        ("float16", 32, 8, 300),
        *EVERY_HALF,
    ],
)
def test_half_precision_is_lost_at_the_input_and_nowhere_else(
    metal: Callable[[Launch], Array], kind: str, heads: int, shared: int, n_keys: int
) -> None:
    """Against the reference on the rounded inputs the error is float32's; MLX's own is larger."""
    import mlx.core as mx

    drawn = draw(1, heads, shared, 1, n_keys, 64)
    q, k, v = (mx.array(each).astype(getattr(mx, kind)) for each in drawn)
    found = metal(attention_launch(q, k, v, whole(k), scale=0.125, causal=True, target="metal"))
    rounded = [np.asarray(each.astype(mx.float32)) for each in (q, k, v)]
    expected = attend_slowly(*rounded, whole(k), scale=0.125, causal=True)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    by_mlx = mlx_attention(q, k, v, scale=0.125, causal=True)
    ulp = {"bfloat16": 2.0**-8, "float16": 2.0**-11}[kind]
    np.testing.assert_allclose(found, by_mlx, rtol=2 * ulp, atol=2 * ulp)


def test_the_cuda_rendering_gives_the_same_bytes(
    harness: ModuleType, kernels: Path, metal: Callable[[Launch], Array]
) -> None:
    cuda = harness.MetalOnCPU(kernels, schedules=(0, 1), source_of=harness.trace_cuda)
    q, k, v = draw(2, 40, 8, 3, 50, 32)
    given = {"scale": 0.125, "causal": True}
    found = cuda(attention_launch(q, k, v, whole(k), **given, target="cuda"))
    expected = metal(attention_launch(q, k, v, whole(k), **given, target="metal"))
    np.testing.assert_array_equal(found, expected)


BARRIER = "threadgroup_barrier(metal::mem_flags::mem_threadgroup);"


def without_barrier(number: int) -> Callable[[str], str]:
    def change(source: str) -> str:
        parts = source.split(BARRIER)
        parts[number : number + 2] = [parts[number] + parts[number + 1]]
        return BARRIER.join(parts)

    return change


def swap(right: str, wrong: str) -> Callable[[str], str]:
    return lambda source: source.replace(right, wrong)


@pytest.mark.parametrize(
    "change",
    [
        *(pytest.param(without_barrier(n), id=f"barrier {n} missing") for n in range(4)),
        pytest.param(
            swap("n_rows - 1 - row : 0", "0 : 0"), id="the cache's offset lost: all keys seen"
        ),
        pytest.param(
            swap("length > hidden ? length - hidden : 0", "row + 1"),
            id="the cache's offset lost: query r sees r + 1 keys",
        ),
        pytest.param(swap("sum * kept + share", "sum + share"), id="sum not scaled down"),
        pytest.param(swap("mean[o] * kept", "mean[o]"), id="mean not scaled down"),
        pytest.param(swap("own % HEADS) * n_rows", "own / HEADS) * n_rows"), id="wrong head"),
        pytest.param(swap("* n_keys + key)", "* n_keys + key + 1)"), id="wrong key"),
        pytest.param(swap("if (row < n_rows && d < DIM)", "if (d < DIM)"), id="rows unguarded"),
        pytest.param(swap("key < length ?", "true ?"), id="end of the cache unguarded"),
        pytest.param(swap("lane < TILE && first + lane < seen", "lane < TILE"), id="mask lost"),
        pytest.param(swap("by = 16", "by = 8"), id="maximum of half the lanes"),
        pytest.param(
            swap("    for (uint32_t first = 0; first < length", "    if (row < n_rows)\n"
                 "    for (uint32_t first = 0; first < length"),
            id="barriers reached by some threads only",
        ),
        pytest.param(swap("tile[TILE * STRIDE]", "tile[TILE * DIM]"), id="tile too small"),
    ],
)  # fmt: skip
def test_a_fault_seeded_in_the_attention_kernel_is_caught(
    harness: ModuleType, kernels: Path, change: Callable[[str], str]
) -> None:
    """Eleven query positions in blocks of four, three tiles of keys."""
    seeded = []

    def seed(source: str) -> str:
        seeded.append(change(source) != source)
        return change(source)

    metal = harness.MetalOnCPU(kernels, schedules=(0, 1, 2), change=seed)
    q, k, v = draw(1, 4, 2, 11, 70, 16)
    q *= 3.0
    lengths = np.array([69], dtype=np.uint32)
    launch = attention_launch(q, k, v, lengths, scale=0.5, causal=True, target="metal")
    k[:, :, 69:] = v[:, :, 69:] = np.nan
    expected = attend_slowly(q, k, v, lengths, scale=0.5, causal=True)
    try:
        caught = not np.allclose(metal(launch), expected, rtol=0, atol=TOLERANCE)
    except harness.MetalFaultError:
        caught = True
    assert all(seeded)
    assert caught


@pytest.mark.parametrize("n_keys", LENGTHS)
def test_the_withdrawn_kernels_fault_shows_in_every_cache_of_more_than_one_key(
    harness: ModuleType, kernels: Path, n_keys: int
) -> None:
    """They take the number of queries for that of keys: how many there are, where a head begins."""
    fault = swap("n_keys = keys_shape[2]", "n_keys = queries_shape[2]")
    metal = harness.MetalOnCPU(kernels, schedules=(0,), change=fault)
    q, k, v = draw(1, 16, 8, 1, n_keys, 64)
    taken = np.array([1], dtype=np.uint32)
    found = metal(attention_launch(q, k, v, taken, scale=0.125, causal=True, target="metal"))
    error = np.abs(found - attend_slowly(q, k, v, whole(k), scale=0.125, causal=True)).max()
    assert error < TOLERANCE if n_keys == 1 else error > 1.0


def test_each_key_and_value_is_read_once_for_all_the_query_heads_that_share_it(
    metal: Callable[[Launch], Array],
) -> None:
    """Every thread writes how much it read; five heads share what is read."""
    q, k, v = draw(1, 5, 1, 1, 64, 32)
    launch = attention_launch(q, k, v, whole(k), scale=0.3, causal=False, target="metal")
    source = launch.source.replace("float best =", "uint32_t loads = 0; float best =")
    source = source.replace("uint32_t key =", "++loads; uint32_t key =")
    source = source.replace("sum > 0.0f ? mean[o] / sum : 0.0f", "float(loads)")
    assert metal(replace(launch, source=source)).sum() == k.size + v.size


def test_the_set_scorer_gives_the_same_log_odds_through_the_kernel(
    metal: Callable[[Launch], Array],
) -> None:
    """Moments of every size, weights as drawn; the last layer, which begins at zero, filled up."""
    import mlx.core as mx

    rng = np.random.default_rng(4)
    moment = np.sort(rng.integers(40, size=90))
    sets = OfferSets(
        np.unique(moment, return_inverse=True)[1].astype(np.int64),
        rng.normal(0, 2_000, (90, 4)),
        np.sort(rng.integers(20, size=50)),
        rng.normal(0, 2_000, (50, 2)),
    )
    matrix, params = rng.normal(size=(90, 3)), SetParams()
    encoder = Encoder.fit(matrix)
    weights = dict(initial(params, encoder.width, rng))
    weights["out"] = rng.normal(size=weights["out"].shape).astype(np.float32)
    scorer = SetScorer(params, encoder, weights)
    by_kernel = attend_with(lambda launch: mx.array(metal(_plain(launch))), "metal")
    found = scorer.score(matrix, sets, by_kernel)
    np.testing.assert_allclose(found, scorer.score(matrix, sets), rtol=0, atol=1e-5)
    assert np.ptp(found) > 0.1


def _plain(launch: Launch) -> Launch:
    """Inputs as NumPy holds them, worked out before the harness traces."""
    return replace(launch, inputs={name: np.array(a) for name, a in launch.inputs.items()})
