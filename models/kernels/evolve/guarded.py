"""Arrays that end, or begin, at a page that may not be touched."""

from __future__ import annotations

import ctypes
import mmap
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

POISON: Final = np.uint64(0x7FF4DEADDEADDEAD)
"""A signalling NaN that no kernel computes: rows that still hold it were never written."""

_NONE, _READ = 0, 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class GuardedMemory:
    """Keeps the memory of guarded arrays; whoever touches a guard dies."""

    def __init__(self) -> None:
        self._held: list[mmap.mmap] = []

    def copy(self, array: NDArray[Any], *, before: bool = False) -> NDArray[Any]:
        """Return the array in memory that can only be read, a guard behind (or before) it."""
        found, start, held = self._mapped(array.nbytes, before=before)
        result = np.frombuffer(found, array.dtype, array.size, start).reshape(array.shape)
        result[...] = array
        # The kernel is handed the address; writing to an input is a fault.
        _protect(found, mmap.PAGESIZE, held, _READ)
        return result

    def output(self, n: int, *, before: bool = False) -> NDArray[np.float64]:
        """Return poisoned float64 (n,), a guard behind (or before) it."""
        found, start, _ = self._mapped(8 * n, before=before)
        result = np.frombuffer(found, np.float64, n, start)
        result.view(np.uint64)[:] = POISON
        return result

    def _mapped(self, n_bytes: int, *, before: bool) -> tuple[mmap.mmap, int, int]:
        page = mmap.PAGESIZE
        held = max(1, -(-n_bytes // page)) * page
        found = mmap.mmap(-1, held + 2 * page)
        self._held.append(found)
        _protect(found, 0, page, _NONE)
        _protect(found, page + held, page, _NONE)
        return found, page if before else page + held - n_bytes, held


def _protect(memory: mmap.mmap, offset: int, size: int, access: int) -> None:
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + offset
    if _LIBC.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), access):
        raise OSError(ctypes.get_errno(), "memory could not be guarded")
