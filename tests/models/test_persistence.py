"""A saved model comes back exactly, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import models.persistence
from models import (
    AcceptanceModel,
    AcceptanceParams,
    ArtefactError,
    NotFittedError,
    default_schema,
    load,
    save,
    train,
)
from models.artefact import MANIFEST, read_artefact, render, write_artefact

NAMES = (
    "manifest.json",
    "model.bin",
    "fold_0.bin",
    "fold_1.bin",
    "bag_0.bin",
    "bag_1.bin",
    "selftest.bin",
    "calibration.json",
)


@pytest.fixture(scope="module")
def good(model: AcceptanceModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    save(model, folder)
    return folder


@pytest.fixture
def copy(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "model"))


@pytest.fixture
def no_lightgbm(monkeypatch: pytest.MonkeyPatch) -> None:
    """LightGBM must not see a byte of what is about to be read."""
    import lightgbm

    def reached(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("LightGBM was handed an unverified file")

    monkeypatch.setattr(lightgbm, "Booster", reached)


def test_a_loaded_model_gives_identical_probabilities_and_facts(
    model: AcceptanceModel, good: Path, columns: dict[str, NDArray[np.float64]]
) -> None:
    again = load(good)
    np.testing.assert_array_equal(again.predict_proba(columns), model.predict_proba(columns))
    for fold in range(2):
        np.testing.assert_array_equal(
            again.predict_proba_fold(columns, fold), model.predict_proba_fold(columns, fold)
        )
    assert again.version == model.version
    assert again.summary() == model.summary()
    assert again.monotone_cost_ == model.monotone_cost_
    assert (again.params, again.training_, again.metrics_, again.calibration_report_) == (
        model.params,
        model.training_,
        model.metrics_,
        model.calibration_report_,
    )


def test_two_trainings_give_identical_bytes_and_so_does_saving_again(
    world: Any, quick_params: AcceptanceParams, good: Path, tmp_path: Path
) -> None:
    save(train(world.log, quick_params), tmp_path / "trained")
    save(load(good), tmp_path / "loaded")
    assert sorted(p.name for p in good.iterdir()) == sorted(NAMES)
    for folder in (tmp_path / "trained", tmp_path / "loaded"):
        for name in NAMES:
            assert (folder / name).read_bytes() == (good / name).read_bytes(), name


@pytest.mark.usefixtures("no_lightgbm")
@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_bit_anywhere_is_refused(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    rng = np.random.default_rng(len(name))
    for at in {0, len(content) - 1, *rng.integers(len(content), size=40).tolist()}:
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(rng.integers(8))
        (copy / name).write_bytes(damaged)
        with pytest.raises(ArtefactError, match=name):
            load(copy)


@pytest.mark.usefixtures("no_lightgbm")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [0, 100])
def test_a_truncated_file_is_refused(copy: Path, name: str, length: int) -> None:
    os.truncate(copy / name, length)
    with pytest.raises(ArtefactError, match=name):
        load(copy)


@pytest.mark.usefixtures("no_lightgbm")
@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ArtefactError, match=f"{name}: missing"):
        load(copy)


@pytest.mark.usefixtures("no_lightgbm")
@pytest.mark.parametrize("name", NAMES)
def test_a_link_is_refused_even_to_the_right_bytes(copy: Path, tmp_path: Path, name: str) -> None:
    (copy / name).rename(tmp_path / "elsewhere")
    (copy / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtefactError, match=f"{name}: not a plain file"):
        load(copy)


@pytest.mark.usefixtures("no_lightgbm")
def test_a_pipe_is_refused_without_waiting_on_it(copy: Path) -> None:
    (copy / "model.bin").unlink()
    os.mkfifo(copy / "model.bin")
    with pytest.raises(ArtefactError, match="not a plain file"):
        load(copy)


@pytest.mark.usefixtures("no_lightgbm")
def test_every_damage_is_told_at_once(copy: Path) -> None:
    (copy / "fold_0.bin").unlink()
    (copy / "extra.bin").write_text("more")
    with (copy / "model.bin").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(ArtefactError) as caught:
        load(copy)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "extra.bin",
        "fold_0.bin",
        "model.bin",
    ]


@pytest.mark.usefixtures("no_lightgbm")
def test_swapped_files_are_refused(copy: Path) -> None:
    one, other = (copy / "model.bin").read_bytes(), (copy / "fold_0.bin").read_bytes()
    (copy / "model.bin").write_bytes(other)
    (copy / "fold_0.bin").write_bytes(one)
    with pytest.raises(ArtefactError, match=r"model.bin|fold_0.bin"):
        load(copy)


def _rewrite(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the manifest and give it a digest that matches, as a careless tool might."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    del manifest["digest"]
    change(manifest)
    manifest["digest"] = hashlib.sha256(render(manifest)).hexdigest()
    (folder / MANIFEST).write_bytes(render(manifest))


def _fact(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        place = manifest["facts"]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


def _forbidden_feature(manifest: dict[str, Any]) -> None:
    manifest["facts"]["schema"]["features"][0]["name"] = "gender"


@pytest.mark.usefixtures("no_lightgbm")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda m: m.update(format="other"), "expected format"),
        (lambda m: m.update(more=1), "unknown or missing keys more"),
        (lambda m: m.pop("facts"), "unknown or missing keys facts"),
        (lambda m: m.update(facts=[]), "expected shape"),
        (lambda m: m["files"].update({"../evil.bin": m["files"]["model.bin"]}), "expected shape"),
        (lambda m: m["files"].update({"manifest.json": m["files"]["model.bin"]}), "expected shape"),
        (lambda m: m["files"]["model.bin"].update(bytes="1"), "expected shape"),
        (lambda m: m["files"]["model.bin"].update(sha256="0" * 64), "model.bin: SHA-256 differs"),
        (lambda m: m["files"]["model.bin"].update(bytes=1), "the manifest says 1"),
        (lambda m: m["files"].pop("fold_1.bin"), "fold_1.bin: not in the manifest"),
        (_fact("author", value="x"), "unknown or missing facts: author"),
        (_fact("version", value="0" * 12), "version is not that of the content"),
        (_fact("schema_sha256", value="0" * 64), "does not match its fingerprint"),
        (_fact("raw_columns", value=["pay"]), "raw columns"),
        (_fact("schema", value={}), "not the shape"),
        (_forbidden_feature, "forbidden attributes gender"),
        (_fact("history_prior", "accepted", value=-1.0), "positive finite"),
        (_fact("history_prior", "accepted", value="1"), "wrong type of accepted"),
        (_fact("params", "leaves", value=0), "expected leaves in"),
        (_fact("params", "leaves", value=15.0), "wrong type of leaves"),
        (_fact("params", "n_folds", value=3), "expected files"),
        (_fact("params", "use_courier_history", value=False), "disagree on courier history"),
        (_fact("metrics", value=[]), "expected no metrics or auc, log_loss"),
        (_fact("metrics", "f1", value={}), "expected no metrics or auc, log_loss"),
        (_fact("metrics", "auc", value={"value": 0.9}), "Metric: expected the keys"),
        (_fact("training", "rows", value=None), "LogSummary: wrong type of rows"),
        (_fact("libraries", "lightgbm", value="3.3.5"), "saved with LightGBM 3.3.5, here is"),
        (_fact("libraries", value={}), "expected the versions of"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(
    copy: Path, change: Callable[[dict[str, Any]], Any], told: str
) -> None:
    _rewrite(copy, change)
    with pytest.raises(ArtefactError, match=told):
        load(copy)


@pytest.mark.usefixtures("no_lightgbm")
def test_another_calibration_under_the_same_version_is_refused(copy: Path) -> None:
    facts, files = read_artefact(copy)
    calibration = json.loads(files["calibration.json"])
    calibration["main"] = {"name": "sigmoid", "slope": 2.0, "intercept": 0.0}
    write_artefact(copy, facts, {**files, "calibration.json": render(calibration)})
    with pytest.raises(ArtefactError, match="version is not that of the content"):
        load(copy)


@pytest.mark.usefixtures("no_lightgbm")
@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"a": NaN}'])
def test_a_manifest_of_rubbish_is_refused(copy: Path, content: bytes) -> None:
    (copy / MANIFEST).write_bytes(content)
    with pytest.raises(ArtefactError, match=MANIFEST):
        load(copy)


def test_a_path_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="not a folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(ArtefactError, match=r"manifest\.json: missing"):
        load(tmp_path)


def test_an_older_model_is_replaced_and_nothing_else_is_left(
    model: AcceptanceModel, copy: Path
) -> None:
    with (copy / "model.bin").open("ab") as file:
        file.write(b"damage")
    save(model, copy)
    assert load(copy).version == model.version
    assert [path.name for path in copy.parent.iterdir()] == ["model"]


def test_an_empty_folder_may_be_filled_and_parents_are_made(
    model: AcceptanceModel, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "a" / "b"):
        save(model, folder)
        assert load(folder).version == model.version


@pytest.mark.parametrize("guest", ["thesis.docx", MANIFEST])
def test_a_folder_of_other_things_is_never_overwritten(
    model: AcceptanceModel, tmp_path: Path, guest: str
) -> None:
    (tmp_path / guest).write_text("{}")
    with pytest.raises(ArtefactError, match="would be lost"):
        save(model, tmp_path)
    assert (tmp_path / guest).read_text() == "{}"


def test_an_artefact_with_a_guest_file_is_never_overwritten(
    model: AcceptanceModel, copy: Path
) -> None:
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(ArtefactError, match="would be lost"):
        save(model, copy)
    assert (copy / "notes.txt").read_text() == "mine"


def test_a_failed_save_leaves_the_old_model(
    model: AcceptanceModel, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(model, copy)
    assert load(copy).version == model.version
    assert [path.name for path in copy.parent.iterdir()] == ["model"]


def test_an_uncalibrated_model_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        save(AcceptanceModel(), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_another_major_version_of_lightgbm_is_refused(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.persistence, "version", lambda _: "99.0.0")
    with pytest.raises(ArtefactError, match=r"here is 99.0.0; install .* or train again"):
        load(good)


def test_the_manifest_states_what_a_reader_wants_to_know(
    model: AcceptanceModel, good: Path, world: Any
) -> None:
    facts, _ = read_artefact(good)
    assert facts["schema"] == default_schema().to_json()
    assert facts["training"]["rows"] == 4200
    assert 0.0 < facts["training"]["base_rate"] < 1.0
    assert facts["metrics"]["auc"].keys() == {"value", "low", "high"}
    assert facts["params"]["seed"] == 0
    assert facts["calibration"]["chosen"] in ("sigmoid", "beta", "isotonic")
    assert set(facts["libraries"]) >= {"lightgbm", "numpy"}
