"""How good the acceptance model is, against what is possible and against simpler models.

On planted logs the Bayes probability of every offer is known (`planted.py`). On real response
times (Sendy, Delivery Hero; COURIER_DATA_DIR) nobody refused: "accepted within 300 s" is a label of
latency, and no figure there is one of acceptance. Run it with `make benchmarks`, or one part with
`python benchmarks/acceptance.py planted --rows 60000`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from latency import deliveryhero, sendy
from numpy.typing import NDArray
from planted import Planted, planted

from models import AcceptanceParams, OffersLog, read_log, split_by_time, train
from models.columns import RAW_COLUMNS
from models.evaluation import ECE_BINS, auc, evaluate_probabilities, log_loss

Floats = NDArray[np.float64]
BASE_RATES = (0.20, 0.73, 0.87, 0.90)


def row(*cells: object) -> None:
    print("| " + " | ".join(f"{c:.4f}" if isinstance(c, float) else str(c) for c in cells) + " |")


def head(*names: str) -> None:
    row(*names)
    row(*(["---"] * len(names)))


def gap_to_truth(truth: Floats, probability: Floats) -> float:
    """Return the calibration error against the Bayes chance instead of answers: no noise."""
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, ECE_BINS)
    return sum(abs((truth[k] - probability[k]).sum()) for k in parts) / len(order)


def parts(log: OffersLog, params: AcceptanceParams) -> tuple[NDArray[np.intp], ...]:
    later = (params.calibration_share, params.test_share)
    return split_by_time(log.offered_at_s, log.orders, (1.0 - sum(later), *later))


def rivals(x: Floats, y: NDArray[np.bool_]) -> Iterator[tuple[str, Callable[[Floats], Floats]]]:
    """Simpler models on the same rows (calibration rows included, since they need none)."""
    import lightgbm
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    linear = make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(max_iter=500)
    )
    others = {
        "logistic regression": linear,
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=0),
        "LightGBM defaults": lightgbm.LGBMClassifier(verbosity=-1, n_jobs=1, random_state=0),
    }
    for name, each in others.items():
        each.fit(x, y)
        yield name, lambda rows, each=each: each.predict_proba(rows)[:, 1]


def judge(world: Planted, base_rate: float, params: AcceptanceParams) -> None:
    start = time.process_time()
    model = train(world.log, params)
    spent = time.process_time() - start
    log = read_log(world.log, model.schema_.raw_names)
    *_, test = parts(log, params)
    newest, bayes = log.take(test), world.bayes[test]
    y = newest.accepted
    best_auc, best_loss = auc(y, bayes), log_loss(y, bayes)
    size = f"{len(log):,}"

    def show(name: str, p: Floats, seconds: object) -> None:
        area = auc(y, p)
        row(
            size,
            f"{base_rate:.2f}",
            name,
            area,
            best_auc - area,
            log_loss(y, p) / best_loss,
            gap_to_truth(bayes, p),
            seconds,
        )

    show("Bayes, given what is observable", bayes, "")
    show(f"this model ({model.calibration_.name})", model.predict_log(newest), f"{spent:.0f}")
    free = train(world.log, replace(params, monotone=False, n_bags=0))
    show("this model, no monotone directions", free.predict_log(newest), "")
    x = model.matrix(log.columns)
    x = x[:, ~np.isnan(x).all(axis=0)]  # HistGradientBoosting fails on a column never measured
    known = np.setdiff1d(np.arange(len(log)), test)
    known = known[log.offered_at_s[known] < newest.offered_at_s.min()]
    for name, predict in rivals(x[known], log.accepted[known]):
        show(name, np.clip(predict(x[test]), 1e-6, 1 - 1e-6), "")
    if params.n_bags:
        low, high = model.predict_interval(newest.columns)
        inside = float(((low <= bayes) & (bayes <= high)).mean())
        print(
            f"<!-- 90 % interval holds the Bayes chance in {inside:.3f}, "
            f"mean width {(high - low).mean():.3f} -->"
        )


def run_planted(rows: list[int], rates: list[float]) -> None:
    head(
        "offers",
        "base rate",
        "model",
        "AUC",
        "below Bayes",
        "log-loss / Bayes",
        "calibration gap",
        "CPU s",
    )
    for n in rows:
        for rate in rates:
            params = AcceptanceParams(n_bags=8 if n <= 100_000 else 0)
            judge(planted(n, rate, seed=1), rate, params)


def run_intervals(rows: list[int], rates: list[float], seeds: range) -> None:
    head("offers", "base rate", "logs", "90 % interval holds the truth", "least log", "mean width")
    for n in rows:
        for rate in rates:
            held, width = [], []
            for seed in seeds:
                world = planted(n, rate, seed)
                model = train(world.log)
                log = read_log(world.log, tuple(RAW_COLUMNS))
                *_, test = parts(log, model.params)
                low, high = model.predict_interval(log.take(test).columns)
                inside = (low <= world.bayes[test]) & (world.bayes[test] <= high)
                held.append(inside.mean())
                width.append((high - low).mean())
            size, count = f"{n:,}", len(seeds)
            row(size, f"{rate:.2f}", count, *map(float, (np.mean(held), min(held), np.mean(width))))


def run_latency() -> None:
    head(
        "data",
        "rows judged",
        "within 300 s",
        "model",
        "AUC",
        "90 % interval",
        "log-loss",
        "of a constant",
        "calibration gap",
    )
    for name, load in (("Sendy, later days", sendy), ("Delivery Hero, later hours", deliveryhero)):
        found = load()
        if isinstance(found, str):
            print(f"\nskipped {name}: {found}\n")
            continue
        for model, y, p, base in found:
            order = np.argsort(p, kind="stable")
            gap = sum(abs((y[k] - p[k]).sum()) for k in np.array_split(order, 10)) / len(y)
            constant = log_loss(y, np.full(len(y), base))
            area = evaluate_probabilities(y, p, np.arange(len(y)), seed=0)["auc"]
            row(
                name,
                f"{len(y):,}",
                f"{y.mean():.3f}",
                model,
                area.value,
                f"{area.low:.3f} to {area.high:.3f}",
                log_loss(y, p),
                constant,
                float(gap),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "part",
        nargs="?",
        default="all",
        choices=("all", "planted", "intervals", "latency"),
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[60_000, 600_000])
    parser.add_argument("--rates", type=float, nargs="+", default=list(BASE_RATES))
    parser.add_argument("--seeds", type=int, default=5, help="logs for each row of intervals")
    args = parser.parse_args()
    if args.part in ("all", "planted"):
        run_planted(args.rows, args.rates)
    if args.part in ("all", "intervals"):
        run_intervals(args.rows, args.rates, range(100, 100 + args.seeds))
    if args.part in ("all", "latency"):
        run_latency()


if __name__ == "__main__":
    main()
