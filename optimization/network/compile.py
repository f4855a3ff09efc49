"""The one place where numba is asked for: compiled code is cached on disk beside its source."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function of arrays on its first call; later processes read it from disk.

    It lets go of the interpreter lock, so that threads run side by side.
    """
    from numba import njit

    return cast(Function, njit(cache=True, nogil=True)(function))


def available() -> bool:
    """Whether numba is installed, without importing it."""
    return importlib.util.find_spec("numba") is not None
