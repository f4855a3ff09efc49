"""The search: ask the islands, judge, tell them; what was judged is on disk and not judged again.

A search that was stopped goes on where it was: the same seed asks for the same candidates, those on
record answer at once, and times are read, not taken again.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.kernels.evolve.archive import Cell, Elite, Islands, cell_of, kept
from models.kernels.evolve.genome import Genome, from_dict
from models.kernels.evolve.judge import Outcome
from models.kernels.evolve.timing import speedups

Judged = Callable[[Genome], Outcome]
Progress = Callable[[int, int, float], None]

CANDIDATES: Final = "candidates.jsonl"


class Ledger:
    """What was judged, one line of JSON a candidate, in the order in which it was first judged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[str, dict[str, Any]] = {}
        if path.exists():
            text = path.read_text()
            whole = text[: text.rfind("\n") + 1]
            if whole != text:  # a line cut short by a kill: judged again
                path.write_text(whole)
            for line in whole.splitlines():
                entry = json.loads(line)
                self._lines[entry["digest"]] = entry

    def __len__(self) -> int:
        return len(self._lines)

    def get(self, genome: Genome) -> Outcome | None:
        """Return what became of a genome; None where it was never judged."""
        entry = self._lines.get(genome.digest)
        return None if entry is None else Outcome(**entry["outcome"])

    def add(self, genome: Genome, outcome: Outcome) -> None:
        """Write a line."""
        entry = {
            "digest": genome.digest,
            "genome": asdict(genome),
            "outcome": asdict(outcome),
            "judged_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        self._lines[genome.digest] = entry
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def entries(self) -> list[tuple[Genome, Outcome]]:
        """All that was judged."""
        return [
            (from_dict(entry["genome"]), Outcome(**entry["outcome"]))
            for entry in self._lines.values()
        ]


def search(
    judge: Judged,
    ledger: Ledger,
    seeds: Sequence[Genome],
    *,
    candidates: int,
    seed: int = 0,
    until: Callable[[], bool] = lambda: False,
    progress: Progress = lambda _done, _total, _best: None,
) -> None:
    """Judge up to `candidates` genomes in all, those on record included.

    `until` is asked before each new candidate: true stops the search, which can be continued.
    """
    islands = Islands(seeds, np.random.default_rng(seed))
    best = 0.0
    for done in range(candidates):
        genome = islands.ask()
        outcome = ledger.get(genome)
        if outcome is None:
            if until():
                return
            outcome = judge(genome)
            ledger.add(genome, outcome)
        elite = elite_of(genome, outcome)
        islands.tell(elite)
        if elite is not None:
            best = max(best, elite.fitness)
        progress(done + 1, candidates, best)


def elite_of(genome: Genome, outcome: Outcome) -> Elite | None:
    """Return a candidate as the archive keeps it; None where a gate rejected it.

    What was not timed, on a device that is not here, has a fitness of 0.
    """
    if not outcome.passed:
        return None
    cell = cell_of(genome, outcome.table_bytes, outcome.error_class)
    return Elite(genome, cell, speedups(outcome.seconds).mean if outcome.seconds else 0.0)


def archive_of(ledger: Ledger) -> dict[Cell, Elite]:
    """Return the best of every kind of all that is on record."""
    elites = (elite_of(genome, outcome) for genome, outcome in ledger.entries())
    return kept(elite for elite in elites if elite is not None)


def starting(path: Path, seeds: Sequence[Genome], ledger: Ledger) -> list[Genome]:
    """Return what a run begins with: `seeds`, and the best of every kind that is on record.

    Written to `path` once and read from then on, so that a run that is continued begins as it did.
    """
    if not path.exists():
        known = [elite.genome for elite in archive_of(ledger).values()]
        begun = [*seeds, *(genome for genome in known if genome not in seeds)]
        path.write_text(json.dumps([asdict(genome) for genome in begun], indent=1))
    return [from_dict(values) for values in json.loads(path.read_text())]


def best_of(archive: Mapping[Cell, Elite], error_class: str = "exact") -> Elite:
    """Return the fastest kernel of a class of error.

    Raises
    ------
    ValueError
        If none passed the gates.
    """
    found = [elite for cell, elite in archive.items() if cell[2] == error_class]
    if not found:
        raise ValueError(f"no {error_class} kernel passed the gates")
    return max(found, key=lambda elite: elite.fitness)


def failures(ledger: Ledger) -> dict[str, int]:
    """Candidates by the gate that rejected them; empty name: those that passed."""
    found = Counter(outcome.gate for _, outcome in ledger.entries())
    return dict(sorted(found.items()))
