"""Runs on the CPU, thread by thread, the very Metal source that MLX would compile on a Mac."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from models.kernels.launch import Launch
from models.scoring.mlx import launcher

HERE: Final = Path(__file__).parent
MOST_BUFFERS: Final = 31
MOST_THREADS: Final = 1024
SCHEDULES: Final = (0, 1, 2, 3, 4, 5)
_LIMIT_S: Final = 120.0

_CUDA_PLACES: Final = {
    "blockIdx": "threadgroup_position_in_grid",
    "blockDim": "threads_per_threadgroup",
    "threadIdx": "thread_position_in_threadgroup",
}

# A mask of lanes comes first in CUDA's shuffles; ours take part all together.
_CUDA_WORDS: Final = """
using float32_t = float;
#define __shared__ threadgroup
#define __syncthreads() threadgroup_barrier(mem_flags::mem_threadgroup)
#define __shfl_xor_sync(every, value, by) simd_shuffle_xor(value, by)
inline int __ffs(int x) { return __builtin_ffs(x); }
"""

_FLAGS: Final = (
    "-std=c++20",
    "-O1",
    "-w",
    # Metal in MLX's safe mode keeps to the written operations too.
    "-ffp-contract=off",
    "-fsanitize=bounds,integer-divide-by-zero",
    "-fsanitize-undefined-trap-on-error",
)


class MetalFaultError(Exception):
    """The kernel did what Metal forbids or leaves undefined."""


def trace(launch: Launch) -> str:
    """Return the complete source that MLX would hand to Metal's compiler, traced without Metal."""
    names = list(launch.inputs)

    def run(*arrays: mx.array) -> Any:
        traced = replace(launch, inputs=dict(zip(names, arrays, strict=True)))
        return launcher(mx)(traced, verbose=True)

    blank = [mx.zeros(a.shape, dtype=getattr(mx, _kind(a))) for a in launch.inputs.values()]
    # MLX prints from C++, so the file descriptor itself is turned aside.
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryDirectory() as folder:
        stdout = os.dup(1)
        os.dup2(printed.fileno(), 1)
        try:
            mx.export_function(f"{folder}/traced.mlxfn", run, *blank)
        finally:
            os.dup2(stdout, 1)
            os.close(stdout)
        printed.seek(0)
        text = printed.read().decode()
    found = re.search(r"```\n(.*)\n```", text, flags=re.S)
    if found is None:
        raise MetalFaultError(f"MLX printed no source, but: {text[:200]!r}")
    return found[1]


def trace_cuda(launch: Launch) -> str:
    """Return a launch rendered for CUDA under a signature of our own.

    MLX writes no CUDA source where it has no CUDA, so this shows what the body does, not that
    NVIDIA's compiler takes what MLX makes of it.
    """
    parameters, names = [], {**launch.inputs, launch.output: None}
    for name in names:
        written = name == launch.output
        kind = launch.dtype.name if written else _kind(launch.inputs[name])
        parameters.append(f"{'' if written else 'const '}device {kind}_t* {name} [[buffer(0)]]")
        if f"{name}_shape" in launch.source:
            parameters.append(f"const constant int* {name}_shape [[buffer(0)]]")
    parameters += [f"uint3 {place} [[{place}]]" for place in _CUDA_PLACES.values()]
    constants = "".join(
        f"constexpr int {name} = {value};\n"
        if isinstance(value, int)
        else f"using {name} = {value.name}_t;\n"
        for name, value in launch.constants.items()
    )
    defined = "".join(f"#define {cuda} {metal}\n" for cuda, metal in _CUDA_PLACES.items())
    head = ",\n".join(parameters)
    return (
        f"{defined}{_CUDA_WORDS}"
        f"[[kernel]] void {launch.name}({head}) {{\n{constants}{launch.source}}}\n"
    )


