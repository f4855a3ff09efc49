"""Feature values to codes: how many of a model's own thresholds lie below a value.

All splits on a feature compare with one of its thresholds, so the code holds all that the trees can
tell apart and nothing is rounded. A set of categories is a union of intervals of whole numbers, so
categorical features are coded by the same rule, with a threshold wherever a set begins or ends.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.forest import CATEGORICAL, DEFAULT_LEFT, NAN_MISSING, ZERO_MISSING, Forest

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CUTS_PER_COLUMN: Final = 255
SIGN, COUNT = np.int32(-(1 << 31)), np.int32((1 << 31) - 1)
"""Of the entry of a grid cell: set where it holds cuts, and the rest, how many lie before."""

SCALE: Final = np.dtype(
    [
        ("low", "<f4"),
        ("per_unit", "<f4"),
        ("feature", "<i4"),
        ("n_cuts", "<i4"),
        ("first_cut", "<i4"),
        ("first_cell", "<i4"),
        ("last_cell", "<i4"),
        ("nan_code", "<i4"),
        ("zero_code", "<i4"),
        ("first_column", "<i4"),
        ("n_columns", "<i4"),
        ("most_in_cell", "<i4"),
    ]
)
"""One scale as the kernels read it (`Scale` in forest.h)."""

_WORD: Final = 32
_CELLS_PER_CUT: Final = 16
_FEWEST_CELLS, _MOST_CELLS = 64, 4096


class Scales:
    """Every scale that a forest's splits need: one for each feature and way to treat the unknown.

    Attributes
    ----------
    table
        One row a scale, dtype `SCALE`, by feature.
    cuts, cells
        Thresholds of all scales, each followed by infinity, and the grids that shorten the search
        (`_grid`).
    scale_of
        Of each split (s,), its scale.
    plane
        Of each numeric split (s,), the cut it compares with, counted over all scales; -1 for a set.
    set_first, set_plane
        Cuts at which each distinct set of categories begins or ends, as offsets and cuts.
    set_of
        Of each split (s,), its distinct set; -1 where numeric.
    """

    def __init__(self, forest: Forest) -> None:
        kind = (forest.decision & (CATEGORICAL | NAN_MISSING | ZERO_MISSING)).astype(np.int64)
        # Where nothing is missing the default direction is never taken.
        kind |= np.where(kind & (NAN_MISSING | ZERO_MISSING), forest.decision & DEFAULT_LEFT, 0)
        kind = np.where(forest.decision & CATEGORICAL, CATEGORICAL, kind)
        keys, scale_of = np.unique(
            np.column_stack((forest.feature.astype(np.int64), kind)), axis=0, return_inverse=True
        )
        scale_of = scale_of.reshape(-1)
        self.scale_of = scale_of
        numeric = kind != CATEGORICAL
        members, self.set_of, edges = _sets(forest, np.flatnonzero(~numeric), scale_of)
        self.set_scale = np.array([scale for scale, _ in members], dtype=np.int64)
        edge_scale = np.repeat(self.set_scale, [len(each) for each in edges])
        edge = np.concatenate([np.empty(0), *edges])
        scale = np.concatenate((scale_of[numeric], edge_scale))
        value = np.concatenate((forest.threshold[numeric], edge))
        # -0.0 and 0.0 are one threshold.
        cuts, place = np.unique(np.column_stack((scale, value + 0.0)), axis=0, return_inverse=True)
        place = place.reshape(-1)
        self.plane = np.full(len(kind), -1, dtype=np.int64)
        self.plane[numeric] = place[: int(numeric.sum())]
        self.set_plane = place[int(numeric.sum()) :].astype(np.int32)
        self.set_first = np.cumsum([0, *(len(each) for each in edges)]).astype(np.int32)
        self.n_cuts = len(cuts)
        self._lay_out(keys, cuts)

    @property
    def n_columns(self) -> int:
        """Byte columns over all scales."""
        return int(self.table["n_columns"].sum())

    def answers(self) -> tuple[NDArray[np.uint8], IntArray]:
        """Bytes that say whether a code goes right, and where each split's (s,) begin.

        All numeric splits share one staircase; each set has its own row.
        """
        most = int(self.table["n_cuts"].max(initial=0))
        stairs = np.repeat(np.array([0, 1], dtype=np.uint8), (most + 1, most + 1))
        first_plane = np.cumsum(self.table["n_cuts"]) - self.table["n_cuts"]
        offset = most - (self.plane - first_plane[self.scale_of])
        rows = [stairs]
        at = len(stairs)
        start = np.zeros(len(self.set_first), dtype=np.int64)
        edges = np.split(self.set_plane, self.set_first[1:-1]) if len(self.set_first) > 1 else []
        for place, own in enumerate(edges):
            scale = self.set_scale[place]
            size = int(self.table["n_cuts"][scale]) + 1
            turned = np.zeros(size, dtype=np.int64)
            turned[own - first_plane[scale] + 1] = 1
            rows.append((1 ^ np.cumsum(turned) & 1).astype(np.uint8))
            start[place] = at
            at += size
        return np.concatenate(rows), np.where(self.set_of >= 0, start[self.set_of], offset)

    def _lay_out(self, keys: NDArray[np.int64], cuts: NDArray[np.float64]) -> None:
        self.table = np.zeros(len(keys), dtype=SCALE)
        all_cuts: list[NDArray[np.float64]] = []
        all_cells: list[NDArray[np.int32]] = []
        first_cut = first_cell = first_column = 0
        for place, (feature, kind) in enumerate(keys.tolist()):
            own = cuts[cuts[:, 0] == place, 1]
            low, per_unit, cells = _grid(own)
            # Left is code 0, right the code above all cuts; zero has a code of its own where it
            # stands for missing.
            aside = 0 if kind & (DEFAULT_LEFT | CATEGORICAL) else len(own)
            at_zero = int(np.searchsorted(own, 0.0, side="left"))
            zero_code = aside if kind & ZERO_MISSING else at_zero
            nan_code = aside if kind & (NAN_MISSING | CATEGORICAL) else zero_code
            n_columns = -(-len(own) // CUTS_PER_COLUMN)
            self.table[place] = (
                low, per_unit, feature, len(own), first_cut, first_cell, len(cells) - 2,
                nan_code, zero_code, first_column, n_columns,
                int(np.diff(cells & COUNT).max()),
            )  # fmt: skip
            all_cuts.append(np.append(own, np.inf))
            all_cells.append(cells)
            first_cut += len(own) + 1
            first_cell += len(cells)
            first_column += n_columns
        self.cuts = np.concatenate([np.empty(0), *all_cuts])
        self.cells = np.concatenate([np.empty(0, np.int32), *all_cells])


def _grid(cuts: FloatArray) -> tuple[np.float32, np.float32, NDArray[np.int32]]:
    """Even cells over the finite cuts, as floats of 32 bits: origin, cells a unit, and entries.

    An entry counts the cuts in the cells before, its sign is set where the cell holds cuts, and one
    more entry follows the last cell. Values beyond the cuts fall into cells of their own.
    """
    finite = cuts[np.isfinite(cuts)]
    n_cells = int(
        np.clip(1 << (_CELLS_PER_CUT * len(cuts)).bit_length(), _FEWEST_CELLS, _MOST_CELLS)
    )
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        first, last = finite[[0, -1]] if len(finite) else np.zeros(2)
        per_unit = np.float32((n_cells - 4) / (last - first))
        low = np.float32(first - 2.0 / per_unit)
        if not (0.0 < per_unit < np.inf and np.isfinite(low)):
            low, per_unit = np.float32(0.0), np.float32(1.0)
        place = (cuts.astype(np.float32) - low) * per_unit
        cell = np.clip(place, np.float32(0.0), np.float32(n_cells - 1)).astype(np.int64)
    before = np.searchsorted(cell, np.arange(n_cells + 1), side="left").astype(np.int32)
    return low, per_unit, before | np.where(np.diff(before, append=before[-1]) > 0, SIGN, 0)


def _sets(
    forest: Forest, splits: NDArray[np.intp], scale_of: NDArray[np.int64]
) -> tuple[list[tuple[int, bytes]], NDArray[np.int64], list[NDArray[np.float64]]]:
    """Distinct sets of categories, the set of each split, and the cuts that bound each set."""
    set_of = np.full(len(scale_of), -1, dtype=np.int64)
    start = np.cumsum(forest.words) - forest.words
    known: dict[tuple[int, bytes], int] = {}
    edges: list[NDArray[np.float64]] = []
    for split in splits.tolist():
        words = forest.category_words[start[split] : start[split] + forest.words[split]]
        inside = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
        key = (int(scale_of[split]), np.flatnonzero(inside).astype("<i8").tobytes())
        if key not in known:
            known[key] = len(known)
            # Categories are cut towards zero: all above -1 is category 0, all from c on is c.
            whole = np.flatnonzero(np.diff(inside, prepend=np.uint8(0), append=np.uint8(0)))
            below = np.nextafter(whole.astype(np.float64), -np.inf)
            edges.append(np.where(whole == 0, -1.0, below))
        set_of[split] = known[key]
    return list(known), set_of, edges
