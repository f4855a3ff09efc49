"""Planar metres on the globe: where made-up cities are laid out."""

from dataclasses import dataclass

import numpy as np

from dispatch.tables import Floats, Points
from dispatch.travel import EARTH_RADIUS_M


@dataclass(frozen=True, slots=True)
class Anchor:
    """The point of the globe at which planar coordinates (0, 0) lie; degrees."""

    lat: float
    lon: float

    def points(self, x_m: Floats, y_m: Floats) -> Points:
        """Place metres east and north of the anchor, each shape (n,), on the globe.

        The inverse of the local equirectangular projection. Great-circle distances differ from
        planar ones by about tan(lat) * |y| / R: below 0.3 % within 20 km of a point at 41 degrees.
        """
        lat = self.lat + np.degrees(y_m / EARTH_RADIUS_M)
        lon = self.lon + np.degrees(x_m / (EARTH_RADIUS_M * np.cos(np.radians(self.lat))))
        return Points(lat, lon, np.full(len(lat), -1, dtype=np.int64))
