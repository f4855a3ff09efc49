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
MappingFile = Annotated[
    Path | None, typer.Option(help="TOML that maps the log's own columns to ours.")
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

SAMPLE_SEED = 2025  # of the sample that comes with the project; its module is slow to import
