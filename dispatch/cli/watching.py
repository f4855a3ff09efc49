"""`dispatch model card` and `dispatch model check`."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

import models
from dispatch.cli.outcome import DRIFTED, note
from dispatch.cli.reading import read_offers_log

SHOWN = 8


def write_card(folder: Path, out: Path) -> None:
    """Write the card of the model in `folder`."""
    from dispatch.plotting import reliability_figure

    model = models.load(folder)
    out.mkdir(parents=True, exist_ok=True)
    (out / "card.md").write_text(models.model_card_markdown(model))
    (out / "card.json").write_text(json.dumps(models.model_card(model), indent=1) + "\n")
    if model.reliability_:
        reliability_figure(model.reliability_, model.slices_).savefig(out / "reliability.png")
    note(f"card of model {model.version} written to {out}")


def check(offers: Path, folder: Path, *, mapping: Path | None, as_json: bool) -> None:
    """Print the verdict on a later log, and exit with `DRIFTED` on an alarm."""
    report = models.check_drift(models.load(folder), read_offers_log(offers, mapping))
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=1))
    else:
        _show(report)
    if report.verdict == "alarm":
        raise typer.Exit(DRIFTED)


def _show(report: models.DriftReport) -> None:
    screen = Console(file=sys.stdout)
    screen.print(f"verdict: {report.verdict}", highlight=False)
    for reason in report.why:
        screen.print(f"  {reason}", highlight=False)
    days = Table(title="Acceptance by day")
    for name in ("day (UTC)", "offers", "predicted", "observed", "limit", ""):
        days.add_column(name, justify="left" if name.startswith("day") else "right")
    for period in (*report.periods, report.overall):
        day = datetime.fromtimestamp(period.start_s, UTC).date().isoformat()
        days.add_row(
            "all" if period is report.overall else day,
            f"{period.rows:,}",
            f"{period.predicted:.1%}",
            f"{period.observed:.1%}",
            f"± {period.limit:.1%}",
            "outside" if period.outside else "",
        )
    screen.print(days)
    moved = Table(title=f"The {SHOWN} features that moved most")
    for name in ("feature", "PSI", "share of importance", ""):
        moved.add_column(name, justify="left" if name == "feature" else "right")
    for f in sorted(report.features, key=lambda f: -f.psi)[:SHOWN]:
        moved.add_row(
            f.name, f"{f.psi:.3f}", f"{f.share:.1%}", "" if f.judged else "not judged: a short log"
        )
    screen.print(moved)
