"""What a search may choose: one genome for all targets, and what is valid on each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

import numpy as np

Choices = Mapping[str, tuple[Any, ...]]

CPU: Final = "c"
DEVICES: Final = ("metal", "cuda")

_FOREST_C: Final[Choices] = {
    "algorithm": ("planes", "planes+walk", "planes+masks", "walk", "masks"),
    "layout": ("subcubes", "in order"),
    "block_rows": (64, 128, 256, 512, 1024),
    "narrow_rows": (0, 64, 128, 256),
    "narrow_up_to": (0, 64, 128, 192, 256, 320, 384),
    "few_up_to": (0, 1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 32),
    "few_pairs": (False, True),
    "rows_at_once": (1, 2, 4),
    "threshold_type": ("float32", "float64"),
    "leaf_type": ("float64", "float32", "int32"),
    "leaf_layout": ("pairs", "words"),
    "compare": ("slices", "bytes"),
    "entities": ("rows", "runs"),
    "trees_at_once": (2, 4, 8, 16),
    "unroll": (1, 2, 4, 8),
    "prefetch": (False, True),
    "scratch": ("cleared", "raw"),
}
_FOREST_DEVICE: Final[Choices] = {
    "algorithm": ("masks",),
    "entities": ("none", "masks"),
    "threads": (32, 64, 128, 256, 512, 1024),
    "leaf_type": ("int64",),
    "threshold_type": ("uint64",),
}
_ATTENTION: Final[Choices] = {
    "algorithm": ("attention",),
    "passes": (1, 2),
    "block_rows": (1, 2, 4, 8),
    "keys_at_once": (4, 8, 16, 32),
    "heads_per_load": (1, 2, 4, 8, 32),
    "vector_width": (1, 2, 4),
    "accumulate": ("float32", "float16"),
}


@dataclass(frozen=True, slots=True)
class Genome:
    """A kernel as choices; the defaults are the hand-written one for processors.

    Attributes
    ----------
    target
        `c`, `metal` or `cuda`.
    algorithm
        What scores: bit planes, masks of leaves, a walk; what stands behind a plus does few rows.
        `attention` is the other kernel.
    layout
        How leaves are numbered on planes: so that few multiplexers compute them, or from left to
        right.
    block_rows, narrow_rows, narrow_up_to, few_up_to
        Rows of a block; of a narrow one (0: none); rows left up to which narrow blocks are used,
        and up to which rows are done one by one. Of attention: query positions of a group.
    few_pairs
        Whether few pairs are done one by one too, or always in blocks.
    rows_at_once
        Rows that masks are applied to at once.
    threshold_type, leaf_type, leaf_layout
        What values are compared as before the exact comparison; what leaves are added as; whether
        their tables hold low and high words apart.
    compare
        How planes come from codes: from slices of bits, or by comparing bytes.
    entities
        Codes of couriers and orders: copied pair by pair, or for runs of pairs that share one; on
        devices whether masks are shared.
    trees_at_once, unroll, prefetch, scratch
        Trees whose leaves are added together, multiplexers in a row, whether the next block is
        fetched, whether memory is cleared first.
    threads
        Threads; of a group on a device. On a processor 1: judged is the time of one thread, from
        which a second would hide its work.
    passes, keys_at_once, heads_per_load, vector_width, accumulate
        Of attention: passes over the keys, keys in shared memory, query heads that one load serves,
        independent sums of a product, and what it is added up in.
    free
        Text in place of the kernel's free block; empty: the block as written.
    """

    target: str = CPU
    algorithm: str = "planes+walk"
    layout: str = "subcubes"
    block_rows: int = 512
    narrow_rows: int = 0
    narrow_up_to: int = 0
    few_up_to: int = 10
    few_pairs: bool = False
    rows_at_once: int = 1
    threshold_type: str = "float32"
    leaf_type: str = "float64"
    leaf_layout: str = "pairs"
    compare: str = "slices"
    entities: str = "rows"
    trees_at_once: int = 8
    unroll: int = 4
    prefetch: bool = True
    scratch: str = "cleared"
    threads: int = 1
    passes: int = 1
    keys_at_once: int = 32
    heads_per_load: int = 32
    vector_width: int = 1
    accumulate: str = "float32"
    free: str = ""

    @property
    def digest(self) -> str:
        """Short name of the genome: equal genomes, equal names."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def few(self) -> str:
        """What does few rows: walk, masks, or nothing of its own."""
        main, _, behind = self.algorithm.partition("+")
        return behind or ("" if main == "planes" else main)

    def problems(self) -> list[str]:
        """Everything that keeps the genome from being rendered; empty where it can be."""
        if self.target not in (CPU, *DEVICES):
            return [f"target: expected {CPU}, {' or '.join(DEVICES)}, got {self.target!r}"]
        choices = choices_of(self)
        found = [
            f"{name}: expected one of {', '.join(map(str, valid))}, got {getattr(self, name)!r}"
            for name, valid in choices.items()
            if getattr(self, name) not in valid
        ]
        normal = SEEDS[self.target, self.algorithm == "attention"]
        found += [
            f"{field.name}: means nothing here, leave it at {getattr(normal, field.name)!r}"
            for field in fields(self)
            if field.name not in (*choices, "target", "free")
            and getattr(self, field.name) != getattr(normal, field.name)
        ]
        if not found and self != tidied(self):
            found.append("genes without effect are not at their defaults: use tidied()")
        return found


