"""Loops compiled by numba on first use, so that importing the package waits for no compiler."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


@functools.cache
def compiler_present() -> bool:
    """Whether numba can be imported here."""
    return importlib.util.find_spec("numba") is not None


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop over arrays when it is first called and keep the machine code on disk.

    Without numba the function runs as it is written: the same answers, far slower, so callers
    choose array code instead where `compiler_present` says no.
    """
    state: dict[str, Callable[P, R]] = {}

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not state:
            state["run"] = function
            if compiler_present():
                # By name, because numba ships no types.
                numba = importlib.import_module("numba")
                state["run"] = numba.njit(cache=True, nogil=True)(function)
        return state["run"](*args, **kwargs)

    return run
