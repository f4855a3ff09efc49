"""What is claimed of an assignment, and what is true, in planted worlds; see `--help`.

For each world and number of logged offers: the share of the log that was accepted, what two naive
claims say (that of LightGBM's defaults with isotonic calibration, and that of our own model), what
we claim with its 90 % interval, the true value of that very assignment, and that of an oracle who
knows every true chance. Means over seeds, in percent of the orders offered.

`--rows-out rows.csv` keeps every seed's figures as they come and does not run again what is there,
so that a long table can be made in parts; give each set of options a file of its own.
"""

import argparse
import csv
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import models
from dispatch.datasets.worlds import CHOICES, WORLDS, DrawnWorld, Epochs
from models.evaluation import split_by_time
from models.log import read_log
from models.uplift import (
    Candidates,
    Pick,
    claim_acceptance,
    correct_between,
    doubly_robust,
    fold_probabilities,
    level_rows,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# LightGBM when nobody restrains it, in our own training: what the correction makes of such a model.
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

MINDED = (0.0, 0.02, 0.1, 1.0)
"""Expected acceptances that a minute until the courier is at the pickup counts."""


@dataclass(frozen=True)
class Row:
    """One seed's figures, shares of the orders offered (`covered`: 1 if the interval holds it)."""

    logged: float
    rival: float
    rival_true: float
    naive: float
    claim: float
    low: float
    high: float
    true: float
    oracle: float
    covered: float
    seconds: float


def run(name: str, offers: int, seed: int, n_epochs: int, params: models.AcceptanceParams) -> Row:
    started = time.perf_counter()
    drawn = DrawnWorld(WORLDS[name], offers, seed)
    model = models.train(drawn.log, params)
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
    other = rival(drawn, model, epochs, seed)
    other_chosen = epochs.assign(other)
    return Row(
        logged=drawn.log["accepted"].mean(),
        rival=other[other_chosen].sum() / n,
        rival_true=epochs.truth[other_chosen].sum() / n,
        naive=claim.naive.value / n,
        claim=claim.corrected.value / n,
        low=claim.corrected.low / n,
        high=claim.corrected.high / n,
        true=true,
        oracle=epochs.truth[epochs.assign(epochs.truth)].sum() / n,
        covered=float(claim.corrected.low / n <= true <= claim.corrected.high / n),
        seconds=time.perf_counter() - started,
    )


def rival(drawn: DrawnWorld, model: models.AcceptanceModel, epochs: Epochs, seed: int) -> Floats:
    """Probabilities of the pipeline that is usually published: LightGBM's defaults, isotonic.

    Same features, same rows to grow on and the same later rows to calibrate on as our model.
    """
    from lightgbm import LGBMClassifier
    from sklearn.isotonic import IsotonicRegression

    log, later = read_log(drawn.log, model.schema_.raw_names), model.params
    shares = (later.calibration_share, later.test_share)
    old, newer, _ = split_by_time(log.offered_at_s, log.orders, (1.0 - sum(shares), *shares))
    matrix = model.matrix(log.columns)
    grown = LGBMClassifier(verbosity=-1, n_jobs=1, random_state=seed)
    grown.fit(matrix[old], log.accepted[old])
    told = grown.predict_proba(matrix[newer])[:, 1]
    level = IsotonicRegression(out_of_bounds="clip").fit(told, log.accepted[newer])
    chosen_from = grown.predict_proba(model.matrix(epochs.columns))[:, 1]
    return np.asarray(level.predict(chosen_from), dtype=np.float64)


@dataclass(frozen=True)
class Robust:
    """One seed's doubly robust estimate and the truth it is of, shares of the offers judged."""

    value: float
    true: float
    low: float
    high: float


def off_policy(name: str, offers: int, seed: int, params: models.AcceptanceParams) -> Robust | None:
    """Judge "offer to the likeliest of the eight" on the newest, unseen offers of the log."""
    drawn = DrawnWorld(WORLDS[name], offers, seed)
    model = models.train(drawn.log, params)
    log = drawn.log
    rows = np.arange(int(len(log) * (1 - params.test_share)), len(log))
    choices = drawn.choices(rows)
    eight = model.predict_proba(choices.columns).reshape(-1, CHOICES)
    best, line = eight.argmax(axis=1), np.arange(len(rows))
    true = choices.truth.reshape(-1, CHOICES)[line, best].mean()
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
        return None
    return Robust(found.value, float(true), found.low, found.high)


def read_rows(path: Path | None) -> dict[tuple[str, int, int], Row]:
    """Read what `keep_row` has written so far, by world, number of offers and seed."""
    if path is None or not path.exists():
        return {}
    with path.open(newline="") as file:
        return {
            (each.pop("world"), int(each.pop("offers")), int(each.pop("seed"))): Row(
                **{name: float(value) for name, value in each.items()}
            )
            for each in csv.DictReader(file)
        }


def keep_row(path: Path | None, world: str, offers: int, seed: int, row: Row) -> None:
    if path is None:
        return
    cells = {"world": world, "offers": offers, "seed": seed, **asdict(row)}
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(cells))
        if new:
            writer.writeheader()
        writer.writerow(cells)


