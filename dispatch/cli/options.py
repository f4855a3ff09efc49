"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

SnapshotPath = Annotated[
    str, typer.Argument(help="Snapshot: a JSON file, a folder of Parquet files, or - for stdin.")
]
ModelDir = Annotated[
    Path,
    typer.Option(
        "--model", "-m", help="Folder of the acceptance model.", envvar="DISPATCH_MODEL_DIR"
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="Parameters as TOML; defaults otherwise.")
]
DeadlineMs = Annotated[
    int | None, typer.Option(min=1, help="Answer within this many milliseconds.")
]
LenientFlag = Annotated[
    bool,
    typer.Option("--lenient", help="Set broken orders and couriers aside instead of refusing."),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all randomness.")]
SOURCE_HELP = (
    "A day: synthetic, or synthetic,day=3,orders=200,couriers=30, or the folder of a Grubhub "
    "instance or Colombian city-day."
)
SourceText = Annotated[str, typer.Argument(metavar="SOURCE", help=SOURCE_HELP)]
CouriersFile = Annotated[
    Path | None, typer.Option(help="How couriers behave, as TOML; without: they accept at once.")
]
AcceptanceRate = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=0.99,
        help="Couriers choose by a logit, accepting this share of a day's offers on average.",
    ),
]
ReportFile = Annotated[Path | None, typer.Option(help="Write a report as one HTML page.")]

SAMPLE_SEED = 2025  # of the sample that comes with the project; its module is slow to import
