"""Parameters of the set scorer: frozen, range-checked, every default visible."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class SetParams:
    """How a set scorer is built and trained.

    `width` numbers stand for an offer or a stop; `heads` query heads of `head_width` share
    `shared_heads` key and value heads; `hidden` units follow. Adam with `learning_rate` and
    `weight_decay` runs over moments, `batch` at a time, until `patience` epochs brought no gain on
    the newest `stop_share` of the rows, and for `epochs` at most.

    Raises
    ------
    ValueError
        Naming every parameter out of its range at once.
    """

    width: int = 32
    heads: int = 4
    shared_heads: int = 2
    head_width: int = 8
    hidden: int = 32
    learning_rate: float = 0.002
    weight_decay: float = 0.1
    batch: int = 256
    epochs: int = 60
    patience: int = 8
    stop_share: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        problems = []
        for field in fields(self):
            value: Any = getattr(self, field.name)
            kind: Any = type(field.default)
            low, high = _RANGES[field.name]
            if type(value) is not kind:
                problems.append(f"{field.name}: expected {kind.__name__}, got {value!r}")
            elif not low <= value <= high:
                problems.append(f"expected {field.name} in [{low}, {high}], got {value}")
        if not problems and self.heads % self.shared_heads:
            problems.append("expected shared_heads to divide heads")
        if problems:
            raise ValueError("; ".join(problems))


_RANGES: Final[dict[str, tuple[float, float]]] = {
    "width": (1, 1024),
    "heads": (1, 64),
    "shared_heads": (1, 64),
    "head_width": (1, 128),
    "hidden": (1, 1024),
    "learning_rate": (1e-6, 1.0),
    "weight_decay": (0.0, 1.0),
    "batch": (1, 1_000_000),
    "epochs": (1, 10_000),
    "patience": (1, 10_000),
    "stop_share": (0.05, 0.5),
    "seed": (0, 2**31 - 1),
}
