"""Backends by name, the fastest first, and the choice among those that work here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Final, NamedTuple

from models.kernels.library import variants
from models.scoring.base import ScoringBackend, Trees
from models.scoring.jit import JitBackend
from models.scoring.lightgbm import LightGBMBackend
from models.scoring.native import NativeBackend


class _Entry(NamedTuple):
    make: Callable[[Trees], ScoringBackend]
    works_here: Callable[[], bool]


def _mlx(trees: Trees) -> ScoringBackend:
    from models.scoring.mlx import MLXBackend

    return MLXBackend(trees.forest)


@cache
def _mlx_works() -> bool:
    """Try it: on Linux `mlx` can be installed and not be importable."""
    from models.scoring.mlx import import_mlx

    try:
        import_mlx()
    except ValueError:
        return False
    return True


_ENTRIES: Final[Mapping[str, _Entry]] = {
    "native": _Entry(NativeBackend.of, lambda: bool(variants())),
    "numba": _Entry(JitBackend.of, lambda: find_spec("numba") is not None),
    "lightgbm": _Entry(LightGBMBackend.of, lambda: True),
    # Last, so that it is never what nobody asked for: no speed is stated of most of its devices.
    "mlx": _Entry(_mlx, _mlx_works),
}

BACKENDS: Final = tuple(_ENTRIES)


def available_backends() -> tuple[str, ...]:
    """Backends that work on this machine, the fastest first."""
    return tuple(name for name, entry in _ENTRIES.items() if entry.works_here())


def _fastest() -> str:
    return next(name for name, entry in _ENTRIES.items() if entry.works_here())


def active_kernel() -> str:
    """Name what scores where nothing else is asked for, with the compiled variant if it is one."""
    best = _fastest()
    return f"{best} {variants()[-1]}" if best == "native" else best


def backend_problem(name: str) -> str | None:
    """Say why the backend called `name` cannot be used here, and what can; None where it can."""
    if name not in _ENTRIES:
        return f"expected a scoring backend in {', '.join(BACKENDS)}, got {name!r}"
    if not _ENTRIES[name].works_here():
        here = ", ".join(available_backends())
        return f"scoring backend {name!r} does not work here; choose from {here}"
    return None


def get_backend(name: str | None, trees: Trees) -> ScoringBackend:
    """Return the backend called `name` for an ensemble; the fastest that works where None.

    Raises
    ------
    ValueError
        If no backend has that name, or it does not work on this machine.
    """
    if name is None:
        name = _fastest()
    if problem := backend_problem(name):
        raise ValueError(problem)
    return _ENTRIES[name].make(trees)
