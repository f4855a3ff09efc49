"""Time by stage of `Dispatcher.assign` on generated cities; run it with `make benchmarks`.

Prints, per size, the best and the median of several runs after one warm-up, and how long a
planted acceptance law is scored instead of a trained model where no model is given.
"""

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from dispatch import DispatchConfig, Dispatcher
from dispatch.datasets import SyntheticCity, synthetic_snapshot

SIZES = {"60 x 100": (60, 100), "500 x 600": (500, 600), "2000 x 3000": (2000, 3000)}


class LogitModel:
    """A fixed logit in travel time and pay: scoring at next to no cost."""

    version = "logit"

    def predict_proba(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Predict by the fixed law."""
        z = 1.5 - columns["to_pickup_s"] / 600 + 0.1 * columns["pay"]
        return 1 / (1 + np.exp(-z))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="folder of a trained acceptance model")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--candidates", type=int, default=40)
    args = parser.parse_args()
    model: object = LogitModel()
    if args.model:
        import models

        model = models.load(args.model)
    base = DispatchConfig()
    config = replace(base, candidates=replace(base.candidates, couriers_per_order=args.candidates))
    dispatcher = Dispatcher(model, config)  # type: ignore[arg-type]
    for name, (orders, couriers) in SIZES.items():
        snapshot = synthetic_snapshot(
            SyntheticCity(seed=1, n_couriers=2 * couriers), n_orders=orders, n_couriers=couriers
        )
        dispatcher.assign(snapshot)
        walls, plans = [], []
        for _ in range(args.runs):
            start = time.perf_counter()
            plans.append(dispatcher.assign(snapshot))
            walls.append(time.perf_counter() - start)
        best = plans[int(np.argmin(walls))]
        print(
            f"{name}: {best.solver.pairs} pairs, best {1000 * min(walls):.0f} ms, "
            f"median {1000 * statistics.median(walls):.0f} ms, {best.solver.engine}, "
            f"{best.solver.status}, {len(best.offers)} offers"
        )
        print("   " + "  ".join(f"{k} {1000 * v:.1f}" for k, v in best.timings_s.items()))


if __name__ == "__main__":
    main()
