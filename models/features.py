"""From raw columns to features: one catalogue and one builder for training and serving."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.columns import (
    RAW_COLUMNS,
    VEHICLES,
    Source,
    column_problems,
    forbidden_columns,
    forbidden_problem,
    with_unknown,
)
from models.errors import FeatureError
from models.history import HistoryPrior

FloatArray = NDArray[np.float64]
Columns = Mapping[str, FloatArray]

SHORTEST_JOB_S: Final = 60.0
"""Floor of the time that pay is divided by, so that pay per minute stays finite."""

SHORTEST_JOB_M: Final = 100.0
"""Floor of the distance that pay is divided by, so that pay per kilometre stays finite."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One column of the feature matrix: meaning, raw inputs and known direction.

    `monotone` is the sign of the effect on acceptance where it is known, else 0. `categories`
    names the codes of a categorical feature in order.
    """

    name: str
    dtype: Literal["float64", "category"]
    unit: str
    source: Source
    monotone: Literal[-1, 0, 1]
    status: Literal["allowed", "forbidden"]
    description: str
    inputs: tuple[str, ...]
    categories: tuple[str, ...] = ()


def _raw(name: str, monotone: Literal[-1, 0, 1] = 0) -> FeatureSpec:
    column = RAW_COLUMNS[name]
    category = name == "vehicle"
    return FeatureSpec(
        name=name,
        dtype="category" if category else "float64",
        unit=column.unit,
        source=column.source,
        monotone=monotone,
        status="allowed",
        description=column.description,
        inputs=(name,),
        categories=VEHICLES if category else (),
    )


def _derived(
    name: str,
    unit: str,
    source: Source,
    monotone: Literal[-1, 0, 1],
    description: str,
    inputs: tuple[str, ...],
) -> FeatureSpec:
    return FeatureSpec(name, "float64", unit, source, monotone, "allowed", description, inputs)


_CATALOGUE: Final = (
    _raw("to_pickup_s", -1),
    _raw("to_pickup_m", -1),
    _raw("trip_s"),
    _raw("trip_m"),
    _raw("detour_s", -1),
    _raw("heading_off_deg"),
    _raw("until_free_s"),
    _raw("wait_s", -1),
    _raw("slack_s"),
    _raw("load_orders"),
    _raw("load_size"),
    _raw("pay", 1),
    _raw("value"),
    _raw("order_size"),
    _raw("attempt"),
    _raw("hour"),
    _raw("weekday"),
    _raw("precipitation_mm_h"),
    _raw("temperature_c"),
    _raw("local_demand"),
    _raw("shift_left_s"),
    _raw("since_offer_s"),
    _raw("vehicle"),
    _derived("weekend", "1", "context", 0, "1 on Saturday and Sunday", ("weekday",)),
    _derived(
        "pay_per_min",
        "money/min",
        "pair",
        1,
        "pay / max(to_pickup_s + wait_s + trip_s, 60 s)",
        ("pay", "to_pickup_s", "wait_s", "trip_s"),
    ),
    _derived(
        "pay_per_km",
        "money/km",
        "pair",
        1,
        "pay / max(to_pickup_m + trip_m, 100 m)",
        ("pay", "to_pickup_m", "trip_m"),
    ),
    _derived(
        "courier_rate",
        "1",
        "courier",
        1,
        "past acceptance, shrunk: (courier_accepted + a) / (courier_offers + a + b)",
        ("courier_offers", "courier_accepted"),
    ),
    _derived(
        "merchant_rate",
        "1",
        "order",
        1,
        "past acceptance of the merchant's orders, shrunk in the same way",
        ("merchant_offers", "merchant_accepted"),
    ),
)

CATALOGUE: Final[Mapping[str, FeatureSpec]] = {spec.name: spec for spec in _CATALOGUE}

# Only features with a formula of their own stand here; the others are raw columns passed through.
_FORMULAS: Final[Mapping[str, Callable[[Columns, HistoryPrior], FloatArray]]] = {
    "weekend": lambda c, _: (c["weekday"] >= 5).astype(np.float64),
    "pay_per_min": lambda c, _: (
        c["pay"] * 60.0 / np.maximum(c["to_pickup_s"] + c["wait_s"] + c["trip_s"], SHORTEST_JOB_S)
    ),
    "pay_per_km": lambda c, _: (
        c["pay"] * 1000.0 / np.maximum(c["to_pickup_m"] + c["trip_m"], SHORTEST_JOB_M)
    ),
    "courier_rate": lambda c, prior: prior.rate(c["courier_accepted"], c["courier_offers"]),
    "merchant_rate": lambda c, prior: prior.merchant_rate(
        c["merchant_accepted"], c["merchant_offers"]
    ),
}


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """The ordered features of one model and the policy they follow.

    Raises
    ------
    FeatureError
        If a feature is forbidden, unknown to this version, defined otherwise, or named twice, or
        if courier history is used against the policy switch.
    """

    features: tuple[FeatureSpec, ...]
    use_courier_history: bool = True

    def __post_init__(self) -> None:
        names = [spec.name for spec in self.features]
        problems = forbidden_problem(names)
        for spec in self.features:
            if spec.status == "forbidden" and not forbidden_columns([spec.name]):
                problems.append(f"{spec.name}: marked forbidden; drop it from the schema")
            elif spec.name not in CATALOGUE:
                problems.append(f"{spec.name}: not a feature of this version; train again")
            elif spec != CATALOGUE[spec.name]:
                problems.append(f"{spec.name}: defined otherwise in this version; train again")
        if len(set(names)) != len(names):
            problems.append("a feature is named twice; name each once")
        if not self.use_courier_history and "courier_rate" in names:
            problems.append("courier_rate: courier history is switched off; drop it")
        if not names:
            problems.append("no features; name at least one")
        if problems:
            raise FeatureError("feature schema refused", problems)

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in matrix order."""
        return tuple(spec.name for spec in self.features)

    @property
    def raw_names(self) -> tuple[str, ...]:
        """Raw columns that the builder needs for these features, in the contract's order."""
        needed = {name for spec in self.features for name in spec.inputs}
        return tuple(name for name in RAW_COLUMNS if name in needed)

    @property
    def sha256(self) -> str:
        """Fingerprint: SHA-256 of the canonical JSON of the schema."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the schema as JSON-able data, the inverse of `from_json`."""
        features = [
            {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(spec).items()}
            for spec in self.features
        ]
        return {"use_courier_history": self.use_courier_history, "features": features}

    @classmethod
    def from_json(cls, data: Any) -> FeatureSchema:
        """Read what `to_json` wrote.

        Raises
        ------
        FeatureError
            If the shape is not that of `to_json`, or the schema itself is refused.
        """
        keys = {field.name for field in fields(FeatureSpec)}
        sound = (
            isinstance(data, dict)
            and data.keys() == {"use_courier_history", "features"}
            and isinstance(data["use_courier_history"], bool)
            and isinstance(data["features"], list)
            and all(isinstance(item, dict) and item.keys() == keys for item in data["features"])
            and all(isinstance(item["name"], str) for item in data["features"])
        )
        if not sound:
            raise FeatureError("feature schema refused", ["not the shape that to_json writes"])
        # Whatever the values are, a spec that is not the catalogue's own is refused just below.
        listed: list[dict[str, Any]] = [
            {key: tuple(v) if isinstance(v, list) else v for key, v in item.items()}
            for item in data["features"]
        ]
        return cls(tuple(FeatureSpec(**item) for item in listed), data["use_courier_history"])


