"""A trained model as a folder: manifest, LightGBM text, calibration as JSON; no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

from models.acceptance import AcceptanceModel, CalibrationReport, LogSummary
from models.artefact import read_artefact, refused, render, write_artefact
from models.calibration import calibration_from_json
from models.ensemble import Ensemble
from models.errors import ArtefactError, ModelError
from models.evaluation import MEASURES, Metric
from models.features import FeatureSchema
from models.history import HistoryPrior
from models.params import AcceptanceParams

MODEL: Final = "model.txt"
CALIBRATION: Final = "calibration.json"
LIBRARIES: Final = ("lightgbm", "numpy", "pandas", "scikit-learn", "scipy")

_KEYS: Final = {
    "version",
    "schema",
    "schema_sha256",
    "raw_columns",
    "history_prior",
    "params",
    "training",
    "calibration",
    "metrics",
    "libraries",
}

T = TypeVar("T")


def save(model: AcceptanceModel, folder: Path | str) -> None:
    """Write a calibrated model to `folder`, replacing an older one there; same model, same bytes.

    Raises
    ------
    ArtefactError
        If `folder` holds anything but a saved model, which would be lost.
    NotFittedError
        If the model is not calibrated.
    """
    facts = {
        "version": model.version,
        "schema": model.schema_.to_json(),
        "schema_sha256": model.schema_.sha256,
        "raw_columns": list(model.schema_.raw_names),
        "history_prior": asdict(model.history_prior_),
        "params": asdict(model.params),
        "training": asdict(model.training_),
        "calibration": asdict(model.calibration_report_),
        "metrics": {name: asdict(metric) for name, metric in model.metrics_.items()},
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    calibration = {
        "main": model.calibration_.to_json(),
        "folds": [each.to_json() for each in model.fold_calibrations_],
    }
    texts = {MODEL: model.ensemble_.text}
    texts |= {_fold_name(k): each.text for k, each in enumerate(model.fold_ensembles_)}
    files = {name: text.encode() for name, text in texts.items()}
    write_artefact(Path(folder), facts, {**files, CALIBRATION: render(calibration)})


def load(folder: Path | str) -> AcceptanceModel:
    """Read a saved model; LightGBM parses its text only after every byte has been verified.

    Raises
    ------
    ArtefactError
        Naming every mismatch at once: damaged, missing, extra or linked files, a manifest of
        another shape, another LightGBM major version, a refused feature schema.
    """
    folder = Path(folder)
    facts, files = read_artefact(folder)
    try:
        model = _assemble(facts, files)
    except ModelError as error:
        raise refused(folder, error.problems) from error
    except ValueError as error:
        raise refused(folder, [str(error)]) from error
    # Parsed here rather than at the first request, so that a service is ready when it says so.
    for ensemble in (model.ensemble_, *model.fold_ensembles_):
        if tuple(ensemble.booster.feature_name()) != model.schema_.names:
            raise refused(folder, ["an ensemble's features are not those of the schema"])
    return model


def _assemble(facts: Mapping[str, Any], files: Mapping[str, bytes]) -> AcceptanceModel:
    if facts.keys() != _KEYS:
        raise ValueError(f"unknown or missing facts: {', '.join(sorted(facts.keys() ^ _KEYS))}")
    problems = _library_problems(facts["libraries"])
    model = AcceptanceModel(_record(AcceptanceParams, facts["params"]))
    folds = [_fold_name(k) for k in range(model.params.n_folds)]
    expected = {MODEL, CALIBRATION, *folds}
    if files.keys() != expected:
        raise ValueError(f"expected files {', '.join(sorted(expected))}, got {', '.join(files)}")
    model.schema_ = FeatureSchema.from_json(facts["schema"])
    if facts["schema_sha256"] != model.schema_.sha256:
        problems.append("the feature schema does not match its fingerprint")
    if facts["raw_columns"] != list(model.schema_.raw_names):
        problems.append("the raw columns are not those of the feature schema")
    if model.schema_.use_courier_history != model.params.use_courier_history:
        problems.append("schema and params disagree on courier history")
    model.history_prior_ = _record(HistoryPrior, facts["history_prior"])
    model.training_ = _record(LogSummary, facts["training"])
    metrics, report = facts["metrics"], facts["calibration"]
    if not isinstance(metrics, dict) or metrics.keys() not in (set(), set(MEASURES)):
        raise ValueError(f"expected no metrics or {', '.join(MEASURES)}")
    # A manifest is sorted by key; the order of the measures is their order in every report.
    model.metrics_ = {name: _record(Metric, metrics[name]) for name in MEASURES if metrics}
    model.calibration_report_ = _record(CalibrationReport, report)
    calibration = json.loads(files[CALIBRATION])
    if not isinstance(calibration, dict) or calibration.keys() != {"main", "folds"}:
        raise ValueError(f"{CALIBRATION}: expected main and folds")
    if not isinstance(calibration["folds"], list) or len(calibration["folds"]) != len(folds):
        raise ValueError(f"{CALIBRATION}: expected {len(folds)} folds")
    model.calibration_ = calibration_from_json(calibration["main"])
    model.fold_calibrations_ = tuple(map(calibration_from_json, calibration["folds"]))
    threads = model.params.threads
    model.ensemble_ = Ensemble(files[MODEL].decode(), threads)
    model.fold_ensembles_ = tuple(Ensemble(files[name].decode(), threads) for name in folds)
    if facts["version"] != model.version:
        problems.append("the version is not that of the content")
    if problems:
        raise ArtefactError("manifest refused", problems)
    return model


def _library_problems(libraries: Any) -> list[str]:
    if not isinstance(libraries, dict) or libraries.keys() != set(LIBRARIES):
        return [f"expected the versions of {', '.join(LIBRARIES)}"]
    # LightGBM alone reads the artefact; the others are recorded for repeating the training.
    saved, here = str(libraries["lightgbm"]), version("lightgbm")
    if saved.split(".")[0] != here.split(".")[0]:
        return [f"saved with LightGBM {saved}, here is {here}; install {saved} or train again"]
    return []


def _record(kind: type[T], data: Any) -> T:
    """Build a dataclass from JSON of exactly its fields and their types."""
    types = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(data, dict) or data.keys() != types.keys():
        raise ValueError(f"{kind.__name__}: expected the keys {', '.join(types)}")
    # Fields are written as `int` or `dict[str, float]`; the outer type is compared.
    wrong = [name for name in types if type(data[name]).__name__ != types[name].split("[")[0]]
    if wrong:
        raise ValueError(f"{kind.__name__}: wrong type of {', '.join(wrong)}")
    return kind(**data)


def _fold_name(fold: int) -> str:
    return f"fold_{fold}.txt"
