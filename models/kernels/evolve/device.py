"""Candidates for devices: the gates, in the harness that runs Metal source on the CPU; no times.

No speed is stated of a device that nothing ran on: what passes is right, and untimed.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.kernels.attention import AttentionPlan, attend_slowly, attention_launch
from models.kernels.device import DeviceRunner
from models.kernels.evolve.build import nonce_of
from models.kernels.evolve.genome import Genome
from models.kernels.evolve.judge import Outcome
from models.kernels.evolve.odd import hard_rows, odd_forests
from models.kernels.evolve.render import BEGINS, KERNELS, RenderError, with_free_block
from models.kernels.launch import Launch
from models.kernels.masks import IntArray, MaskForest
from models.kernels.pairs import Entity, PairScorer

Array = NDArray[Any]
Execute = Callable[[Launch], Array]
Edit = Callable[[str], str]

HARNESS: Final = KERNELS.parents[1] / "tests" / "models" / "metal" / "harness.py"
ATTENTION_WITHIN: Final = 1e-5
_ROWS: Final = 45
_FORESTS: Final = ("every rule", "mixed sizes")
_SCORES, _MEANS = "scores[row] = sum;", "out[at + d] = sum > 0.0f ? mean[o] / sum : 0.0f;"
_HEADS: Final = ((10, 2, 1, 70), (6, 3, 5, 40))
"""Query heads, key heads, query positions and keys: decoding with a cache first."""


class DeviceJudge:
    """Passes candidates for Metal or CUDA through the gates.

    Parameters
    ----------
    folder
        Where compiled kernels are kept.

    Raises
    ------
    RenderError
        If the harness, MLX or g++ is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._harness = folder, load_harness()

    def judge(self, genome: Genome) -> Outcome:
        """Pass a candidate through the gates: renders, harness, canary, reference."""
        if problems := genome.problems():
            return Outcome("renders", "; ".join(problems))
        cases = _attention_cases if genome.algorithm == "attention" else _forest_cases
        cuda = genome.target == "cuda"
        executor = self._harness.MetalOnCPU(
            self._folder,
            schedules=(0, 1, 2),
            source_of=self._harness.trace_cuda if cuda else self._harness.trace,
            whole_groups=cuda,
        )
        largest, exact, checked = 0.0, True, False
        try:
            for name, run, expected, shifted in cases(genome, executor):
                found = run(str)
                error = float(np.abs(found - expected).max())
                within = 0.0 if genome.algorithm != "attention" else ATTENTION_WITHIN
                if not error <= within:
                    return Outcome("reference", f"{name}: off by {error:.1e}")
                # The first must come back with the shift that only this source asks for.
                if not checked and not np.abs(run(_shift(genome)) - shifted).max() <= within:
                    return Outcome("canary", f"{name}: other code than the candidate's answered")
                checked = True
                largest, exact = max(largest, error), exact and not error
        except RenderError as error_:
            return Outcome("renders", str(error_))
        except self._harness.MetalFaultError as fault:
            return Outcome("harness", str(fault)[:500])
        named = "exact" if exact else "1e-6" if largest <= 1e-6 else "1e-5"
        return Outcome("", "", named, _table_bytes(genome))


