"""`dispatch evolve`: a search that goes on, ends once, and says what it cannot do here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.kernels.evolve.odd import grown, hard_rows
from models.kernels.evolve.suite import Workload, make_suite
from models.kernels.library import variants

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A search's folder with a tiny suite, so that no city is drawn."""
    if not variants() or shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    forest = grown(np.random.default_rng(1), [31] * 4, 3)
    owner = ["courier", "order", "pair"]
    load = Workload("tiny", forest, hard_rows(forest, 60, 3), owner, ("matrix", "list"))
    make_suite(tmp_path / "suite", [load], load, batches=(1, 16))
    return tmp_path


def test_a_search_goes_on_draws_its_archive_and_ends_once(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is busy with other tests, so whether it is quiet is settled beforehand."""
    monkeypatch.setattr("models.kernels.evolve.report.void_because", lambda _same: "noise")
    noisy = run("evolve", folder, "--candidates", 1, "--end")
    assert noisy.exit_code == 3
    assert "not quiet enough to judge: noise" in noisy.stderr
    assert not (folder / "report.json").exists()
    monkeypatch.setattr("models.kernels.evolve.report.void_because", lambda _same: "")
    plot = folder / "archive.png"
    first = run("evolve", folder, "--candidates", 1)
    assert first.exit_code == 0, first.stderr
    assert "1 judged, best exact one" in first.stderr  # read, not judged again
    last = run("evolve", folder, "--candidates", 2, "--plot", plot, "--end")
    assert last.exit_code == 0, last.stderr
    assert "2 judged" in last.stderr
    assert plot.read_bytes().startswith(PNG)
    report = json.loads((folder / "report.json").read_text())
    assert set(report["held_out"]["scenarios"]) == {"tiny, matrix, 1", "tiny, list, 16"}
    assert {"mean", "void"} <= set(report["searched"]["same"])
    assert {"processor", "load", "versions", "compiler"} <= set(report["machine"])
    assert "| held out |" in last.stdout
    assert "2 candidates, 0 rejected" in last.stdout
    runs = [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]
    assert [each["judged"] for each in runs] == [1, 2]
    assert runs[0]["same"]["void"] == "noise"
    again = run("evolve", folder, "--candidates", 2, "--end")
    assert again.exit_code == 3
    assert "judged once" in again.stderr


def test_what_cannot_be_done_here_is_said(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    done = run("evolve", tmp_path, "--rewrite", 1)
    assert done.exit_code == 3
    assert "OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL" in done.stderr
    done = run("evolve", tmp_path, "--target", "abacus")
    assert done.exit_code == 3
    assert "no kernel for 'abacus'" in done.stderr


def test_help_loads_nothing_that_takes_long() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom dispatch.cli.app import app\n"
        "assert CliRunner().invoke(app, ['evolve', '--help']).exit_code == 0\n"
        "assert not {'lightgbm', 'pandas', 'matplotlib', 'models'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
