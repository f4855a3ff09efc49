"""What is claimed of an assignment, and what is true, in planted worlds; see `--help`.

For each world and number of logged offers: the share of the log that was accepted, what the model
that chose claims, what we claim with its 90 % interval, the true value of that very assignment, and
that of an oracle who knows every true chance. Means over seeds, in percent of the orders offered.
"""

import argparse
import time
from dataclasses import dataclass, fields

import numpy as np

import models
from dispatch.datasets.worlds import CHOICES, WORLDS, DrawnWorld
from models.uplift import (
    Candidates,
    claim_acceptance,
    doubly_robust,
    fold_probabilities,
    level_rows,
)

# What LightGBM does when nobody restrains it: the model with which the naive claim is usually made.
CARELESS = {
    "max_trees": 100,
    "early_stopping_rounds": 1000,
    "leaves": 31,
    "learning_rate": 0.1,
    "min_data_in_leaf": 20,
    "l2": 0.0,
    "feature_share": 1.0,
    "monotone": False,
}


@dataclass(frozen=True)
class Row:
    """One seed's figures, shares of the orders offered (`covered`: 1 if the interval holds it)."""

    logged: float
    naive: float
    claim: float
    low: float
    high: float
    true: float
    oracle: float
    covered: float
    robust: float
    robust_true: float
    robust_covered: float
    seconds: float


def run(name: str, offers: int, seed: int, n_epochs: int, params: dict[str, object]) -> Row:
    started = time.perf_counter()
    drawn = DrawnWorld(WORLDS[name], offers, seed)
    model = models.train(drawn.log, models.AcceptanceParams(seed=seed, **params))
    epochs = drawn.epochs(n_epochs)
    probability = model.predict_proba(epochs.columns)
    chosen = epochs.assign(probability)
    claim = claim_acceptance(
        Candidates(epochs.order, np.arange(len(probability)), epochs.n_orders),
        probability,
        chosen,
        fold_probabilities(model, epochs.columns),
        epochs.assign,
        level_rows=level_rows(model),
        seed=seed,
    )
    n = epochs.n_orders
    true = epochs.truth[chosen].sum() / n
    robust, robust_true = off_policy(drawn, model, seed)
    return Row(
        logged=drawn.log["accepted"].mean(),
        naive=claim.naive.value / n,
        claim=claim.corrected.value / n,
        low=claim.corrected.low / n,
        high=claim.corrected.high / n,
        true=true,
        oracle=epochs.truth[epochs.assign(epochs.truth)].sum() / n,
        covered=float(claim.corrected.low / n <= true <= claim.corrected.high / n),
        robust=robust.value,
        robust_true=robust_true,
        robust_covered=float(robust.low <= robust_true <= robust.high),
        seconds=time.perf_counter() - started,
    )


def off_policy(
    drawn: DrawnWorld, model: models.AcceptanceModel, seed: int
) -> tuple[models.Metric, float]:
    """Judge "offer to the likeliest of the eight" on the newest, unseen offers of the log."""
    log = drawn.log
    share = model.params.test_share
    rows = np.arange(int(len(log) * (1 - share)), len(log))
    choices = drawn.choices(rows)
    eight = model.predict_proba(choices.columns).reshape(-1, CHOICES)
    best, line = eight.argmax(axis=1), np.arange(len(rows))
    true = choices.truth.reshape(-1, CHOICES)[line, best].mean()
    nan = models.Metric(float("nan"), float("nan"), float("nan"))
    try:
        found = doubly_robust(
            log["accepted"].to_numpy()[rows] == 1,
            log["propensity"].to_numpy()[rows],
            (best == choices.asked).astype(np.float64),
            eight[line, choices.asked],
            eight[line, best],
            np.unique(log["order_id"].to_numpy()[rows], return_inverse=True)[1],
            seed,
        )
    except ValueError:  # a log that never explored
        found = nan
    return found, float(true)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", default="ABCD")
    parser.add_argument("--offers", type=int, default=5_960)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=5, help="of 60 orders each, per seed")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--careless", action="store_true", help="LightGBM's own defaults")
    args = parser.parse_args()
    params = {"n_folds": args.folds, **(CARELESS if args.careless else {})}
    for name in args.worlds:
        print(f"{name}: {WORLDS[name].meaning}")
    print(
        "| world | offers | seeds | logged | naive claim | our claim | interval | true | oracle "
        "| naive error | our error (sd) | covered | DR | true | covered | s a seed |"
    )
    print("|---|" + "---:|" * 15)
    for name in args.worlds:
        rows = [run(name, args.offers, seed, args.epochs, params) for seed in range(args.seeds)]
        x = {f.name: np.array([getattr(row, f.name) for row in rows]) for f in fields(Row)}
        p = {key: 100 * values.mean() for key, values in x.items()}
        error = 100 * (x["claim"] - x["true"])
        robust = f"refused | {p['robust_true']:.1f} | -"
        if not np.isnan(p["robust"]):
            inside = x["robust_covered"].sum()
            robust = f"{p['robust']:.1f} | {p['robust_true']:.1f} | {inside:.0f}"
        print(
            f"| {name} | {args.offers:,} | {args.seeds} | {p['logged']:.1f} | {p['naive']:.1f} "
            f"| {p['claim']:.1f} | {p['low']:.1f} to {p['high']:.1f} | {p['true']:.1f} "
            f"| {p['oracle']:.1f} | {p['naive'] - p['true']:+.1f} "
            f"| {error.mean():+.2f} ({error.std():.1f}) | {x['covered'].sum():.0f} "
            f"| {robust} "
            f"| {x['seconds'].mean():.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
