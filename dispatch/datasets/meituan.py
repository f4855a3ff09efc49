"""Meituan's public log (INFORMS TSL 2024 data challenge) as an offers log.

One row of `all_waybill_info` is one offer. Times are Unix seconds and 0 where missing; coordinates
are degrees times 1e6, shifted. What is stamped after the answer (grab, fetch and arrive times of
the row itself) never becomes a feature; of earlier rows it tells what a courier has on board.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dispatch.columns import OfferContext, Trip, local_clock, raw_columns
from dispatch.datasets.offers import check_offers
from dispatch.demand import neighbours, ratio, squares
from dispatch.domain import VehicleKind
from dispatch.errors import InvalidInputError, Problem
from dispatch.tables import KIND_CODE, Floats, Ints, Points
from dispatch.travel import GreatCircleTravel
from models import past_counts

TIMEZONE = "Asia/Shanghai"
MICRO = 1e-6
ANSWER_S = 120.0
HISTORY_S = 7 * 86_400.0
LATELY_S = 600.0
_COLUMNS = (
    "order_id",
    "waybill_id",
    "courier_id",
    "da_id",
    "is_courier_grabbed",
    "estimate_arrived_time",
    "poi_id",
    "sender_lng",
    "sender_lat",
    "recipient_lng",
    "recipient_lat",
    "grab_lng",
    "grab_lat",
    "dispatch_time",
    "grab_time",
    "arrive_time",
    "estimate_meal_prepare_time",
)
_POSITIONS = ("dispatch_time", "courier_id", "rider_lng", "rider_lat")


def read_meituan_offers(folder: str | Path) -> pd.DataFrame:
    """Read `all_waybill_info*.csv` of a folder, with `dispatch_rider*.csv` where it is there.

    A courier's position is the one at dispatch (`dispatch_rider`), else the row's own grab
    position where that is known for refused offers too. Offers without a position are left out, as
    are those whose `dispatch_time` is missing. The format has no pay, value, size, weather or
    shift: pay, value, size, load size and the time until free are 0 in every row, the others
    empty, so no model can learn from them. Couriers ride e-bikes. Who waits and who is online is
    not told: orders offered and couriers asked within ten minutes stand for them, where they were
    last.

    Raises
    ------
    InvalidInputError
        If a file or column is missing, or positions are missing exactly at the refusals (they
        would tell the answer).
    """
    place = Path(folder)
    rows = _read(place, "all_waybill_info", _COLUMNS)
    rows = rows[rows["dispatch_time"] > 0].sort_values("dispatch_time", kind="stable")
    lat, lon = _positions(place, rows)
    known = np.isfinite(lat) & np.isfinite(lon)
    accepted = rows["is_courier_grabbed"].to_numpy() == 1
    _refuse_telling_gaps(known, accepted)
    at_s = rows["dispatch_time"].to_numpy(np.float64)
    rows = rows.assign(
        attempt=rows.groupby("order_id").cumcount() + 1.0,
        since_offer_s=rows.groupby("courier_id")["dispatch_time"].diff().astype(np.float64),
        load_orders=_on_board(rows),
    )
    couriers = pd.factorize(rows["courier_id"])[0].astype(np.int64)
    merchants = pd.factorize(rows["poi_id"])[0].astype(np.int64)
    for groups, names in (
        (couriers, ("courier_offers", "courier_accepted")),
        (merchants, ("merchant_offers", "merchant_accepted")),
    ):
        counts = past_counts(groups, at_s, accepted, answer_s=ANSWER_S, window_s=HISTORY_S)
        rows = rows.assign(**dict(zip(names, counts, strict=True)))
    rows = rows.assign(lat=lat, lon=lon)[known]
    return check_offers(_log(rows), place.name)


def _read(folder: Path, stem: str, columns: tuple[str, ...]) -> pd.DataFrame:
    files = sorted(folder.glob(f"{stem}*.csv*"))
    if not files:
        message = f"has no {stem}*.csv; get it from github.com/meituan/Meituan-INFORMS-TSL-Research"
        raise InvalidInputError("meituan", [Problem(str(folder), message)])
    table = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    missing = [Problem(f"{stem}.{n}", "is missing") for n in columns if n not in table]
    if missing:
        raise InvalidInputError("meituan", missing)
    numbers: pd.DataFrame = table[list(columns)].apply(pd.to_numeric, errors="coerce")
    bad = [
        Problem(f"{stem}.{n}", "expected a number", count=int(numbers[n].isna().sum()))
        for n in columns
        if numbers[n].isna().any()
    ]
    if bad:
        raise InvalidInputError("meituan", bad)
    return numbers


def _positions(folder: Path, rows: pd.DataFrame) -> tuple[Floats, Floats]:
    """Latitude and longitude of each row's courier at dispatch; NaN where unknown."""
    own = rows[["grab_lng", "grab_lat"]].astype(np.float64)
    own = own.where(own != 0.0)
    if not list(folder.glob("dispatch_rider*.csv*")):
        return own["grab_lat"].to_numpy() * MICRO, own["grab_lng"].to_numpy() * MICRO
    riders = _read(folder, "dispatch_rider", _POSITIONS)
    riders = riders.drop_duplicates(["dispatch_time", "courier_id"])
    found = rows[["dispatch_time", "courier_id"]].merge(
        riders, how="left", on=["dispatch_time", "courier_id"]
    )
    lat = found["rider_lat"].to_numpy(np.float64)
    lon = found["rider_lng"].to_numpy(np.float64)
    return lat * MICRO, lon * MICRO


