"""The raw columns the acceptance model is given, for serving and for offers logs alike.

One function makes them, so that what a model was trained on and what it is asked about are the
same arithmetic on the same quantities. Names and units are those of `models.features`.
"""

import math
from dataclasses import dataclass, fields
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from dispatch.tables import Floats, Ints, Points
from models.columns import RAW_COLUMNS


@dataclass(frozen=True, slots=True, eq=False)
class Timing:
    """When a courier who takes an order alone would be where; epoch seconds, shape (n,)."""

    arrive_s: Floats
    picked_up_s: Floats
    door_s: Floats
    done_s: Floats

    def __getitem__(self, rows: Ints) -> "Timing":
        return Timing(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trip:
    """One courier taking one order, n times over; every field has shape (n,).

    Attributes
    ----------
    free_s
        Epoch second at which the courier can start.
    to_pickup_s, to_pickup_m, trip_s, trip_m, direct_s
        Travel from where the courier is free to the pickup, from there to the dropoff, and from
        where the courier is free straight to the dropoff.
    """

    free_s: Floats
    to_pickup_s: Floats
    to_pickup_m: Floats
    trip_s: Floats
    trip_m: Floats
    direct_s: Floats
    ready_s: Floats
    pickup_before_s: Floats
    pickup_after_s: Floats
    dropoff_before_s: Floats
    dropoff_after_s: Floats

    def __getitem__(self, rows: Ints) -> "Trip":
        return Trip(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def timing(self) -> Timing:
        """Time the trip: the order changes hands once ready and served."""
        arrive = self.free_s + self.to_pickup_s
        picked_up = np.maximum(arrive + self.pickup_before_s, self.ready_s)
        door = picked_up + self.pickup_after_s + self.trip_s + self.dropoff_before_s
        return Timing(arrive, picked_up, door, door + self.dropoff_after_s)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OfferContext:
    """What else is known when an offer is made, aligned with its trips; shape (n,), NaN unknown."""

    now_s: Floats
    due_s: Floats
    pay: Floats
    value: Floats
    order_size: Floats
    attempt: Floats
    load_orders: Floats
    load_size: Floats
    vehicle: Floats
    shift_end_s: Floats
    last_offer_s: Floats
    courier_offers: Floats
    courier_accepted: Floats
    hour: Floats
    weekday: Floats
    precipitation_mm_h: Floats
    temperature_c: Floats
    local_demand: Floats


def local_clock(moment_s: Floats, timezone: str) -> tuple[Floats, Floats]:
    """Hour of day [0, 24) and weekday (0 = Monday) of epoch seconds in an IANA timezone."""
    zone = ZoneInfo(timezone)
    if moment_s.size == 1:  # a snapshot's own moment: pandas takes milliseconds for it
        now = datetime.fromtimestamp(math.floor(moment_s[0]), zone)
        of_day = now.hour + now.minute / 60 + now.second / 3600
        return np.array([of_day]), np.array([now.weekday()], dtype=np.float64)
    local = pd.to_datetime(pd.Series(moment_s), unit="s", utc=True).dt.tz_convert(zone)
    hour = local.dt.hour + local.dt.minute / 60 + local.dt.second / 3600
    return (
        np.asarray(hour, dtype=np.float64),
        np.asarray(local.dt.day_of_week, dtype=np.float64),
    )


def trip_columns(trip: Trip, timing: Timing, due_s: Floats) -> dict[str, Floats]:
    """Derive the raw columns that a trip and its timing decide; each value has shape (n,)."""
    return {
        "to_pickup_s": trip.to_pickup_s,
        "to_pickup_m": trip.to_pickup_m,
        "trip_s": trip.trip_s,
        "trip_m": trip.trip_m,
        "detour_s": np.maximum(trip.to_pickup_s + trip.trip_s - trip.direct_s, 0.0),
        "wait_s": timing.picked_up_s - (timing.arrive_s + trip.pickup_before_s),
        "slack_s": due_s - timing.door_s,
    }


def courier_clock(
    free_s: Floats, shift_end_s: Floats, last_offer_s: Floats, now_s: Floats | float
) -> dict[str, Floats]:
    """Derive the raw columns that a courier's own times decide; each value has shape (n,)."""
    return {
        "until_free_s": np.maximum(free_s - now_s, 0.0),
        "shift_left_s": shift_end_s - now_s,
        "since_offer_s": now_s - last_offer_s,
    }


def raw_columns(trip: Trip, context: OfferContext) -> dict[str, Floats]:
    """Derive the raw columns of n offers; each value has shape (n,)."""
    found = {
        **trip_columns(trip, trip.timing(), context.due_s),
        **courier_clock(trip.free_s, context.shift_end_s, context.last_offer_s, context.now_s),
        "load_orders": context.load_orders,
        "load_size": context.load_size,
        "pay": context.pay,
        "value": context.value,
        "order_size": context.order_size,
        "attempt": context.attempt,
        "hour": context.hour,
        "weekday": context.weekday,
        "precipitation_mm_h": context.precipitation_mm_h,
        "temperature_c": context.temperature_c,
        "local_demand": context.local_demand,
        "vehicle": context.vehicle,
        "courier_offers": context.courier_offers,
        "courier_accepted": context.courier_accepted,
    }
    # Logs are written in this order, whatever the order of the arithmetic.
    return {name: found[name] for name in RAW_COLUMNS if name in found}


def as_floats(values: Ints | Floats) -> Floats:
    """View integers as the float64 the columns are made of."""
    return values.astype(np.float64)


def heading_off_deg(origin: Points, destination: Points, heading_deg: Floats) -> Floats:
    """Angle in [0, 180] between a heading and the great circle to the destination, shape (n,).

    `heading_deg` is clockwise from north; NaN where it is, or where the courier is there already.
    """
    if np.isnan(heading_deg).all():
        return np.full(len(heading_deg), np.nan)  # nobody's is known: the rule, and no work
    lat, lat_to = np.radians(origin.lat), np.radians(destination.lat)
    east = np.radians(destination.lon - origin.lon)
    across = np.sin(east) * np.cos(lat_to)
    along = np.cos(lat) * np.sin(lat_to) - np.sin(lat) * np.cos(lat_to) * np.cos(east)
    there = (origin.lat == destination.lat) & (origin.lon == destination.lon)
    turn = np.abs(np.degrees(np.arctan2(across, along)) - heading_deg) % 360.0
    return np.where(there, np.nan, np.minimum(turn, 360.0 - turn))
