"""Predicted against observed acceptance as a picture."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.reliability import ReliabilityRow

_BLUE, _ORANGE, _GREY = "#1f5f99", "#d95f02", "#888888"


def plot_reliability(rows: Sequence[ReliabilityRow], ax: Axes) -> Axes:
    """Draw observed over predicted with 90 % intervals, those that miss in orange; return the axis.

    A perfect model lies on the diagonal; one row in ten misses it by chance.
    """
    ends = [min(min(r.low, r.predicted) for r in rows), max(max(r.high, r.predicted) for r in rows)]
    margin = 0.03 * (ends[1] - ends[0])
    ends = [ends[0] - margin, ends[1] + margin]
    ax.plot(ends, ends, "--", color=_GREY, linewidth=1, zorder=1, label="perfect")
    for consistent, colour in ((True, _BLUE), (False, _ORANGE)):
        shown = [row for row in rows if row.consistent is consistent]
        if shown:
            ax.errorbar(
                [row.predicted for row in shown],
                [row.observed for row in shown],
                yerr=[
                    [row.observed - row.low for row in shown],
                    [row.high - row.observed for row in shown],
                ],
                fmt="o",
                color=colour,
                capsize=3,
                label="interval holds the prediction" if consistent else "interval misses it",
            )
    ax.set_xlim(*ends)
    ax.set_ylim(*ends)
    ax.set_aspect("equal")
    ax.set_xlabel("predicted chance of acceptance")
    ax.set_ylabel("share accepted, 90 % interval")
    ax.legend(frameon=False, loc="upper left")
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_slices(rows: Sequence[ReliabilityRow], ax: Axes) -> Axes:
    """Draw observed less predicted acceptance of every slice, with intervals; return the axis."""
    gap = [row.observed - row.predicted for row in rows]
    low = [row.observed - row.low for row in rows]
    high = [row.high - row.observed for row in rows]
    ax.axvline(0.0, color=_GREY, linewidth=1, linestyle="--")
    ax.errorbar(gap, range(len(rows)), xerr=[low, high], fmt="o", color=_BLUE, capsize=3)
    ax.set_yticks(range(len(rows)), [f"{row.label} ({row.rows:,})" for row in rows])
    ax.invert_yaxis()
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("observed less predicted acceptance, 90 % interval")
    ax.grid(alpha=0.25, axis="x")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def reliability_figure(bins: Sequence[ReliabilityRow], slices: Sequence[ReliabilityRow]) -> Figure:
    """Draw the reliability of a model by probability and by slice, side by side."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    plot_reliability(bins, left)
    plot_slices(slices, right)
    return figure
