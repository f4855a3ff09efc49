"""Scores through the device kernels: which launches, in which order, on which arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.kernels.ending import Ending
from models.kernels.launch import Execute, Launch
from models.kernels.masks import FloatArray, IntArray, MaskForest, Splits, ordered
from models.kernels.templates import render_codes, render_masks, render_scores

THREADS_PER_GROUP: Final = 256
MOST_THREADS: Final = (1 << 31) - 1
"""Places are counted in 32 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedSplits:
    """Splits as the kernels read them.

    Attributes
    ----------
    ranking
        Columns and cuts, read by the kernel `codes`.
    rules
        What each code takes away, read by `masks` and `scores`.
    n_columns, step, code_type
        Number of codes a row, first step of the search for one, and their type.
    """

    ranking: Mapping[str, Any]
    rules: Mapping[str, Any]
    n_columns: int
    step: int
    code_type: np.dtype[Any]


class DeviceRunner:
    """Runs a forest as launches of device kernels.

    Parameters
    ----------
    forest
        Words and leaf values.
    target
        One of `models.kernels.templates.TARGETS`.
    execute
        Runs each launch.
    threads_per_group
        Threads a group; the scores do not depend on it.
    """

    def __init__(
        self,
        forest: MaskForest,
        target: str,
        execute: Execute,
        threads_per_group: int = THREADS_PER_GROUP,
    ) -> None:
        self._forest = forest
        self._target = target
        self._execute = execute
        self._threads_per_group = threads_per_group

    def load(self, splits: Splits) -> LoadedSplits:
        """Lay splits out as the kernels read them."""
        counts = np.array([len(column.cuts) for column in splits.columns])
        table = [
            (column.feature, first, count, column.nan_code, column.zero_code)
            for column, first, count in zip(
                splits.columns, np.cumsum(counts) - counts, counts, strict=True
            )
        ]
        cuts = np.concatenate([*(column.cuts for column in splits.columns), [np.inf]])
        return LoadedSplits(
            ranking={"columns": np.array(table, dtype=np.uint32), "cuts": ordered(cuts)},
            rules={"first": splits.first, "splits": splits.table},
            n_columns=len(table),
            step=_half(int(counts.max())),
            code_type=splits.code_type,
        )

    def masks(self, loaded: LoadedSplits, matrix: FloatArray) -> Any:
        """Masks of shape (m, w), where the executor keeps them, for a matrix (m, f), m > 0."""
        return self._run(
            "forest_masks",
            render_masks(self._target),
            {"codes": self._codes(loaded, matrix), **loaded.rules},
            ("masks", (len(matrix), self._forest.n_words), np.dtype(np.uint32)),
            {"CODE": loaded.code_type},
        )

    def sums(
        self, loaded: LoadedSplits, matrix: FloatArray, shared: Sequence[tuple[Any, IntArray]]
    ) -> IntArray:
        """Return sums of leaf values (n,) for rows (n, f), n > 0, each with its masks' rows."""
        return np.asarray(self._scores(loaded, matrix, shared, None))

    def probabilities(
        self,
        loaded: LoadedSplits,
        matrix: FloatArray,
        shared: Sequence[tuple[Any, IntArray]],
        ending: Ending,
    ) -> FloatArray:
        """Return what `ending` makes of the sums, (n,), in the same launch."""
        return np.asarray(self._scores(loaded, matrix, shared, ending), dtype=np.float64)

    def _scores(
        self,
        loaded: LoadedSplits,
        matrix: FloatArray,
        shared: Sequence[tuple[Any, IntArray]],
        ending: Ending | None,
    ) -> Any:
        entities: dict[str, Any] = {}
        for k, (masks, row) in enumerate(shared):
            entities |= {f"masks_{k}": masks, f"rows_{k}": row.astype(np.uint32)}
        form, inputs = ("scores", {}) if ending is None else (ending.form, ending.inputs)
        constants: dict[str, Any] = {"WORDS": self._forest.words_per_tree, "CODE": loaded.code_type}
        if form == "knots":
            constants["STEP"] = _half(len(inputs["knots"]) - 1)
        return self._run(
            f"forest_{form}_{len(shared)}",
            render_scores(self._target, len(shared), ending.form if ending else None),
            {
                "codes": self._codes(loaded, matrix),
                **loaded.rules,
                "values": self._forest.values,
                **entities,
                **inputs,
            },
            ("scores", (len(matrix),), np.dtype(np.int64 if ending is None else np.float32)),
            constants,
        )

    def _codes(self, loaded: LoadedSplits, matrix: FloatArray) -> Any:
        return self._run(
            "forest_codes",
            render_codes(self._target),
            {"keys": ordered(matrix), **loaded.ranking},
            ("codes", (loaded.n_columns, len(matrix)), loaded.code_type),
            {"STEP": loaded.step, "CODE": loaded.code_type},
        )

    def _run(
        self,
        name: str,
        source: str,
        inputs: Mapping[str, Any],
        output: tuple[str, tuple[int, ...], np.dtype[Any]],
        constants: Mapping[str, int | np.dtype[Any]],
    ) -> Any:
        name_written, shape, dtype = output
        threads = int(np.prod(shape))
        if threads > MOST_THREADS:
            raise ValueError(f"{name} of shape {shape} is too large for one launch; score in parts")
        return self._execute(
            Launch(
                name=name,
                source=source,
                inputs=inputs,
                output=name_written,
                shape=shape,
                dtype=dtype,
                threads=threads,
                threads_per_group=self._threads_per_group,
                constants=constants,
            )
        )


def _half(most: int) -> int:
    """Return the first step of a search among 0 to `most`: its highest power of two."""
    return (1 << most.bit_length()) >> 1
