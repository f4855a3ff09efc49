"""Scoring backends against `Booster.predict`: `python benchmarks/scoring.py`.

Rows a second of the process's CPU time, one thread. Both sides run in turn, in alternating order,
on the same rows; the ratio is the median over pairs, and the same protocol with LightGBM on both
sides says how far a ratio can be off. The forest is grown on a planted city: 300 trees of 31 leaves
over all features of the catalogue. `--parity` compares scores on hard rows instead.

The peers are in the extra `peers`; one that is absent or fails is named with its error.
"""

from __future__ import annotations

import argparse
import ctypes
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import lightgbm
import numpy as np
from numpy.typing import NDArray

from dispatch.datasets import SyntheticCity, offers_log
from models import PairColumns, default_schema, read_log
from models.columns import RAW_COLUMNS
from models.features import build_matrix
from models.forest import CATEGORICAL, Forest
from models.history import HistoryPrior
from models.kernels import NativeForest, Program, variants
from models.scoring.fused import pair_probabilities
from models.scoring.native import NativeBackend

Matrix = NDArray[np.float64]
Score = Callable[[Matrix], Matrix]
SIZES = (1, 64, 512, 4096, 65_536, 1_000_000)
SINGLE_ROWS = 1000
N_COURIERS, N_ORDERS = 3000, 25_000
PRIOR = HistoryPrior(4.0, 4.0)


def cpu_s(call: Callable[[], object], repeats: int) -> float:
    start = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - start) / repeats


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


def kernels(text: str, only: tuple[str, ...]) -> tuple[dict[str, Score], dict[str, str]]:
    """Our kernels and the peers, from a matrix to raw scores on one thread; and why not others."""
    forest = Forest.from_lightgbm(text)
    program = Program(forest)
    makers: dict[str, Callable[[], Score]] = {
        f"native {variant}": lambda v=variant: NativeForest(program, v).score
        for variant in reversed(variants())
    }
    makers |= {
        "numba (no compiler)": lambda: numba_scorer(program),
        "mlx": lambda: mlx_scorer(forest),
        "lleaves": lambda: lleaves_scorer(text),
        "tl2cgen": lambda: tl2cgen_scorer(text),
        "onnxruntime": lambda: onnx_scorer(text),
    }
    found, lacking = {}, {}
    for name, make in makers.items():
        if not name.startswith(only):
            continue
        try:
            found[name] = make()
        except Exception as error:  # whatever a peer fails with is its row of the table
            lacking[name] = f"{type(error).__name__}: {error}".splitlines()[0][:120]
    return found, lacking


def single_row_fast(booster: lightgbm.Booster, n_features: int) -> Score:
    """LightGBM's own fast path for one row, called as its C interface is meant to be."""
    library = lightgbm.basic._LIB
    handle, length, out = ctypes.c_void_p(), ctypes.c_int64(), np.empty(1)
    failed = library.LGBM_BoosterPredictForMatSingleRowFastInit(
        booster._handle, 1, 0, 0, 1, ctypes.c_int32(n_features), b"num_threads=1",
        ctypes.byref(handle),
    )  # fmt: skip
    assert not failed
    call, to, size = library.LGBM_BoosterPredictForMatSingleRowFast, out.ctypes.data, length
    to_pointer, size_pointer = ctypes.c_void_p(to), ctypes.byref(size)

    def score(matrix: Matrix) -> Matrix:
        call(handle, ctypes.c_void_p(matrix.ctypes.data), size_pointer, to_pointer)
        return out

    return score


def numba_scorer(program: Program) -> Score:
    from models.kernels import jit

    return lambda matrix: jit.score(program, matrix)


def mlx_scorer(forest: Forest) -> Score:
    from models.scoring.mlx import MLXBackend

    return MLXBackend(forest).score


