"""Scoring backends: a feature matrix in, raw scores out."""

from models.scoring.base import CalibratingBackend, ScoringBackend, Trees
from models.scoring.registry import (
    BACKENDS,
    active_kernel,
    available_backends,
    backend_problem,
    get_backend,
)

__all__ = [
    "BACKENDS",
    "CalibratingBackend",
    "ScoringBackend",
    "Trees",
    "active_kernel",
    "available_backends",
    "backend_problem",
    "get_backend",
]
