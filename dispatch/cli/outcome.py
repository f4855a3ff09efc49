"""Exit codes, and errors as messages instead of tracebacks."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

import typer

INVALID_INPUT = 3
UNATTAINABLE = 4
BAD_MODEL = 5
TOO_LATE = 6
DRIFTED = 7
DIFFERENT = 8
EXIT_CODES = (
    f"0 done, 1 unexpected, 2 usage, {INVALID_INPUT} invalid input, "
    f"{UNATTAINABLE} bound out of reach, {BAD_MODEL} model refused, "
    f"{TOO_LATE} nothing within the bound in time, {DRIFTED} drift alarm, "
    f"{DIFFERENT} a run that differs"
)

P = ParamSpec("P")


def guarded(verb: Callable[P, None]) -> Callable[P, None]:
    """Turn the errors a user can cause into a message on stderr and an exit code."""

    @functools.wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            verb(*args, **kwargs)
        except (typer.Exit, typer.BadParameter, typer.Abort):
            raise
        except BrokenPipeError:
            sys.stderr.close()
            raise typer.Exit(0) from None
        except Exception as error:
            code = _exit_code(error)
            if code is None:
                raise
            typer.echo(f"dispatch: {error}", err=True)
            raise typer.Exit(code) from None

    return run


def _exit_code(error: Exception) -> int | None:
    from dispatch.errors import DeadlineError, InvalidInputError, UnattainableBoundError
    from models.errors import ArtefactError, ModelError

    match error:
        case UnattainableBoundError():
            return UNATTAINABLE
        case DeadlineError():
            return TOO_LATE
        case ArtefactError():
            return BAD_MODEL
        case InvalidInputError() | ModelError():
            return INVALID_INPUT
        case OSError():
            return INVALID_INPUT
        case _:
            return None


def note(message: str) -> None:
    """Tell the user something without touching stdout."""
    typer.echo(message, err=True)
