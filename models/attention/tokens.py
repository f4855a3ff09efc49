"""Offers and stops as rows of numbers that a network can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.attention.sets import OfferSets

FloatArray = NDArray[np.float64]
SingleArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

FARTHEST: Final = 5.0
"""Standardised values stay within this: an outlier must not rule what is learned."""

_KM: Final = 1000.0
_NEAR_M: Final = 1.0
_PLACES: Final = 3
_PLACE: Final = 3
_MOMENT: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """Means and standard deviations of what is known of an offer, each of shape (f,).

    A token has those f numbers; east, north and distance of the ways to pickup, dropoff and stop;
    how many offers and stops its moment has; and whether it is a stop. What an offer lacks, or a
    stop, is 0 there.
    """

    mean: FloatArray
    sd: FloatArray

    @classmethod
    def fit(cls, matrix: FloatArray) -> Encoder:
        """Fit to the rows learned from, (n, f), all of them known."""
        sd = matrix.std(axis=0)
        return cls(matrix.mean(axis=0), np.where(sd > 0.0, sd, 1.0))

    @property
    def width(self) -> int:
        """Numbers in a token."""
        return len(self.mean) + _PLACES * _PLACE + _MOMENT

    def tokens(self, matrix: FloatArray, sets: OfferSets) -> Tokens:
        """Lay out every moment of `sets`; of its offers `matrix` (n, f) is known."""
        n_offers = np.bincount(sets.moment, minlength=sets.n_moments)
        n_stops = np.bincount(sets.stop_moment, minlength=sets.n_moments)
        moment = np.concatenate([sets.moment, sets.stop_moment])
        n, f = matrix.shape
        known = np.zeros((len(moment), f))
        known[:n] = np.clip((matrix - self.mean) / self.sd, -FARTHEST, FARTHEST)
        places = np.zeros((len(moment), _PLACES, _PLACE))
        places[:n, 0], places[:n, 1] = _way(sets.places[:, :2]), _way(sets.places[:, 2:])
        places[n:, 2] = _way(sets.stops)
        # A mean over what is attended to does not tell how many there are.
        beside = np.stack([np.log(n_offers[moment]), np.log1p(n_stops[moment])], axis=1)
        is_stop = np.arange(len(moment))[:, None] >= n
        rows = np.concatenate([places.reshape(len(moment), -1), known, beside, is_stop], axis=1)
        order = np.argsort(moment, kind="stable")
        n_all = n_offers + n_stops
        first = np.cumsum(n_all) - n_all
        place = np.empty(len(moment), dtype=np.int64)
        place[order] = np.arange(len(moment)) - first[moment[order]]
        return Tokens(
            rows[order].astype(np.float32), first, n_offers, n_all, sets.moment, place[:n]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Tokens (t, w) of all moments one after another, the offers of each before its stops.

    Of each moment (m,): `first` of its tokens, the number of its `offers`, and of `all`. Of each
    offer (n,): its `moment`, and its `place` there.
    """

    rows: SingleArray
    first: IntArray
    offers: IntArray
    all: IntArray
    moment: IntArray
    place: IntArray

    def batch(self, moments: IntArray, turn: FloatArray | None = None) -> SingleArray:
        """Tokens of some moments (b, most, w), filled up with zeros behind the last of each.

        Where angles (b,) are given, each moment is turned round its courier by its own.
        """
        most = np.arange(self.all[moments].max())
        inside = most < self.all[moments][:, None]
        rows = self.rows[np.where(inside, self.first[moments][:, None] + most, 0)]
        rows *= inside[:, :, None]
        if turn is not None:
            ways = rows[:, :, : _PLACES * _PLACE].reshape(*inside.shape, _PLACES, _PLACE)
            way = (ways[..., 0] + 1j * ways[..., 1]) * np.exp(1j * turn)[:, None, None]
            rows[:, :, 0 : _PLACES * _PLACE : _PLACE] = way.real
            rows[:, :, 1 : _PLACES * _PLACE : _PLACE] = way.imag
        return rows


def _way(metres: FloatArray) -> FloatArray:
    """Direction as a unit vector, and distance, (n, 3), of metres east and north (n, 2)."""
    away = np.hypot(metres[:, 0], metres[:, 1])[:, None]
    return np.concatenate([metres / np.maximum(away, _NEAR_M), np.log1p(away / _KM)], axis=1)
