"""How long it takes to get somewhere: great circles by default, or a matrix you bring."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from dispatch.domain import TravelMatrix, VehicleKind
from dispatch.tables import KIND_CODE, KINDS, Floats, Ints, Points

EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG


@dataclass(frozen=True, slots=True, eq=False)
class Legs:
    """Travel seconds and metres of n movements, each shape (n,)."""

    seconds: Floats
    metres: Floats


class TravelTimes(Protocol):
    """Where travel times come from; every method is vectorised over movements."""

    def legs(self, origin: Points, destination: Points, kind: Ints, speed_mps: Floats) -> Legs:
        """Time n movements; `kind` indexes `tables.KINDS`, `speed_mps` NaN is the kind's own."""
        ...


def great_circle_m(origin: Points, destination: Points) -> Floats:
    """Great-circle distance in metres by the haversine formula, shape (n,)."""
    lat_a, lat_b = np.radians(origin.lat), np.radians(destination.lat)
    half_lat = (lat_b - lat_a) / 2
    half_lon = np.radians(destination.lon - origin.lon) / 2
    chord = np.sin(half_lat) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin(half_lon) ** 2
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(chord, 0, 1))))


# Door-to-door city speeds in m/s (stops at lights included) and the ratio of street distance to
# great-circle distance; 1.2 to 1.4 is the usual range of circuity in cities (Boeing 2019).
DEFAULT_SPEED_MPS: Mapping[VehicleKind, float] = {
    VehicleKind.FOOT: 1.4,
    VehicleKind.BICYCLE: 4.2,
    VehicleKind.EBIKE: 5.5,
    VehicleKind.MOTORCYCLE: 7.5,
    VehicleKind.CAR: 6.5,
}
DEFAULT_CIRCUITY: Mapping[VehicleKind, float] = {
    VehicleKind.FOOT: 1.2,
    VehicleKind.BICYCLE: 1.25,
    VehicleKind.EBIKE: 1.25,
    VehicleKind.MOTORCYCLE: 1.3,
    VehicleKind.CAR: 1.35,
}


@dataclass(frozen=True)
class GreatCircleTravel:
    """Great-circle distance, stretched by the vehicle kind's circuity, at the vehicle's speed."""

    speed_mps: Mapping[VehicleKind, float] = field(default_factory=lambda: DEFAULT_SPEED_MPS)
    circuity: Mapping[VehicleKind, float] = field(default_factory=lambda: DEFAULT_CIRCUITY)

    def legs(self, origin: Points, destination: Points, kind: Ints, speed_mps: Floats) -> Legs:
        """Time n movements by distance and speed."""
        circuity = np.array([self.circuity[k] for k in KINDS])
        speeds = np.array([self.speed_mps[k] for k in KINDS])
        metres = great_circle_m(origin, destination) * circuity[kind]
        speed = np.where(np.isnan(speed_mps), speeds[kind], speed_mps)
        return Legs(seconds=metres / speed, metres=metres)


class MatrixTravel:
    """Travel times looked up in the snapshot's own matrix; locations must carry matrix rows."""

    def __init__(self, matrix: TravelMatrix) -> None:
        size = len(matrix.location_ids)
        self._seconds = np.full((len(KINDS), size, size), np.nan)
        self._metres = np.full((len(KINDS), size, size), np.nan)
        for table in matrix.classes:
            code = KIND_CODE[table.vehicle]
            self._seconds[code] = np.array(table.seconds, dtype=np.float64)
            self._metres[code] = np.array(table.metres, dtype=np.float64)

    def legs(self, origin: Points, destination: Points, kind: Ints, speed_mps: Floats) -> Legs:  # noqa: ARG002 - the matrix has its own speeds
        """Look up n movements.

        Raises
        ------
        KeyError
            A point without a matrix row, or a vehicle kind the matrix does not hold.
        """
        place = (kind, origin.row, destination.row)
        seconds = self._seconds[place]
        if (origin.row < 0).any() or (destination.row < 0).any() or np.isnan(seconds).any():
            raise KeyError("a location or vehicle kind is not in the travel-time matrix")
        return Legs(seconds=seconds, metres=self._metres[place])