def _refuse_telling_gaps(known: Any, accepted: Any) -> None:
    if accepted.all() or not accepted.any():
        return
    shares = known[accepted].mean(), known[~accepted].mean()
    if max(shares) > 0.5 and min(shares) < 0.02 * max(shares):
        answer = "refused" if shares[1] < shares[0] else "accepted"
        message = (
            f"positions are 0 exactly where the offer was {answer}: they were filled in after the "
            "answer and would tell it; put dispatch_rider.csv, the positions at dispatch, beside it"
        )
        raise InvalidInputError("meituan", [Problem("all_waybill_info.grab_lng", message)])


def _on_board(rows: pd.DataFrame) -> Floats:
    """Orders grabbed before and not yet delivered when each offer was made."""
    at_s = rows["dispatch_time"].to_numpy(np.float64)
    couriers = pd.factorize(rows["courier_id"])[0].astype(np.int64)
    taken = (rows["is_courier_grabbed"].to_numpy() == 1) & (rows["grab_time"].to_numpy() > 0)
    grabbed = rows["grab_time"].to_numpy(np.float64)
    done = rows["arrive_time"].to_numpy(np.float64)
    done = np.where(done > 0, done, grabbed + 3600.0)  # never stamped: an hour, so loads end
    begun = _before(couriers, at_s, couriers[taken], grabbed[taken])
    return np.maximum(begun - _before(couriers, at_s, couriers[taken], done[taken]), 0.0)


def _before(group: Ints, at_s: Floats, groups: Ints, times_s: Floats) -> Floats:
    """Count the events of each row's own group strictly before its time."""
    earliest = min(at_s.min(), times_s.min(initial=np.inf))
    span = max(at_s.max(), times_s.max(initial=-np.inf)) - earliest + 1.0
    axis = np.sort(groups * span + (times_s - earliest))
    count = np.searchsorted(axis, group * span + (at_s - earliest))
    return np.asarray(count - np.searchsorted(axis, group * span), dtype=np.float64)


def _local_demand(rows: pd.DataFrame, pickup: Points, courier: Points) -> Floats:
    """Orders offered per courier asked around each pickup, in ten minutes up to its offer."""
    own = squares(pickup)
    around, anywhere = neighbours(own), np.zeros((len(rows), 1), dtype=np.int64)
    orders = _lately(rows, "order_id", own, around)
    couriers = _lately(rows, "courier_id", squares(courier), around)
    all_orders = _lately(rows, "order_id", anywhere[:, 0], anywhere)
    all_couriers = _lately(rows, "courier_id", anywhere[:, 0], anywhere)
    return ratio(orders, couriers, all_orders / all_couriers)


