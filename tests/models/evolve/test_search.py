"""The archive keeps the best of every kind; a killed search goes on to the same archive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.kernels.evolve.archive import Elite, Islands, cell_of, kept
from models.kernels.evolve.genome import Genome, tidied
from models.kernels.evolve.judge import Outcome
from models.kernels.evolve.search import (
    CANDIDATES,
    Ledger,
    archive_of,
    best_of,
    failures,
    search,
    starting,
)

SEEDS = (Genome(), tidied(Genome(algorithm="walk")))


def pretend(genome: Genome) -> Outcome:
    """Narrow blocks and masks are good, odd unrolling is rejected."""
    if genome.unroll == 1:
        return Outcome("reference", "off")
    worth = 1.0 + (genome.narrow_rows == 64) + 0.5 * (genome.few == "masks")
    error = "exact" if genome.leaf_type == "float64" else "1e-6"
    return Outcome("", "", error, 1000 * genome.block_rows, {"s": [[worth, 1.0]] * 5})


def test_only_the_best_of_a_kind_is_kept_and_code_length_is_no_kind() -> None:
    genome = Genome()
    assert cell_of(genome, 4096, "exact") == ("planes+walk", 12, "exact")
    assert cell_of(replace(genome, free="/* long */" * 99), 5000, "exact")[1] == 12
    elites = [Elite(genome, ("a", 1, "exact"), 1.0), Elite(SEEDS[1], ("a", 1, "exact"), 2.0)]
    assert kept(elites)["a", 1, "exact"].genome == SEEDS[1]


def test_a_search_finds_what_is_planted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / CANDIDATES)
    search(pretend, ledger, SEEDS, candidates=400, seed=1)
    best = best_of(archive_of(ledger))
    assert best.fitness == pytest.approx(2.5)
    assert (best.genome.few, best.genome.narrow_rows) == ("masks", 64)
    found = failures(ledger)
    assert found["reference"] > 0
    assert sum(found.values()) == len(ledger)


def test_a_search_that_was_killed_goes_on_to_the_same_archive(tmp_path: Path) -> None:
    """Nothing judged is judged again; a line cut short by the kill is."""
    whole = Ledger(tmp_path / "whole.jsonl")
    search(pretend, whole, SEEDS, candidates=60, seed=5)
    path = tmp_path / CANDIDATES
    search(pretend, Ledger(path), SEEDS, candidates=23, seed=5)
    text = path.read_text()
    path.write_text(text[: text.rindex("{") + 40])
    judged = []

    def again(genome: Genome) -> Outcome:
        judged.append(genome)
        return pretend(genome)

    search(again, Ledger(path), SEEDS, candidates=60, seed=5)
    assert len(judged) == 60 - 22
    assert archive_of(Ledger(path)) == archive_of(whole)


def test_a_search_stops_when_told_and_not_before_a_record(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / CANDIDATES)
    search(pretend, ledger, SEEDS, candidates=10)
    search(pretend, ledger, SEEDS, candidates=99, until=lambda: len(ledger) >= 15)
    assert len(ledger) == 15


def test_another_run_begins_with_the_best_on_record_and_is_continued_as_it_began(
    tmp_path: Path,
) -> None:
    ledger = Ledger(tmp_path / CANDIDATES)
    assert starting(tmp_path / "0", SEEDS, ledger) == list(SEEDS)
    search(pretend, ledger, SEEDS, candidates=40)
    begun = starting(tmp_path / "1", SEEDS, ledger)
    assert begun[:2] == list(SEEDS)
    assert {best_of(archive_of(ledger)).genome} <= set(begun)
    search(pretend, ledger, begun, candidates=80, seed=1)
    assert starting(tmp_path / "1", SEEDS, ledger) == begun
    assert starting(tmp_path / "0", SEEDS, ledger) == list(SEEDS)


def test_islands_hand_on_their_best() -> None:
    islands = Islands(SEEDS, np.random.default_rng(0), n=2, every=3)
    cell = ("planes+walk", 10, "exact")
    for fitness in (1.0, 1.0, 9.0):
        genome = islands.ask()
        islands.tell(Elite(genome, cell, fitness))
    # The third went to the first island alone, then on to the second: its child comes from there.
    assert islands.ask() != genome


def test_no_kernel_of_a_class_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no exact kernel"):
        best_of(archive_of(Ledger(tmp_path / CANDIDATES)))
