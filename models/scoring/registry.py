"""Backends by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.scoring.base import ScoringBackend
from models.scoring.lightgbm import LightGBMBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lightgbm import Booster


def _mlx(booster: Booster, _threads: int) -> ScoringBackend:
    from models.forest import Forest
    from models.scoring.mlx import MLXBackend

    return MLXBackend(Forest.from_lightgbm(booster.model_to_string()))


_FACTORIES: Final[Mapping[str, Callable[[Booster, int], ScoringBackend]]] = {
    "lightgbm": LightGBMBackend,
    "mlx": _mlx,
}

BACKENDS: Final = tuple(_FACTORIES)


def get_backend(name: str, booster: Booster, threads: int) -> ScoringBackend:
    """Return the backend called `name` for a trained booster.

    Raises
    ------
    ValueError
        If no backend has that name, or it cannot be used on this machine.
    """
    if name not in _FACTORIES:
        raise ValueError(f"expected a scoring backend in {', '.join(BACKENDS)}, got {name!r}")
    return _FACTORIES[name](booster, threads)
