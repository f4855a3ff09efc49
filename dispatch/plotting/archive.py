"""The archive of a search for kernels as a map: the best of every kind."""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from models.kernels.evolve.archive import Elite

_WIDEST = 1.5  # speed-ups from which on colours do not change


def plot_archive(elites: Iterable[Elite], ax: Axes) -> Axes:
    """Draw speed-ups by algorithm, error class and size of tables; return the axis.

    The hand-written kernel's own speed, 1, is white; what lost is orange, what won blue.
    """
    kept = sorted(elites, key=lambda elite: elite.cell)
    rows = sorted({(elite.cell[0], elite.cell[2]) for elite in kept}, reverse=True)
    sizes = [elite.cell[1] for elite in kept]
    norm = TwoSlopeNorm(vmin=-_WIDEST, vcenter=0.0, vmax=_WIDEST)
    for elite in kept:
        algorithm, size, error = elite.cell
        row = rows.index((algorithm, error))
        # Twice as fast and half as fast are as far from 1.
        power = elite.fitness - 1.0 if elite.fitness >= 1.0 else 1.0 - 1.0 / elite.fitness
        ax.scatter(
            size, row, s=1500, marker="s", c=[power], cmap="PuOr", norm=norm, edgecolors="#888888"
        )
        ax.annotate(
            f"{elite.fitness:.2f}",
            (size, row),
            ha="center",
            va="center",
            fontsize=9,
            color="white" if abs(power) > 0.8 * _WIDEST else "black",
        )
    ax.set_yticks(range(len(rows)), [f"{algorithm}, {error}" for algorithm, error in rows])
    ax.set_xticks(range(min(sizes), max(sizes) + 1), [_bytes(k) for k in _span(sizes)])
    ax.set_xlim(min(sizes) - 0.6, max(sizes) + 0.6)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlabel("tables read and written, at least")
    ax.set_ylabel("algorithm, class of error")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def archive_figure(elites: Iterable[Elite]) -> Figure:
    """Draw the archive of a search."""
    kept = list(elites)
    rows = {(elite.cell[0], elite.cell[2]) for elite in kept}
    figure = Figure(figsize=(9, 1.6 + 0.55 * len(rows)), layout="constrained")
    plot_archive(kept, figure.subplots())
    figure.suptitle("best kernel of every kind: times as fast as the hand-written one")
    return figure


def _span(sizes: list[int]) -> range:
    return range(min(sizes), max(sizes) + 1)


def _bytes(power: int) -> str:
    return f"{1 << power - 10} KiB" if power >= 10 else f"{1 << power} B"
