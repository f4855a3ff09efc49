"""Why a probability is what it is, in plain words, from TreeSHAP contributions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.acceptance import AcceptanceModel
from models.columns import VEHICLES
from models.explain import matrix_contributions
from models.features import Columns

FloatArray = NDArray[np.float64]
Words = Callable[[Mapping[str, float], bool], str]

FAINT: Final = 0.02
"""Reasons that move the log-odds by less are not told: half a point of probability at most."""

DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: its code, its words, and what it adds to the log-odds (negative: lowers them)."""

    code: str
    words: str
    log_odds: float


def reason_codes(
    model: AcceptanceModel, columns: Columns, top: int = 3
) -> list[tuple[Reason, ...]]:
    """Give the `top` reasons of each of n offers, the strongest first.

    Contributions of features that say the same (seconds and metres to the pickup) are added up to
    one reason. All reasons of a row, untold ones included, and the base value add up to its score.

    Raises
    ------
    FeatureError, NotFittedError
        As in `AcceptanceModel.predict_proba`.
    """
    names = model.schema_.names
    matrix = model.matrix(columns)
    added = merged(names, matrix_contributions(model, matrix))
    codes = [code for code, (features, _) in _REASONS.items() if set(features) & set(names)]
    found = []
    for row, effects in zip(matrix.tolist(), added.tolist(), strict=True):
        values = dict(zip(names, row, strict=True))
        told = sorted(zip(codes, effects, strict=True), key=lambda each: -abs(each[1]))[:top]
        found.append(
            tuple(
                Reason(code, _words(code, values, effect > 0.0), effect)
                for code, effect in told
                if abs(effect) >= FAINT
            )
        )
    return found


def merged(names: tuple[str, ...], contributions: FloatArray) -> FloatArray:
    """Add contributions (n, f + 1) up by reason, shape (n, reasons), in the order of the codes."""
    place = {name: k for k, name in enumerate(names)}
    groups = [[place[f] for f in features if f in place] for features, _ in _REASONS.values()]
    columns = [contributions[:, group].sum(axis=1) for group in groups if group]
    return np.stack(columns, axis=1)


def _words(code: str, values: Mapping[str, float], raises: bool) -> str:
    features, words = _REASONS[code]
    known = {name: values[name] for name in features if name in values}
    if all(np.isnan(value) for value in known.values()):
        return f"{code.replace('_', ' ')} unknown"
    return words({name: values.get(name, float("nan")) for name in features}, raises)


def _minutes(name: str, after: str) -> Words:
    return lambda v, _: f"{v[name] / 60:.0f} minutes {after}"


def _than_usual(what: str) -> Words:
    return lambda _, raises: f"{what} {'above' if raises else 'below'} usual"


def _slack(values: Mapping[str, float], _: bool) -> str:
    minutes = values["slack_s"] / 60
    return f"{abs(minutes):.0f} minutes {'before' if minutes >= 0 else 'past'} the promise"


def _vehicle(values: Mapping[str, float], _: bool) -> str:
    return f"courier on {VEHICLES[int(values['vehicle'])]}".replace("on car", "by car")


def _clock(values: Mapping[str, float], _: bool) -> str:
    day = "" if np.isnan(values["weekday"]) else DAYS[int(values["weekday"])]
    hour = values["hour"]
    return day if np.isnan(hour) else f"{day} {int(hour)}:{int(hour % 1 * 60):02d}".strip()


def _to_pickup(values: Mapping[str, float], _: bool) -> str:
    if np.isnan(values["to_pickup_s"]):
        return f"{values['to_pickup_m'] / 1000:.1f} km to the pickup"
    return f"{values['to_pickup_s'] / 60:.0f} minutes to the pickup"


def _trip(values: Mapping[str, float], _: bool) -> str:
    if np.isnan(values["trip_m"]):
        return f"{values['trip_s'] / 60:.0f} minutes from pickup to door"
    return f"{values['trip_m'] / 1000:.1f} km from pickup to door"


def _load(values: Mapping[str, float], _: bool) -> str:
    orders = values["load_orders"]
    if not orders > 0:
        return "nothing on board"
    return f"{orders:.0f} order{'s' if orders > 1 else ''} on board"


_REASONS: Final[Mapping[str, tuple[tuple[str, ...], Words]]] = {
    "to_pickup": (("to_pickup_s", "to_pickup_m"), _to_pickup),
    "trip": (("trip_s", "trip_m"), _trip),
    "detour": (("detour_s",), _minutes("detour_s", "of detour")),
    "heading": (
        ("heading_off_deg",),
        lambda v, _: f"pickup {v['heading_off_deg']:.0f}° off the courier's heading",
    ),
    "until_free": (("until_free_s",), _minutes("until_free_s", "until the courier is free")),
    "wait": (("wait_s",), _minutes("wait_s", "of waiting at the pickup")),
    "slack": (("slack_s",), _slack),
    "load": (("load_orders", "load_size"), _load),
    "pay": (("pay",), _than_usual("pay")),
    "pay_per_min": (("pay_per_min",), _than_usual("pay per minute")),
    "pay_per_km": (("pay_per_km",), _than_usual("pay per kilometre")),
    "order": (("value", "order_size"), _than_usual("chances for an order of this value and size")),
    "attempt": (("attempt",), lambda v, _: f"offer number {v['attempt']:.0f} of this order"),
    "clock": (("hour", "weekday", "weekend"), _clock),
    "rain": (("precipitation_mm_h",), lambda v, _: f"{v['precipitation_mm_h']:.1f} mm/h of rain"),
    "temperature": (("temperature_c",), lambda v, _: f"{v['temperature_c']:.0f} °C"),
    "demand": (
        ("local_demand",),
        lambda v, _: f"{v['local_demand']:.1f} waiting orders per courier around the pickup",
    ),
    "shift_left": (("shift_left_s",), _minutes("shift_left_s", "left in the shift")),
    "since_offer": (("since_offer_s",), _minutes("since_offer_s", "since the last offer")),
    "vehicle": (("vehicle",), _vehicle),
    "history": (("courier_rate",), _than_usual("the courier's past acceptance")),
    "merchant": (
        ("merchant_rate",),
        _than_usual("past acceptance of this merchant's orders"),
    ),
}
