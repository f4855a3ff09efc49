"""`dispatch simulate`, `dispatch compare` and `dispatch replay`."""

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from dispatch.cli.outcome import DIFFERENT, note
from dispatch.errors import InvalidInputError, Problem
from dispatch.simulation import runs
from dispatch.simulation.compare import LEVEL, PairedDifference, compare
from dispatch.simulation.environment import DayLog
from dispatch.simulation.measures import HEADLINES, orders_table, summarise
from dispatch.simulation.spec import (
    CourierRules,
    RunSpec,
    Source,
    load_couriers,
    load_policy,
    parse_source,
)


def simulate(
    source: str,
    *,
    policy: str,
    couriers: Path | None,
    acceptance: float | None,
    seed: int,
    out: Path | None,
    report: Path | None,
    as_json: bool,
) -> None:
    """Live through one day and say what came of it."""
    day = parse_source(source)
    rules = load_policy(policy)
    with _bar("tuning couriers") as advance:
        behaviour = _couriers(day, couriers, acceptance, advance)
    spec = RunSpec(day, rules, behaviour, seed)
    with _bar("orders settled") as advance:
        log = runs.live(spec, advance)
    if out is not None:
        runs.write_run(log, spec, out)
        note(f"run written to {out}")
    if report is not None:
        from dispatch.simulation.report import run_report

        _write(report, run_report(log, spec))
    metrics = summarise(log)
    if as_json:
        typer.echo(json.dumps(metrics, indent=1))
        return
    table = Table(title=f"{log.day.name}: policy {rules.name}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    found = dict(runs.flat(metrics))
    for label, name, form in HEADLINES:
        table.add_row(label, "-" if found[name] is None else form.format(found[name]))
    Console(file=sys.stdout).print(table)
    wall = runs.timings(log.timings).get("wall_s", {})
    if wall:
        note(f"{len(log.timings)} decisions, p50 {wall['p50']:.3f} s, max {wall['max']:.3f} s")


def compare_policies(
    sources: Sequence[str],
    *,
    policies: Sequence[str],
    couriers: Path | None,
    acceptance: float | None,
    seeds: int,
    out: Path | None,
    report: Path | None,
    as_json: bool,
) -> None:
    """Live through the same days with several policies and compare them pair by pair."""
    rules = {p.name: p for p in map(load_policy, policies)}
    if len(rules) < max(len(policies), 2):
        message = "expected at least two policies of different names"
        raise InvalidInputError("option", [Problem("--policy", message)])
    base = next(iter(rules.values()))
    days = [
        runs.with_seed(RunSpec(parse_source(source), base, CourierRules(), 0), seed)
        for source in sources
        for seed in range(seeds)
    ]
    with _bar("tuning couriers") as advance:
        behaviour = _couriers(days[0].source, couriers, acceptance, advance)
    specs = {
        name: [replace(day, policy=policy, couriers=behaviour) for day in days]
        for name, policy in rules.items()
    }
    excess: dict[str, list[pd.Series[float]]] = defaultdict(list)

    def keep(spec: RunSpec, log: DayLog) -> None:
        excess[spec.policy.name].append(orders_table(log)["excess_min"].dropna())
        if out is not None:
            runs.write_run(log, spec, out / spec.policy.name / f"{log.day.name}-{spec.seed}")

    with _bar("days") as advance:
        found = compare(specs, advance, keep)
    differences = found.differences(np.random.default_rng(0))
    if out is not None:
        rows = [asdict(d) for d in differences]
        _write(out / "comparison.json", json.dumps(rows, indent=1) + "\n")
    if report is not None:
        from dispatch.simulation.report import comparison_report

        whole = {name: pd.concat(parts) for name, parts in excess.items()}
        _write(report, comparison_report(found, differences, whole))
    if as_json:
        typer.echo(json.dumps([asdict(d) for d in differences], indent=1))
    else:
        _show(differences, base.name, len(found.pairs))


def replay(folder: Path, other: Path | None) -> None:
    """Run a run again, or read another one, and say whether and how it differs."""
    if other is not None:
        found = runs.diff_runs(folder, other)
    else:
        with tempfile.TemporaryDirectory() as place, _bar("orders settled") as advance:
            found = runs.replay(folder, place, advance)
    if not found:
        typer.echo("the same bytes")
        return
    typer.echo(f"files that differ: {', '.join(found.files)}")
    if found.first_event is not None:
        row, one, two = found.first_event
        typer.echo(f"first event that differs: row {row}\n  {one}\n  {two}")
    for name, (before, after) in found.metrics.items():
        typer.echo(f"{name}: {before} -> {after}")
    raise typer.Exit(DIFFERENT)


def _couriers(
    source: Source,
    file: Path | None,
    acceptance: float | None,
    progress: Callable[[int, int], None],
) -> CourierRules:
    rules = CourierRules() if file is None else load_couriers(str(file))
    if acceptance is None:
        return rules
    return CourierRules("logit", runs.tune_couriers(source, rules.logit, acceptance, progress))


def _show(differences: Sequence[PairedDifference], base: str, pairs: int) -> None:
    table = Table(title=f"Less {base}, {pairs} pairs, {LEVEL:.0%} bootstrap intervals of the mean")
    for name in ("policy", "metric", base, "policy's", "difference", "interval", "won", "lost"):
        table.add_column(name, justify="left" if name in ("policy", "metric") else "right")
    for d in differences:
        table.add_row(
            d.policy,
            d.metric,
            f"{d.base_mean:.3f}",
            f"{d.mean:.3f}",
            f"{d.difference:+.3f}",
            f"{d.low:+.3f} to {d.high:+.3f}",
            str(d.wins),
            str(d.losses),
        )
    Console(file=sys.stdout, width=max(Console().width, 130)).print(table)


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], None]]:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    note(f"written to {path}")
