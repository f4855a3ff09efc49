"""`dispatch frontier`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress

from dispatch.cli.outcome import note
from dispatch.cli.reading import load_dispatcher, read_intake
from dispatch.cli.render import render_frontier
from dispatch.config import FairnessRules, FrontierMethod
from dispatch.errors import InvalidInputError, Problem
from dispatch.tradeoff import FrontierReport
from optimization import Deadline


def run(
    snapshot: str,
    model: Path,
    *,
    config: Path | None,
    out: Path | None,
    plot: Path | None,
    points: int | None,
    method: FrontierMethod | None,
    fairness: FairnessRules | None,
    resume: Path | None,
    deadline_ms: int | None,
    lenient: bool,
    as_json: bool,
) -> None:
    """Trace with a progress bar, then write, draw and print the points."""
    _require_suffix("--out", out, (".csv", ".parquet"))
    _require_suffix("--plot", plot, (".png",))
    dispatcher = load_dispatcher(model, config)
    intake = read_intake(snapshot, lenient=lenient)
    for problem in intake.problems:
        note(f"set aside: {problem}")
    deadline = Deadline.after(None if deadline_ms is None else deadline_ms / 1000)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("frontier", total=None)
        report = dispatcher.frontier(
            intake,
            points=points,
            method=method,
            fairness=fairness,
            folder=resume,
            deadline=deadline,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if out is not None:
        _write(report, out)
    if plot is not None:
        _draw(report, plot)
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=1))
    else:
        render_frontier(Console(file=sys.stdout), report)


def _require_suffix(option: str, path: Path | None, suffixes: tuple[str, ...]) -> None:
    if path is not None and path.suffix not in suffixes:
        expected = " or ".join(suffixes)
        raise InvalidInputError("option", [Problem(option, f"must end in {expected}")])


def _write(report: FrontierReport, out: Path) -> None:
    frame = report.to_frame()
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".csv":
        frame.to_csv(out, index=False)
    else:
        frame.to_parquet(out)
    note(f"{len(frame)} points written to {out}")


def _draw(report: FrontierReport, plot: Path) -> None:
    from dispatch.plotting import frontier_figure

    plot.parent.mkdir(parents=True, exist_ok=True)
    frontier_figure(report).savefig(plot, dpi=150)
    note(f"frontier drawn to {plot}")
