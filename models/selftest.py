"""Rows and scores by which a saved model proves, when loaded, that it is the one that was saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.ensemble import Ensemble
from models.forest import Forest
from models.packing import pack, unpack

FloatArray = NDArray[np.float64]

SAMPLE: Final = 400
ODD: Final = (np.nan, 0.0, 1e-36, -1e-36, -0.5, -1.0, 1e300, np.inf, -np.inf)
"""Values that predictors treat in ways of their own: missing, almost zero, beyond every range."""

BACKEND_TOLERANCE: Final = 1e-9
"""Log-odds that a backend may be off: MLX rounds the exact sum once, where LightGBM rounds it tree
by tree; all others agree to the bit."""

_LAYOUT: Final = {"shape": "<i8", "rows": "<f8", "scores": "<f8"}


def choose_probe(forests: Sequence[Forest], matrix: FloatArray) -> FloatArray:
    """Pick rows (p, f) that reach every leaf which 400 rows spread over the matrix reach.

    Rows of one odd value throughout are put before them.
    """
    spread = np.linspace(0, len(matrix) - 1, min(SAMPLE, len(matrix))).astype(np.intp)
    sample = matrix[spread]
    reached = np.concatenate([forest.leaf_of(sample) for forest in forests], axis=1)
    key = reached + np.int64(1 << 32) * np.arange(reached.shape[1])
    _, first = np.unique(key.T.ravel(), return_index=True)
    odd = np.repeat(np.array(ODD)[:, None], matrix.shape[1], axis=1)
    return np.concatenate([odd, sample[np.unique(first % len(sample))]])


def pack_selftest(probe: FloatArray, ensembles: Mapping[str, Ensemble]) -> bytes:
    """Write the probe and what every ensemble scores on it."""
    scores = np.concatenate([each.score(probe) for each in ensembles.values()])
    shape = np.array(probe.shape)
    return pack({"shape": shape, "rows": probe.ravel(), "scores": scores}, _LAYOUT)


def unpack_selftest(
    content: bytes, n_features: int, n_ensembles: int
) -> tuple[FloatArray, FloatArray]:
    """Read the probe (p, f) and the scores (ensembles, p).

    Raises
    ------
    ValueError
        If the bytes are not those of `pack_selftest` for as many features and ensembles.
    """
    found = unpack(content, _LAYOUT)
    n_rows = len(found["rows"]) // n_features
    sound = found["shape"].tolist() == [n_rows, n_features] and n_rows > 0
    sound = sound and len(found["rows"]) == n_rows * n_features
    if not (sound and len(found["scores"]) == n_rows * n_ensembles):
        raise ValueError("the self-test is not one for these ensembles")
    return (
        found["rows"].reshape(n_rows, n_features),
        found["scores"].reshape(n_ensembles, n_rows),
    )


def selftest_problems(
    ensembles: Mapping[str, Ensemble], probe: FloatArray, expected: FloatArray
) -> list[str]:
    """Say which ensembles do not score the probe as they did.

    By our own evaluator bit for bit, then by the backend as closely as any must. Our own goes
    first: LightGBM is only built from a forest that has passed it.
    """
    problems = []
    for (name, ensemble), scores in zip(ensembles.items(), expected, strict=True):
        if not np.array_equal(ensemble.forest.score(probe), scores):
            problems.append(f"{name}: does not score its self-test as it did when saved")
        elif not np.allclose(ensemble.score(probe), scores, rtol=0.0, atol=BACKEND_TOLERANCE):
            problems.append(f"{name}: the scoring backend disagrees with the saved self-test")
    return problems
