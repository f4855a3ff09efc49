"""Grouped-query attention: the reference by hand, and MLX's operations against it."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from models.attention.network import attend_here
from models.kernels.attention import (
    HAND_WRITTEN,
    SHARED_BYTES,
    AttentionShape,
    attend_by_operations,
    attend_slowly,
    attention_launch,
)

Array = np.ndarray


@pytest.fixture
def mx() -> ModuleType:
    found: ModuleType = pytest.importorskip(
        "mlx.core", reason="needs MLX: pip install 'courier-dispatch[mlx]'", exc_type=ImportError
    )
    return found


def draw(batch: int, heads: int, shared: int, rows: int, keys: int, width: int) -> list[Array]:
    rng = np.random.default_rng([heads, keys, rows])
    sizes = ((heads, rows), (shared, keys), (shared, keys))
    return [rng.normal(size=(batch, n, m, width)).astype(np.float32) for n, m in sizes]


def test_the_reference_is_what_comes_out_by_hand() -> None:
    """Two keys, scores 0 and log 3, so weights 1/4 and 3/4; two heads read the same values."""
    q = np.array([[[[1.0]], [[0.0]]]])
    k = np.array([[[[0.0], [np.log(3.0)]]]])
    v = np.array([[[[8.0], [16.0]]]])
    two = np.array([2], dtype=np.uint32)
    found = attend_slowly(q, k, v, two, scale=1.0, causal=False)
    np.testing.assert_allclose(found.ravel(), [14.0, 12.0])
    one = np.array([1], dtype=np.uint32)
    assert attend_slowly(q, k, v, one, scale=1.0, causal=False).ravel().tolist() == [8.0, 8.0]
    none = np.array([0], dtype=np.uint32)
    assert not attend_slowly(q, k, v, none, scale=1.0, causal=False).any()


def test_with_a_cache_the_first_new_query_already_sees_all_that_came_before() -> None:
    """Three positions cached, two new: the first sees four keys, the second five."""
    q, k, v = np.zeros((1, 1, 2, 1)), np.zeros((1, 1, 5, 1)), np.arange(5.0).reshape(1, 1, 5, 1)
    five = np.array([5], dtype=np.uint32)
    found = attend_slowly(q, k, v, five, scale=1.0, causal=True)
    np.testing.assert_allclose(found.ravel(), [1.5, 2.0])


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("n_keys", [1, 7, 64, 300, 1000])
@pytest.mark.parametrize(("heads", "shared"), [(16, 8), (40, 8), (32, 8)])
def test_operations_equal_mlx_and_the_reference(
    mx: ModuleType, heads: int, shared: int, n_keys: int, kind: str
) -> None:
    """Within 1e-5 of the reference on the same inputs, and of MLX within its own error."""
    rows = min(3, n_keys)
    q, k, v = (
        mx.array(each).astype(getattr(mx, kind))
        for each in draw(1, heads, shared, rows, n_keys, 64)
    )
    lengths = np.array([n_keys], dtype=np.uint32)
    found = attend_by_operations(mx, q, k, v, lengths, scale=0.125, causal=True)
    rounded = [np.asarray(each.astype(mx.float32)) for each in (q, k, v)]
    expected = attend_slowly(*rounded, lengths, scale=0.125, causal=True)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=1e-5)
    by_mlx = mx.fast.scaled_dot_product_attention(q, k, v, scale=0.125, mask="causal")
    error = 1e-5 if kind == "float32" else 2.0**-7
    np.testing.assert_allclose(
        np.asarray(found), np.asarray(by_mlx.astype(mx.float32)), rtol=error, atol=error
    )


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_whatever_this_machine_attends_with_equals_the_reference(mx: ModuleType, kind: str) -> None:
    """The kernel itself where there is Metal or CUDA."""
    q, k, v = (mx.array(each).astype(getattr(mx, kind)) for each in draw(3, 10, 2, 5, 300, 64))
    lengths = np.array([3, 64, 300], dtype=np.uint32)
    found = attend_here(mx)(q, k, v, lengths, scale=0.125, causal=True)
    rounded = [np.asarray(each.astype(mx.float32)) for each in (q, k, v)]
    expected = attend_slowly(*rounded, lengths, scale=0.125, causal=True)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_what_lies_behind_a_length_does_not_count(mx: ModuleType, causal: bool) -> None:
    q, k, v = draw(4, 4, 2, 3, 9, 8)
    lengths = np.array([0, 1, 5, 9], dtype=np.uint32)
    for b, length in enumerate(lengths):
        k[b, :, length:] = v[b, :, length:] = np.nan
    found = attend_by_operations(mx, *map(mx.array, (q, k, v)), lengths, scale=0.4, causal=causal)
    expected = attend_slowly(q, k, v, lengths, scale=0.4, causal=causal)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=1e-5)


def test_every_misfit_of_the_shapes_is_named_at_once() -> None:
    q, k, v = draw(2, 5, 2, 1, 4, 8)
    lengths = np.array([4, 5], dtype=np.uint32)
    with pytest.raises(ValueError, match=r"v: expected.*5 heads cannot share 2.*lengths: expected"):
        AttentionShape.of(q, k, v[:, :, 1:], lengths)
    with pytest.raises(ValueError, match=r"k: expected \(2, any, any, 8\)"):
        AttentionShape.of(q, k[..., :4], v[..., :4], lengths)
    with pytest.raises(ValueError, match="none empty"):
        AttentionShape.of(q[:, :, :0], k, v, lengths)


@pytest.mark.parametrize("width", [1, 8, 64, 128, 256, 512])
@pytest.mark.parametrize("heads", [1, 5, 32])
def test_what_a_group_of_threads_shares_fits_its_memory(heads: int, width: int) -> None:
    shape = AttentionShape(1, 1, heads, 1000, 1000, width)
    own, rows = shape.served(HAND_WRITTEN)
    served, tile = own * rows, shape.tile(HAND_WRITTEN)
    assert heads % own == 0
    assert served * 32 <= 1024
    held = tile * (width + 1) + served * (width + tile)
    assert 4 * held <= SHARED_BYTES or not tile


def test_heads_or_widths_that_fit_no_group_of_threads_are_refused() -> None:
    one = np.array([1], dtype=np.uint32)
    for heads, width in ((32, 512), (8, 2048)):
        q, k, v = draw(1, heads, 1, 1, 1, width)
        with pytest.raises(ValueError, match="attend by operations"):
            attention_launch(q, k, v, one, scale=1.0, causal=True, target="metal")
