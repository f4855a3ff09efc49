"""Rows as kernels are handed them, matrix or pairs, with the scores of the reference."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.forest import Forest
from models.kernels.library import CEntity, CForest, CPairs
from models.kernels.masks import MaskForest
from models.kernels.native import in_eights, lay_out
from models.kernels.numbering import number_in_order, number_leaves
from models.kernels.program import Program
from models.kernels.scales import CUTS_PER_COLUMN

FloatArray = NDArray[np.float64]

KINDS: Final = ("matrix", "list", "dense")
OWNERS: Final = ("courier", "order", "moment", "pair")
"""Who brings a feature: a courier or an order of the pair, the moment, or the pair itself."""

LAYOUTS: Final = {"subcubes": number_leaves, "in order": number_in_order}
_PAIRS_PER_COURIER = 20


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Rows of one forest to be scored.

    Attributes
    ----------
    forest
        Name of the forest.
    kind
        Matrix, candidate list (couriers at random, sorted by order) or dense (all couriers for each
        order).
    arrays
        The matrix (n, f); or codes, rows and columns of each entity, and the values of the pairs.
    expected
        Scores of the reference (n,).
    """

    forest: str
    kind: str
    arrays: Mapping[str, NDArray[Any]]
    expected: FloatArray

    def save(self, path: Path) -> None:
        """Write all of it as one .npz."""
        held: dict[str, Any] = {"forest": self.forest, "kind": self.kind, "expected": self.expected}
        np.savez(path, **held, **dict[str, Any](self.arrays))

    @classmethod
    def load(cls, path: Path) -> Case:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as read:
            held = {name: read[name] for name in read.files}
        forest, kind = str(held.pop("forest")), str(held.pop("kind"))
        return cls(forest, kind, expected=held.pop("expected"), arrays=held)


