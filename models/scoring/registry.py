"""Backends by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.scoring.base import ScoringBackend
from models.scoring.lightgbm import LightGBMBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lightgbm import Booster

_FACTORIES: Final[Mapping[str, Callable[[Booster, int], ScoringBackend]]] = {
    "lightgbm": LightGBMBackend,
}

BACKENDS: Final = tuple(_FACTORIES)


def get_backend(name: str, booster: Booster, threads: int) -> ScoringBackend:
    """Return the backend called `name` for a trained booster.

    Raises
    ------
    ValueError
        If no backend has that name.
    """
    if name not in _FACTORIES:
        raise ValueError(f"expected a scoring backend in {', '.join(BACKENDS)}, got {name!r}")
    return _FACTORIES[name](booster, threads)
