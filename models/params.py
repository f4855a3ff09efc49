"""Parameters of the acceptance model: frozen, range-checked, every default visible."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from models.features import FeatureSchema, default_schema


@dataclass(frozen=True, slots=True)
class AcceptanceParams:
    """How an acceptance model is grown.

    `max_trees`, `leaves`, `learning_rate`, `min_data_in_leaf`, `l2` and `feature_share` are
    LightGBM's; growing stops after `early_stopping_rounds` rounds without gain on the newest
    `stop_share` of the rows. `calibration_share` and `test_share` are the parts that `train` keeps
    apart. `n_folds` models are grown on disjoint orders beside the main one. `monotone` turns the
    known directions on, `use_courier_history` the courier's own past acceptance. `n_bags` models on
    resampled orders give the intervals (0: none). `propensity_weights` weighs each offer by the
    inverse of its logged propensity, so that seldom offers count as much as common ones. `cities`
    lets each city have trees of its own where held-out log-loss improves. `refused` names raw
    columns and features that may not be used, such as proxies of a protected trait. `threads` is
    for growing and scoring alike: more than one pays only on cores that nothing else uses, since
    OpenMP threads that wait for a busy core spin. Trees and probabilities do not depend on it.

    Raises
    ------
    ValueError
        Naming every parameter out of its range at once.
    """

    max_trees: int = 500
    leaves: int = 15
    learning_rate: float = 0.05
    min_data_in_leaf: int = 40
    l2: float = 5.0
    feature_share: float = 0.7
    early_stopping_rounds: int = 40
    stop_share: float = 0.15
    calibration_share: float = 0.15
    test_share: float = 0.15
    n_folds: int = 2
    n_bags: int = 8
    monotone: bool = True
    propensity_weights: bool = False
    cities: bool = True
    refused: tuple[str, ...] = ()
    use_courier_history: bool = True
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        problems = []
        for field in fields(self):
            value: Any = getattr(self, field.name)
            kind: Any = type(field.default)
            if kind is float and type(value) is int:
                value = float(value)
                object.__setattr__(self, field.name, value)
            if kind is tuple and isinstance(value, (list, tuple)):
                value = tuple(value)
                object.__setattr__(self, field.name, value)
                if not all(isinstance(name, str) for name in value):
                    problems.append(f"{field.name}: expected names, got {value!r}")
            # A bool is an int to Python, but `leaves = true` in a file is a slip.
            if type(value) is not kind:
                problems.append(f"{field.name}: expected {kind.__name__}, got {value!r}")
            elif field.name in _RANGES:
                low, high = _RANGES[field.name]
                if not low <= value <= high:
                    problems.append(f"expected {field.name} in [{low}, {high}], got {value}")
        if not problems and self.calibration_share + self.test_share > 0.8:
            problems.append("expected calibration_share + test_share of at most 0.8")
        if problems:
            raise ValueError("; ".join(problems))

    def schema(self) -> FeatureSchema:
        """Return the features that the parameters allow.

        Raises
        ------
        FeatureError
            If `refused` names neither a feature nor a raw column.
        """
        return default_schema(use_courier_history=self.use_courier_history, refused=self.refused)


_RANGES: Final[dict[str, tuple[float, float]]] = {
    "max_trees": (1, 10_000),
    "leaves": (2, 4096),
    "learning_rate": (1e-4, 1.0),
    "min_data_in_leaf": (1, 1_000_000),
    "l2": (0.0, 1e6),
    "feature_share": (0.05, 1.0),
    "early_stopping_rounds": (1, 1000),
    "stop_share": (0.05, 0.5),
    "calibration_share": (0.05, 0.5),
    "test_share": (0.05, 0.5),
    "n_folds": (2, 10),
    "n_bags": (0, 100),
    "seed": (0, 2**31 - 1),
    "threads": (1, 256),
}