def lay_out_pairs(
    forest: Forest, rows: FloatArray, owner: list[str], kind: str, n: int, seed: int
) -> tuple[dict[str, NDArray[Any]], FloatArray]:
    """Couriers, orders and a moment drawn from rows (m, f), and n pairs of them.

    Returns the arrays of a case, and the matrix (n, f) that the pairs stand for.
    """
    rng = np.random.default_rng(seed)
    if kind == "dense":
        n_couriers = max(1, int(np.sqrt(n)))
        courier, order = np.arange(n) % n_couriers, np.arange(n) // n_couriers
    else:
        n_couriers = max(1, n // _PAIRS_PER_COURIER)
        courier = rng.integers(0, n_couriers, n)
        order = np.sort(rng.integers(0, max(1, n // 12), n))
    place = {"courier": courier, "order": order, "moment": np.zeros(n, np.int64)}
    matrix = rows[rng.integers(0, len(rows), n)].copy()
    scales = _ByteCodes(forest)
    arrays: dict[str, NDArray[Any]] = {}
    for name, at in place.items():
        own = [f for f, by in enumerate(owner) if by == name]
        table = rows[rng.integers(0, len(rows), int(at.max(initial=0)) + 1)]
        matrix[:, own] = table[at][:, own]
        codes, columns = scales.codes(table, own)
        if len(columns):
            arrays |= {f"{name}_codes": in_eights(codes), f"{name}_columns": columns}
            arrays |= {} if name == "moment" else {f"{name}_row": at.astype(np.int64)}
    left = [f for f, by in enumerate(owner) if by == "pair"]
    arrays["scales"] = scales.of(left)
    arrays["values"] = np.ascontiguousarray(matrix[:, scales.features(arrays["scales"])].T)
    return arrays, matrix


class _ByteCodes:
    """The bytes that pairs are made of, by the slow way: NumPy's own search."""

    def __init__(self, forest: Forest) -> None:
        self._columns = MaskForest(forest).splits.columns
        self._table = Program(forest).scales.table

    def of(self, features: list[int]) -> NDArray[np.int32]:
        """Scales of these features."""
        return np.flatnonzero(np.isin(self._table["feature"], features)).astype(np.int32)

    def features(self, scales: NDArray[np.int32]) -> NDArray[np.int32]:
        """Feature of each scale."""
        return np.asarray(self._table["feature"][scales])

    def codes(
        self, table: FloatArray, features: list[int]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """Byte codes (m, c) of a table's features, and their columns (c,)."""
        found, places = [np.empty((len(table), 0), np.uint8)], [np.empty(0, np.int32)]
        for scale in self.of(features):
            count = int(self._table["n_columns"][scale])
            code = self._columns[scale].codes(table[:, self._table["feature"][scale]])
            above = code[:, None] - CUTS_PER_COLUMN * np.arange(count)
            found.append(np.clip(above, 0, 255).astype(np.uint8))
            places.append((self._table["first_column"][scale] + np.arange(count)).astype(np.int32))
        return np.ascontiguousarray(np.concatenate(found, axis=1)), np.concatenate(places)


class Kernel:
    """A candidate's library.

    Parameters
    ----------
    path
        What `Builder` made.
    """

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        self.rows, self.pairs = library.forest_rows_candidate, library.forest_pairs_candidate
        pointer, long = ctypes.c_void_p, ctypes.c_int64
        self.rows.argtypes = [pointer, pointer, long, long, pointer]
        self.pairs.argtypes = [pointer, pointer, long, long, pointer]
        self._ran = ctypes.c_uint64.in_dll(library, "forest_ran")

    @property
    def ran(self) -> int:
        """What the code that scores has added up."""
        return self._ran.value


class LoadedForest:
    """A forest in memory as kernels read it.

    Parameters
    ----------
    arrays
        What `save_forest` wrote.
    place
        Puts an array where the kernel reads it.
    """

    def __init__(
        self, arrays: Mapping[str, NDArray[Any]], place: Any = np.ascontiguousarray
    ) -> None:
        numbers = {name[1:]: value.item() for name, value in arrays.items() if name[0] == "#"}
        self._held = {name: place(value) for name, value in arrays.items() if name[0] != "#"}
        pointers = {name: array.ctypes.data for name, array in self._held.items()}
        self._struct = CForest(**pointers, **numbers)
        self.address = ctypes.addressof(self._struct)


def save_forest(forest: Forest, layout: str, path: Path) -> None:
    """Write a forest's arrays, its leaves numbered as `layout` says; before numbers stands a #."""
    arrays, numbers = lay_out(Program(forest, number=LAYOUTS[layout]))
    held: dict[str, Any] = {f"#{name}": np.array(value) for name, value in numbers.items()}
    np.savez(path, **held, **dict[str, Any](arrays))


def calls(
    case: Case, forest: LoadedForest, batch: int, out: FloatArray, place: Any = np.ascontiguousarray
) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    """Lay out calls that score a case batch by batch: which entry, its arguments, what they hold.

    Scores go to their places in `out` (n,); rows that fill no batch are left out.
    """
    held = {name: place(array) for name, array in case.arrays.items()}
    n = len(case.expected)
    for start in range(0, n - batch + 1, batch):
        to = out.ctypes.data + 8 * start
        if case.kind == "matrix":
            matrix = held["matrix"]
            at = matrix.ctypes.data + start * matrix.strides[0]
            yield "rows", (forest.address, at, batch, matrix.shape[1], to), held
        else:
            pairs, kept = _pairs(held, start)
            yield "pairs", (forest.address, ctypes.addressof(pairs), start, batch, to), (held, kept)


def _pairs(held: Mapping[str, NDArray[Any]], start: int) -> tuple[CPairs, Any]:
    entities = [
        CEntity(
            held[f"{name}_codes"].ctypes.data,
            held[f"{name}_row"].ctypes.data if f"{name}_row" in held else None,
            held[f"{name}_columns"].ctypes.data,
            len(held[f"{name}_columns"]),
        )
        for name in OWNERS[:3]
        if f"{name}_codes" in held
    ]
    array = (CEntity * len(entities))(*entities)
    values = held["values"]
    starts = np.array([row.ctypes.data + 8 * start for row in values], dtype=np.uintp)
    pairs = CPairs(
        array, len(entities), held["scales"].ctypes.data, starts.ctypes.data, len(held["scales"])
    )
    return pairs, (array, starts, pairs)
