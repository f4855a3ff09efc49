"""`dispatch train`."""

import json
import sys
import tomllib
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import models
from dispatch.cli.outcome import note
from dispatch.cli.reading import read_offers_log
from dispatch.errors import InvalidInputError, Problem


def run(
    offers: Path,
    out: Path,
    *,
    mapping: Path | None,
    settings: Path | None,
    trials: int,
    seed: int,
    as_json: bool,
) -> None:
    """Train on the earlier offers, judge on the latest, save."""
    params = _params(settings, seed)
    log = read_offers_log(offers, mapping)
    console = Console(stderr=True)
    if trials:
        params = _tuned(log, params, trials, console)
    with console.status(f"training on {len(log):,} offers"):
        model = models.train(log, params)
    models.save(model, out)
    shown = dict(model.metrics_)
    if model.monotone_cost_ is not None:
        shown["log_loss_added_by_directions"] = model.monotone_cost_
    if as_json:
        metrics = {name: asdict(metric) for name, metric in shown.items()}
        typer.echo(json.dumps({"version": model.version, "metrics": metrics}, indent=1))
    else:
        table = Table(title="On the latest offers, never trained on")
        for name in ("metric", "value", "90 % interval"):
            table.add_column(name, justify="left" if name == "metric" else "right")
        for name, metric in shown.items():
            table.add_row(
                name.replace("_", " "),
                f"{metric.value:.4f}",
                f"{metric.low:.4f} to {metric.high:.4f}",
            )
        screen = Console(file=sys.stdout)
        screen.print(model.summary().splitlines()[1], highlight=False)
        screen.print(table)
    note(f"model {model.version} written to {out}")


def _params(settings: Path | None, seed: int) -> models.AcceptanceParams:
    given: dict[str, Any] = {}
    try:
        if settings is not None:
            given = tomllib.loads(settings.read_text())
        known = {field.name for field in fields(models.AcceptanceParams)} - {"seed"}
        if unknown := sorted(given.keys() - known):
            raise ValueError(f"unknown parameters {', '.join(unknown)} (the seed is --seed)")
        return models.AcceptanceParams(seed=seed, **given)
    except ValueError as error:
        problems = [Problem(str(settings), part) for part in str(error).split("; ")]
        raise InvalidInputError("training parameters", problems) from None


def _tuned(
    log: pd.DataFrame, params: models.AcceptanceParams, trials: int, console: Console
) -> models.AcceptanceParams:
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("searching parameters", total=trials)
        found = models.tune(
            log,
            params,
            trials=trials,
            seed=params.seed,
            progress=lambda done, _: bar.update(task, completed=done),
        )
    best = found[0]
    start = next(trial for trial in found if trial.params == params)
    note(
        f"best of {trials}: log-loss {best.log_loss:.4f} ({start.log_loss:.4f} by default) with "
        f"{best.params.leaves} leaves, learning rate {best.params.learning_rate:g}, "
        f"min_data_in_leaf {best.params.min_data_in_leaf}, l2 {best.params.l2:g}, "
        f"feature_share {best.params.feature_share:g}, {best.n_trees} trees"
    )
    return best.params
