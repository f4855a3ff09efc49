"""The offers log: what was offered to whom, when, and whether it was accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from models.columns import VEHICLES, column_problems, forbidden_problem, with_unknown
from models.errors import FeatureError, TrainingError

if TYPE_CHECKING:
    import pandas as pd

ID_COLUMNS = ("offer_id", "order_id", "courier_id")

MIN_ROWS: Final = 200
"""Fewer offers, in all or in a part, teach or tell nothing that would hold tomorrow."""

WEIGHT_CAP: Final = 10.0
"""Bounds the variance that rare offers bring, at the price of a little bias."""


@dataclass(frozen=True, slots=True)
class OffersLog:
    """A checked log as arrays, one row per offer in the order given.

    `columns` holds the raw columns; `accepted` is bool (n,), `offered_at_s` UTC epoch seconds
    float64 (n,), `orders` and `couriers` int64 numbers (n,) that stand for the ids, `cities` int64
    (n,) the place of each row's city in `city_names`, and `zones` in `zone_names` (-1: none).
    `propensity`, `answered_at_s` and `merchants` (-1: none), (n,) each, are None where the log does
    not tell.
    """

    columns: dict[str, NDArray[np.float64]]
    accepted: NDArray[np.bool_]
    offered_at_s: NDArray[np.float64]
    orders: NDArray[np.int64]
    couriers: NDArray[np.int64]
    cities: NDArray[np.int64]
    city_names: tuple[str, ...]
    zones: NDArray[np.int64]
    zone_names: tuple[str, ...]
    propensity: NDArray[np.float64] | None = None
    answered_at_s: NDArray[np.float64] | None = None
    merchants: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.accepted)

    def take(self, rows: NDArray[np.intp]) -> OffersLog:
        """Return the log of the rows named by index, in that order."""
        return OffersLog(
            {name: values[rows] for name, values in self.columns.items()},
            self.accepted[rows],
            self.offered_at_s[rows],
            self.orders[rows],
            self.couriers[rows],
            self.cities[rows],
            self.city_names,
            self.zones[rows],
            self.zone_names,
            None if self.propensity is None else self.propensity[rows],
            None if self.answered_at_s is None else self.answered_at_s[rows],
            None if self.merchants is None else self.merchants[rows],
        )


@dataclass(frozen=True, slots=True)
class LogSummary:
    """What was learned from: `rows`, `orders`, `couriers`, share accepted, and the period.

    Times are UTC epoch seconds of the first and last offer.
    """

    rows: int
    orders: int
    couriers: int
    base_rate: float
    first_offer_s: float
    last_offer_s: float

    @classmethod
    def of(cls, log: OffersLog) -> LogSummary:
        """Summarise a checked log."""
        return cls(
            rows=len(log),
            orders=len(np.unique(log.orders)),
            couriers=len(np.unique(log.couriers)),
            base_rate=float(log.accepted.mean()),
            first_offer_s=float(log.offered_at_s.min()),
            last_offer_s=float(log.offered_at_s.max()),
        )


def read_log(frame: pd.DataFrame, raw_names: tuple[str, ...]) -> OffersLog:
    """Check an offers log and turn it into arrays.

    Needs `offer_id` (unique), `order_id`, `courier_id`, `offered_at` (timezone-aware), `accepted`
    (bool or 0/1) and the columns of `raw_names`, `vehicle` as a string. `city_id` (one city where
    absent), `zone`, `merchant_id`, `propensity` and `answered_at` (timezone-aware) are read where
    present; others are ignored.

    Raises
    ------
    FeatureError
        Naming every problem at once, with the first five offer ids.
    """
    import pandas as pd

    problems = forbidden_problem(str(name) for name in frame.columns)
    needed = (*ID_COLUMNS, "offered_at", "accepted")
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        problems.append(f"missing columns {', '.join(missing)}: an offers log needs them")
    row_ids = frame["offer_id"].tolist() if "offer_id" in frame else list(range(len(frame)))

    def rows_at(bad: NDArray[Any]) -> str:
        at = np.flatnonzero(bad)
        return f"{len(at)} rows, offers {', '.join(str(row_ids[i]) for i in at[:5])}"

    for name in (name for name in ID_COLUMNS if name in frame):
        empty = frame[name].isna().to_numpy()
        if empty.any():
            problems.append(f"{name}: empty in {rows_at(empty)}; every offer needs one")
    if "offer_id" in frame:
        twice = frame["offer_id"].duplicated().to_numpy()
        if twice.any():
            problems.append(f"offer_id: repeated in {rows_at(twice)}; one row per offer")
    for name in (name for name in ("offered_at", "answered_at") if name in frame):
        if not isinstance(frame[name].dtype, pd.DatetimeTZDtype):
            problems.append(
                f"{name}: expected timezone-aware times, got dtype "
                f"{frame[name].dtype}; convert with pd.to_datetime(..., utc=True) or "
                ".dt.tz_localize(zone)"
            )
        elif name == "offered_at" and frame[name].isna().any():
            empty = frame[name].isna().to_numpy()
            problems.append(f"{name}: empty in {rows_at(empty)}; every offer needs one")
    if "propensity" in frame:
        propensity = pd.to_numeric(frame["propensity"], errors="coerce").to_numpy(np.float64)
        bad = ~((propensity > 0.0) & (propensity <= 1.0))
        if bad.any():
            problems.append(f"propensity: expected a chance in (0, 1] in {rows_at(bad)}")
    if "accepted" in frame:
        bad = ~frame["accepted"].isin([0, 1]).to_numpy()
        if bad.any():
            values = ", ".join(map(repr, frame["accepted"][bad].head().tolist()))
            problems.append(f"accepted: expected 0 or 1, got {values} in {rows_at(bad)}")

    columns: dict[str, NDArray[Any]] = {}
    for name in (name for name in raw_names if name in frame):
        if name == "vehicle":
            columns[name], unknown = _vehicle_codes(frame[name])
            if unknown.any():
                problems.append(
                    f"vehicle: expected one of {', '.join(VEHICLES)} or empty, got "
                    f"{', '.join(map(repr, frame[name][unknown].head().tolist()))} in "
                    f"{rows_at(unknown)}"
                )
        elif pd.api.types.is_numeric_dtype(frame[name]):
            columns[name] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            columns[name] = frame[name].to_numpy()
    problems += column_problems(columns, raw_names, row_ids)
    if problems:
        raise FeatureError("offers log refused", problems)

    in_one, in_none = (pd.Series(each, index=frame.index, dtype="str") for each in ("", None))
    cities, city_names = pd.factorize(frame.get("city_id", in_one).fillna(""), sort=True)
    zones, zone_names = pd.factorize(frame.get("zone", in_none).astype("string"), sort=True)
    return OffersLog(
        with_unknown(columns, raw_names, len(frame)),
        frame["accepted"].to_numpy(dtype=np.float64) == 1.0,
        _epoch_s(frame["offered_at"]),
        pd.factorize(frame["order_id"])[0].astype(np.int64),
        pd.factorize(frame["courier_id"])[0].astype(np.int64),
        cities.astype(np.int64),
        tuple(map(str, city_names)),
        zones.astype(np.int64),
        tuple(map(str, zone_names)),
        propensity if "propensity" in frame else None,
        _epoch_s(frame["answered_at"]) if "answered_at" in frame else None,
        pd.factorize(frame["merchant_id"])[0].astype(np.int64) if "merchant_id" in frame else None,
    )


def inverse_propensities(log: OffersLog) -> NDArray[np.float64]:
    """Weights (n,) that undo the policy's choice of couriers: 1 / propensity, averaging 1.

    None is above ten times the median before that.

    Raises
    ------
    FeatureError
        If the log carries no propensities.
    """
    if log.propensity is None:
        raise FeatureError(
            "offers log refused",
            ["propensity: missing, but propensity_weights is on; log it or switch them off"],
        )
    weights = 1.0 / log.propensity
    weights = np.minimum(weights, WEIGHT_CAP * np.median(weights))
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def need_both_classes(
    step: str, accepted: NDArray[np.bool_], folds: list[NDArray[np.bool_]]
) -> None:
    """Refuse to learn from, or calibrate on, answers (n,) that are few or all the same.

    Raises
    ------
    TrainingError
        Naming the step and what is missing, in the log or in one of its folds.
    """
    if len(accepted) < MIN_ROWS:
        raise TrainingError(
            f"{step}: expected at least {MIN_ROWS} offers, got {len(accepted)}; give a longer log"
        )
    if any(part.all() or not part.any() for part in (accepted, *folds)):
        raise TrainingError(
            f"{step}: expected accepted and refused offers in every fold, got one class only "
            f"({int(accepted.sum())} of {len(accepted)} accepted); give a longer log"
        )


def _epoch_s(times: pd.Series[Any]) -> NDArray[np.float64]:
    """UTC epoch seconds, NaN where empty."""
    utc = times.dt.tz_convert("UTC").dt.tz_localize(None)
    seconds = utc.to_numpy("datetime64[us]").astype(np.int64) / 1e6
    return np.where(times.isna().to_numpy(), np.nan, seconds)


def _vehicle_codes(names: pd.Series[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    import pandas as pd

    codes = pd.Index(VEHICLES).get_indexer(pd.Index(names.astype(object))).astype(np.float64)
    known = codes >= 0
    return np.where(known, codes, np.nan), ~known & names.notna().to_numpy()
