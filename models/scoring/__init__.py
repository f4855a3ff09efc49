"""Scoring backends: a feature matrix in, raw scores out."""

from models.scoring.base import ScoringBackend
from models.scoring.registry import BACKENDS, get_backend

__all__ = ["BACKENDS", "ScoringBackend", "get_backend"]
