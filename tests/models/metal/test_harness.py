"""The harness runs sound kernels as Metal would and catches each seeded fault."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from models.kernels.launch import Launch

N = 1000
GROUP = 256
BARRIER = "threadgroup_barrier(mem_flags::mem_threadgroup);"

# Sums of groups: over each simdgroup, then over the simdgroups through threadgroup memory.
SUM = """
    uint i = thread_position_in_grid.x;
    uint tid = thread_index_in_threadgroup;
    threadgroup float part[8];
    float sum = simd_sum(x[i]);
    if (thread_index_in_simdgroup == 0) part[simdgroup_index_in_threadgroup] = sum;
    BARRIER
    float total = 0.0f;
    for (uint k = 0; k < simdgroups_per_threadgroup; ++k) total += part[k];
    out[i] = total;
"""

# Every thread hands its value to the next one of its group.
HAND_ON = """
    uint i = thread_position_in_grid.x;
    uint tid = thread_index_in_threadgroup;
    threadgroup float held[256];
    held[tid] = x[i];
    BARRIER
    out[i] = held[(tid + 1) % threads_per_threadgroup.x];
"""


def launch(source: str, **changed: Any) -> Launch:
    values = np.random.default_rng(3).integers(-50, 50, N).astype(np.float32)
    given: dict[str, Any] = {
        "name": "probe",
        "source": source,
        "inputs": {"x": values},
        "output": "out",
        "shape": (N,),
        "dtype": np.dtype(np.float32),
        "threads": N,
        "threads_per_group": GROUP,
        "constants": {},
    }
    return Launch(**(given | changed))


def groups(values: np.ndarray) -> list[np.ndarray]:
    return np.split(values, range(GROUP, N, GROUP))


@pytest.fixture
def metal(harness: ModuleType, kernels: Path) -> Any:
    return harness.MetalOnCPU(kernels)


def test_simd_sums_and_threadgroup_memory_give_the_sums_of_groups(metal: Any) -> None:
    run = launch(SUM.replace("BARRIER", BARRIER))
    expected = np.concatenate([np.full(len(g), g.sum()) for g in groups(run.inputs["x"])])
    np.testing.assert_array_equal(metal(run), expected)


def test_values_pass_between_the_threads_of_a_group(metal: Any) -> None:
    run = launch(HAND_ON.replace("BARRIER", BARRIER))
    expected = np.concatenate([np.roll(g, -1) for g in groups(run.inputs["x"])])
    np.testing.assert_array_equal(metal(run), expected)


def test_bfloat16_rounds_to_the_nearest_even_after_every_operation(metal: Any) -> None:
    import mlx.core as mx

    source = """
        uint i = thread_position_in_grid.x;
        bfloat16_t sum = bfloat16_t(x[i]) + bfloat16_t(0.3f);
        out[i] = float(sum * bfloat16_t(x[i]));
    """
    run = launch(source)
    x = mx.array(run.inputs["x"]).astype(mx.bfloat16)
    expected = (x + mx.array(0.3, dtype=mx.bfloat16)) * x
    np.testing.assert_array_equal(metal(run), np.asarray(expected.astype(mx.float32)))


def test_shapes_scalars_and_types_reach_the_kernel_as_mlx_hands_them_over(metal: Any) -> None:
    source = """
        uint i = thread_position_in_grid.x;
        out[i] = T(x[i] * K) + T(x_shape[0] + x_strides[0] + x_ndim) + T(y);
    """
    run = launch(
        source,
        inputs={"x": launch("").inputs["x"], "y": np.array(7, dtype=np.int32)},
        constants={"T": np.dtype(np.float32), "K": 3},
    )
    np.testing.assert_array_equal(metal(run), run.inputs["x"] * 3 + N + 1 + 1 + 7)


@pytest.mark.parametrize(
    ("fault", "source", "said"),
    [
        ("missing barrier", HAND_ON.replace("BARRIER", ""), "writes other bytes"),
        ("missing barrier in a sum", SUM.replace("BARRIER", ""), "writes other bytes"),
        (
            "barrier in a loop, but none before its next turn",
            """
            uint i = thread_position_in_grid.x;
            uint tid = thread_index_in_threadgroup;
            threadgroup float held[256];
            float sum = 0.0f;
            for (int turn = 0; turn < 3; ++turn) {
                held[tid] = x[i] * turn;
                threadgroup_barrier(mem_flags::mem_threadgroup);
                sum += held[(tid + 1) % threads_per_threadgroup.x];
            }
            out[i] = sum;
            """,
            "writes other bytes",
        ),
        (
            "missing barrier before a simdgroup that runs ahead writes",
            f"""
            uint i = thread_position_in_grid.x;
            uint tid = thread_index_in_threadgroup;
            threadgroup float held[256];
            held[tid] = x[i];
            {BARRIER}
            float sum = simd_sum(held[(tid + 64) % threads_per_threadgroup.x]);
            held[tid] = 0.0f;
            {BARRIER}
            out[i] = sum + held[tid];
            """,
            "writes other bytes",
        ),
        (
            "divergent barrier",
            f"uint i = thread_position_in_grid.x; if (i % 7 == 0) {{ {BARRIER} }} out[i] = x[i];",
            "barrier not reached by all threads",
        ),
        (
            "different barriers",
            f"uint i = thread_position_in_grid.x;\nif (i % 7 == 0) {{ {BARRIER} }}\n"
            f"else {{ {BARRIER} }}\nout[i] = x[i];",
            "threads wait at different barriers",
        ),
        (
            "divergent simd operation",
            "uint i = thread_position_in_grid.x; if (i % 2) { out[i] = simd_sum(x[i]); }",
            "simd operation not reached by all lanes",
        ),
        (
            "barrier against simd operation",
            f"uint i = thread_position_in_grid.x;\nif (i % 2) {{ {BARRIER} }}\n"
            "else { out[i] = simd_max(x[i]); }",
            "deadlock",
        ),
        (
            "read behind a buffer",
            "uint i = thread_position_in_grid.x; out[i] = x[i + 1];",
            "access outside a buffer",
        ),
        (
            "read before a buffer",
            "int i = thread_position_in_grid.x; out[i] = x[i - 1];",
            "access outside a buffer",
        ),
        (
            "write behind a buffer",
            "uint i = thread_position_in_grid.x; out[i] = x[i]; out[i + 1] = x[i];",
            "access outside a buffer",
        ),
        (
            "wrong stride",
            "uint i = thread_position_in_grid.x; out[i] = x[i * 2];",
            "access outside a buffer",
        ),
        (
            "index beyond threadgroup memory",
            "uint i = thread_position_in_grid.x; threadgroup float held[16];\n"
            "held[thread_index_in_threadgroup] = x[i]; out[i] = held[0];",
            "index beyond",
        ),
        (
            "output left unwritten",
            "uint i = thread_position_in_grid.x; if (i != 500) out[i] = x[i];",
            "writes other bytes",
        ),
        (
            "threadgroup memory read before it is written",
            "uint i = thread_position_in_grid.x; threadgroup float held[256];\n"
            "if (i == 9999) held[0] = 1.0f; out[i] = held[0];",
            "writes other bytes",
        ),
        (
            "too much threadgroup memory",
            "uint i = thread_position_in_grid.x; threadgroup float held[8193];\n"
            "held[i] = x[i]; out[i] = held[i];",
            "more than 32 KiB",
        ),
        (
            "vector of eight",
            "uint i = thread_position_in_grid.x; vec<bfloat16_t, 8> v; out[i] = float(v[0]);",
            "vectors of 2, 3 and 4 only",
        ),
        (
            "unknown name",
            "uint i = thread_position_in_grid.x; out[i] = z[i];",
            "does not compile",
        ),
        (
            "a loop without end",
            "uint i = thread_position_in_grid.x; while (x[0] < 1e9f) { out[i] = x[i]; }",
            "does not end",
        ),
    ],
)
def test_a_seeded_fault_is_caught(
    harness: ModuleType,
    metal: Any,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    source: str,
    said: str,
) -> None:
    monkeypatch.setattr(harness, "_LIMIT_S", 3.0)
    with pytest.raises(harness.MetalFaultError, match=said):
        metal(launch(source))


def test_a_group_of_more_than_1024_threads_is_refused(harness: ModuleType, metal: Any) -> None:
    with pytest.raises(harness.MetalFaultError, match="Metal has 1024"):
        metal(launch(HAND_ON, threads_per_group=1025))


def test_more_than_31_buffers_are_refused(harness: ModuleType, metal: Any) -> None:
    inputs = {f"x{k}": np.ones(N, dtype=np.float32) for k in range(31)}
    source = "uint i = thread_position_in_grid.x; out[i] = x0[i];"
    with pytest.raises(harness.MetalFaultError, match="32 buffers, Metal has 31"):
        metal(launch(source, inputs=inputs))
