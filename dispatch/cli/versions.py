"""`dispatch versions` and `dispatch schema`."""

import json
import platform
import sys
from importlib import metadata

import typer
from rich.console import Console
from rich.table import Table

from dispatch.domain import SCHEMA_VERSION
from dispatch.snapshot import json_schema

_LIBRARIES = (
    "fastapi",
    "lightgbm",
    "mlx",
    "numpy",
    "ortools",
    "pandas",
    "pulp",
    "pydantic",
    "scikit-learn",
    "scipy",
    "shap",
)


def collect() -> dict[str, str]:
    """Name the versions of everything that can change a plan."""
    from models.scoring import active_kernel, available_backends
    from optimization.solvers import SOLVERS

    found = {
        "courier-dispatch": metadata.version("courier-dispatch"),
        "snapshot schema": SCHEMA_VERSION,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "engines": ", ".join(solver.name for solver in SOLVERS.values()),
        "scoring backends": ", ".join(available_backends()),
        "scoring kernel": active_kernel(),
    }
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def run(*, as_json: bool) -> None:
    """Print the versions."""
    found = collect()
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    table = Table(show_header=False)
    for name, value in found.items():
        table.add_row(name, value)
    Console(file=sys.stdout).print(table)


def print_schema() -> None:
    """Print the JSON Schema of a snapshot."""
    typer.echo(json.dumps(json_schema(), indent=1))
