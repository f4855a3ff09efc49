"""A kept set scorer as a folder beside its acceptance model's: manifest, arrays, no pickle."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.acceptance import AcceptanceModel
from models.artefact import read_artefact, refusal, render, write_artefact
from models.attention.network import shapes
from models.attention.params import SetParams
from models.attention.scorer import SetScorer
from models.attention.stacking import SetAwareModel, SetGain
from models.attention.tokens import Encoder
from models.calibration import calibration_from_json
from models.errors import NotFittedError
from models.packing import pack, unpack

KIND: Final = "set scorer 1"
WEIGHTS: Final = "weights.bin"
CALIBRATION: Final = "calibration.json"

_KEYS: Final = {"kind", "model", "params", "known", "gain", "losses"}
_SCALES: Final = {"mean": "<f8", "sd": "<f8"}


def save_sets(aware: SetAwareModel, folder: Path | str) -> None:
    """Write the set scorer to `folder`, replacing an older one there; same scorer, same bytes.

    The acceptance model is saved by `models.save`, to a folder of its own.

    Raises
    ------
    ArtefactError
        If `folder` holds anything but an artefact, which would be lost.
    NotFittedError
        If the scorer was dropped, so that there is nothing to save.
    """
    scorer, calibration = aware.scorer, aware.calibration
    if scorer is None or calibration is None:
        raise NotFittedError("the set scorer was dropped; save the acceptance model alone")
    facts = {
        "kind": KIND,
        "model": aware.model.version,
        "params": asdict(scorer.params),
        "known": len(scorer.encoder.mean),
        "gain": asdict(aware.gain),
        "losses": list(scorer.losses),
    }
    arrays: dict[str, NDArray[Any]] = {name: each.ravel() for name, each in scorer.weights.items()}
    arrays |= {"mean": scorer.encoder.mean, "sd": scorer.encoder.sd}
    layout = dict.fromkeys(scorer.weights, "<f4") | _SCALES
    files = {WEIGHTS: pack(arrays, layout), CALIBRATION: render(calibration.to_json())}
    write_artefact(Path(folder), facts, files)


def load_sets(folder: Path | str, model: AcceptanceModel) -> SetAwareModel:
    """Read a saved set scorer back onto the acceptance model that it was trained on.

    Raises
    ------
    ArtefactError
        Naming what is damaged, missing, of another shape, or made for another model.
    """
    folder = Path(folder)
    facts, files = read_artefact(folder)
    try:
        return _assemble(facts, files, model)
    except (ValueError, TypeError) as error:
        raise refusal(folder, [str(error)]) from error


def _assemble(
    facts: Mapping[str, Any], files: Mapping[str, bytes], model: AcceptanceModel
) -> SetAwareModel:
    if facts.keys() != _KEYS or facts["kind"] != KIND or files.keys() != {WEIGHTS, CALIBRATION}:
        raise ValueError(f"not a {KIND}")
    if facts["model"] != model.version:
        raise ValueError(f"made for model {facts['model']}, this is {model.version}; train again")
    params, gain = SetParams(**facts["params"]), SetGain(**facts["gain"])
    known, losses = facts["known"], facts["losses"]
    numbers = [gain.value, gain.error, *losses]
    if type(known) is not int or not 1 <= known <= 1000 or {*map(type, numbers)} != {float}:
        raise ValueError("known, gain or losses are not numbers in their range")
    blank = Encoder(np.zeros(known), np.ones(known))
    sizes = shapes(params, blank.width)
    found = unpack(files[WEIGHTS], dict.fromkeys(sizes, "<f4") | _SCALES)
    expected = {name: math.prod(size) for name, size in sizes.items()} | {
        "mean": known,
        "sd": known,
    }
    wrong = [name for name, count in expected.items() if len(found[name]) != count]
    wrong += [name for name, values in found.items() if not np.isfinite(values).all()]
    if wrong or not (found["sd"] > 0.0).all():
        raise ValueError(f"arrays of another shape or not finite: {', '.join(wrong) or 'sd'}")
    weights = {name: found[name].reshape(size) for name, size in sizes.items()}
    scorer = SetScorer(params, Encoder(found["mean"], found["sd"]), weights, tuple(losses))
    calibration = calibration_from_json(json.loads(files[CALIBRATION]))
    return SetAwareModel(model, scorer, calibration, gain)
