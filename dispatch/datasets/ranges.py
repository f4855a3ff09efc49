"""Range checks of parameters, declared where the parameter is."""

from dataclasses import field, fields
from typing import Any

from dispatch.errors import InvalidInputError, Problem


def ranged(default: float, low: float, high: float, meaning: str) -> Any:
    """Declare a dataclass field with a default, a closed range and a description."""
    return field(default=default, metadata={"range": (low, high), "meaning": meaning})


def check_ranges(parameters: Any) -> None:
    """Check every field declared by `ranged`.

    Raises
    ------
    InvalidInputError
        Naming every field that is out of its range, or not a number.
    """
    problems = []
    for spec in fields(parameters):
        if "range" not in spec.metadata:
            continue
        low, high = spec.metadata["range"]
        value = getattr(parameters, spec.name)
        if not low <= value <= high:
            message = f"expected {spec.name} in [{low:g}, {high:g}], got {value!r}"
            problems.append(Problem(spec.name, message))
    if problems:
        raise InvalidInputError(type(parameters).__name__, problems)
