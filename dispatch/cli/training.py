"""`dispatch train`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

import models
from dispatch.cli.outcome import note
from dispatch.datasets import read_offers


def run(offers: Path, out: Path, *, seed: int, as_json: bool) -> None:
    """Train on the earlier offers, judge on the latest, save."""
    log = read_offers(offers)
    console = Console(stderr=True)
    with console.status(f"training on {len(log):,} offers"):
        model = models.train(log, models.AcceptanceParams(seed=seed))
    models.save(model, out)
    if as_json:
        metrics = {name: asdict(metric) for name, metric in model.metrics_.items()}
        typer.echo(json.dumps({"version": model.version, "metrics": metrics}, indent=1))
    else:
        table = Table(title="On the latest offers, never trained on")
        for name in ("metric", "value", "90 % interval"):
            table.add_column(name, justify="left" if name == "metric" else "right")
        for name, metric in model.metrics_.items():
            table.add_row(
                name.replace("_", " "),
                f"{metric.value:.4f}",
                f"{metric.low:.4f} to {metric.high:.4f}",
            )
        screen = Console(file=sys.stdout)
        screen.print(model.summary().splitlines()[1], highlight=False)
        screen.print(table)
    note(f"model {model.version} written to {out}")
