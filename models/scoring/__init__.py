"""Scoring backends: a feature matrix in, raw scores out."""

from models.scoring.base import ScoringBackend, Trees
from models.scoring.registry import BACKENDS, active_kernel, available_backends, get_backend

__all__ = [
    "BACKENDS",
    "ScoringBackend",
    "Trees",
    "active_kernel",
    "available_backends",
    "get_backend",
]
