"""Acceptance given what else a courier carries and is offered: a small attention model."""

from models.attention.params import SetParams
from models.attention.persistence import load_sets, save_sets
from models.attention.scorer import SetScorer
from models.attention.sets import OfferSets, read_sets
from models.attention.stacking import SetAwareModel, SetGain, add_sets, train_with_sets

__all__ = [
    "OfferSets",
    "SetAwareModel",
    "SetGain",
    "SetParams",
    "SetScorer",
    "add_sets",
    "load_sets",
    "read_sets",
    "save_sets",
    "train_with_sets",
]
