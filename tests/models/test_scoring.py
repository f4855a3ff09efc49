"""Backends stand behind one protocol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models import AcceptanceModel, ModelError, load, save
from models.scoring import BACKENDS, active_kernel, available_backends, get_backend
from models.scoring.lightgbm import SINGLE_THREAD_ROWS

Columns = dict[str, NDArray[np.float64]]


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("rows", [0, 1, 50, SINGLE_THREAD_ROWS, SINGLE_THREAD_ROWS + 1])
def test_every_backend_gives_the_boosters_raw_scores(
    model: AcceptanceModel, columns: Columns, name: str, rows: int
) -> None:
    if name not in available_backends():
        pytest.skip(f"{name} does not work here")
    if name == "mlx":
        pytest.importorskip("mlx.core", reason="needs MLX", exc_type=ImportError)
    backend = get_backend(name, model.ensemble_)
    assert backend.name == name
    matrix = np.resize(model.matrix(columns), (rows, len(model.schema_.names)))
    scores = backend.score(matrix)
    assert scores.dtype == np.float64
    assert scores.shape == (rows,)
    if rows:
        booster = model.ensemble_.booster
        one_by_one = np.asarray(booster.predict(matrix, raw_score=True, num_threads=1))
        # MLX rounds the exact sum once; the others add in the booster's order, bit for bit.
        apart = 1e-12 if name == "mlx" else 0.0
        np.testing.assert_allclose(scores, one_by_one, rtol=0.0, atol=apart)


def test_the_fastest_backend_that_works_here_is_the_default(model: AcceptanceModel) -> None:
    best = available_backends()[0]
    assert model.ensemble_.backend.name == get_backend(None, model.ensemble_).name == best
    assert active_kernel().split()[0] == best


def test_an_unknown_backend_is_named_with_the_known_ones(model: AcceptanceModel) -> None:
    with pytest.raises(ValueError, match="backend in native, numba, lightgbm, mlx, got 'abacus'"):
        get_backend("abacus", model.ensemble_)


def test_a_backend_that_does_not_work_here_is_refused_with_those_that_do(
    model: AcceptanceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.scoring.registry.variants", tuple)
    assert available_backends()[:2] == ("numba", "lightgbm")
    assert active_kernel() == "numba"
    with pytest.raises(ValueError, match="does not work here; choose from numba, lightgbm"):
        get_backend("native", model.ensemble_)


def test_a_saved_model_is_loaded_with_the_backend_asked_for(
    model: AcceptanceModel, columns: Columns, tmp_path: Path
) -> None:
    save(model, tmp_path / "model")
    expected = model.predict_proba(columns)
    for name in available_backends():
        loaded = load(tmp_path / "model", backend=name)
        assert {each.backend.name for each in loaded.ensembles().values()} == {name}
        apart = 1e-6 if name == "mlx" else 0.0
        np.testing.assert_allclose(loaded.predict_proba(columns), expected, rtol=0.0, atol=apart)
    with pytest.raises(ModelError, match="got 'abacus'"):
        load(tmp_path / "model", backend="abacus")