def load_harness() -> ModuleType:
    """Load the fiber harness from the tests of this checkout.

    Raises
    ------
    RenderError
        If it, MLX or g++ is not there.
    """
    lacking = [
        name
        for name, there in (
            (f"{HARNESS}: evolution needs a checkout", HARNESS.is_file()),
            ("MLX: pip install 'courier-dispatch[mlx]'", importlib.util.find_spec("mlx")),
            ("g++", shutil.which("g++")),
        )
        if not there
    ]
    if lacking:
        raise RenderError(f"missing: {'; '.join(lacking)}")
    spec = importlib.util.spec_from_file_location("metal_harness", HARNESS)
    if spec is None or spec.loader is None:
        raise RenderError(f"{HARNESS} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _shift(genome: Genome) -> Edit:
    nonce = nonce_of(genome) % (1 << 40)
    if genome.algorithm == "attention":
        by = _attention_shift(genome)
        return lambda s: s.replace(
            _MEANS, f"out[at + d] = (sum > 0.0f ? mean[o] / sum : 0.0f) + {by}f;"
        )
    return lambda s: s.replace(_SCORES, f"scores[row] = sum + {nonce};")


def _attention_shift(genome: Genome) -> float:
    return 1.0 + nonce_of(genome) % 64 / 64.0


def _with(execute: Execute, genome: Genome, edit: Edit) -> Execute:
    """Put the free block and an edit into launches as they pass."""

    def run(launch: Launch) -> Array:
        source = launch.source
        if BEGINS in source:
            source = with_free_block(source, genome.free)
        return execute(replace(launch, source=edit(source)))

    return run


Runs = Iterator[tuple[str, Callable[[Edit], Array], Array, Array]]


def _forest_cases(genome: Genome, execute: Execute) -> Runs:
    """Run odd forests on hard rows, the features of couriers and orders shared where asked."""
    forests = odd_forests()
    for name in _FORESTS:
        forest = forests[name]
        masks, n_features = MaskForest(forest), int(forest.feature.max()) + 1
        rows = hard_rows(forest, _ROWS, n_features)
        shared: list[list[int]] = [[0], [1, 2]] if genome.entities == "masks" else []
        shared = [[f for f in own if f < n_features] for own in shared]
        entities = [Entity(rows[:9][:, own], np.arange(_ROWS) % 9) for own in shared]
        matrix = rows.copy()
        for own, entity in zip(shared, entities, strict=True):
            matrix[:, own] = entity.matrix[entity.row]
        sums = _exact(forest.leaf_of(matrix), np.cumsum(forest.leaves) - forest.leaves, masks)

        def run(
            edit: Edit,
            masks: MaskForest = masks,
            shared: list[list[int]] = shared,
            entities: list[Entity] = entities,
            rows: Array = rows,
        ) -> Array:
            runner = DeviceRunner(
                masks, genome.target, _with(execute, genome, edit), genome.threads
            )
            return PairScorer(masks, runner, 1 << 18, shared).score(rows, entities)

        nonce = nonce_of(genome) % (1 << 40)
        yield name, run, masks.score(sums), masks.score(sums + nonce)


def _exact(leaf: IntArray, first: IntArray, masks: MaskForest) -> IntArray:
    return np.asarray(masks.values[masks.place[leaf + first]].sum(axis=1))


def _attention_cases(genome: Genome, execute: Execute) -> Runs:
    """Run decoding with a cache, several new positions, and NaN behind the last key."""
    plan = plan_of(genome)
    for heads, shared, rows, keys in _HEADS:
        rng = np.random.default_rng([heads, keys])
        q, k, v = (
            rng.normal(size=(2, n, length, 16)).astype(np.float32)
            for n, length in ((heads, rows), (shared, keys), (shared, keys))
        )
        lengths = np.array([keys, keys - 2], dtype=np.uint32)
        k[1, :, keys - 2 :] = v[1, :, keys - 2 :] = np.nan
        wide = [each.astype(np.float64) for each in (q, k, v)]
        expected = attend_slowly(wide[0], wide[1], wide[2], lengths, scale=0.4, causal=True)
        launch = attention_launch(
            q, k, v, lengths, scale=0.4, causal=True, target=genome.target, plan=plan
        )

        def run(edit: Edit, launch: Launch = launch) -> Array:
            return _with(execute, genome, edit)(launch)

        yield f"{heads}:{shared} heads", run, expected, expected + _attention_shift(genome)


def plan_of(genome: Genome) -> AttentionPlan:
    """Return what an attention genome asks of the kernel."""
    return AttentionPlan(
        rows=genome.block_rows,
        keys=genome.keys_at_once,
        heads=genome.heads_per_load,
        passes=genome.passes,
        vector=genome.vector_width,
        total=genome.accumulate,
    )


def _table_bytes(genome: Genome) -> int:
    """Bytes of shared memory of attention; of the first forest's rules otherwise."""
    if genome.algorithm == "attention":
        return 4 * (genome.keys_at_once * 17 + genome.block_rows * 16)
    masks = MaskForest(odd_forests()[_FORESTS[0]])
    return int(masks.splits.table.nbytes + masks.values.nbytes)
