"""A trained model as a folder: manifest, checked arrays, calibration as JSON; no pickle.

A folder is believed in four steps, each of which stops before the next: hashes, the bounds of every
array, the version of the content, a self-test through our own evaluator. Only then does LightGBM
get to see a model, and what it sees is text written from the checked arrays.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.acceptance import AcceptanceModel
from models.artefact import read_artefact, refusal, render, write_artefact
from models.calibration import CalibrationReport, calibration_from_json
from models.ensemble import Ensemble
from models.errors import ArtefactError, ModelError
from models.evaluation import MEASURES, Metric
from models.features import FeatureSchema, unknown_names
from models.forest import Forest
from models.history import HistoryPrior
from models.log import LogSummary
from models.params import AcceptanceParams
from models.reference import FeatureReference
from models.reliability import ReliabilityRow
from models.scoring import backend_problem
from models.selftest import pack_selftest, selftest_problems, unpack_selftest

CALIBRATION: Final = "calibration.json"
SELFTEST: Final = "selftest.bin"
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
    "cities",
    "reference",
    "metrics",
    "monotone_cost",
    "reliability",
    "slices",
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
        "cities": sorted(model.city_ensembles_),
        "reference": [asdict(each) for each in model.reference_],
        "metrics": {name: asdict(metric) for name, metric in model.metrics_.items()},
        "monotone_cost": cost if (cost := model.monotone_cost_) is None else asdict(cost),
        "reliability": [asdict(row) for row in model.reliability_],
        "slices": [asdict(row) for row in model.slices_],
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    calibration = {
        "main": model.calibration_.to_json(),
        "folds": [each.to_json() for each in model.fold_calibrations_],
        "bags": [each.to_json() for each in model.bag_calibrations_],
    }
    ensembles = model.ensembles()
    files = {f"{name}.bin": each.forest.to_bytes() for name, each in ensembles.items()}
    files |= {SELFTEST: pack_selftest(model.probe_, ensembles), CALIBRATION: render(calibration)}
    write_artefact(Path(folder), facts, files)


def load(
    folder: Path | str, refused: Collection[str] = (), backend: str | None = None
) -> AcceptanceModel:
    """Read a saved model; LightGBM sees it only after every byte has been verified.

    `refused` names raw columns and features that this deployment does not allow; a name that is
    neither is refused too, since a slip would refuse nothing. `backend` names what scores, one of
    `models.scoring.BACKENDS`; the fastest that works here by default.

    Raises
    ------
    ModelError
        If the backend does not work here.
    ArtefactError
        Naming every mismatch at once: damaged, missing, extra or linked files, a manifest of
        another shape, another LightGBM major version, a refused feature schema, a failed self-test.
    """
    if backend is not None and (problem := backend_problem(backend)):
        raise ModelError("model not loaded", [problem])
    folder = Path(folder)
    facts, files = read_artefact(folder)
    try:
        model, expected = _assemble(facts, files, backend)
    except ModelError as error:
        raise refusal(folder, error.problems) from error
    except (ValueError, TypeError) as error:
        raise refusal(folder, [str(error)]) from error
    used = {*model.schema_.names, *model.schema_.raw_names} & set(refused)
    problems = [f"{name}: refused by this deployment; train without it" for name in sorted(used)]
    problems += unknown_names(refused)
    # Built here rather than at the first request, so that a service is ready when it says so.
    problems = problems or selftest_problems(model.ensembles(), model.probe_, expected)
    if problems:
        raise refusal(folder, problems)
    # LightGBM, which explains what the arrays score, takes long to import: not under a deadline
    model.ensemble_.contributions(model.probe_[:1])
    return model


def _assemble(
    facts: Mapping[str, Any], files: Mapping[str, bytes], backend: str | None
) -> tuple[AcceptanceModel, NDArray[np.float64]]:
    """Build the model, and return with it the scores that its self-test must give."""
    if facts.keys() != _KEYS:
        raise ValueError(f"unknown or missing facts: {', '.join(sorted(facts.keys() ^ _KEYS))}")
    problems = _library_problems(facts["libraries"])
    model = AcceptanceModel(_record(AcceptanceParams, facts["params"]))
    cities = _texts("cities", facts["cities"])
    names = _ensemble_names(model.params, len(cities))
    expected = {*(f"{name}.bin" for name in names), SELFTEST, CALIBRATION}
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
    model.calibration_report_ = _record(CalibrationReport, facts["calibration"])
    model.reference_ = _records(FeatureReference, facts["reference"])
    if tuple(each.name for each in model.reference_) != model.schema_.names:
        problems.append("the reference does not describe the features of the schema")
    metrics = facts["metrics"]
    if not isinstance(metrics, dict) or metrics.keys() not in (set(), set(MEASURES)):
        raise ValueError(f"expected no metrics or {', '.join(MEASURES)}")
    # A manifest is sorted by key; the order of the measures is their order in every report.
    model.metrics_ = {name: _record(Metric, metrics[name]) for name in MEASURES if metrics}
    cost = facts["monotone_cost"]
    model.monotone_cost_ = None if cost is None else _record(Metric, cost)
    model.reliability_ = _records(ReliabilityRow, facts["reliability"])
    model.slices_ = _records(ReliabilityRow, facts["slices"])
    _read_calibrations(model, json.loads(files[CALIBRATION]))
    _read_ensembles(model, names, cities, files, backend)
    model.probe_, scores = unpack_selftest(files[SELFTEST], len(model.schema_.features), len(names))
    if facts["version"] != model.version:
        problems.append("the version is not that of the content")
    if problems:
        raise ArtefactError("manifest refused", problems)
    return model, scores


def _read_calibrations(model: AcceptanceModel, data: Any) -> None:
    if not isinstance(data, dict) or data.keys() != {"main", "folds", "bags"}:
        raise ValueError(f"{CALIBRATION}: expected main, folds and bags")
    for name, count in (("folds", model.params.n_folds), ("bags", model.params.n_bags)):
        if not isinstance(data[name], list) or len(data[name]) != count:
            raise ValueError(f"{CALIBRATION}: expected {count} {name}")
    model.calibration_ = calibration_from_json(data["main"])
    model.fold_calibrations_ = tuple(map(calibration_from_json, data["folds"]))
    model.bag_calibrations_ = tuple(map(calibration_from_json, data["bags"]))


def _read_ensembles(
    model: AcceptanceModel,
    names: list[str],
    cities: list[str],
    files: Mapping[str, bytes],
    backend: str | None,
) -> None:
    features = model.schema_.names
    read: list[Ensemble] = []
    for name in names:
        try:
            forest = Forest.from_bytes(files[f"{name}.bin"], len(features))
        except ValueError as error:
            raise ValueError(f"{name}.bin: {error}") from error
        read.append(Ensemble(forest, features, model.params.threads, backend))
    first_city = 1 + model.params.n_folds + model.params.n_bags
    model.ensemble_ = read[0]
    model.fold_ensembles_ = tuple(read[1 : 1 + model.params.n_folds])
    model.bag_ensembles_ = tuple(read[1 + model.params.n_folds : first_city])
    model.city_ensembles_ = dict(zip(cities, read[first_city:], strict=True))


def _ensemble_names(params: AcceptanceParams, n_cities: int) -> list[str]:
    counts = {"fold": params.n_folds, "bag": params.n_bags, "city": n_cities}
    return ["model", *(f"{kind}_{k}" for kind, count in counts.items() for k in range(count))]


def _texts(name: str, data: Any) -> list[str]:
    if not isinstance(data, list) or not all(isinstance(each, str) for each in data):
        raise ValueError(f"{name}: expected a list of names")
    if data != sorted(set(data)):
        raise ValueError(f"{name}: expected each name once, in order")
    return data


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
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
    # Fields are written as `int` or `dict[str, float]`; the outer type is compared, and in tuples
    # the one inside.
    wrong = [name for name, hint in types.items() if not _is_of(hint, values[name])]
    if wrong:
        raise ValueError(f"{kind.__name__}: wrong type of {', '.join(wrong)}")
    return kind(**values)


def _is_of(hint: str, value: Any) -> bool:
    outer, _, inner = hint.partition("[")
    if type(value).__name__ != outer:
        return False
    return outer != "tuple" or all(type(v).__name__ == inner.split(",")[0] for v in value)


def _records(kind: type[T], data: Any) -> tuple[T, ...]:
    if not isinstance(data, list):
        raise ValueError(f"{kind.__name__}: expected a list")
    return tuple(_record(kind, each) for each in data)
