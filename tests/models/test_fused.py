"""Scores from the tables are those of the matrix, to the last bit."""

from __future__ import annotations

import tracemalloc
from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models import RAW_COLUMNS, AcceptanceModel, FeatureError, PairColumns, read_log
from models.scoring import available_backends, get_backend
from models.scoring.fused import pair_probabilities, score_pairs

FloatArray = NDArray[np.float64]
N_COURIERS, N_ORDERS = 70, 90


def tables_of(log: pd.DataFrame, n_pairs: int, seed: int = 0) -> PairColumns:
    """Draw tables from a log; the metres of a trip depend on the vehicle, so on the pair."""
    columns = read_log(log, tuple(RAW_COLUMNS)).columns
    rng = np.random.default_rng(seed)
    told_by = {name: column.source for name, column in RAW_COLUMNS.items()} | {"trip_m": "pair"}

    def some(source: str, size: int) -> dict[str, FloatArray]:
        at = rng.integers(0, len(columns["pay"]), size)
        return {name: columns[name][at] for name in columns if told_by[name] == source}

    return PairColumns(
        courier=some("courier", N_COURIERS),
        order=some("order", N_ORDERS),
        context=some("context", 1),
        pair=some("pair", n_pairs),
        # every other one, as a column of a table is
        courier_row=rng.integers(0, N_COURIERS, 2 * n_pairs)[::2],
        order_row=np.sort(rng.integers(0, N_ORDERS, n_pairs)),
    )


@pytest.mark.parametrize("n_pairs", [0, 1, 13, 70, 511, 8193, 70_000])
@pytest.mark.parametrize("name", [each for each in available_backends() if each != "mlx"])
def test_pairs_and_matrix_give_the_same_scores_to_the_last_bit(
    model: AcceptanceModel, world: object, n_pairs: int, name: str
) -> None:
    pairs = tables_of(world.log, n_pairs)  # type: ignore[attr-defined]
    backend = get_backend(name, model.ensemble_)
    scores = score_pairs(backend, model.schema_, model.history_prior_, pairs)
    matrix = model.matrix(pairs.expand())
    np.testing.assert_array_equal(scores, model.ensemble_.forest.score(matrix))


def test_mlx_works_out_once_what_a_courier_or_an_order_excludes(
    model: AcceptanceModel, world: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores are MLX's own on the matrix to the bit, probabilities the calibration's to 1e-6."""
    pytest.importorskip("mlx.core", reason="needs MLX", exc_type=ImportError)
    pairs = tables_of(world.log, 1500)  # type: ignore[attr-defined]
    backend = get_backend("mlx", model.ensemble_)
    heights = []
    runner = backend._runner  # type: ignore[attr-defined]
    masks = runner.masks
    monkeypatch.setattr(
        runner, "masks", lambda loaded, m: heights.append(len(m)) or masks(loaded, m)
    )
    tables = model.schema_, model.history_prior_, pairs
    scores = score_pairs(backend, *tables)
    assert heights[:3] == [N_COURIERS, N_ORDERS, 1]
    matrix = model.matrix(pairs.expand())
    np.testing.assert_array_equal(scores, backend.score(matrix))
    found = pair_probabilities(backend, *tables, model.calibration_)
    np.testing.assert_allclose(found, model.predict_pairs(pairs), rtol=0, atol=1e-6)
    none = pairs.take(np.empty(0, dtype=np.int64))
    assert pair_probabilities(backend, *tables[:2], none, model.calibration_).shape == (0,)


def test_scoring_pairs_takes_at_most_64_bytes_a_pair_beyond_input_and_output(
    model: AcceptanceModel, world: object
) -> None:
    """A matrix alone would take over 200; NumPy tells tracemalloc of every array."""
    if get_backend(None, model.ensemble_).name != "native":
        pytest.skip("the kernels are not compiled")
    n_pairs = 300_000
    pairs = tables_of(world.log, n_pairs)  # type: ignore[attr-defined]
    model.predict_pairs(pairs.take(np.arange(10)))  # what is made once per model
    tracemalloc.start()
    try:
        probability = model.predict_pairs(pairs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (peak - probability.nbytes) / n_pairs <= 64


def test_a_column_that_may_lack_counts_as_unknown_in_tables_too(
    model: AcceptanceModel, world: object
) -> None:
    pairs = tables_of(world.log, 3000)  # type: ignore[attr-defined]
    unknown = {**pairs.pair, "heading_off_deg": np.full(3000, np.nan)}
    lacking = {name: values for name, values in unknown.items() if name != "heading_off_deg"}
    np.testing.assert_array_equal(
        model.predict_pairs(replace(pairs, pair=lacking)),
        model.predict_pairs(replace(pairs, pair=unknown)),
    )


def test_the_trees_of_a_city_count_in_tables_too(model: AcceptanceModel, world: object) -> None:
    """A fold's trees stand in for a city's."""
    pairs = tables_of(world.log, 3000)  # type: ignore[attr-defined]
    cities = copy(model)
    cities.city_ensembles_ = {"here": model.fold_ensembles_[0]}
    here, elsewhere = cities.of_city("here"), cities.of_city("elsewhere")
    np.testing.assert_array_equal(here.predict_pairs(pairs), here.predict_proba(pairs.expand()))
    np.testing.assert_array_equal(elsewhere.predict_pairs(pairs), model.predict_pairs(pairs))
    assert (here.predict_pairs(pairs) != model.predict_pairs(pairs)).any()


def test_a_model_predicts_the_same_for_tables_and_columns(
    model: AcceptanceModel, world: object
) -> None:
    pairs = tables_of(world.log, 3000)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(model.predict_pairs(pairs), model.predict_proba(pairs.expand()))


def test_everything_wrong_with_the_tables_is_said_at_once(
    model: AcceptanceModel, world: object
) -> None:
    pairs = tables_of(world.log, 100)  # type: ignore[attr-defined]
    bad = replace(
        pairs,
        courier={k: v for k, v in pairs.courier.items() if k != "vehicle"},
        order={**pairs.order, "hour": np.zeros(N_ORDERS)},
        pair={**pairs.pair, "wait_s": np.full(100, -1.0), "trip_s": np.zeros(99)},
        courier_row=np.full(100, N_COURIERS),
        order_row=np.zeros(100, dtype=np.int32),
    )
    with pytest.raises(FeatureError) as raised:
        model.predict_pairs(bad)
    text = str(raised.value)
    for part in ("hour: given in more than one", "missing columns vehicle", "wait_s", "trip_s",
                 "courier_row: expected rows in [0, 69]", "order_row: expected int64"):  # fmt: skip
        assert part in text