def default_schema(
    *, use_courier_history: bool = True, refused: Collection[str] = ()
) -> FeatureSchema:
    """Every feature of the catalogue, less what policy forbids.

    That is the courier's own history where it is switched off, and every feature that is named in
    `refused` or computed from a raw column named there.

    Raises
    ------
    FeatureError
        If a refused name is neither a feature nor a raw column, since a slip would refuse nothing.
    """
    if problems := unknown_names(refused):
        raise FeatureError("refused names are unknown", problems)
    kept = (s for s in _CATALOGUE if use_courier_history or s.name != "courier_rate")
    return FeatureSchema(
        tuple(s for s in kept if not {s.name, *s.inputs} & set(refused)), use_courier_history
    )


def unknown_names(names: Collection[str]) -> list[str]:
    """Say, one line a name, which names are neither a feature nor a raw column."""
    return [
        f"{name}: neither a feature nor a raw column; correct it"
        for name in names
        if name not in CATALOGUE and name not in RAW_COLUMNS
    ]


def feature_values(name: str, columns: Columns, history_prior: HistoryPrior) -> FloatArray:
    """One feature of the catalogue, shape (n,), from the raw columns that it names as inputs."""
    formula = _FORMULAS.get(name)
    return columns[name] if formula is None else formula(columns, history_prior)


def build_matrix(
    columns: Columns, schema: FeatureSchema, history_prior: HistoryPrior
) -> FloatArray:
    """Build the (n, f) float64 feature matrix, rows as given, columns in schema order.

    Raises
    ------
    FeatureError
        Naming every missing, misshapen, non-numeric, out-of-range or forbidden column at once.
    """
    lengths = [len(columns[name]) for name in schema.raw_names if name in columns]
    n_rows = max(set(lengths), key=lengths.count) if lengths else 0
    problems = column_problems(columns, schema.raw_names, range(n_rows))
    if problems:
        raise FeatureError("columns refused", problems)
    columns = with_unknown(columns, schema.raw_names, n_rows)
    matrix = np.empty((n_rows, len(schema.features)), dtype=np.float64)
    for place, name in enumerate(schema.names):
        matrix[:, place] = feature_values(name, columns, history_prior)
    return matrix
