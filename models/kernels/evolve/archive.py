"""MAP-Elites on islands (Mouret, Clune 2015): the best kernel of every kind, not the best alone.

A kind is an algorithm, a size of tables (a power of two) and a class of error. How long the code is
says nothing about a kernel, so it is no axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.kernels.evolve.genome import Genome, crossed, mutated

Cell = tuple[str, int, str]

_CROSSED: Final = 0.3
_TRIES: Final = 50


@dataclass(frozen=True, slots=True)
class Elite:
    """The best of its kind so far."""

    genome: Genome
    cell: Cell
    fitness: float


def cell_of(genome: Genome, table_bytes: int, error_class: str) -> Cell:
    """Return the kind of a kernel."""
    return genome.algorithm, int(np.log2(max(table_bytes, 1))), error_class


def kept(elites: Iterable[Elite]) -> dict[Cell, Elite]:
    """Return the best of every kind, by kind."""
    cells: dict[Cell, Elite] = {}
    for elite in elites:
        _keep(cells, elite)
    return dict(sorted(cells.items()))


class Islands:
    """Archives that evolve apart, each handing its best on to the next now and then.

    Parameters
    ----------
    seeds
        What every island begins with.
    n
        Islands.
    every
        Candidates told between two migrations.
    rng
        All that is drawn, is drawn from it.
    """

    def __init__(
        self, seeds: Sequence[Genome], rng: np.random.Generator, n: int = 4, every: int = 24
    ) -> None:
        self._waiting = list(seeds)
        self._rng, self._every = rng, every
        self._islands: list[dict[Cell, Elite]] = [{} for _ in range(n)]
        self._told, self._n_seeds = 0, len(seeds)
        self._seen: set[str] = set()

    def ask(self) -> Genome:
        """Return the next candidate: a seed, or a child of elites of the island at hand."""
        genome = self._waiting.pop(0) if self._waiting else self._child()
        self._seen.add(genome.digest)
        return genome

    def tell(self, elite: Elite | None) -> None:
        """Say what became of the candidate asked for last; None: it was rejected."""
        here = self._told % len(self._islands)
        self._told += 1
        if elite is not None:
            # What every island begins with belongs to all of them.
            shared = self._told <= self._n_seeds
            for island in self._islands if shared else [self._islands[here]]:
                _keep(island, elite)
        if self._told % self._every == 0:
            best = [max(each.values(), key=_fitness, default=None) for each in self._islands]
            for k, migrant in enumerate(best):
                if migrant is not None:
                    _keep(self._islands[(k + 1) % len(self._islands)], migrant)

    def _child(self) -> Genome:
        own = list(self._islands[self._told % len(self._islands)].values())
        if not own:
            raise ValueError("no seed passed the gates: there is nothing to evolve from")
        own.sort(key=lambda elite: elite.cell)
        for _ in range(_TRIES):
            parent, other = self._chosen(own), self._chosen(own)
            both = self._rng.random() < _CROSSED
            child = crossed(parent, other, self._rng) if both else mutated(parent, self._rng)
            if child.digest not in self._seen:
                return child
        return child

    def _chosen(self, own: Sequence[Elite]) -> Genome:
        """Return the better of two elites drawn at random."""
        pair = [own[int(k)] for k in self._rng.integers(len(own), size=2)]
        return max(pair, key=_fitness).genome


def _fitness(elite: Elite) -> float:
    return elite.fitness


def _keep(cells: dict[Cell, Elite], elite: Elite) -> None:
    held = cells.get(elite.cell)
    if held is None or elite.fitness > held.fitness:
        cells[elite.cell] = elite
