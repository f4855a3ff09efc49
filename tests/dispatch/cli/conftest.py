"""One small model, trained through the command line, and the command line run in-process."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dispatch.cli.app import app
from dispatch.datasets import load_sample_offers, sample_path, write_offers
from dispatch.snapshot import write_snapshot

TRAINING_ROWS = 2_500

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a command: `.exit_code`, `.stdout`, `.stderr`; exceptions that escape are raised."""
    runner = CliRunner()

    def invoke(*arguments: object, stdin: bytes | None = None) -> Any:
        # as typer's own main does: exits are turned into codes, anything else is a traceback
        return runner.invoke(app, [str(a) for a in arguments], input=stdin, catch_exceptions=False)

    return invoke


@pytest.fixture(scope="session")
def offers_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("log") / "offers.csv.gz"
    write_offers(load_sample_offers().head(TRAINING_ROWS), file)
    return file


@pytest.fixture(scope="session")
def model(run: Run, offers_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `dispatch train` wrote."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    assert run("train", offers_file, "--out", folder).exit_code == 0
    return folder


@pytest.fixture
def broken_model(model: Path, tmp_path: Path) -> Path:
    """The model with one byte of one of its files changed."""
    folder = tmp_path / "broken-model"
    shutil.copytree(model, folder)
    file = max((f for f in folder.iterdir() if f.name != "manifest.json"), key=lambda f: f.name)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    return folder


@pytest.fixture(scope="session")
def snapshot_file() -> Path:
    return sample_path("snapshot.json")


@pytest.fixture(scope="session")
def small_file(small_snapshot: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The six orders and five couriers of the shared fixture, as a file."""
    file = tmp_path_factory.mktemp("small") / "small.json"
    write_snapshot(small_snapshot, file)
    return file


@pytest.fixture(scope="session")
def plan_file(
    run: Run, model: Path, snapshot_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The plan of the sample snapshot, written by `dispatch assign --out`."""
    file = tmp_path_factory.mktemp("plan") / "plan.json"
    assert run("assign", snapshot_file, "--model", model, "--out", file).exit_code == 0
    return file
