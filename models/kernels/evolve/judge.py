"""One candidate: the gates in their order, then paired times against the hand-written kernel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.kernels.evolve.build import Builder, BuildError, nonce_of
from models.kernels.evolve.genome import Genome, seed_of
from models.kernels.evolve.render import RenderError
from models.kernels.evolve.suite import Scenario, Suite

TOLERANCE: Final = 1e-6
"""Largest error in probability that a candidate may have at all."""

_CLASSES: Final = ((1e-12, "1e-12"), (TOLERANCE, "1e-6"))

Seconds = dict[str, list[list[float]]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a candidate.

    Attributes
    ----------
    gate, reason
        The gate that rejected it and why; empty where it passed. In their order: `renders`,
        `compiles`, then in a child `crash`, `hang`, `memory`, `canary`, `unwritten`, `reference`,
        and `spoiled` where a wrong variant of it passes too; on devices `harness` for the child's.
    error_class
        `exact` (every bit), `1e-12` or `1e-6` in probability.
    table_bytes
        What a kernel of this kind reads of the first forest, and the block it writes.
    seconds
        By scenario, seconds of baseline and candidate in each pair.
    """

    gate: str = ""
    reason: str = ""
    error_class: str = ""
    table_bytes: int = 0
    seconds: Seconds = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether it was timed."""
        return not self.gate


class Judge:
    """Judges C candidates on a suite.

    Parameters
    ----------
    suite, builder
        Cases, and what compiles.
    baseline
        What candidates are timed against.
    limit_s
        Seconds that a child may take before it is killed.
    budget_s, most_pairs
        Seconds and pairs of a scenario, at most.
    """

    def __init__(
        self,
        suite: Suite,
        builder: Builder,
        baseline: Genome | None = None,
        *,
        limit_s: float = 120.0,
        budget_s: float = 0.1,
        most_pairs: int = 41,
    ) -> None:
        self.suite, self.builder = suite, builder
        self.baseline = baseline or seed_of("c")
        self._limit_s, self._budget_s, self._most_pairs = limit_s, budget_s, most_pairs

    def judge(self, genome: Genome) -> Outcome:
        """Pass a candidate through the gates and, if it passes all, time it."""
        outcome = self.check(genome)
        if outcome.gate:
            return outcome
        timed = self.time(genome, self.suite.searched)
        if "gate" in timed:
            return Outcome(**timed)
        return Outcome("", "", outcome.error_class, outcome.table_bytes, timed["seconds"])

    def check(self, genome: Genome) -> Outcome:
        """Pass a candidate through the gates only."""
        try:
            library, spoiled = self.builder.guarded(genome), self.builder.spoiled(genome)
        except RenderError as error:
            return Outcome("renders", str(error))
        except BuildError as error:
            return Outcome("compiles", str(error))
        found = self._checked(genome, library, self.suite.checked)
        if "gate" in found:
            return Outcome(**found)
        # The same gate must tell a variant of the same code that is wrong from the right one.
        told = self._checked(genome, spoiled, self.suite.checked[:1])
        if told.get("gate") != "reference":
            return Outcome("spoiled", f"a spoiled variant passed: {told}")
        named = next(name for most, name in _CLASSES if found["error"] <= most)
        named = "exact" if found["exact"] else named
        return Outcome("", "", named, self.table_bytes(genome))

    def time(
        self,
        genome: Genome,
        scenarios: Sequence[Scenario],
        *,
        budget_s: float | None = None,
        most_pairs: int | None = None,
    ) -> dict[str, Any]:
        """Time a candidate against the baseline: {"seconds": ...}, or the gate that it failed."""
        cases = [
            (
                scenario.name,
                str(self.suite.path(scenario)),
                [
                    str(self.suite.forest(scenario.workload, g.layout))
                    for g in (self.baseline, genome)
                ],
                scenario.batch,
            )
            for scenario in scenarios
        ]
        libraries = [self.builder.timed(self.baseline), self.builder.timed(genome)]
        if genome == self.baseline:
            # The loader would hand out the same library twice: a copy is code of its own.
            libraries[1] = libraries[1].with_suffix(".again.so")
            libraries[1].write_bytes(libraries[0].read_bytes())
        return self._asked(
            {
                "do": "measure",
                "libraries": [str(path) for path in libraries],
                "nonces": [nonce_of(self.baseline), nonce_of(genome)],
                "cases": cases,
                "tolerance": TOLERANCE,
                "budget_s": budget_s or self._budget_s,
                "most_pairs": most_pairs or self._most_pairs,
            }
        )

    def table_bytes(self, genome: Genome) -> int:
        """Bytes that a large batch of the first scenario's forest goes through again and again."""
        path = self.suite.forest(self.suite.searched[0].workload, genome.layout)
        with np.load(path, allow_pickle=False) as read:
            size: dict[str, int] = {
                name: read[name].nbytes for name in read.files if name[0] != "#"
            }
            slots = int(read["#n_slots"])
        codes = size["cuts"] + size["cells"]
        if "planes" in genome.algorithm:
            leaf = size["leaf_words" if genome.leaf_layout == "words" else "leaf"]
            leaf //= 1 if genome.leaf_type == "float64" else 2
            return codes + size["ops"] + size["out"] + leaf + slots * genome.block_rows // 8
        if genome.algorithm == "masks":
            return codes + size["mask_steps"] + size["mask_leaf"]
        return codes + size["nodes"] + size["answers"] + size["leaf"]

    def _checked(self, genome: Genome, library: Path, cases: Sequence[Path]) -> dict[str, Any]:
        return self._asked(
            {
                "do": "check",
                "library": str(library),
                "forests": str(self.suite.forest("", genome.layout).parent),
                "nonce": nonce_of(genome),
                "cases": [(str(path), edges(genome)) for path in cases],
                "tolerance": TOLERANCE,
            }
        )

    def _asked(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "models.kernels.evolve.child"],
                input=json.dumps(request), capture_output=True, text=True, check=False,
                timeout=self._limit_s,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"gate": "hang", "reason": f"not done within {self._limit_s:.0f} s"}
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no message"]
            return {"gate": "crash", "reason": f"exit {done.returncode}: {last[0][:300]}"}
        try:
            return dict(json.loads(done.stdout))
        except ValueError:
            return {"gate": "crash", "reason": f"no answer, but {done.stdout[:100]!r}"}


def edges(genome: Genome) -> list[int]:
    """Numbers of rows at which a kernel may change what it does, and some beyond."""
    steps = {genome.few_up_to, genome.narrow_up_to, genome.narrow_rows, genome.block_rows}
    steps |= {genome.rows_at_once, 16}
    near = {n + by for n in steps for by in (-1, 0, 1)}
    whole = genome.block_rows + genome.narrow_rows
    return sorted(n for n in {*near, 2, 65, whole + 1, 2 * genome.block_rows + 21} if n > 0)
