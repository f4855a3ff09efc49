"""A tiny suite on disk, and the judge that uses it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.kernels.evolve.build import Builder
from models.kernels.evolve.judge import Judge
from models.kernels.evolve.odd import grown, hard_rows
from models.kernels.evolve.suite import Suite, Workload, make_suite
from models.kernels.library import variants

QUICK = ("-O1",)  # twice as fast to compile


@pytest.fixture(scope="session")
def workload() -> Workload:
    forest = grown(np.random.default_rng(1), [31] * 20, 6)
    owner = ["courier", "order", "moment", "pair", "pair", "courier"]
    return Workload("small", forest, hard_rows(forest, 500, 6), owner, ("matrix", "dense"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evolve")


@pytest.fixture(scope="session")
def suite(folder: Path, workload: Workload) -> Suite:
    return make_suite(folder / "suite", [workload], workload, batches=(1, 64))


@pytest.fixture(scope="session")
def judge_of(suite: Suite, folder: Path) -> Callable[..., Judge]:
    """Return a function: a judge of sources that `change` has edited, if given."""
    if not variants() or shutil.which("cc") is None:
        pytest.skip("needs a C compiler")

    def make(change: Callable[[str], str] = str, **how: float) -> Judge:
        return Judge(suite, Builder(folder / "built", change, QUICK), budget_s=0.01, **how)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def judge(judge_of: Callable[..., Judge]) -> Judge:
    return judge_of()