def _lately(rows: pd.DataFrame, name: str, square: Ints, around: Ints) -> Floats:
    """Count who of `name` was in an offer of the last ten minutes, the row's own included.

    Each counts in the `square` (n,) of the last such offer, for rows with that square `around`
    (n, 9) them.
    """
    at_s = rows["dispatch_time"].to_numpy(np.float64)
    following_s = rows.groupby(name)["dispatch_time"].shift(-1).fillna(np.inf).to_numpy()
    until_s = np.minimum(following_s, at_s + LATELY_S)
    known, group = np.unique(square, return_inverse=True)
    place = np.searchsorted(known, around)
    somebody = known[np.minimum(place, len(known) - 1)] == around
    total = np.zeros(len(rows))
    for column, seen in zip(place.T, somebody.T, strict=True):
        # stamps are whole seconds, so half a second later is after all offers of this one
        at, now_s = np.where(seen, column, 0), at_s + 0.5
        total += seen * (_before(at, now_s, group, at_s) - _before(at, now_s, group, until_s))
    return total


def _log(rows: pd.DataFrame) -> pd.DataFrame:
    n = len(rows)
    kind = np.full(n, KIND_CODE[VehicleKind.EBIKE])
    nothing, unknown = np.zeros(n), np.full(n, np.nan)

    def points(side: str) -> Points:
        lat, lon = (rows[f"{side}_{axis}"].to_numpy(np.float64) * MICRO for axis in ("lat", "lng"))
        return Points(lat, lon, np.full(n, -1))

    def moments(name: str) -> Floats:
        stamped = rows[name].to_numpy(np.float64)
        return np.where(stamped > 0, stamped, np.nan)

    courier = Points(rows["lat"].to_numpy(), rows["lon"].to_numpy(), np.full(n, -1))
    pickup, dropoff = points("sender"), points("recipient")
    travel = GreatCircleTravel()
    first, trip, direct = (
        travel.legs(a, b, kind, unknown)
        for a, b in ((courier, pickup), (pickup, dropoff), (courier, dropoff))
    )
    now = rows["dispatch_time"].to_numpy(np.float64)
    ready = moments("estimate_meal_prepare_time")
    hour, weekday = local_clock(now, TIMEZONE)
    columns = raw_columns(
        Trip(
            free_s=now,
            to_pickup_s=first.seconds,
            to_pickup_m=first.metres,
            trip_s=trip.seconds,
            trip_m=trip.metres,
            direct_s=direct.seconds,
            ready_s=np.where(np.isnan(ready), now, ready),
            pickup_before_s=nothing,
            pickup_after_s=nothing,
            dropoff_before_s=nothing,
            dropoff_after_s=nothing,
        ),
        OfferContext(
            now_s=now,
            due_s=moments("estimate_arrived_time"),
            pay=nothing,
            value=nothing,
            order_size=nothing,
            attempt=rows["attempt"].to_numpy(),
            load_orders=rows["load_orders"].to_numpy(),
            load_size=nothing,
            vehicle=kind.astype(np.float64),
            shift_end_s=unknown,
            last_offer_s=now - rows["since_offer_s"].to_numpy(),
            courier_offers=rows["courier_offers"].to_numpy(),
            courier_accepted=rows["courier_accepted"].to_numpy(),
            hour=hour,
            weekday=weekday,
            precipitation_mm_h=unknown,
            temperature_c=unknown,
            local_demand=_local_demand(rows, pickup, courier),
        ),
    )
    log = pd.DataFrame(columns)
    log["vehicle"] = VehicleKind.EBIKE.value
    for name in ("merchant_offers", "merchant_accepted"):
        log[name] = rows[name].to_numpy()
    for name, own in (
        ("offer_id", "waybill_id"),
        ("order_id", "order_id"),
        ("courier_id", "courier_id"),
        ("city_id", "da_id"),
        ("merchant_id", "poi_id"),
    ):
        log[name] = rows[own].astype(np.int64).astype(str).to_numpy(object)
    log["offered_at"] = pd.to_datetime(now, unit="s", utc=True)
    grabbed = moments("grab_time")
    log["answered_at"] = pd.to_datetime(pd.Series(grabbed), unit="s", utc=True)
    log["accepted"] = rows["is_courier_grabbed"].to_numpy().astype(np.int8)
    return log
