"""What to do about it: arrays of candidates and costs in, a proven selection out."""

from optimization.bundles import Sequences, best_sequences, stop_sequences
from optimization.certified import Box, CertifiedFrontier
from optimization.errors import (
    OptimizationError,
    ProblemError,
    SolverError,
    VerificationError,
)
from optimization.exact import exact_frontier
from optimization.fairness import FairnessMeasures, fairness_measures
from optimization.frontier import Frontier, FrontierPoint, non_dominated, sweep
from optimization.objectives import (
    acceptance_term,
    convex_spread,
    delivery_time_term,
    hold_term,
    linear_term,
    work_spread,
)
from optimization.problem import AssignmentProblem
from optimization.representation import Representation, represent
from optimization.scalar import ScalarProblem, scalarize
from optimization.session import SolverSession
from optimization.solution import Solution, Status, StopReason
from optimization.solve import solve
from optimization.stop import Deadline
from optimization.structure import Kind, Structure, recognise
from optimization.term import Term
from optimization.verify import Fault, Verification, verify
from optimization.weights import Weights
from optimization.work import NO_LIMIT, Work, WorkPrice

__all__ = [
    "NO_LIMIT",
    "AssignmentProblem",
    "Box",
    "CertifiedFrontier",
    "Deadline",
    "FairnessMeasures",
    "Fault",
    "Frontier",
    "FrontierPoint",
    "Kind",
    "OptimizationError",
    "ProblemError",
    "Representation",
    "ScalarProblem",
    "Sequences",
    "Solution",
    "SolverError",
    "SolverSession",
    "Status",
    "StopReason",
    "Structure",
    "Term",
    "Verification",
    "VerificationError",
    "Weights",
    "Work",
    "WorkPrice",
    "acceptance_term",
    "best_sequences",
    "convex_spread",
    "delivery_time_term",
    "exact_frontier",
    "fairness_measures",
    "hold_term",
    "linear_term",
    "non_dominated",
    "recognise",
    "represent",
    "scalarize",
    "solve",
    "stop_sequences",
    "sweep",
    "verify",
    "work_spread",
]
