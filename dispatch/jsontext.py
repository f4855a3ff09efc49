"""JSON text in which a field is given twice, where readers differ on which one counts."""

import json

from dispatch.errors import Problem
from dispatch.validate import printable


class RepeatedFieldError(ValueError):
    """A field given twice in one object."""

    def __init__(self, name: str) -> None:
        self.problem = Problem(printable(name), "is given twice in one object; keep one")
        super().__init__(str(self.problem))


def _unrepeated(pairs: list[tuple[str, object]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise RepeatedFieldError(next(name for name in names if names.count(name) > 1))


# Only structure matters here: numbers are left to the real parser, which knows no digit limit.
STRUCTURE = json.JSONDecoder(object_pairs_hook=_unrepeated, parse_int=len, parse_float=len)
"""Walks JSON text, raising RepeatedFieldError where a field repeats; its values mean nothing."""


def repeated_field(text: str | bytes) -> Problem | None:
    """Find a field given twice; other faults of the text are left to whoever reads it."""
    try:
        STRUCTURE.decode(text if isinstance(text, str) else text.decode())
    except RepeatedFieldError as error:
        return error.problem
    except (ValueError, RecursionError):
        return None
    return None
