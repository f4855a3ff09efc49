"""Compile array loops where numba is present; run them as they stand where it is not."""

from __future__ import annotations

import functools
import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function of arrays, cached on disk; without numba it is merely slower."""
    try:
        numba = importlib.import_module("numba")
    except ImportError:
        return function
    kernel: Any = numba.njit(cache=True)(function)
    # numba watches only the file of the function itself: a cached kernel would go on calling what
    # another file's kernel used to be. So the cache is stamped with all sources of the folder.
    kept: Any = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
    if not hasattr(kept, "_source_stamp"):
        return numba.njit(function)  # type: ignore[no-any-return]
    kept._source_stamp = _digest(Path(function.__code__.co_filename).parent)
    return kernel  # type: ignore[no-any-return]


@functools.cache
def _digest(folder: Path) -> str:
    text = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    return hashlib.sha256(text).hexdigest()
