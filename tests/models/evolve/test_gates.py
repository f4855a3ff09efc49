"""Each gate rejects what it is for, and the hand-written kernel passes all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.kernels.evolve.genome import Genome, tidied
from models.kernels.evolve.judge import Judge, edges
from models.kernels.evolve.render import RenderError, free_block, render_c, with_free_block

SEED = Genome()
OTHERS = (
    Genome(
        algorithm="planes+masks", few_up_to=20, narrow_rows=64, narrow_up_to=192, compare="bytes",
        leaf_layout="words", scratch="raw", entities="runs", rows_at_once=2, few_pairs=True,
    ),
    Genome(block_rows=256, compare="bytes", threshold_type="float64", layout="in order"),
    Genome(block_rows=1024, narrow_rows=128, narrow_up_to=320, trees_at_once=16),
    tidied(Genome(algorithm="masks", rows_at_once=4)),
    tidied(Genome(algorithm="walk")),
)  # fmt: skip


LAST = "r < m; r++)\n        out[r] = SCORE(as"


@pytest.mark.parametrize("genome", [SEED, *OTHERS], ids=lambda g: f"{g.algorithm} {g.block_rows}")
def test_kernels_of_every_kind_pass_and_are_exact(judge: Judge, genome: Genome) -> None:
    outcome = judge.check(genome)
    assert (outcome.gate, outcome.reason, outcome.error_class) == ("", "", "exact")
    assert outcome.table_bytes > 0


@pytest.mark.parametrize("leaf_type", ["float32", "int32"])
def test_rounded_leaves_pass_as_what_they_are(judge: Judge, leaf_type: str) -> None:
    outcome = judge.check(replace(SEED, leaf_type=leaf_type))
    assert (outcome.gate, outcome.error_class) == ("", "1e-6")


def test_a_genome_that_is_none_is_not_rendered(judge: Judge) -> None:
    outcome = judge.judge(replace(SEED, block_rows=100))
    assert outcome.gate == "renders"
    assert "block_rows" in outcome.reason


def test_text_that_is_no_c_does_not_compile(judge: Judge) -> None:
    outcome = judge.judge(replace(SEED, free="no such thing;"))
    assert outcome.gate == "compiles"
    assert "error" in outcome.reason


BODY = """
    %s
    for (int32_t i = 0; i < n; i++, op++) {
        const Plane *a = AT(0), *b = AT(1), *c = AT(2);
        for (int h = 0; h < PARTS; h++)
            result[i].part[h] = multiplex(a->part[h], b->part[h], c->part[h]);
    }
"""


def test_a_free_block_of_other_text_that_is_right_passes(judge: Judge) -> None:
    assert judge.check(replace(SEED, free=BODY % "")).gate == ""


def test_a_free_block_that_writes_beyond_its_memory_dies_in_the_child_alone(judge: Judge) -> None:
    outcome = judge.judge(replace(SEED, free=BODY % "result[1 << 20] = result[0];"))
    assert outcome.gate == "crash"
    assert "-11" in outcome.reason


def test_a_free_block_that_never_ends_is_killed(judge_of: Callable[..., Judge]) -> None:
    outcome = judge_of(limit_s=3.0).judge(
        replace(SEED, free=BODY % "for (volatile int k = 0; k < 1;) ;")
    )
    assert outcome.gate == "hang"


@pytest.mark.parametrize(
    "text", ["static int calls;", "#include <stdio.h>", 'asm("");', "forest_ran += 1; RAN(1);"]
)
def test_a_free_block_may_neither_remember_nor_touch_the_canary(judge: Judge, text: str) -> None:
    outcome = judge.judge(replace(SEED, free=BODY % text))
    assert outcome.gate == "renders"
    assert "may not be used" in outcome.reason


def test_a_free_block_may_call_only_what_computes(judge: Judge) -> None:
    outcome = judge.judge(replace(SEED, free=BODY % "exit(0);"))
    assert (outcome.gate, outcome.reason) == ("renders", "free block: exit may not be called")
    assert judge.check(replace(SEED, free=BODY % "__builtin_prefetch(op + 64);")).gate == ""


FAULTS = {
    "an input written": ("crash", "RAN(m);", "RAN(m); ((double *)f->leaf)[0] = 0;"),
    "a plane too few": ("crash", "(size_t)f->n_slots * (size_t)block", "64 * (size_t)block"),
    "beyond the last row": ("crash", LAST, LAST.replace("<", "<=")),
    "no memory": ("memory", "return found;\n}\n\nstatic int", "return 0;\n}\n\nstatic int"),
    "last row not written": ("unwritten", LAST, LAST.replace("< m", "< m - 1")),
    "at a threshold": ("reference", "if (x > f->cuts[", "if (x >= f->cuts["),
    "next to a threshold": ("reference", "(uint64_t)((cut | edge)", "(uint64_t)(edge"),
    "NaN": ("reference", "if (x != x)\n        return s->nan_code;", ""),
    "1e-35": ("reference", "if (fabs(x) <= ZERO)\n        return s->zero_code;", ""),
    "categories": ("reference", "right.part[h] ^=", "right.part[h] |="),
    "few rows": ("reference", "here->child[f->answers", "here->child[1 ^ f->answers"),
    "rows miscounted": ("canary", "RAN(m);\n    for", "RAN(m - 1);\n    for"),
    "a spoiled variant that is not": ("spoiled", "#ifdef SPOILED", "#ifdef NEVER"),
}


@pytest.mark.parametrize(("gate", "right", "wrong"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_caught_by_its_own_gate(
    judge_of: Callable[..., Judge], gate: str, right: str, wrong: str
) -> None:
    def change(source: str) -> str:
        assert right in source
        return source.replace(right, wrong)

    outcome = judge_of(change).check(SEED)
    assert outcome.gate == gate, outcome.reason


class SwappedBuilder:
    """Compiles every candidate and hands out the hand-written kernel instead."""

    def __init__(self, judge: Judge) -> None:
        self._builder = judge.builder

    def __getattr__(self, name: str) -> Callable[[Genome], Path]:
        return lambda _genome: getattr(self._builder, name)(SEED)


def test_a_candidate_that_never_ran_is_told_from_one_that_did(
    judge_of: Callable[..., Judge],
) -> None:
    """The fault of the withdrawn claim: scores are right, times are taken, of other code."""
    judge = judge_of()
    judge.builder = SwappedBuilder(judge)  # type: ignore[assignment]
    assert judge.check(OTHERS[0]).gate == "canary"
    assert judge.time(OTHERS[0], judge.suite.searched)["gate"] == "canary"


def test_a_candidate_is_timed_against_the_hand_written_kernel(judge: Judge) -> None:
    outcome = judge.judge(OTHERS[0])
    assert set(outcome.seconds) == {s.name for s in judge.suite.searched}
    pairs = np.array(outcome.seconds["small, matrix, 64"])
    assert pairs.shape[1] == 2
    assert (pairs > 0).all()


def test_rows_are_checked_at_every_edge_of_a_block() -> None:
    genome = OTHERS[0]
    assert {1, 19, 20, 21, 63, 64, 65, 191, 192, 193, 511, 512, 513} <= set(edges(genome))


def test_the_free_block_is_put_where_the_marks_are() -> None:
    source = render_c(replace(SEED, free="/* mine */"), nonce=3)
    assert source.count("/* mine */") == 2  # for wide blocks, and for narrow ones if there are any
    assert "multiplex(AT(0)" not in source
    assert free_block() in render_c(SEED, nonce=3)
    with pytest.raises(RenderError, match="no free block"):
        with_free_block("int x;", "int y;")
