"""`dispatch why`."""

import sys
from pathlib import Path

import typer
from pydantic import ValidationError

from dispatch.errors import InvalidInputError, Problem
from dispatch.explain import why
from dispatch.result import Plan
from dispatch.validate import structural_findings


def run(plan: str, order: str, courier: str | None) -> None:
    """Read a plan and explain one order of it."""
    text = sys.stdin.buffer.read() if plan == "-" else Path(plan).read_bytes()
    try:
        parsed = Plan.from_json(text)
    except ValidationError as error:
        problems = [Problem(f.path, f.message) for f in structural_findings(error, "plan")]
        raise InvalidInputError("plan", problems) from None
    typer.echo(why(parsed, order, courier))
