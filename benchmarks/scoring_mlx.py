"""MLX against `Booster.predict`: alternating pairs, CPU seconds of the whole process.

MLX spreads operations over threads of its own, so the time of one thread would hide work; LightGBM
runs on one thread. Figures are printed for the device that MLX computes on here and for no other.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import lightgbm
import numpy as np

from models.forest import Forest
from models.scoring.mlx import MLXBackend


def train(rng: np.random.Generator) -> tuple[lightgbm.Booster, np.ndarray]:
    rows = rng.normal(size=(20_000, 24))
    rows[:, 3] = rng.integers(12, size=len(rows))
    taken = rows[:, 0] * rows[:, 1] + np.sin(rows[:, 3]) + rng.normal(size=len(rows)) > 0
    data = lightgbm.Dataset(rows, taken, categorical_feature=[3])
    settings = {"objective": "binary", "num_leaves": 31, "verbosity": -1, "num_threads": 1}
    return lightgbm.train(settings, data, num_boost_round=300), rows


def cpu_s(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7, help="alternating pairs for each size")
    parser.add_argument("--most-rows", type=int, default=65_536)
    arguments = parser.parse_args()
    booster, rows = train(np.random.default_rng(1))
    backend = MLXBackend(Forest.from_lightgbm(booster.model_to_string()))
    print(backend.description)
    print("| rows | LightGBM rows/CPU-s | MLX rows/CPU-s | ratio | A/A ratio |")
    print("|---|---|---|---|---|")
    for n in (1, 64, 512, 4096, 65_536, 1_000_000):
        if n > arguments.most_rows:
            break
        matrix = np.resize(rows, (n, rows.shape[1]))
        turns = max(1, 512 // n)

        def reference(matrix: np.ndarray = matrix, turns: int = turns) -> None:
            for _ in range(turns):
                booster.predict(matrix, raw_score=True, num_threads=1)

        def ours(matrix: np.ndarray = matrix, turns: int = turns) -> None:
            for _ in range(turns):
                backend.score(matrix)

        difference = np.abs(backend.score(matrix) - booster.predict(matrix, raw_score=True)).max()
        assert difference < 1e-9, difference
        times = np.array(
            [(cpu_s(reference), cpu_s(ours), cpu_s(reference)) for _ in range(arguments.pairs)]
        )
        theirs, own = np.median(times[:, :2], axis=0)
        rate = n * turns
        ratio, noise = np.median(times[:, 0] / times[:, 1]), np.median(times[:, 0] / times[:, 2])
        print(f"| {n:,} | {rate / theirs:,.0f} | {rate / own:,.0f} | {ratio:.2f} | {noise:.3f} |")


if __name__ == "__main__":
    main()
