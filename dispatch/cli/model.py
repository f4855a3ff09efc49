"""`dispatch model ...`: look at a trained model and hold it against later offers."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dispatch.cli.options import JsonFlag, MappingFile, ModelDir
from dispatch.cli.outcome import guarded

app = typer.Typer(no_args_is_help=True, help="Look at a trained model and watch it.")


@app.command()
@guarded
def card(
    model: ModelDir,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for card.md, card.json, reliability.png.")
    ],
) -> None:
    """Write the model card."""
    import_module("dispatch.cli.watching").write_card(model, out)


@app.command()
@guarded
def check(
    offers: Annotated[Path, typer.Argument(help="Later offers log, as for train.")],
    model: ModelDir,
    mapping: MappingFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare later offers with what the model was made on; exit code 7 on an alarm."""
    import_module("dispatch.cli.watching").check(offers, model, mapping=mapping, as_json=as_json)