def show_claims(args: argparse.Namespace, params: dict[str, object]) -> None:
    print(
        "| world | offers | seeds | logged | LightGBM + isotonic claims | its error "
        "| our model, naive | its error | our claim | 90 % interval | true | oracle "
        "| our error (sd of a seed) | interval covers | s a seed |"
    )
    print("|---|" + "---:|" * 14)
    done = read_rows(args.rows_out)
    for name in args.worlds:
        rows = []
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            row = done.get((name, args.offers, seed))
            if row is None:
                settings = models.AcceptanceParams(seed=seed, **params)
                row = run(name, args.offers, seed, args.epochs, settings)
                keep_row(args.rows_out, name, args.offers, seed, row)
            rows.append(row)
        x = {f.name: np.array([getattr(row, f.name) for row in rows]) for f in fields(Row)}
        p = {key: 100 * values.mean() for key, values in x.items()}
        error = 100 * (x["claim"] - x["true"])
        print(
            f"| {name} | {args.offers:,} | {args.seeds} | {p['logged']:.1f} "
            f"| {p['rival']:.1f} | {p['rival'] - p['rival_true']:+.1f} "
            f"| {p['naive']:.1f} | {p['naive'] - p['true']:+.1f} "
            f"| {p['claim']:.1f} | {p['low']:.1f} to {p['high']:.1f} | {p['true']:.1f} "
            f"| {p['oracle']:.1f} | {error.mean():+.2f} ({error.std():.1f}) "
            f"| {x['covered'].sum():.0f} of {args.seeds} | {x['seconds'].mean():.1f} |",
            flush=True,
        )


def pick_minding(epochs: Epochs, weight: float) -> Pick:
    """Choose as a plan that minds a minute until the courier is at the pickup by `weight`."""
    minutes = (epochs.columns["until_free_s"] + epochs.columns["to_pickup_s"]) / 60.0

    def pick(probability: Floats) -> Ints:
        worth = probability - weight * minutes
        return epochs.assign((worth - worth.min()) / np.ptp(worth))

    return pick


def along(
    name: str, offers: int, seed: int, n_epochs: int, params: models.AcceptanceParams
) -> Floats:
    """Naive, claimed by itself, claimed between the ends, true: shares, (weights, 4)."""
    drawn = DrawnWorld(WORLDS[name], offers, seed)
    model = models.train(drawn.log, params)
    epochs = drawn.epochs(n_epochs)
    probability = model.predict_proba(epochs.columns)
    folds = fold_probabilities(model, epochs.columns)
    picks = [pick_minding(epochs, weight) for weight in MINDED]
    plans = [pick(probability) for pick in picks]
    claims = [
        claim_acceptance(
            Candidates(epochs.order, np.arange(len(probability)), epochs.n_orders),
            probability,
            plan,
            folds,
            pick,
            level_rows=level_rows(model),
            seed=seed,
        )
        for plan, pick in zip(plans, picks, strict=True)
    ]
    naive = np.array([claim.naive.value for claim in claims])
    own = np.array([claim.corrected.value for claim in claims])
    between = correct_between(naive, claims[0], claims[-1])
    true = np.array([epochs.truth[plan].sum() for plan in plans])
    return np.stack([naive, own, between, true], axis=1) / epochs.n_orders


def show_frontier(args: argparse.Namespace, params: dict[str, object]) -> None:
    print("| world | offers | seeds | a minute counts | naive | our claim | between | true |")
    print("|---|" + "---:|" * 7)
    for name in args.worlds:
        seeds = range(args.first_seed, args.first_seed + args.seeds)
        settings = [models.AcceptanceParams(seed=seed, **params) for seed in seeds]
        found = [along(name, args.offers, p.seed, args.epochs, p) for p in settings]
        for weight, figures in zip(MINDED, 100 * np.mean(found, axis=0), strict=True):
            cells = " | ".join(f"{figure:.1f}" for figure in figures)
            print(f"| {name} | {args.offers:,} | {args.seeds} | {weight:g} | {cells} |", flush=True)


def show_robust(args: argparse.Namespace, params: dict[str, object]) -> None:
    print("| world | offers | seeds | doubly robust | true | 90 % interval | interval covers |")
    print("|---|" + "---:|" * 6)
    for name in args.worlds:
        found = [
            off_policy(name, args.offers, seed, models.AcceptanceParams(seed=seed, **params))
            for seed in range(args.seeds)
        ]
        rows = [each for each in found if each is not None]
        if not rows:
            print(f"| {name} | {args.offers:,} | {args.seeds} | refused | | | |", flush=True)
            continue
        inside = sum(row.low <= row.true <= row.high for row in rows)
        value, true, low, high = (
            100 * np.mean([getattr(row, f.name) for row in rows]) for f in fields(Robust)
        )
        print(
            f"| {name} | {args.offers:,} | {len(rows)} | {value:.1f} | {true:.1f} "
            f"| {low:.1f} to {high:.1f} | {inside} of {len(rows)} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", default="ABCD")
    parser.add_argument("--offers", type=int, default=5_960)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows-out", type=Path, help="CSV of one line a seed; see above")
    parser.add_argument("--epochs", type=int, default=5, help="of 60 orders each, per seed")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--careless", action="store_true", help="LightGBM's own defaults")
    parser.add_argument("--robust", action="store_true", help="off-policy estimates instead")
    parser.add_argument("--frontier", action="store_true", help="plans that mind time as well")
    args = parser.parse_args()
    # bags make intervals of single probabilities, which nothing here reads
    params = {"n_folds": args.folds, "n_bags": 0, **(CARELESS if args.careless else {})}
    for name in args.worlds:
        print(f"{name}: {WORLDS[name].meaning}")
    show = show_robust if args.robust else show_frontier if args.frontier else show_claims
    show(args, params)


if __name__ == "__main__":
    main()
