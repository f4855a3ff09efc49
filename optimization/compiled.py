"""Loops over arrays, compiled by numba when first called, so that no import waits for it."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any, Generic, ParamSpec, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")


@functools.cache
def compiler_present() -> bool:
    """Whether numba can be imported here."""
    return importlib.util.find_spec("numba") is not None


@overload
def compiled(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def compiled(*, in_place: bool) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def compiled(
    function: Callable[P, R] | None = None, /, *, in_place: bool = False
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile a loop, with the loops it calls by name, when it is first called; keep it on disk.

    Compiled loops let go of the interpreter lock. Without numba the function runs as it is written:
    the same answers, far slower, so callers choose array code instead where `compiler_present` says
    no.

    Parameters
    ----------
    in_place
        Whether the function makes no arrays and takes no slices of any. It then counts no
        references to those it is given: with some thirty to a call, that took half of the time.
    """
    if function is None:
        return functools.partial(_Loop, in_place=in_place)
    return _Loop(function, in_place=in_place)


class _Loop(Generic[P, R]):
    """A function that turns itself into machine code at its first call."""

    def __init__(self, function: Callable[P, R], *, in_place: bool) -> None:
        functools.update_wrapper(self, function)
        self._function, self._in_place = function, in_place
        self._run: Callable[P, R] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if self._run is None:
            self._run = self._machine() if compiler_present() else self._function
        return self._run(*args, **kwargs)

    @functools.cache  # noqa: B019 - loops live as long as their modules
    def _machine(self) -> Any:
        # By name, because numba ships no types.
        numba = importlib.import_module("numba")
        # A copy, in whose eyes the loops it calls are machine code already.
        code, seen = self._code, {name: loop._machine() for name, loop in self._called()}
        copy = types.FunctionType(code, {**self._globals, **seen}, code.co_name)
        copy.__module__, copy.__qualname__ = self._function.__module__, self._function.__qualname__
        options: dict[str, Any] = {"nogil": True}
        if self._in_place:
            options["_nrt"] = False
        kernel = numba.njit(cache=True, **options)(copy)
        # numba looks at the age of one file: a kernel on disk would go on calling what a loop of
        # another file used to be, or go on with a constant's old value.
        kept: Any = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
        if not hasattr(kept, "_source_stamp"):
            return numba.njit(**options)(copy)
        kept._source_stamp = hashlib.sha256("\n".join(self._sources()).encode()).hexdigest()
        return kernel

    @property
    def _code(self) -> types.CodeType:
        code: types.CodeType = self._function.__code__
        return code

    @property
    def _globals(self) -> dict[str, Any]:
        names: dict[str, Any] = self._function.__globals__
        return names

    def _called(self) -> Iterator[tuple[str, _Loop[..., Any]]]:
        for name in self._code.co_names:
            loop = self._globals.get(name)
            if isinstance(loop, _Loop):
                yield name, loop

    def _sources(self) -> Iterator[str]:
        """Give the text of this loop, of those it calls, and what they know by name.

        That is constants, and the fields of the tuples that they are given.
        """
        yield inspect.getsource(self._function)
        yield str(self._in_place)
        for name in (*self._code.co_names, *self._function.__annotations__.values()):
            value = self._globals.get(name)
            if isinstance(value, (bool, int, float)):
                yield f"{name} = {value!r}"
            elif fields := getattr(value, "_fields", ()):
                yield f"{name}{fields}"
        for _, loop in self._called():
            yield from loop._sources()
