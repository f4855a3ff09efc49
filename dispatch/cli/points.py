"""Operating points as a user types them."""

import re
from typing import cast, get_args

import typer

from dispatch.config import FairnessName, FairnessRules, FrontierMethod
from dispatch.operating import AtKnee, ByBound, ByWeights, ObjectiveName

_WEIGHTS = ("acceptance", "delivery_time", "lateness", "fairness")
_BOUNDS: dict[ObjectiveName, str] = {
    "acceptance": ">=",
    "delivery_time": "<=",
    "fairness": "<=",
}


def parse_point(weights: str | None, bound: str | None, knee: bool) -> ByWeights | ByBound | AtKnee:
    """Read `--weights`, `--bound` or `--knee`; at most one of them.

    Raises
    ------
    typer.BadParameter
        Saying what was expected.
    """
    if sum((weights is not None, bound is not None, knee)) > 1:
        raise typer.BadParameter("give one of --weights, --bound and --knee")
    if knee:
        return AtKnee()
    if bound is not None:
        return _bound(bound)
    return _by_weights(weights or "")


def _by_weights(text: str) -> ByWeights:
    values: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, number = part.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if name.strip() not in _WEIGHTS or not 0 <= value <= 1e6:
            raise typer.BadParameter(
                f"--weights: expected name=number from 0 to 1e6 with names {', '.join(_WEIGHTS)}; "
                f"got {part!r}"
            )
        values[name.strip()] = value
    return ByWeights(
        acceptance=values.get("acceptance"),
        delivery_time=values.get("delivery_time"),
        lateness=values.get("lateness"),
        fairness=values.get("fairness"),
    )


def _bound(text: str) -> ByBound:
    match = re.fullmatch(r"\s*(\w+)\s*(>=|<=)\s*(-?\d+(?:\.\d+)?)\s*", text)
    for name, sign in _BOUNDS.items():
        if match and match[1] == name and match[2] == sign:
            return ByBound(name, float(match[3]))
    wanted = ", ".join(f"{name}{sign}NUMBER" for name, sign in _BOUNDS.items())
    raise typer.BadParameter(f"--bound: expected one of {wanted}; got {text!r}")


def parse_fairness(text: str | None) -> FairnessRules | None:
    """Read `--fairness`: a notion, with a cap or without; None where nothing is given.

    Raises
    ------
    typer.BadParameter
        Saying what was expected.
    """
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\w+)\s*(?:<=\s*(\d+(?:\.\d+)?))?\s*", text)
    for name in get_args(FairnessName):
        if match and match[1] == name and (match[2] is None or 0 < float(match[2]) <= 1e6):
            return FairnessRules(name, None if match[2] is None else float(match[2]))
    wanted = ", ".join(get_args(FairnessName))
    raise typer.BadParameter(
        f"--fairness: expected one of {wanted}, or with a limit an hour up to 1e6 as in "
        f"hours<=0.8; got {text!r}"
    )


def parse_method(text: str | None) -> FrontierMethod | None:
    """Read `--method`.

    Raises
    ------
    typer.BadParameter
        Saying what was expected.
    """
    for name in get_args(FrontierMethod):
        if text == name:
            return cast(FrontierMethod, name)
    if text is None:
        return None
    wanted = " or ".join(get_args(FrontierMethod))
    raise typer.BadParameter(f"--method: expected {wanted}; got {text!r}")
