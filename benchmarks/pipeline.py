"""Time by stage of `Dispatcher.assign` on generated cities; run it with `make benchmarks`.

Prints, per size, the best and the median of several runs after one warm-up, and how long a
planted acceptance law is scored instead of a trained model where no model is given. `--compare`
sets the same model with LightGBM on a matrix of all pairs beside it, in turns. `--new-orders 1`
makes every problem a flow. `--cpu` counts CPU time of the process, for machines that are busy.
"""

import argparse
import statistics
import time
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import dispatch.prepare
import models
from dispatch import DispatchConfig, Dispatcher, Plan, Snapshot
from dispatch.datasets import SyntheticCity, synthetic_snapshot
from models.ensemble import Ensemble

SIZES = ("60x100", "500x600", "2000x3000")


class LogitModel:
    """A fixed logit in travel time and pay: scoring at next to no cost."""

    version = "logit"

    def predict_proba(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Predict by the fixed law."""
        z = 1.5 - columns["to_pickup_s"] / 600 + 0.1 * columns["pay"]
        return 1 / (1 + np.exp(-z))


def unfused(model: models.AcceptanceModel) -> models.AcceptanceModel:
    """Return the model as it was before the kernels: all features of all pairs, then LightGBM."""
    before = copy(model)

    def slow(trees: Ensemble) -> Ensemble:
        return Ensemble(trees.forest, trees.names, trees.threads, "lightgbm")

    before.ensemble_ = slow(model.ensemble_)
    before.fold_ensembles_ = tuple(slow(trees) for trees in model.fold_ensembles_)
    return before


def timed(dispatcher: Dispatcher, snapshot: Snapshot) -> tuple[float, Plan]:
    start = time.perf_counter()
    plan = dispatcher.assign(snapshot)
    return time.perf_counter() - start, plan


def report(name: str, runs: list[tuple[float, Plan]]) -> None:
    walls = [wall for wall, _ in runs]
    best = runs[int(np.argmin(walls))][1]
    print(
        f"{name}: {best.solver.pairs} pairs, best {1000 * min(walls):.0f} ms, "
        f"median {1000 * statistics.median(walls):.0f} ms, {best.solver.engine}, "
        f"{best.solver.status}, {len(best.offers)} offers"
    )
    print("   " + "  ".join(f"{k} {1000 * v:.1f}" for k, v in best.timings_s.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="folder of a trained acceptance model")
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="orders x couriers")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--new-orders", type=int, default=2, help="most new orders of a courier")
    parser.add_argument("--cpu", action="store_true", help="CPU time in place of the clock")
    parser.add_argument("--compare", action="store_true", help="LightGBM on the matrix beside it")
    args = parser.parse_args()
    if args.cpu:
        dispatch.prepare.time = SimpleNamespace(perf_counter=time.process_time)  # type: ignore
    base = DispatchConfig()
    rules = replace(
        base.candidates, couriers_per_order=args.candidates, max_new_orders=args.new_orders
    )
    config = replace(base, candidates=rules)
    model: object = models.load(args.model) if args.model else LogitModel()
    scored: dict[str, object] = {"": model}
    if args.compare:
        if not isinstance(model, models.AcceptanceModel):
            parser.error("--compare needs --model")
        scored = {", LightGBM on the matrix": unfused(model), ", kernels on the tables": model}
    dispatchers = {name: Dispatcher(each, config) for name, each in scored.items()}  # type: ignore[arg-type]
    for size in args.sizes:
        orders, couriers = map(int, size.split("x"))
        snapshot = synthetic_snapshot(
            SyntheticCity(seed=1, n_couriers=2 * couriers), n_orders=orders, n_couriers=couriers
        )
        runs: dict[str, list[tuple[float, Plan]]] = {name: [] for name in dispatchers}
        for turn in range(args.runs + 1):
            for name, dispatcher in dispatchers.items():
                run = timed(dispatcher, snapshot)
                if turn:  # the first warms up
                    runs[name].append(run)
        for name, own in runs.items():
            report(size + name, own)
        offers = [own[0][1].offers for own in runs.values()]
        if args.compare:
            print(f"   same offers: {offers[0] == offers[1]}")


if __name__ == "__main__":
    main()