SEEDS: Final[Mapping[tuple[str, bool], Genome]] = {
    (CPU, False): Genome(),
    **{
        (device, False): Genome(
            target=device, algorithm="masks", threads=256, leaf_type="int64",
            threshold_type="uint64", entities="masks",
        )
        for device in DEVICES
    },
    **{
        (device, True): Genome(target=device, algorithm="attention", block_rows=8)
        for device in DEVICES
    },
}  # fmt: skip
"""The hand-written kernels, by target and whether it is attention."""


SHIPPED: Final = Genome(
    algorithm="planes+masks", few_up_to=16, few_pairs=True, rows_at_once=2, narrow_rows=64,
    narrow_up_to=256, compare="bytes", scratch="raw",
)  # fmt: skip
"""What was found on AVX-512 and is compiled for it (forest_avx512.c); docs/evolved-kernels.md."""


def seed_of(target: str, *, attention: bool = False) -> Genome:
    """Return the hand-written kernel of a target.

    Raises
    ------
    ValueError
        If there is none.
    """
    try:
        return SEEDS[target, attention]
    except KeyError:
        known = ", ".join(f"{t}{' attention' if a else ''}" for t, a in SEEDS)
        raise ValueError(f"no kernel for {target!r}; expected one of: {known}") from None


def choices_of(genome: Genome) -> Choices:
    """Return what each gene may be, of those that count for this target."""
    if genome.algorithm == "attention":
        return _ATTENTION
    return _FOREST_C if genome.target == CPU else _FOREST_DEVICE


def tidied(genome: Genome) -> Genome:
    """Set genes without effect to their defaults, so that equal kernels have equal genomes."""
    if genome.target != CPU or genome.algorithm == "attention":
        return genome
    normal, changes = SEEDS[CPU, False], {}

    def reset(*names: str) -> None:
        changes.update({name: getattr(normal, name) for name in names})

    if "planes" not in genome.algorithm:
        reset("layout", "block_rows", "compare", "trees_at_once", "unroll", "prefetch")
        reset("leaf_type", "leaf_layout", "narrow_rows", "narrow_up_to", "few_up_to")
        reset("threshold_type", "few_pairs")
    elif not genome.few or not genome.few_up_to:
        changes |= {"algorithm": "planes", "few_up_to": 0}
        reset("few_pairs")
    few = replace(genome, **changes).few
    if few != "masks":
        reset("rows_at_once")
    if not genome.narrow_rows or not genome.narrow_up_to or genome.narrow_rows >= genome.block_rows:
        reset("narrow_rows", "narrow_up_to")
    if genome.leaf_type != "float64":
        reset("leaf_layout")
    return replace(genome, **changes)


def mutated(genome: Genome, rng: np.random.Generator) -> Genome:
    """Change one to three genes to other valid values."""
    choices = choices_of(genome)
    free = [name for name, valid in choices.items() if len(valid) > 1]
    while True:
        names = rng.choice(free, size=min(len(free), int(rng.integers(1, 4))), replace=False)
        changes = {}
        for name in names.tolist():
            others = [value for value in choices[name] if value != getattr(genome, name)]
            changes[name] = others[int(rng.integers(len(others)))]
        child = tidied(_completed(replace(genome, **changes), rng))
        if child != genome and not child.problems():
            return child


def _completed(genome: Genome, rng: np.random.Generator) -> Genome:
    """Give genes that mean nothing without each other their other half."""
    changes: dict[str, Any] = {}
    if genome.narrow_rows and not genome.narrow_up_to:
        changes["narrow_up_to"] = int(rng.choice(_FOREST_C["narrow_up_to"][1:]))
    if genome.narrow_up_to and not genome.narrow_rows:
        changes["narrow_rows"] = int(rng.choice(_FOREST_C["narrow_rows"][1:]))
    if genome.algorithm in ("planes+walk", "planes+masks") and not genome.few_up_to:
        changes["few_up_to"] = int(rng.choice(_FOREST_C["few_up_to"][1:]))
    return replace(genome, **changes)


def crossed(one: Genome, other: Genome, rng: np.random.Generator) -> Genome:
    """Take each gene from one of two parents of the same target, then mutate."""
    names = [field.name for field in fields(one)]
    taken = {name: getattr(other, name) for name in names if rng.random() < 0.5}
    child = tidied(_completed(replace(one, **taken), rng))
    return mutated(one if child.problems() else child, rng)


def from_dict(values: Mapping[str, Any]) -> Genome:
    """Read what `dataclasses.asdict` wrote.

    Raises
    ------
    ValueError
        Naming every problem.
    """
    known = {field.name for field in fields(Genome)}
    if unknown := sorted(values.keys() - known):
        raise ValueError(f"no such genes: {', '.join(unknown[:5])}")
    genome = Genome(**values)
    if problems := genome.problems():
        raise ValueError("; ".join(problems))
    return genome
