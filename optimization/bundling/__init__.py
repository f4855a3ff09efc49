"""Bundle columns: which orders may share a trip, with whom, and in which stop sequence."""

from optimization.bundling.generate import BundleCaps, Bundles, bundle_columns
from optimization.bundling.lanes import Lanes, pair_lanes, triple_lanes
from optimization.bundling.mates import mates, triangles
from optimization.bundling.sequencing import EdgeLegs, TripData, sequence_trips

__all__ = [
    "BundleCaps",
    "Bundles",
    "EdgeLegs",
    "Lanes",
    "TripData",
    "bundle_columns",
    "mates",
    "pair_lanes",
    "sequence_trips",
    "triangles",
    "triple_lanes",
]
