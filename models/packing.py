"""Arrays as bytes and back: fixed names and dtypes, lengths checked before a byte is believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Layout = Mapping[str, str]
"""Names of one-dimensional arrays, in their order in the file, with little-endian dtypes."""

_MAGIC: Final = b"courier-dispatch arrays 1\n"


def pack(arrays: Mapping[str, NDArray[Any]], layout: Layout) -> bytes:
    """Write the arrays of `layout` after one another; same arrays, same bytes."""
    parts = [np.ascontiguousarray(arrays[name], dtype=kind) for name, kind in layout.items()]
    lengths = np.array([len(part) for part in parts], dtype="<i8")
    return b"".join((_MAGIC, lengths.tobytes(), *(part.tobytes() for part in parts)))


def unpack(content: bytes, layout: Layout) -> dict[str, NDArray[Any]]:
    """Read what `pack` wrote with the same layout; the arrays are read-only views.

    Raises
    ------
    ValueError
        If the bytes are not exactly a header and as many values as it states.
    """
    start = len(_MAGIC) + 8 * len(layout)
    if not content.startswith(_MAGIC) or len(content) < start:
        raise ValueError("expected packed arrays, got other bytes")
    lengths = np.frombuffer(content, "<i8", len(layout), len(_MAGIC)).tolist()
    sizes = [
        length * np.dtype(kind).itemsize
        for length, kind in zip(lengths, layout.values(), strict=True)
    ]
    if min(lengths) < 0 or start + sum(sizes) != len(content):
        raise ValueError("the stated lengths of the packed arrays are not those of the bytes")
    found = {}
    for (name, kind), length, size in zip(layout.items(), lengths, sizes, strict=True):
        found[name] = np.frombuffer(content, kind, length, start)
        start += size
    return found
