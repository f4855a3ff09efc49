"""What a set of points leaves undominated, as the corners of boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class SearchZones:
    """Maximal boxes {z < corner} that no point of a growing set reaches; all minimised.

    Local upper bounds (Klamroth, Lacour and Vanderpooten, On the representation of the search
    region in multi-objective optimization, European Journal of Operational Research 245, 2015):
    a point splits every box it lies in along each axis; corners below another are redundant.

    Parameters
    ----------
    ceiling
        (d,) beyond any point of interest.
    """

    def __init__(self, ceiling: NDArray[np.int64]) -> None:
        self.corners: NDArray[np.int64] = ceiling[None, :].copy()

    def add(self, point: NDArray[np.int64]) -> None:
        """Take out what a point dominates."""
        inside = np.all(point < self.corners, axis=1)
        if not inside.any():
            return
        d = point.size
        split = np.repeat(self.corners[inside], d, axis=0)
        axis = np.tile(np.arange(d), int(inside.sum()))
        split[np.arange(split.shape[0]), axis] = point[axis]
        split = np.unique(split, axis=0)
        outside = self.corners[~inside]
        below_old = np.any(np.all(split[:, None] <= outside[None], axis=2), axis=1)
        covered = np.all(split[:, None] <= split[None], axis=2)
        np.fill_diagonal(covered, False)
        self.corners = np.concatenate([outside, split[~(below_old | covered.any(axis=1))]])
