"""Plots draw what they are given on the axis they are given."""

from matplotlib.figure import Figure

from dispatch.domain import Snapshot
from dispatch.pipeline import Dispatcher
from dispatch.plotting import (
    archive_figure,
    frontier_figure,
    plot_archive,
    plot_frontier,
    plot_map,
    plot_reliability,
    plot_slices,
    reliability_figure,
)
from models import ReliabilityRow
from models.kernels.evolve.archive import Elite
from models.kernels.evolve.genome import Genome


def test_the_frontier_shows_every_point_and_marks_the_knee(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    report = dispatcher.frontier(small_snapshot)
    ax = Figure().subplots()
    assert plot_frontier(report, ax, "expected_acceptances") is ax
    assert len(ax.lines[0].get_xdata()) == len(report.points)  # type: ignore[arg-type]
    assert [text.get_text() for text in ax.texts] == ["knee"]
    assert len(frontier_figure(report).axes) == 2


def test_the_map_shows_couriers_stops_and_routes(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    plan = dispatcher.assign(small_snapshot)
    ax = Figure().subplots()
    assert plot_map(plan, small_snapshot, ax) is ax
    assert len(ax.lines) == len(plan.routes)
    labels = {c.get_label() for c in ax.collections}
    assert labels >= {"pickup", "dropoff", "courier"}


def test_reliability_shows_every_bin_and_every_slice_with_its_interval() -> None:
    rows = (
        ReliabilityRow("0.6 to 0.8", 100, 0.7, 0.72, 0.64, 0.79),
        ReliabilityRow("0.8 to 0.9", 100, 0.85, 0.7, 0.62, 0.77),
    )
    ax = Figure().subplots()
    assert plot_reliability(rows, ax) is ax
    assert [len(c.lines[0].get_xdata()) for c in ax.containers] == [1, 1]  # holds, misses
    right = Figure().subplots()
    assert plot_slices(rows, right) is right
    assert [t.get_text() for t in right.get_yticklabels()] == [
        "0.6 to 0.8 (100)",
        "0.8 to 0.9 (100)",
    ]
    assert len(reliability_figure(rows, rows).axes) == 2


def test_the_archive_shows_the_best_of_every_kind_where_it_belongs() -> None:
    elites = [
        Elite(Genome(), ("planes", 19, "exact"), 1.25),
        Elite(Genome(), ("walk", 17, "exact"), 0.31),
        Elite(Genome(), ("planes", 18, "1e-6"), 1.5),
    ]
    ax = Figure().subplots()
    assert plot_archive(elites, ax) is ax
    assert {text.get_text() for text in ax.texts} == {"1.25", "0.31", "1.50"}
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "walk, exact",
        "planes, exact",
        "planes, 1e-6",
    ]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["128 KiB", "256 KiB", "512 KiB"]
    assert len(archive_figure(elites).axes) == 1