def onnx_scorer(text: str) -> Score:
    import onnxmltools
    import onnxruntime
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster = lightgbm.Booster(model_str=text)
    shape = [("x", FloatTensorType([None, booster.num_feature()]))]
    model = onnxmltools.convert_lightgbm(booster, initial_types=shape, zipmap=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # it warns at every call of another size
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)

    def score(matrix: Matrix) -> Matrix:
        chance = session.run(None, {"x": matrix.astype(np.float32)})[1][:, 1].astype(np.float64)
        return np.log(chance) - np.log1p(-chance)

    return score


def lleaves_scorer(text: str) -> Score:
    import tempfile

    import lleaves

    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        model = lleaves.Model(model_file=file.name)
        model.compile(raw_score=True)
    return lambda matrix: model.predict(matrix, n_jobs=1)


def tl2cgen_scorer(text: str) -> Score:
    import tempfile

    import tl2cgen
    import treelite

    folder = Path(tempfile.mkdtemp())
    library, written = folder / "forest.so", folder / "model.txt"
    written.write_text(text)
    model = treelite.frontend.load_lightgbm_model(written)
    tl2cgen.export_lib(
        model, toolchain="gcc", libpath=library, params={"parallel_comp": 2}, verbose=False
    )
    predictor = tl2cgen.Predictor(library, nthread=1)
    return lambda matrix: predictor.predict(tl2cgen.DMatrix(matrix), pred_margin=True).ravel()


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


def grown(matrix: Matrix, accepted: NDArray[np.bool_]) -> str:
    schema = default_schema()
    settings = {"objective": "binary", "num_leaves": 31, "verbosity": -1, "num_threads": 2}
    data = lightgbm.Dataset(
        matrix, accepted.astype(float), feature_name=list(schema.names),
        categorical_feature=[spec.name for spec in schema.features if spec.dtype == "category"],
    )  # fmt: skip
    return lightgbm.train(settings, data, num_boost_round=300).model_to_string()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=SIZES)
    parser.add_argument("--pairs", type=int, default=7, help="alternating pairs of a ratio")
    parser.add_argument("--offers", type=int, default=60_000)
    parser.add_argument("--forest", type=Path, help="LightGBM text: read, or grown and kept there")
    parser.add_argument("--only", nargs="*", help="backends whose name begins so")
    parser.add_argument("--no-pairs", action="store_true", help="leave the tables out")
    parser.add_argument("--parity", action="store_true", help="compare scores, time nothing")
    args = parser.parse_args()
    columns, accepted = city_columns(args.offers)
    schema = default_schema()
    matrix = build_matrix(columns, schema, PRIOR)
    kept = args.forest
    text = kept.read_text() if kept and kept.exists() else grown(matrix, accepted)
    if kept:
        kept.write_text(text)
    booster = lightgbm.Booster(model_str=text)
    rng = np.random.default_rng(0)
    rows = matrix[rng.integers(0, len(matrix), max(*args.rows, SINGLE_ROWS))]
    rows *= 1.0 + 1e-9 * rng.standard_normal(rows.shape)
    found, lacking = kernels(text, tuple(args.only or ("",)))
    print(f"{platform.processor() or platform.machine()}, kernels {', '.join(variants())}")
    for name, why in lacking.items():
        print(f"{name} could not be had: {why}")
    if args.parity:
        parity(found, booster, hard_rows(rows, Forest.from_lightgbm(text), rng))
        return
    print("\n| rows | backend | rows per CPU-s | times LightGBM | largest difference |")
    print("|---|---|---|---|---|")
    for n in args.rows:
        # One and the same row again and again would teach the processor its branches.
        batch = rows[:SINGLE_ROWS, None] if n == 1 else rows[:n]
        table(found, booster, batch, args.pairs if n < 1_000_000 else 1)
    if variants() and not args.no_pairs:
        fused(columns, booster, text, max(args.rows))


