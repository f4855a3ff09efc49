"""Backends stand behind one protocol."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models import AcceptanceModel
from models.scoring import BACKENDS, get_backend
from models.scoring.lightgbm import SINGLE_THREAD_ROWS

Columns = dict[str, NDArray[np.float64]]


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("rows", [0, 1, 50, SINGLE_THREAD_ROWS, SINGLE_THREAD_ROWS + 1])
def test_every_backend_gives_the_boosters_raw_scores(
    model: AcceptanceModel, columns: Columns, name: str, rows: int
) -> None:
    if name == "mlx":
        pytest.importorskip("mlx.core", reason="needs MLX", exc_type=ImportError)
    booster = model.ensemble_.booster
    backend = get_backend(name, booster, threads=2)
    assert backend.name == name
    matrix = np.resize(model.matrix(columns), (rows, len(model.schema_.names)))
    scores = backend.score(matrix)
    assert scores.dtype == np.float64
    assert scores.shape == (rows,)
    if rows:
        one_by_one = np.asarray(booster.predict(matrix, raw_score=True, num_threads=1))
        np.testing.assert_allclose(scores, one_by_one, rtol=0.0, atol=1e-6)


def test_an_unknown_backend_is_named_with_the_known_ones(model: AcceptanceModel) -> None:
    with pytest.raises(
        ValueError, match="expected a scoring backend in lightgbm, mlx, got 'abacus'"
    ):
        get_backend("abacus", model.ensemble_.booster, threads=1)
