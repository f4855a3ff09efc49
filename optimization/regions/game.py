"""Weights that keep every known point away from a corner: a matrix game, solved by columns.

Given points a (rows, measured from the corner), the least s for which some mixture of them is at
most s in every coordinate; the dual is the weights under which the best of them lies s above the
corner. Compiled; a revised simplex with one row per coordinate and one for the mixture (Dantzig and
Wolfe, Operations Research 8, 1960).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimization.compiled import compiled

TOLERANCE = 1e-9
"""On weights and shares of spans: a decision this close is left to branching."""
MIXTURE, SLACK = 0, 1


class Game(NamedTuple):
    """The simplex at rest between points.

    `point` (p, d) known points, `inverse` (d + 1, d + 1) of the basis, `kind` and `which` (d + 1,)
    what each basic variable is: the mixture's share of a point, a coordinate's slack, or, in row 0,
    the level s itself; `weight` (d,) the dual; `column` (d + 1,) scratch; `known` (1,) points.
    """

    point: NDArray[np.float64]
    inverse: NDArray[np.float64]
    kind: NDArray[np.int64]
    which: NDArray[np.int64]
    weight: NDArray[np.float64]
    column: NDArray[np.float64]
    known: NDArray[np.int64]


def empty_game(d: int, most: int) -> Game:
    """Allocate for up to `most` points of d coordinates."""
    return Game(
        np.zeros((most, d)),
        np.zeros((d + 1, d + 1)),
        np.zeros(d + 1, np.int64),
        np.zeros(d + 1, np.int64),
        np.zeros(d),
        np.zeros(d + 1),
        np.zeros(1, np.int64),
    )


@compiled
def begin(game: Game) -> None:
    """Start from the first point alone: its largest coordinate is the level."""
    d = game.weight.size
    a = game.point[0]
    top = 0
    for k in range(1, d):
        if a[k] > a[top]:
            top = k
    game.inverse[:] = 0.0
    # Rows of the basis: the level, the first point's share, the slack of every other coordinate.
    game.inverse[0, top] = -1.0
    game.inverse[0, d] = a[top]
    game.inverse[1, d] = 1.0
    game.kind[1], game.which[1] = MIXTURE, 0
    row = 2
    for k in range(d):
        if k != top:
            game.inverse[row, k] = 1.0
            game.inverse[row, top] = -1.0
            game.inverse[row, d] = a[top] - a[k]
            game.kind[row], game.which[row] = SLACK, k
            row += 1


@compiled
def price(game: Game) -> float:
    """Find the weights of the basis, and return its level."""
    d = game.weight.size
    for k in range(d):
        game.weight[k] = -game.inverse[0, k]
    level: float = game.inverse[0, d]
    return level


@compiled
def pivot(game: Game, kind: int, which: int) -> bool:
    """Bring a point or a slack into the basis; False where numbers are too close to."""
    d = game.weight.size
    for r in range(d + 1):
        if kind == SLACK:
            game.column[r] = game.inverse[r, which]
        else:
            total = game.inverse[r, d]
            for k in range(d):
                total += game.inverse[r, k] * game.point[which, k]
            game.column[r] = total
    leaving, least = -1, np.inf
    for r in range(1, d + 1):
        if game.column[r] > TOLERANCE:
            ratio = max(game.inverse[r, d], 0.0) / game.column[r]
            if ratio < least:
                leaving, least = r, ratio
    if leaving < 0:
        return False
    for k in range(d + 1):
        game.inverse[leaving, k] /= game.column[leaving]
    for r in range(d + 1):
        if r != leaving and game.column[r] != 0.0:
            for k in range(d + 1):
                game.inverse[r, k] -= game.column[r] * game.inverse[leaving, k]
    game.kind[leaving], game.which[leaving] = kind, which
    return True


@compiled
def settle_game(game: Game) -> float:
    """Solve the game over the known points and return its level."""
    d = game.weight.size
    level = price(game)
    for _ in range(20 * (d + 1)):
        kind, which, least = SLACK, -1, -TOLERANCE
        for k in range(d):
            if game.weight[k] < least:
                which, least = k, game.weight[k]
        if which < 0:
            kind = MIXTURE
            for i in range(game.known[0]):
                short = -level
                for k in range(d):
                    short += game.weight[k] * game.point[i, k]
                if short < least:
                    which, least = i, short
        if which < 0 or not pivot(game, kind, which):
            break
        level = price(game)
    return level
