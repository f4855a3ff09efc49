"""The attention kernel as text with holes, rendered for Metal or CUDA.

A group of threads serves `HEADS` query heads that share a key and value head, at `ROWS` positions:
one simdgroup for each of them. A tile of keys, then of values, is brought into shared memory once
for them all. Softmax is kept up as tiles come (Milakov, Gimelshein 2018; Dao et al. 2022): a
running maximum, and what was added up so far scaled down whenever it rises.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from typing import Final

LANES: Final = 32

_TARGETS: Final[Mapping[str, Mapping[str, str]]] = {
    "metal": {
        "shared": "threadgroup float",
        "worker": "thread_index_in_threadgroup",
        "group": "threadgroup_position_in_grid.x",
        "barrier": "threadgroup_barrier(metal::mem_flags::mem_threadgroup)",
        "across": "metal::simd_shuffle_xor",
        "exp": "metal::exp",
    },
    "cuda": {
        "shared": "__shared__ float",
        "worker": "threadIdx.x",
        "group": "blockIdx.x",
        "barrier": "__syncthreads()",
        "across": "__shfl_xor_sync",
        "exp": "expf",
    },
}

# LOWEST stands for minus infinity: differences of it are 0, not NaN, and its exponential is 0.
_BODY: Final = """
    constexpr float LOWEST = -3.0e38f;
    constexpr uint32_t THREADS = 32 * HEADS * ROWS;
    constexpr uint32_t STRIDE = DIM + 1;
    constexpr uint32_t OWN = (DIM + 31) / 32;
    $shared tile[TILE * STRIDE];
    $shared query[HEADS * ROWS * DIM];
    $shared weight[HEADS * ROWS * TILE];
    uint32_t worker = $worker;
    uint32_t lane = worker % 32;
    uint32_t own = worker / 32;
    uint32_t n_rows = queries_shape[2];
    uint32_t n_keys = keys_shape[2];
    uint32_t blocks = (n_rows + ROWS - 1) / ROWS;
    // HEADS query heads of a shared one are served together, SPLITS groups of them apart.
    uint32_t pair = $group / blocks;
    uint32_t shared = pair / SPLITS;
    uint32_t first_row = $group % blocks * ROWS;
    uint32_t row = first_row + own / HEADS;
    uint32_t at = ((pair * HEADS + own % HEADS) * n_rows + row) * DIM;
    uint32_t length = lengths[shared / uint32_t(keys_shape[1])];
    // The queries are the last of the sequence, so row r sees the keys up to length - n_rows + r.
    uint32_t hidden = CAUSAL && row < n_rows ? n_rows - 1 - row : 0;
    uint32_t seen = length > hidden ? length - hidden : 0;
    for (uint32_t d = lane; d < DIM; d += 32) {
        query[own * DIM + d] = row < n_rows ? float(queries[at + d]) * scale[0] : 0.0f;
    }
    float best = LOWEST;
    float sum = 0.0f;
    TOTAL mean[OWN] = {};
    // Of two passes the first finds the maximum only.
    for (uint32_t pass = PASSES; pass > 0; --pass)
    for (uint32_t first = 0; first < length; first += TILE) {
        $barrier;
        for (uint32_t i = worker; i < TILE * DIM; i += THREADS) {
            uint32_t key = first + i / DIM;
            tile[i / DIM * STRIDE + i % DIM] =
                key < length ? float(keys[(shared * n_keys + key) * DIM + i % DIM]) : 0.0f;
        }
        $barrier;
        float score = LOWEST;
        if (lane < TILE && first + lane < seen) {
            float part[VECTOR] = {};
            // free block: begins
            for (uint32_t d = 0; d < DIM; d += VECTOR) {
                for (uint32_t v = 0; v < VECTOR; ++v) {
                    uint32_t at_d = d + v;
                    if (at_d < DIM) part[v] += query[own * DIM + at_d] * tile[lane * STRIDE + at_d];
                }
            }
            // free block: ends
            score = part[0];
            for (uint32_t v = 1; v < VECTOR; ++v) score += part[v];
        }
        float high = score > best ? score : best;
        for (uint32_t by = 16; by > 0; by >>= 1) {
            float other = $across(${every}high, by);
            high = other > high ? other : high;
        }
        if (pass > 1) {
            best = high;
            continue;
        }
        float kept = $exp(best - high);
        float share = score > LOWEST ? $exp(score - high) : 0.0f;
        best = high;
        sum = sum * kept + share;
        if (lane < TILE) weight[own * TILE + lane] = share;
        $barrier;
        for (uint32_t i = worker; i < TILE * DIM; i += THREADS) {
            uint32_t key = first + i / DIM;
            tile[i / DIM * STRIDE + i % DIM] =
                key < length ? float(values[(shared * n_keys + key) * DIM + i % DIM]) : 0.0f;
        }
        $barrier;
        for (uint32_t o = 0; o < OWN; ++o) {
            uint32_t d = lane + 32 * o;
            TOTAL value = TOTAL(mean[o] * kept);
            for (uint32_t j = 0; j < TILE && d < DIM; ++j) {
                value = TOTAL(value + weight[own * TILE + j] * tile[j * STRIDE + d]);
            }
            mean[o] = value;
        }
    }
    for (uint32_t by = 16; by > 0; by >>= 1) sum += $across(${every}sum, by);
    for (uint32_t o = 0; o < OWN; ++o) {
        uint32_t d = lane + 32 * o;
        if (row < n_rows && d < DIM) out[at + d] = sum > 0.0f ? mean[o] / sum : 0.0f;
    }
"""


def render_attention(target: str) -> str:
    """Kernel body that writes `out`, of the shape of the queries.

    Constants: DIM, HEADS and ROWS of a group, SPLITS of the heads, TILE, CAUSAL, PASSES over the
    keys, VECTOR independent sums of a product, TOTAL (the type that values are added up in).

    It reads queries (b, h, l, d), keys and values (b, s, n, d), lengths (b) and scale (1).
    """
    # CUDA's shuffles name the lanes that take part.
    every = "0xFFFFFFFFu, " if target == "cuda" else ""
    return Template(_BODY).substitute(_TARGETS[target], every=every)
