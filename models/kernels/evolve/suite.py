"""The cases that candidates are checked on and timed on, written to a folder once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.forest import Forest
from models.kernels.evolve.cases import KINDS, LAYOUTS, OWNERS, Case, lay_out_pairs, save_forest
from models.kernels.evolve.odd import hard_rows, odd_forests
from models.kernels.program import MAX_PLANE_LEAVES

FloatArray = NDArray[np.float64]

BATCHES: Final = (1, 64, 512, 4096, 65_536)
_LEAST_POOL: Final = 512
"""Rows of a scenario at least: the same row again would teach the processor its branches."""

_HARD_ROWS: Final = 2200
_LIST: Final = "suite.json"


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """A forest in use.

    Attributes
    ----------
    name, forest
        The forest and what reports call it.
    rows
        Rows as they come (m, f).
    owner
        Of each feature, who brings it: one of `OWNERS`.
    kinds
        How its rows come, of `KINDS`.
    """

    name: str
    forest: Forest
    rows: FloatArray
    owner: list[str]
    kinds: Sequence[str]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is timed."""

    workload: str
    kind: str
    batch: int

    @property
    def name(self) -> str:
        """As reports call it."""
        return f"{self.workload}, {self.kind}, {self.batch:,}"


class Suite:
    """Cases in a folder, as `make_suite` wrote them.

    Attributes
    ----------
    searched, held_out
        Scenarios that candidates are timed on, and those that only the winner is, once.
    checked
        Cases of the gates.

    Raises
    ------
    FileNotFoundError
        If the folder holds no suite.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = json.loads((folder / _LIST).read_text())
        self.searched = [Scenario(**each) for each in listed["searched"]]
        self.held_out = [Scenario(**each) for each in listed["held_out"]]
        self.checked = [folder / name for name in listed["checked"]]

    def path(self, scenario: Scenario) -> Path:
        """Where the case of a scenario is."""
        return self.folder / f"{scenario.workload} {scenario.kind} {scenario.batch}.npz"

    def forest(self, name: str, layout: str) -> Path:
        """Where a forest is, its leaves numbered as `layout` says."""
        return self.folder / layout / f"{name}.npz"


def make_suite(
    folder: Path,
    workloads: Sequence[Workload],
    held_out: Workload,
    batches: Sequence[int] = BATCHES,
) -> Suite:
    """Write the cases of a suite.

    Parameters
    ----------
    folder
        Where to.
    workloads
        Forests to search on: each is timed in its kinds at every batch.
    held_out
        A forest that the search never sees: one scenario a batch, its kinds in turn.
    batches
        Rows of a call.
    """
    folder.mkdir(parents=True, exist_ok=True)
    searched = [
        Scenario(load.name, kind, batch)
        for load in workloads
        for kind in load.kinds
        for batch in batches
    ]
    kept = [
        Scenario(held_out.name, held_out.kinds[k % len(held_out.kinds)], batch)
        for k, batch in enumerate(batches)
    ]
    checked = _write_checked(folder)
    content = {
        "searched": [asdict(each) for each in searched],
        "held_out": [asdict(each) for each in kept],
        "checked": [path.name for path in checked],
    }
    (folder / _LIST).write_text(json.dumps(content))
    suite = Suite(folder)
    loads = {load.name: load for load in (*workloads, held_out)}
    for name, load in loads.items():
        _write_forest(suite.folder, name, load.forest)
    for seed, scenario in enumerate((*searched, *kept)):
        _timed_case(loads[scenario.workload], scenario, seed).save(suite.path(scenario))
    return suite


def _write_forest(folder: Path, name: str, forest: Forest) -> None:
    for layout in LAYOUTS:
        (folder / layout).mkdir(exist_ok=True)
        save_forest(forest, layout, folder / layout / f"{name}.npz")


def _write_checked(folder: Path) -> list[Path]:
    """Write cases for the gates: every odd forest as matrix, list and dense, on hard rows."""
    found = []
    for name, forest in odd_forests().items():
        _write_forest(folder, name, forest)
        n_features = int(forest.feature.max(initial=0)) + 1
        rows = hard_rows(forest, _HARD_ROWS, n_features)
        owner = [OWNERS[f % len(OWNERS)] for f in range(n_features)]
        for kind in KINDS if forest.leaves.max() <= MAX_PLANE_LEAVES else KINDS[:1]:
            path = folder / f"hard {name} {kind}.npz"
            _case(forest, name, rows, owner, kind, _HARD_ROWS, 1).save(path)
            found.append(path)
    return found


def _case(
    forest: Forest, name: str, rows: FloatArray, owner: list[str], kind: str, n: int, seed: int
) -> Case:
    if kind == "matrix":
        drawn = rows[np.random.default_rng(seed).integers(0, len(rows), n)]
        return Case(name, kind, {"matrix": drawn}, forest.score(drawn))
    arrays, matrix = lay_out_pairs(forest, rows, owner, kind, n, seed)
    return Case(name, kind, arrays, forest.score(matrix))


def _timed_case(load: Workload, scenario: Scenario, seed: int) -> Case:
    n = max(scenario.batch, min(_LEAST_POOL * 4, _LEAST_POOL * scenario.batch))
    return _case(load.forest, load.name, load.rows, load.owner, scenario.kind, n, seed)