class MetalOnCPU:
    """Executes launches; every schedule must write the same bytes.

    Compiled kernels are kept in `folder`. `change`, if given, edits the traced source first: a
    fault is seeded where a real one would stand. `source_of` writes a launch out; with
    `whole_groups` the grid ends with a whole group, as CUDA's does.
    """

    def __init__(
        self,
        folder: Path,
        schedules: Sequence[int] = SCHEDULES,
        change: Callable[[str], str] = str,
        source_of: Callable[[Launch], str] = trace,
        *,
        whole_groups: bool = False,
    ) -> None:
        self.folder = folder
        self.schedules = schedules
        self.change = change
        self.source_of = source_of
        self.whole_groups = whole_groups
        self.launches: list[str] = []

    def __call__(self, launch: Launch) -> NDArray[Any]:
        if launch.threads_per_group > MOST_THREADS:
            raise MetalFaultError(f"{launch.threads_per_group} threads a group, Metal has 1024")
        source = self.change(self.source_of(launch))
        self.launches.append(launch.name)
        if self.whole_groups:
            groups = -(-launch.threads // launch.threads_per_group)
            launch = replace(launch, threads=groups * launch.threads_per_group)
        program, buffers = self._compiled(source, launch)
        first, *others = (self._run(program, launch, buffers, s) for s in self.schedules)
        for schedule, other in zip(self.schedules[1:], others, strict=True):
            if first != other:
                raise MetalFaultError(f"schedule {schedule} writes other bytes than the first")
        return np.frombuffer(first, dtype=launch.dtype).reshape(launch.shape)

    def _run(
        self, program: Path, launch: Launch, buffers: Sequence[NDArray[Any]], schedule: int
    ) -> bytes:
        written = int(np.prod(launch.shape)) * launch.dtype.itemsize
        header = [schedule, len(buffers) + 1, 1, launch.threads, 1, 1]
        header += [launch.threads_per_group, 1, 1, *(b.nbytes for b in buffers), written]
        with tempfile.TemporaryDirectory() as folder:
            given, result = Path(folder, "launch"), Path(folder, "result")
            content = (np.array(header, dtype=np.uint64), *buffers)
            given.write_bytes(b"".join(part.tobytes() for part in content))
            try:
                ended = subprocess.run(
                    [program, given, result], capture_output=True, text=True, timeout=_LIMIT_S
                )
            except subprocess.TimeoutExpired as error:
                raise MetalFaultError("the kernel does not end") from error
            if ended.returncode:
                raise MetalFaultError(f"{ended.stderr.strip()} (exit {ended.returncode})")
            return result.read_bytes()

    def _compiled(self, source: str, launch: Launch) -> tuple[Path, list[NDArray[Any]]]:
        body, call, buffers = _translate(source, launch)
        program = (
            f'#include "{HERE}/metal_main.h"\n{body}\n'
            f"static void call(void* const* buffers, const cpu::Place& place) {{ {call} }}\n"
            "int main(int argc, char** argv) { return cpu::run(argc, argv, call); }\n"
        )
        headers = b"".join(header.read_bytes() for header in sorted(HERE.glob("*.h")))
        digest = hashlib.sha256(program.encode() + headers).hexdigest()[:20]
        binary = self.folder / f"kernel-{digest}"
        if not binary.exists():
            text = binary.with_suffix(".cpp")
            text.write_text(program)
            built = subprocess.run(
                ["g++", *_FLAGS, "-o", binary, text], capture_output=True, text=True
            )
            if built.returncode:
                raise MetalFaultError(f"does not compile:\n{built.stderr[:2000]}")
        return binary, buffers


def _translate(source: str, launch: Launch) -> tuple[str, str, list[NDArray[Any]]]:
    """C++ of a kernel, the call of it, and the buffers it reads, in its order.

    Template parameters become names with the values of this launch: threadgroup variables keep
    their section in plain functions only.
    """
    source, _, instance = source.partition("\ntemplate [[host_name")
    names = re.search(r"template <([^<>]*)>\s*\[\[kernel\]\]", source)
    values = re.search(r"decltype\(\w+<([^<>]*)>\)", instance)
    given = ""
    if names and values:
        for parameter, value in zip(names[1].split(","), values[1].split(","), strict=True):
            kind, name = parameter.split()
            start = f"using {name}" if kind == "typename" else f"constexpr {kind} {name}"
            given += f"{start} = {value};\n"
        source = source.replace(names[0], "[[kernel]]")
    # A pointer to threadgroup memory is no threadgroup variable itself.
    source = re.sub(r"\bthreadgroup(\s+[\w:]+(?:<[^<>]*>)?\s*\*)", r"\1", source)
    head = re.search(r"\[\[kernel\]\] void (\w+)\((.*?)\) \{\n", source, flags=re.S)
    if head is None:
        raise MetalFaultError("MLX's source has no kernel")
    arguments, buffers = [], []
    for parameter in head[2].split(",\n"):
        name, attribute = re.findall(r"(\w+) \[\[(\w+)", parameter)[0]
        if attribute != "buffer":
            arguments.append(f"place.{attribute}")
            continue
        kind = re.sub(r"\bdevice\b|\bconstant\b|\bconst\b", "", parameter.split(name)[0]).strip()
        pointer = f"({kind.rstrip('*& ')}*)buffers[{len(buffers)}]"
        arguments.append(f"*{pointer}" if kind.endswith("&") else pointer)
        if name != launch.output:
            buffers.append(_buffer(name, launch))
    if len(buffers) + 1 > MOST_BUFFERS:
        raise MetalFaultError(f"{len(buffers) + 1} buffers, Metal has {MOST_BUFFERS}")
    return given + source, f"{head[1]}({', '.join(arguments)});", buffers


def _buffer(name: str, launch: Launch) -> NDArray[Any]:
    """Return an input, or what MLX passes beside it for name_shape, name_strides and name_ndim."""
    if name in launch.inputs:
        return _bytes(launch.inputs[name])
    owner, _, aspect = name.rpartition("_")
    array = _bytes(launch.inputs[owner])
    aspects = {
        "shape": np.array(array.shape, dtype=np.int32),
        "strides": np.array(array.strides, dtype=np.int64) // array.itemsize,
        "ndim": np.array([array.ndim], dtype=np.int32),
    }
    return aspects[aspect]


def _kind(array: Any) -> str:
    """Name the type of an array of NumPy or of MLX."""
    return str(array.dtype).rpartition(".")[2]


def _bytes(array: Any) -> NDArray[Any]:
    """Return an array as NumPy's; bfloat16, which NumPy lacks, as whole numbers of its width."""
    if isinstance(array, mx.array) and array.dtype == mx.bfloat16:
        array = array.view(mx.uint16)
    return np.ascontiguousarray(array)
