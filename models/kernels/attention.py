"""Grouped-query attention: several query heads share a key and value head, and one load of it.

Of a cache only the first `lengths` keys of each batch entry count. With `causal` the queries are
the last of those positions, as in decoding: of l queries, query r sees the first length - l + 1 + r
keys. A query that sees no key gets zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.kernels.attention_template import LANES, render_attention
from models.kernels.launch import Launch

FloatArray = NDArray[np.float64]
Lengths = NDArray[np.uint32]

MOST_THREADS: Final = 256
"""Threads of a group, unless the heads that share a key alone need more."""

SHARED_BYTES: Final = 32 * 1024
"""Memory that the threads of a group share on Metal; CUDA has more."""

_MOST_PLACES: Final = 1 << 32
_MASKED: Final = -3.0e38


@dataclass(frozen=True, slots=True)
class AttentionPlan:
    """How the kernel goes about it; the results are the same but for rounding.

    Attributes
    ----------
    rows, keys, heads
        Query positions, keys and query heads of a group of threads, at most.
    passes
        Over the keys: 1, the sums scaled down whenever the maximum rises, or 2.
    vector
        Independent sums of a product.
    total
        Type that values are added up in: float32 or float16.
    """

    rows: int = 8
    keys: int = LANES
    heads: int = 1024 // LANES  # devices have groups of 1,024 threads
    passes: int = 1
    vector: int = 1
    total: str = "float32"


HAND_WRITTEN: Final = AttentionPlan()


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """Sizes of one call.

    Attributes
    ----------
    batch, shared, heads
        Batch entries, key and value heads, and query heads to each of those.
    rows, keys, width
        Query positions, key positions (the size of the cache), and numbers in a row of a head.
    """

    batch: int
    shared: int
    heads: int
    rows: int
    keys: int
    width: int

    @classmethod
    def of(cls, q: Any, k: Any, v: Any, lengths: Lengths) -> AttentionShape:
        """Read the sizes from q (b, heads, l, d), k and v (b, shared, n, d), lengths (b).

        Raises
        ------
        ValueError
            Naming every shape that does not fit the others.
        """
        if len(q.shape) != 4 or len(k.shape) != 4 or 0 in (*q.shape, *k.shape):
            raise ValueError(
                f"expected q (b, heads, rows, width) and k (b, shared heads, keys, width), none "
                f"empty, got {tuple(q.shape)} and {tuple(k.shape)}"
            )
        problems = []
        if tuple(v.shape) != tuple(k.shape):
            problems.append(f"v: expected the shape of k {tuple(k.shape)}, got {tuple(v.shape)}")
        batch, n_heads, rows, width = q.shape
        if (k.shape[0], k.shape[3]) != (batch, width):
            problems.append(f"k: expected ({batch}, any, any, {width}), got {tuple(k.shape)}")
        if n_heads % k.shape[1]:
            problems.append(f"q: {n_heads} heads cannot share {k.shape[1]} key heads evenly")
        if lengths.shape != (batch,) or (lengths.astype(np.int64) > k.shape[2]).any():
            problems.append(f"lengths: expected {batch} of at most {k.shape[2]} keys")
        if problems:
            raise ValueError("; ".join(problems))
        return cls(batch, k.shape[1], n_heads // k.shape[1], rows, k.shape[2], width)

    def served(self, plan: AttentionPlan) -> tuple[int, int]:
        """Query heads and positions that a group of threads serves; heads divide evenly."""
        heads = max(n for n in range(1, plan.heads + 1) if self.heads % n == 0)
        return heads, max(1, min(self.rows, plan.rows, MOST_THREADS // (LANES * heads)))

    def tile(self, plan: AttentionPlan) -> int:
        """Keys that a group of threads holds at once: a power of two, 0 where none fits."""
        heads, rows = self.served(plan)
        left = SHARED_BYTES // 4 - heads * rows * self.width
        fit = max(left, 0) // (self.width + 1 + heads * rows)
        return min(plan.keys, (1 << fit.bit_length()) >> 1)


def attention_launch(
    q: Any,
    k: Any,
    v: Any,
    lengths: Lengths,
    *,
    scale: float,
    causal: bool,
    target: str,
    plan: AttentionPlan = HAND_WRITTEN,
) -> Launch:
    """Return the launch of the device kernel, which writes float32 of the shape of q.

    `q`, `k` and `v` are of one type, float32, float16 or bfloat16, laid out without gaps; all is
    added up in float32.

    Raises
    ------
    ValueError
        If shapes do not fit each other, or are beyond what the kernel can hold or count.
    """
    shape = AttentionShape.of(q, k, v, lengths)
    heads, rows = shape.served(plan)
    tile = shape.tile(plan)
    if not tile:
        raise ValueError(
            f"{shape.heads} query heads of width {shape.width} on one key head do not fit a group "
            "of threads; attend by operations"
        )
    if max(q.size, k.size) >= _MOST_PLACES:
        raise ValueError("q or k is too large for one launch; attend in parts of the batch")
    threads_per_group = LANES * heads * rows
    splits = shape.heads // heads
    groups = shape.batch * shape.shared * splits * -(-shape.rows // rows)
    # Both NumPy and MLX name a type last: float32, mlx.core.float32.
    kind = str(q.dtype).rpartition(".")[2]
    return Launch(
        name=f"attention_{kind}",
        source=render_attention(target),
        inputs={
            "queries": q,
            "keys": k,
            "values": v,
            "lengths": lengths.astype(np.uint32),
            "scale": np.array([scale], dtype=np.float32),
        },
        output="out",
        shape=tuple(q.shape),
        dtype=np.dtype(np.float32),
        threads=groups * threads_per_group,
        threads_per_group=threads_per_group,
        constants={
            "HEADS": heads,
            "SPLITS": splits,
            "ROWS": rows,
            "DIM": shape.width,
            "TILE": tile,
            "CAUSAL": int(causal),
            "PASSES": plan.passes,
            "VECTOR": plan.vector,
            "TOTAL": np.dtype(plan.total),
        },
    )


def attend_by_operations(
    mx: ModuleType, q: Any, k: Any, v: Any, lengths: Lengths, *, scale: float, causal: bool
) -> Any:
    """Return the same in operations of `mx`, the module `mlx.core`; gradients pass through it.

    The query heads that share a key head are rows of one product with it.

    Raises
    ------
    ValueError
        If shapes do not fit each other.
    """
    shape = AttentionShape.of(q, k, v, lengths)
    together = (shape.batch, shape.shared, shape.heads * shape.rows, shape.width)
    q, k, v = (each.astype(mx.float32) for each in (q, k, v))
    scores = (q.reshape(together) * scale) @ k.swapaxes(2, 3)
    hidden = np.arange(shape.rows)[::-1] if causal else np.zeros(shape.rows, dtype=np.int64)
    seen = lengths.astype(np.int64)[:, None] - hidden
    visible = np.arange(shape.keys) < seen[:, None, None, :, None]
    scores = scores.reshape(shape.batch, shape.shared, shape.heads, shape.rows, shape.keys)
    scores = mx.where(mx.array(visible), scores, _MASKED)
    weights = mx.softmax(scores, axis=-1, precise=True) * mx.array(
        (seen > 0)[:, None, None, :, None]
    )
    # What lies behind the last key was never written: it may be NaN, which a weight of 0 keeps.
    written = mx.array(np.arange(shape.keys) < lengths[:, None])[:, None, :, None]
    means = weights.reshape(*together[:3], shape.keys) @ mx.where(written, v, 0.0)
    return means.reshape(q.shape)


def attend_slowly(
    q: FloatArray, k: FloatArray, v: FloatArray, lengths: Lengths, *, scale: float, causal: bool
) -> FloatArray:
    """Return the same in float64, one query at a time: the reference that the others are held to.

    Raises
    ------
    ValueError
        If shapes do not fit each other.
    """
    shape = AttentionShape.of(q, k, v, lengths)
    out = np.zeros(q.shape)
    for b, h, r in np.ndindex(q.shape[:3]):
        seen = int(lengths[b]) - (shape.rows - 1 - r if causal else 0)
        if seen <= 0:
            continue
        keys, values = k[b, h // shape.heads, :seen], v[b, h // shape.heads, :seen]
        scores = keys.astype(np.float64) @ q[b, h, r].astype(np.float64) * scale
        weights = np.exp(scores - scores.max())
        out[b, h, r] = weights @ values.astype(np.float64) / weights.sum()
    return out
