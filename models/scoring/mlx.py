"""MLX: Metal kernels on Apple Silicon, CUDA kernels where there are, its operations elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any, Final

import numpy as np

from models.calibration import Calibration
from models.forest import Forest
from models.kernels.device import DeviceRunner
from models.kernels.launch import Execute, Launch
from models.kernels.masks import FloatArray, MaskForest
from models.kernels.operations import OperationRunner
from models.kernels.pairs import PairScorer, Runner

TIMED_DEVICES: Final = ("cpu",)
"""Devices whose speed stands in docs/benchmarks.md; no speed is stated of any other."""

ROWS_AT_ONCE: Final = {"cpu": 256, "metal": 1 << 18, "cuda": 1 << 18}


class MLXBackend:
    """Scores a forest through MLX, with the best that this machine has.

    Kernels and operations compare and add whole numbers only, so every device returns the same
    scores to the bit: the exact sum of the leaf values, rounded once. Probabilities are calibrated
    in float32 where the sums are made, within 1e-6 of the calibration's own.

    Raises
    ------
    ValueError
        If MLX cannot be imported.
    """

    name = "mlx"

    def __init__(self, forest: Forest) -> None:
        self._mx = import_mlx()
        self.device = device(self._mx)
        self._forest = MaskForest(forest)
        self._runner: Runner
        if self.device == "cpu":
            self._runner = OperationRunner(self._forest, self._mx)
        else:
            self._runner = DeviceRunner(self._forest, self.device, launcher(self._mx))
        self._scorers: dict[tuple[tuple[int, ...], ...], PairScorer] = {}
        self.sharing()

    @property
    def description(self) -> str:
        """Version and device, and whether any speed was measured there."""
        timed = "" if self.device in TIMED_DEVICES else ", untimed on this device"
        return f"mlx {self._mx.__version__} on {self.device}{timed}"

    def score(self, matrix: FloatArray) -> FloatArray:
        """Raw log-odds of shape (n,) for a float64 matrix of shape (n, f)."""
        return self.sharing().score(matrix)

    def probabilities(self, matrix: FloatArray, calibration: Calibration) -> FloatArray:
        """Calibrated scores of shape (n,), in the launch that makes the sums; within 1e-6."""
        return self.sharing().bind(len(matrix)).probabilities(matrix, calibration)

    @property
    def rows_at_once(self) -> int:
        """Rows of one launch."""
        return ROWS_AT_ONCE[self.device]

    def sharing(self, *features: Sequence[int]) -> PairScorer:
        """Return a scorer of rows that share these features: a courier's, then an order's, say."""
        key = tuple(map(tuple, features))
        if key not in self._scorers:
            self._scorers[key] = PairScorer(self._forest, self._runner, self.rows_at_once, key)
        return self._scorers[key]


def device(mx: ModuleType) -> str:
    """Name what MLX computes on here: metal, cuda or cpu."""
    if mx.metal.is_available():
        return "metal"
    # MLX before 0.27 has no CUDA.
    return "cuda" if hasattr(mx, "cuda") and mx.cuda.is_available() else "cpu"


def launcher(mx: ModuleType) -> Execute:
    """Run launches as kernels of the device that MLX computes on; compiled once for each type."""
    make = mx.fast.cuda_kernel if device(mx) == "cuda" else mx.fast.metal_kernel

    @cache
    def kernel(name: str, source: str, inputs: tuple[str, ...], output: str) -> Any:
        return make(name=name, input_names=list(inputs), output_names=[output], source=source)

    def execute(launch: Launch, **options: bool) -> Any:
        (found,) = kernel(launch.name, launch.source, tuple(launch.inputs), launch.output)(
            inputs=[
                mx.array(each) if isinstance(each, np.ndarray) else each
                for each in launch.inputs.values()
            ],
            template=[
                (name, value if isinstance(value, int) else getattr(mx, value.name))
                for name, value in launch.constants.items()
            ],
            grid=(launch.threads, 1, 1),
            threadgroup=(min(launch.threads_per_group, launch.threads), 1, 1),
            output_shapes=[launch.shape],
            output_dtypes=[getattr(mx, launch.dtype.name)],
            **options,
        )
        return found

    return execute


def import_mlx() -> ModuleType:
    """Import `mlx.core`.

    Raises
    ------
    ValueError
        If it cannot be, with what to install.
    """
    try:
        import mlx.core as mx
    except ImportError as error:
        raise ValueError(
            f"MLX cannot be used here ({error}); install courier-dispatch[mlx]"
        ) from error
    return mx  # type: ignore[no-any-return, unused-ignore]
