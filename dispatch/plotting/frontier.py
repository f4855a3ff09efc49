"""The efficiency-fairness frontier as a picture."""

from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dispatch.tradeoff import UNCORRECTED, FrontierReport

Against = Literal["expected_acceptances", "delivery_time_min"]

_LABELS = {
    "expected_acceptances": "expected orders accepted, {basis} (more is better)",
    "delivery_time_min": "delivery time, minutes in all (less is better)",
}
_MANY = 40  # points, from which on they are drawn small
_BLUE, _ORANGE, _GREY = "#1f5f99", "#d95f02", "#888888"


def plot_frontier(report: FrontierReport, ax: Axes, against: Against) -> Axes:
    """Draw one objective against the fairness spread, the knee marked; return the axis."""
    points = sorted(report.points, key=lambda p: p.fairness_spread)
    x = [p.fairness_spread for p in points]
    y = [getattr(p, against) for p in points]
    ax.plot(x, y, "-", color=_GREY, linewidth=1, zorder=1)
    size = 28 if len(points) <= _MANY else 9
    ax.scatter(x, y, s=size, color=_BLUE, zorder=2, label="non-dominated plan")
    for point in points:
        if point.knee:
            place = (point.fairness_spread, getattr(point, against))
            ax.scatter(*place, s=90, facecolors="none", edgecolors=_ORANGE, linewidths=2, zorder=3)
            beside = (8, 8 if against == "delivery_time_min" else -14)
            ax.annotate("knee", place, xytext=beside, textcoords="offset points", color=_ORANGE)
    ax.set_xlabel(f"fairness spread, {report.fairness_unit} (less is fairer)")
    basis = "naive" if report.acceptance_basis == UNCORRECTED else "corrected"
    ax.set_ylabel(_LABELS[against].format(basis=basis))
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def frontier_figure(report: FrontierReport) -> Figure:
    """Draw acceptance and delivery time against fairness, side by side."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    plot_frontier(report, left, "expected_acceptances")
    plot_frontier(report, right, "delivery_time_min")
    weights = ", ".join(f"{name} {value:g}" for name, value in report.efficiency_weights.items())
    figure.suptitle(
        f"{len(report.points)} plans from efficient to fair (efficiency: {weights})\n"
        f"1 % less acceptance buys {report.spread_removed_for(0.01):.0%} less spread"
    )
    return figure
