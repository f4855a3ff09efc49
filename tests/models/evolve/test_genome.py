"""Genomes: valid or told why not, and the same kernel is the same genome."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from models.kernels.evolve.genome import (
    SEEDS,
    Genome,
    choices_of,
    crossed,
    from_dict,
    mutated,
    seed_of,
    tidied,
)


@pytest.mark.parametrize("seed", SEEDS.values(), ids=lambda g: f"{g.target} {g.algorithm}")
def test_every_hand_written_kernel_and_all_that_comes_of_it_is_valid(seed: Genome) -> None:
    rng = np.random.default_rng(0)
    assert not seed.problems()
    line = [seed]
    for _ in range(200):
        child = mutated(line[-1], rng) if rng.random() < 0.7 else crossed(line[0], line[-1], rng)
        assert not child.problems()
        line.append(child)
    assert len({genome.digest for genome in line}) > 10


def test_mutation_reaches_every_choice_of_every_gene() -> None:
    rng, genome, seen = np.random.default_rng(1), Genome(), set()
    for _ in range(4000):
        genome = mutated(genome, rng)
        seen |= {(name, getattr(genome, name)) for name in choices_of(genome)}
    assert {(n, v) for n, valid in choices_of(genome).items() for v in valid} <= seen


def test_all_problems_of_a_genome_are_named_at_once() -> None:
    bad = replace(Genome(), block_rows=100, leaf_type="float16", passes=2)
    found = "; ".join(bad.problems())
    for part in (
        "block_rows: expected one of 64, ",
        "got 100",
        "leaf_type",
        "passes: means nothing",
    ):
        assert part in found
    with pytest.raises(ValueError, match="block_rows"):
        from_dict(asdict(bad))
    with pytest.raises(ValueError, match="no such genes: colour"):
        from_dict({"colour": 1})


def test_genes_without_effect_make_no_other_kernel() -> None:
    """Otherwise the same kernel would be timed again and again under other names."""
    walk = tidied(replace(Genome(), algorithm="walk", block_rows=64, unroll=8))
    assert walk == tidied(replace(Genome(), algorithm="walk", trees_at_once=2))
    assert replace(walk, unroll=8).problems() == [
        "genes without effect are not at their defaults: use tidied()"
    ]
    assert tidied(replace(Genome(), few_up_to=0)).algorithm == "planes"


def test_a_second_thread_would_hide_from_the_clock_and_is_not_valid_on_a_processor() -> None:
    assert any("threads" in problem for problem in replace(Genome(), threads=2).problems())
    assert seed_of("metal").threads == 256


def test_a_genome_is_read_back_as_it_was_written() -> None:
    genome = mutated(Genome(), np.random.default_rng(3))
    assert from_dict(asdict(genome)) == genome
