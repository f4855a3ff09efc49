"""A folder in which a representation keeps the groups of boxes that it has finished."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from optimization.errors import ProblemError

MANIFEST = "representation.json"


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a group of boxes held: points (p, d) and their columns, and the work it took.

    `finished` says that they hold no other; only then is anything proven.
    """

    points: NDArray[np.int64]
    columns: tuple[NDArray[np.int32], ...]
    finished: bool
    nodes: int
    solves: int


class KeptGroups:
    """Finished groups, each a file written whole or not at all.

    Parameters
    ----------
    folder
        Made where it is missing.
    identity
        Arrays that say what is asked; the folder remembers a hash of them.

    Raises
    ------
    ProblemError
        If the folder holds something else.
    """

    def __init__(self, folder: Path, *identity: NDArray[np.generic]) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        for values in identity:
            digest.update(f"{values.dtype}{values.shape}".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        said = {"format": 1, "problem": digest.hexdigest()}
        manifest = folder / MANIFEST
        if not manifest.exists():
            manifest.write_text(json.dumps(said) + "\n", "utf-8")
        elif json.loads(manifest.read_text("utf-8")) != said:
            raise ProblemError([f"{folder} holds another representation: use a new folder"])

    def read(self, number: int, corners: NDArray[np.int64]) -> Found | None:
        """Return what a group held, None where it was not finished."""
        path = self._path(number)
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as kept:
            if not np.array_equal(kept["corners"], corners):
                return None
            columns = np.split(kept["columns"], np.cumsum(kept["size"])[:-1])
            nodes, solves = kept["work"].tolist()
            points = kept["points"]
        return Found(points, tuple(columns[: len(points)]), True, nodes, solves)

    def write(self, number: int, corners: NDArray[np.int64], found: Found) -> None:
        """Keep a finished group."""
        # A rename is whole or not at all: a killed run leaves no half file behind.
        path = self._path(number)
        partial = path.with_suffix(f".partial-{os.getpid()}")
        with partial.open("wb") as file:
            np.savez_compressed(
                file,
                corners=corners,
                points=found.points,
                size=np.array([c.size for c in found.columns], np.int64),
                columns=np.concatenate([np.zeros(0, np.int32), *found.columns]),
                work=np.array([found.nodes, found.solves]),
            )
        partial.replace(path)

    def _path(self, number: int) -> Path:
        return self._folder / f"group-{number:06d}.npz"
