"""Damaged artefacts neither kill the process nor pass for another model."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import AcceptanceModel, AcceptanceParams, ArtefactError, load, save, train
from models.artefact import MANIFEST, render
from models.columns import RAW_COLUMNS
from models.forest import Forest
from models.log import read_log

SMALL = AcceptanceParams(max_trees=8, leaves=6, learning_rate=0.2, n_bags=2)


@pytest.fixture(scope="module")
def good(world_of: Callable[[int, int], Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutated") / "model"
    save(train(world_of(2500, 4).log, SMALL), folder)
    return folder


def _mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip bits, overwrite, cut, double or move a stretch."""
    data = bytearray(content)
    at, end = sorted(rng.integers(0, len(data), 2).tolist())
    match int(rng.integers(6)):
        case 0:
            data[at] ^= 1 << int(rng.integers(8))
        case 1:
            data[at : at + 8] = rng.bytes(len(data[at : at + 8]))
        case 2:
            del data[at : at + 1 + end % 64]
        case 3:
            data[at:at] = data[at : at + 1 + end % 64]
        case 4:
            data[at : at + 8] = bytes([int(rng.choice([0, 0x7F, 0x80, 0xFF]))]) * 8
        case _:
            data = data[:at]
    return bytes(data)


def _rehash(folder: Path) -> None:
    """Make sizes, hashes and digest right again, as someone able to rewrite the folder would."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    del manifest["digest"]
    for name, entry in manifest["files"].items():
        content = (folder / name).read_bytes()
        entry.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    manifest["digest"] = hashlib.sha256(render(manifest)).hexdigest()
    (folder / MANIFEST).write_bytes(render(manifest))


def hammer(folder: Path, seed: int, n: int, *, rehash: bool) -> dict[str, int]:
    """Mutate one file n times over; count what was refused and what came back the same.

    Run in a process of its own, so that a crash is seen as one.
    """
    columns: Any = np.load(folder.parent / "columns.npz")
    expected = np.load(folder.parent / "expected.npy")
    names = sorted(path.name for path in folder.iterdir())
    if rehash:  # a manifest of other numbers would be another manifest
        names.remove(MANIFEST)
    rng = np.random.default_rng(seed)
    counts = {"refused": 0, "same": 0, "different": 0}
    for _ in range(n):
        name = str(rng.choice(names))
        kept = {path.name: path.read_bytes() for path in folder.iterdir()}
        changed = _mutate(kept[name], rng)
        (folder / name).write_bytes(changed)
        if rehash:
            _rehash(folder)
        try:
            found = load(folder).predict_proba(dict(columns))
            same = changed == kept[name] or np.array_equal(found, expected)
            counts["same" if same else "different"] += 1
        except ArtefactError:
            counts["refused"] += 1
        for path, content in kept.items():
            (folder / path).write_bytes(content)
    return counts


def _hammer_elsewhere(
    good: Path, tmp_path: Path, world: Any, n: int, *, rehash: bool
) -> dict[str, int]:
    folder = Path(shutil.copytree(good, tmp_path / "model"))
    columns = read_log(world.log.head(500), tuple(RAW_COLUMNS)).columns
    np.savez(tmp_path / "columns.npz", **columns)  # type: ignore[arg-type]
    np.save(tmp_path / "expected.npy", load(good).predict_proba(columns))
    code = (
        "import sys, json, importlib.util as u; from pathlib import Path\n"
        "spec = u.spec_from_file_location('mutations', sys.argv[1])\n"
        "module = u.module_from_spec(spec); spec.loader.exec_module(module)\n"
        f"print(json.dumps(module.hammer(Path(sys.argv[2]), 1, {n}, rehash={rehash})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, __file__, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    counts: dict[str, int] = json.loads(done.stdout)
    assert sum(counts.values()) == n
    return counts


@pytest.mark.parametrize("rehash", [False, True])
def test_some_mutated_artefacts_are_all_refused(
    good: Path, tmp_path: Path, world: Any, rehash: bool
) -> None:
    counts = _hammer_elsewhere(good, tmp_path, world, 150, rehash=rehash)
    assert counts["different"] == 0
    assert counts["refused"] >= 130


@pytest.mark.slow
@pytest.mark.parametrize("rehash", [False, True])
def test_ten_thousand_mutated_artefacts_kill_nothing_and_pass_for_nothing_else(
    good: Path, tmp_path: Path, world: Any, rehash: bool
) -> None:
    counts = _hammer_elsewhere(good, tmp_path, world, 10_000, rehash=rehash)
    assert counts["different"] == 0


def test_arrays_that_pass_every_check_never_kill_lightgbm(good: Path, tmp_path: Path) -> None:
    """Straight past hashes, version and self-test: bounds alone keep the process alive."""
    code = (
        "import sys, importlib.util as u; from pathlib import Path\n"
        "spec = u.spec_from_file_location('mutations', sys.argv[1])\n"
        "module = u.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "print(module.past_the_hashes(Path(sys.argv[2]), 400))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, __file__, str(good)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 40  # enough mutations of leaves and thresholds were sound


def past_the_hashes(folder: Path, n: int) -> int:
    """Hand every mutated forest that is sound to LightGBM; return how many there were."""
    import lightgbm

    content = (folder / "model.bin").read_bytes()
    names = load(folder).schema_.names
    rng = np.random.default_rng(3)
    rows = rng.normal(scale=500.0, size=(64, len(names)))
    rows[rng.random(rows.shape) < 0.1] = np.nan
    sound = 0
    for _ in range(n):
        try:
            forest = Forest.from_bytes(_mutate(content, rng), len(names))
        except ValueError:
            continue
        sound += 1
        booster = lightgbm.Booster(model_str=forest.to_lightgbm(names))
        scores = booster.predict(rows, raw_score=True)
        if not np.array_equal(forest.score(rows), scores):
            raise RuntimeError("a sound forest is scored differently by LightGBM")
        booster.predict(rows, pred_contrib=True)
    return sound


def test_a_model_that_scores_otherwise_than_it_says_is_refused(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The self-test catches what bytes cannot show: an evaluator that has changed."""

    def off(forest: Forest, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.zeros(len(matrix))

    monkeypatch.setattr(Forest, "score", off)
    with pytest.raises(ArtefactError, match="model: does not score its self-test"):
        load(good)


def test_the_self_test_reaches_most_leaves(good: Path) -> None:
    model: AcceptanceModel = load(good)
    for ensemble in model.ensembles().values():
        leaves = ensemble.forest.leaf_of(model.probe_)
        reached = sum(len(np.unique(column)) for column in leaves.T)
        assert reached >= 0.8 * ensemble.forest.leaves.sum()
