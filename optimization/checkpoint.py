"""A folder in which an exact frontier keeps what it has finished."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from optimization.errors import ProblemError
from optimization.scalar import ScalarProblem
from optimization.segment import Plan, Segment
from optimization.term import Term

MANIFEST = "frontier.json"


class Checkpoint:
    """Finished pieces of one frontier, each a file written whole or not at all.

    Parameters
    ----------
    folder
        Made where it is missing.
    axis, other
        The two objectives; the folder remembers a hash of them.

    Raises
    ------
    ProblemError
        If the folder holds another frontier.
    """

    def __init__(self, folder: Path, axis: ScalarProblem, other: Term) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        identity = {"format": 1, "problem": digest_of(axis, other)}
        manifest = folder / MANIFEST
        if manifest.exists():
            if json.loads(manifest.read_text("utf-8")) != identity:
                raise ProblemError([f"{folder} holds another problem's frontier: use a new folder"])
        else:
            manifest.write_text(json.dumps(identity) + "\n", "utf-8")

    def hull(self) -> list[Plan] | None:
        """Return the supported plans, None where they were not finished."""
        return self._read("supported")

    def keep_hull(self, plans: list[Plan]) -> None:
        """Keep the complete list of supported plans."""
        self._write("supported", plans)

    def segment(self, segment: Segment) -> list[Plan] | None:
        """Return the plans of a finished segment, None where it was not finished."""
        return self._read(f"segment-{segment.number:06d}")

    def keep_segment(self, segment: Segment, plans: list[Plan]) -> None:
        """Keep the plans of a finished segment."""
        self._write(f"segment-{segment.number:06d}", plans)

    def _read(self, name: str) -> list[Plan] | None:
        path = self._folder / f"{name}.npz"
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as kept:
            points, size, columns = kept["points"], kept["size"], kept["columns"]
        parts: list[NDArray[np.int32]] = (
            np.split(columns, np.cumsum(size)[:-1]) if size.size else []
        )
        return [Plan((int(e), int(f)), c) for (e, f), c in zip(points.tolist(), parts, strict=True)]

    def _write(self, name: str, plans: list[Plan]) -> None:
        # A rename is whole or not at all: a killed run leaves no half file behind.
        partial = self._folder / f"{name}.partial-{os.getpid()}.npz"
        with partial.open("wb") as file:
            np.savez_compressed(
                file,
                points=np.array([p.point for p in plans], np.int64).reshape(-1, 2),
                size=np.array([p.columns.size for p in plans], np.int64),
                columns=np.concatenate([np.zeros(0, np.int32), *(p.columns for p in plans)]),
            )
        partial.replace(self._folder / f"{name}.npz")


def digest_of(axis: ScalarProblem, other: Term) -> str:
    """Hash a problem with two objectives, so that another one is told from it."""
    problem = axis.problem
    digest = hashlib.sha256()
    for values in (
        np.array([problem.n_orders, problem.n_couriers, problem.one_column_per_courier]),
        *(problem.column_courier, problem.column_ptr, problem.column_order, problem.order_size),
        *(problem.max_orders, problem.max_size, problem.leave),
        *(axis.column_cost, axis.marginal, np.array([axis.constant, axis.scale])),
        *(other.column, other.marginal, np.array([other.constant, other.scale])),
    ):
        digest.update(f"{values.dtype}{values.shape}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
