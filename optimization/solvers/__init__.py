"""Engines behind one protocol; `SOLVERS` is the registry."""

from optimization.solvers.base import Solver, best_of, conclude
from optimization.solvers.flow import FlowSolver
from optimization.solvers.greedy import GreedySolver
from optimization.solvers.milp import MilpSolver
from optimization.solvers.network import NetworkSolver
from optimization.solvers.packing import PackingSolver
from optimization.solvers.pulp_cbc import PulpSolver
from optimization.solvers.registry import SOLVERS, solver_named

__all__ = [
    "SOLVERS",
    "FlowSolver",
    "GreedySolver",
    "MilpSolver",
    "NetworkSolver",
    "PackingSolver",
    "PulpSolver",
    "Solver",
    "best_of",
    "conclude",
    "solver_named",
]
