"""`dispatch sample` and `dispatch convert`."""

from pathlib import Path

import typer

from dispatch.cli.outcome import note
from dispatch.datasets import ColombianDay, GrubhubInstance, write_sample
from dispatch.snapshot import to_json, write_snapshot


def write(out: Path, seed: int, offers: int) -> None:
    """Write the sample city into a folder."""
    write_sample(out, seed=seed, n_offers=offers)
    note(f"sample written to {out}")


def convert(layout: str, folder: Path, out: str, at: str, waiting_minutes: int) -> None:
    """Turn a minute of a public instance into a snapshot."""
    if layout not in ("grubhub", "colombia"):
        raise typer.BadParameter(f"FORMAT: expected grubhub or colombia, got {layout!r}")
    source = GrubhubInstance.read(folder) if layout == "grubhub" else ColombianDay.read(folder)
    minute = source.busiest_minute(waiting_minutes) if at == "busiest" else _minute(at)
    snapshot = source.snapshot(minute, waiting_minutes)
    if out == "-":
        typer.echo(to_json(snapshot, indent=1))
        return
    write_snapshot(snapshot, out)
    note(
        f"minute {minute}: {len(snapshot.orders)} orders, {len(snapshot.couriers)} couriers "
        f"written to {out}"
    )


def _minute(text: str) -> int:
    hours, colon, minutes = text.partition(":")
    if (hours + minutes).isdecimal() and bool(colon) == bool(minutes):
        return int(hours) * 60 + int(minutes) if colon else int(hours)
    raise typer.BadParameter(f"--at: expected a minute, HH:MM or busiest, got {text!r}")