def table(found: Mapping[str, Score], booster: lightgbm.Booster, rows: Matrix, turns: int) -> None:
    """Print a row for each backend, all on these rows; several matrices are scored one by one."""
    batches = list(rows) if rows.ndim == 3 else [rows]
    n, total = len(batches[0]), len(batches) * len(batches[0])

    def reference(batch: Matrix) -> Matrix:
        return np.asarray(booster.predict(batch, raw_score=True, num_threads=1))

    def over(score: Score) -> Callable[[], None]:
        def run() -> None:
            for batch in batches:
                score(batch)

        return run

    if n == 1:
        fast = single_row_fast(booster, rows.shape[-1])
        found = {"LightGBM, its fast path for one row": fast, **found}
    noise, base_s = alternate(over(reference), over(reference), turns)
    print(f"| {n:,} | LightGBM (A/A {noise:.3f}) | {total / base_s:,.0f} | 1.0 | 0 |")
    expected = [sigmoid(reference(batch)) for batch in batches]
    for name, score in found.items():
        own = [sigmoid(score(batch)) for batch in batches]
        apart = max(float(np.abs(a - b).max()) for a, b in zip(own, expected, strict=True))
        ratio, own_s = alternate(over(reference), over(score), turns)
        print(f"| {n:,} | {name} | {total / own_s:,.0f} | {ratio:.1f} | {apart:.1e} |", flush=True)


def sigmoid(score: Matrix) -> Matrix:
    return 1.0 / (1.0 + np.exp(-score))


def hard_rows(rows: Matrix, forest: Forest, rng: np.random.Generator) -> Matrix:
    """Half of all values become thresholds or their neighbours, a fifth no ordinary numbers."""
    odd = [
        *(np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-35, -1e-35, 1.1e-35, 5e-324, -5e-324),
        *(1e308, -1e308, -1.0, -0.5, 0.999, 4.5, 31.0, 32.0, 255.0, 1e6, 2.0**31, 2.0**40),
    ]
    rows = rows.copy()
    for feature in range(rows.shape[1]):
        numeric = (forest.feature == feature) & (forest.decision & CATEGORICAL == 0)
        cuts = np.append(forest.threshold[numeric], 0.0)
        near = np.concatenate([cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf)])
        kind = rng.random(len(rows))
        rows[:, feature] = np.where(kind < 0.5, rng.choice(near, len(rows)), rows[:, feature])
        rows[:, feature] = np.where(kind > 0.8, rng.choice(odd, len(rows)), rows[:, feature])
    return rows


def parity(found: Mapping[str, Score], booster: lightgbm.Booster, rows: Matrix) -> None:
    """Print how many rows a backend scores otherwise than LightGBM, and by how much."""
    raw = np.asarray(booster.predict(rows, raw_score=True, num_threads=1))
    print("\n| backend | hard rows | other bits | beyond 1e-6 | largest difference |")
    print("|---|---|---|---|---|")
    for name, score in found.items():
        own = score(rows)
        apart = np.abs(sigmoid(own) - sigmoid(raw))
        print(
            f"| {name} | {len(rows):,} | {int((own != raw).sum()):,} "
            f"| {int((apart > 1e-6).sum()):,} | {apart.max():.1e} |",
            flush=True,
        )


def fused(columns: dict[str, Matrix], booster: lightgbm.Booster, text: str, n_pairs: int) -> None:
    """From the tables of couriers and orders to probabilities."""
    from models.calibration import SigmoidCalibration

    pairs = as_tables(columns, n_pairs, np.random.default_rng(1))
    schema, calibration = default_schema(), SigmoidCalibration(1.0, 0.0)
    backend = NativeBackend(NativeForest(Program(Forest.from_lightgbm(text))), threads=1)

    def ours() -> Matrix:
        return pair_probabilities(backend, schema, PRIOR, pairs, calibration)

    before = peak_mib()
    ours()
    grown = peak_mib() - before
    naive = merge_and_predict(pairs, booster)
    ratio, own_s = alternate(naive, ours, 5)
    print(
        f"\n{n_pairs} pairs of {N_COURIERS} couriers and {N_ORDERS} orders, tables to "
        f"probabilities: {own_s:.3f} CPU-s, {ratio:.1f} times a merge and predict; "
        f"peak memory +{max(grown, 0.0) * 2**20 / n_pairs:.0f} bytes a pair (output is 8)"
    )


if __name__ == "__main__":
    main()
