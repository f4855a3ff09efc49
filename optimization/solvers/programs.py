"""Engines for mixed-integer programs by name: two that come along, and any that you bring.

A program engine is a function of a model of arrays and a limit in seconds that returns a
`MilpAnswer`; it runs in a worker process that is killed when it overruns its limit.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from optimization.errors import SolverError
from optimization.solvers.cbc import MilpAnswer
from optimization.solvers.model import MilpModel

Program = Callable[[MilpModel, float], MilpAnswer]

PROGRAMS = {
    "cbc": "optimization.solvers.cbc:solve_with_cbc",
    "cp-sat": "optimization.solvers.cpsat:solve_with_cpsat",
    "highs": "optimization.solvers.highs:solve_with_highs",
    "highs-relaxed": "optimization.solvers.highs:relax_with_highs",
}
"""Where the engines that come along live, as `module:function`."""


def program_named(name: str) -> Program:
    """Load an engine by its name, or by `module:function` where it is one of yours.

    Raises
    ------
    SolverError
        If there is none, or it cannot be imported.
    """
    place = PROGRAMS.get(name, name)
    module, _, function = place.partition(":")
    if not function:
        raise SolverError(
            f"no program engine named {name!r}; there are {sorted(PROGRAMS)}; "
            "name one of yours as module:function"
        )
    try:
        program: Program = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise SolverError(f"the program engine {name} cannot be loaded: {error}") from None
    return program
