"""Pictures of plans and frontiers; every function takes an axis and returns it."""

from dispatch.plotting.frontier import frontier_figure, plot_frontier
from dispatch.plotting.map import plot_map

__all__ = ["frontier_figure", "plot_frontier", "plot_map"]
