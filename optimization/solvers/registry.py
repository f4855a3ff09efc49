"""The engines by name: adding one is one file and one line here."""

from __future__ import annotations

from optimization.errors import SolverError
from optimization.solvers.base import Solver
from optimization.solvers.flow import FlowSolver
from optimization.solvers.greedy import GreedySolver
from optimization.solvers.local import LocalSolver
from optimization.solvers.milp import MilpSolver
from optimization.solvers.network import NetworkSolver
from optimization.solvers.packing import PackingSolver
from optimization.solvers.pulp_cbc import PulpSolver

SOLVERS: dict[str, Solver] = {
    "flow": FlowSolver(),
    "network": NetworkSolver(),
    "milp": MilpSolver(),
    "packing": PackingSolver(),
    "pulp": PulpSolver(),
    "local": LocalSolver(),
    "greedy": GreedySolver(),
}
"""Exact engines first; each says by `can_solve` which problems it takes."""


def solver_named(name: str) -> Solver:
    """Return the engine of that name.

    Raises
    ------
    SolverError
        If there is none, naming those that exist.
    """
    try:
        return SOLVERS[name]
    except KeyError:
        raise SolverError(f"no engine named {name!r}; there are {sorted(SOLVERS)}") from None
