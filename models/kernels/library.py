"""The compiled kernels, if they are there; calls release the interpreter's lock."""

from __future__ import annotations

import ctypes
from functools import cache, reduce
from pathlib import Path
from typing import Final

from models.kernels.mask_steps import MASK_STEP
from models.kernels.program import NODE
from models.kernels.scales import SCALE

VARIANTS: Final = ("portable", "avx2", "avx512")
"""By the number that the library knows them by, each faster than the one before."""

_STEM: Final = "_forest"
_SUFFIXES: Final = (".so", ".dylib", ".dll")

Pointer = ctypes.c_void_p
_Long = ctypes.c_int64


class CForest(ctypes.Structure):
    """`Forest` of forest.h."""

    _fields_ = (
        *((name, Pointer) for name in (
            "scales", "cuts", "cells", "set_first", "set_plane", "ops", "op_first", "out",
            "leaf_first", "leaf_count", "leaf", "root", "n_steps", "nodes", "answers", "leaf_words",
            "mask_steps", "mask_first", "mask_leaf", "told",
        )),
        ("leaf_scale", ctypes.c_double),
        *((name, _Long) for name in (
            "n_scales", "n_columns", "n_cut_planes", "n_sets", "n_slots", "n_trees", "n_splits",
            "n_mask_groups", "walk_only",
        )),
    )  # fmt: skip


class CEntity(ctypes.Structure):
    """`Entity` of forest.h."""

    _fields_ = (
        ("codes", Pointer),
        ("row", Pointer),
        ("columns", Pointer),
        ("n_columns", _Long),
    )


class CPairs(ctypes.Structure):
    """`Pairs` of forest.h."""

    _fields_ = (
        ("entities", ctypes.POINTER(CEntity)),
        ("n_entities", _Long),
        ("scales", Pointer),
        ("values", Pointer),
        ("n_scales", _Long),
    )


@cache
def library() -> ctypes.CDLL | None:
    """Load the compiled kernels; None where the package was installed without a compiler."""
    for suffix in _SUFFIXES:
        path = Path(__file__).with_name(_STEM + suffix)
        if path.is_file():
            return _load(path)
    return None


@cache
def variants() -> tuple[str, ...]:
    """Compiled variants that this processor can run, the fastest last; empty without a library."""
    found = library()
    return () if found is None else VARIANTS[: found.forest_best() + 1]


def _load(path: Path) -> ctypes.CDLL | None:
    try:
        found = ctypes.CDLL(str(path))
    except OSError:
        # Built for another machine: the fallback gives the same scores.
        return None
    found.forest_best.restype = found.forest_layout.restype = _Long
    sizes = (SCALE.itemsize, ctypes.sizeof(CForest), NODE.itemsize, MASK_STEP.itemsize)
    if found.forest_layout() != reduce(lambda all_, size: all_ * 1000 + size, sizes):
        return None
    forest = ctypes.POINTER(CForest)
    found.forest_rows.argtypes = [_Long, forest, Pointer, _Long, _Long, Pointer]
    found.forest_pairs.argtypes = [_Long, forest, ctypes.POINTER(CPairs), _Long, _Long, Pointer]
    found.forest_codes.argtypes = [
        _Long, forest, Pointer, _Long, Pointer, _Long, _Long, Pointer,
    ]  # fmt: skip
    found.forest_told.argtypes = [
        forest, Pointer, Pointer, _Long, Pointer, Pointer, Pointer, Pointer,
    ]  # fmt: skip
    return found
