"""Bundle columns: which orders may share a trip, with whom, and in which stop sequence."""

from optimization.bundling.generate import BundleCaps, Bundles, bundle_columns
from optimization.bundling.lanes import Lanes, pair_lanes, triple_lanes
from optimization.bundling.mates import mates, triangles
from optimization.bundling.sequencing import sequence_trips
from optimization.bundling.trips import EdgeLegs, OpenStops, TripData

__all__ = [
    "BundleCaps",
    "Bundles",
    "EdgeLegs",
    "Lanes",
    "OpenStops",
    "TripData",
    "bundle_columns",
    "mates",
    "pair_lanes",
    "sequence_trips",
    "triangles",
    "triple_lanes",
]
