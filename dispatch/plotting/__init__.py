"""Pictures of plans and frontiers; every function takes an axis and returns it."""

from dispatch.plotting.archive import archive_figure, plot_archive
from dispatch.plotting.frontier import frontier_figure, plot_frontier
from dispatch.plotting.map import plot_map
from dispatch.plotting.reliability import plot_reliability, plot_slices, reliability_figure

__all__ = [
    "archive_figure",
    "frontier_figure",
    "plot_archive",
    "plot_frontier",
    "plot_map",
    "plot_reliability",
    "plot_slices",
    "reliability_figure",
]
