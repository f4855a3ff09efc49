"""Scoring backends against `Booster.predict`: `python benchmarks/scoring.py`.

Rows a second of thread CPU time, one thread. Both sides run in turn, in alternating order, on the
same rows; the ratio is the median over pairs, and the same protocol with LightGBM on both sides
says how far a ratio can be off. The forest is grown on a planted city: 300 trees of 31 leaves over
all features of the catalogue.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec

import lightgbm
import numpy as np
from numpy.typing import NDArray

from dispatch.datasets import SyntheticCity, offers_log
from models import PairColumns, default_schema, read_log
from models.columns import RAW_COLUMNS
from models.features import build_matrix
from models.forest import Forest
from models.history import HistoryPrior
from models.kernels import NativeForest, Program, jit, variants
from models.scoring.fused import score_pairs
from models.scoring.native import NativeBackend

Matrix = NDArray[np.float64]
SIZES = (1, 64, 512, 4096, 65_536, 1_000_000)
N_COURIERS, N_ORDERS = 3000, 25_000
PRIOR = HistoryPrior(4.0, 4.0)


def cpu_s(call: Callable[[], object], repeats: int) -> float:
    start = time.thread_time()
    for _ in range(repeats):
        call()
    return (time.thread_time() - start) / repeats


def alternate(
    one: Callable[[], object], other: Callable[[], object], pairs: int
) -> tuple[float, float]:
    """Median ratio of the CPU time of `one` to that of `other`, and the median of `other`."""
    repeats = [max(1, int(0.02 / max(cpu_s(call, 1), 1e-6))) for call in (one, other)]
    ratios, times = [], []
    for turn in range(pairs):
        if turn % 2:
            a = cpu_s(one, repeats[0])
            b = cpu_s(other, repeats[1])
        else:
            b = cpu_s(other, repeats[1])
            a = cpu_s(one, repeats[0])
        ratios.append(a / b)
        times.append(b)
    return statistics.median(ratios), statistics.median(times)


def kernels(text: str) -> dict[str, Callable[[Matrix], Matrix]]:
    """Every backend that is installed, by name, from a matrix to raw scores on one thread."""
    program = Program(Forest.from_lightgbm(text))
    found: dict[str, Callable[[Matrix], Matrix]] = {}
    for variant in reversed(variants()):
        found[f"native {variant}"] = NativeForest(program, variant).score
    found["numba"] = lambda matrix: jit.score(program, matrix)
    if find_spec("onnxruntime") and find_spec("onnxmltools"):
        found["onnxruntime"] = onnx_scorer(text)
    if find_spec("lleaves"):
        found["lleaves"] = lleaves_scorer(text)
    if find_spec("tl2cgen") and find_spec("treelite"):
        found["tl2cgen"] = tl2cgen_scorer(text)
    return found


def onnx_scorer(text: str) -> Callable[[Matrix], Matrix]:
    import onnxmltools
    import onnxruntime
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster = lightgbm.Booster(model_str=text)
    shape = [("x", FloatTensorType([None, booster.num_feature()]))]
    model = onnxmltools.convert_lightgbm(booster, initial_types=shape, zipmap=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda matrix: session.run(None, {"x": matrix.astype(np.float32)})[1][:, 1]


def lleaves_scorer(text: str) -> Callable[[Matrix], Matrix]:
    import tempfile

    import lleaves

    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        model = lleaves.Model(model_file=file.name)
        model.compile(raw_score=True)
    return lambda matrix: model.predict(matrix, n_jobs=1)


def tl2cgen_scorer(text: str) -> Callable[[Matrix], Matrix]:
    import tempfile
    from pathlib import Path

    import tl2cgen
    import treelite

    library = Path(tempfile.mkdtemp()) / "forest.so"
    model = treelite.frontend.from_lightgbm_model_string(text)
    tl2cgen.export_lib(model, toolchain="gcc", libpath=library, params={"parallel_comp": 2})
    predictor = tl2cgen.Predictor(library, nthread=1)
    return lambda matrix: predictor.predict(tl2cgen.DMatrix(matrix), pred_margin=True)[:, 0]


def city_columns(n_rows: int) -> tuple[dict[str, Matrix], NDArray[np.bool_]]:
    log = read_log(offers_log(SyntheticCity(seed=1, n_couriers=400), n_rows)[0], tuple(RAW_COLUMNS))
    return dict(log.columns), log.accepted


def as_tables(columns: dict[str, Matrix], n_pairs: int, rng: np.random.Generator) -> PairColumns:
    told_by = {name: column.source for name, column in RAW_COLUMNS.items()} | {"trip_m": "pair"}

    def some(source: str, size: int) -> dict[str, Matrix]:
        at = rng.integers(0, len(columns["pay"]), size)
        return {name: columns[name][at] for name in columns if told_by[name] == source}

    return PairColumns(
        some("courier", N_COURIERS), some("order", N_ORDERS), some("context", 1),
        some("pair", n_pairs), rng.integers(0, N_COURIERS, n_pairs),
        np.sort(rng.integers(0, N_ORDERS, n_pairs)),
    )  # fmt: skip


def merge_and_predict(pairs: PairColumns, booster: lightgbm.Booster) -> Callable[[], object]:
    """Do what one would write first: two merges, the features as columns, `predict`."""
    import pandas as pd

    couriers, orders = pd.DataFrame(pairs.courier), pd.DataFrame(pairs.order)
    listed = pd.DataFrame({**pairs.pair, "courier": pairs.courier_row, "order": pairs.order_row})
    context = {name: float(values[0]) for name, values in pairs.context.items()}
    schema = default_schema()

    def run() -> object:
        frame = listed.merge(couriers, left_on="courier", right_index=True, how="left")
        frame = frame.merge(orders, left_on="order", right_index=True, how="left")
        frame = frame.assign(**context)
        columns = {name: frame[name].to_numpy() for name in schema.raw_names}
        return booster.predict(build_matrix(columns, schema, PRIOR), num_threads=1)

    return run


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=SIZES)
    parser.add_argument("--pairs", type=int, default=7, help="alternating pairs of a ratio")
    parser.add_argument("--offers", type=int, default=60_000)
    args = parser.parse_args()
    columns, accepted = city_columns(args.offers)
    schema = default_schema()
    matrix = build_matrix(columns, schema, PRIOR)
    settings = {"objective": "binary", "num_leaves": 31, "verbosity": -1, "num_threads": 2}
    category = [spec.name for spec in schema.features if spec.dtype == "category"]
    data = lightgbm.Dataset(
        matrix, accepted.astype(float), feature_name=list(schema.names),
        categorical_feature=category,
    )  # fmt: skip
    text = lightgbm.train(settings, data, num_boost_round=300).model_to_string()
    booster = lightgbm.Booster(model_str=text)
    rng = np.random.default_rng(0)
    rows = matrix[rng.integers(0, len(matrix), max(args.rows))]
    rows *= 1.0 + 1e-9 * rng.standard_normal(rows.shape)
    found = kernels(text)
    print(f"{platform.processor() or platform.machine()}, kernels {', '.join(variants())}\n")
    print("| rows | backend | rows per CPU-s | times LightGBM | largest difference |")
    print("|---|---|---|---|---|")
    for n in args.rows:
        part = rows[:n]

        def reference(part: Matrix = part) -> object:
            return booster.predict(part, raw_score=True, num_threads=1)

        turns = args.pairs if n < 1_000_000 else 1
        noise, base_s = alternate(reference, reference, turns)
        print(f"| {n} | LightGBM (A/A {noise:.3f}) | {n / base_s:,.0f} | 1.0 | 0 |")
        expected = 1 / (1 + np.exp(-np.asarray(reference())))
        for name, score in found.items():
            apart = float(np.abs(1 / (1 + np.exp(-score(part))) - expected).max())
            if name == "onnxruntime":
                apart = float(np.abs(score(part) - expected).max())
            ratio, own_s = alternate(reference, lambda s=score, p=part: s(p), turns)
            print(f"| {n} | {name} | {n / own_s:,.0f} | {ratio:.1f} | {apart:.1e} |", flush=True)
    if variants():
        fused(columns, booster, text, max(args.rows))


def fused(columns: dict[str, Matrix], booster: lightgbm.Booster, text: str, n_pairs: int) -> None:
    """From the tables of couriers and orders to probabilities."""
    from models.calibration import SigmoidCalibration

    pairs = as_tables(columns, n_pairs, np.random.default_rng(1))
    schema, calibration = default_schema(), SigmoidCalibration(1.0, 0.0)
    backend = NativeBackend(NativeForest(Program(Forest.from_lightgbm(text))), threads=1)

    def ours() -> Matrix:
        return calibration.apply(score_pairs(backend, schema, PRIOR, pairs))

    before = peak_mib()
    ours()
    grown = peak_mib() - before
    naive = merge_and_predict(pairs, booster)
    ratio, own_s = alternate(naive, ours, 1 if n_pairs >= 1_000_000 else 3)
    print(
        f"\n{n_pairs} pairs of {N_COURIERS} couriers and {N_ORDERS} orders, tables to "
        f"probabilities: {own_s:.3f} CPU-s, {ratio:.1f} times a merge and predict; "
        f"peak memory +{max(grown, 0.0) * 2**20 / n_pairs:.0f} bytes a pair (output is 8)"
    )


if __name__ == "__main__":
    main()
