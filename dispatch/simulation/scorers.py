"""What a dispatcher may believe about acceptance where no model is trained."""

from dataclasses import dataclass

import numpy as np

from dispatch.tables import Floats
from models import PairColumns


@dataclass(frozen=True, slots=True)
class Constant:
    """The same chance for every offer: a dispatcher blind to acceptance."""

    chance: float = 1 - 1e-9

    @property
    def version(self) -> str:
        """Name the belief in plans."""
        return f"constant {self.chance:g}"

    def predict_proba(self, columns: dict[str, Floats]) -> Floats:
        """Return the chance of n offers, shape (n,)."""
        return np.full(len(columns["to_pickup_s"]), self.chance)

    def predict_pairs(self, pairs: PairColumns) -> Floats:
        """Return the chance of k pairs, shape (k,)."""
        return np.full(len(pairs.courier_row), self.chance)
