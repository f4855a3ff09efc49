"""One run of a device kernel, as data: whoever executes it, MLX or a test, gets the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Launch:
    """A kernel body, what it reads and the one array it writes.

    Attributes
    ----------
    name, source
        Name of the kernel, and its body as MLX takes it (`mx.fast.metal_kernel`).
    inputs
        Arrays by name, none of them empty.
    output, shape, dtype
        Name, shape and type of the array written.
    threads, threads_per_group
        Size of the one-dimensional grid, counted in threads, and of its groups.
    constants
        Template parameters: whole numbers, or types. MLX's CUDA backend finds a compiled kernel by
        name and constants alone, so these must tell apart all that compiles differently.
    """

    name: str
    source: str
    inputs: Mapping[str, Any]
    output: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    threads: int
    threads_per_group: int
    constants: Mapping[str, int | np.dtype[Any]]


Execute = Callable[[Launch], Any]
"""Runs a launch and returns the array written, in whatever form later launches take as input."""
