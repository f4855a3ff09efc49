"""What a set scorer adds to LightGBM, in worlds where sets matter and in worlds where they do not.

Every world tells the Bayes chance of every offer. Models learn from the oldest 70 % of the offers,
are chosen and calibrated on the next 15 % and judged on the newest 15 %. Needs the extra `mlx`.
Run it with `python benchmarks/attention.py`, or a part with `--worlds strong none --seeds 11`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from planted import bayes_chance

from dispatch.datasets.worlds import WORLDS, DrawnWorld
from dispatch.datasets.worlds_sets import DrawnSets, SetLaw
from models import AcceptanceParams, OffersLog, choose_calibration, read_log, split_by_time, train
from models.attention import OfferSets, SetParams, read_sets
from models.attention.sets import PLACES
from models.attention.stacking import base_log_odds, fit_scorer, log_odds, stack, time_parts
from models.calibration import METHODS
from models.evaluation import log_loss

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
REPLICATES = 1000


class World(NamedTuple):
    """A log with places, the stops on board, and the Bayes chance of each offer."""

    log: pd.DataFrame
    stops: pd.DataFrame
    bayes: Floats


def with_sets(share: float) -> Callable[[int, int], World]:
    """Return a world whose interactions are a share of their default."""

    def draw(n: int, seed: int) -> World:
        law = SetLaw()
        law = SetLaw(along=share * law.along, rivals=share * law.rivals)
        drawn = DrawnSets(law, n, seed, courier_sd=0.5)
        return World(drawn.log, drawn.stops, bayes(drawn.log, drawn.log_odds, 0.5))

    return draw


def without_sets(name: str) -> Callable[[int, int], World]:
    """Return a world of single offers; places are made up to fit distances and loads."""

    def draw(n: int, seed: int) -> World:
        world = WORLDS[name]
        log = DrawnWorld(world, n, seed).log
        rng = np.random.default_rng([seed, 3])
        columns = {c: log[c].to_numpy() for c in log if log[c].dtype == np.float64}
        known = world.law.probability(columns, np.zeros(n))
        to_pickup = way(rng, columns["to_pickup_m"])
        places = np.concatenate([to_pickup, to_pickup + way(rng, columns["trip_m"])])
        log = log.assign(**dict(zip(PLACES, places, strict=True)))
        rows = np.repeat(np.arange(n), columns["load_orders"].astype(int))
        east, north = way(rng, rng.lognormal(np.log(1_500), 0.5, len(rows)))
        stops = log.iloc[rows][["courier_id", "offered_at"]].assign(east_m=east, north_m=north)
        return World(log, stops, bayes(log, log_odds(known), world.courier_sd))

    return draw


CASES: Mapping[str, Callable[[int, int], World]] = {
    "strong": with_sets(1.0),
    "weak": with_sets(0.25),
    "none": with_sets(0.0),
    "A": without_sets("A"),
    "B": without_sets("B"),
    "C": without_sets("C"),
}


def way(rng: np.random.Generator, metres: Floats) -> Floats:
    turn = rng.uniform(0, 2 * np.pi, len(metres))
    return metres * np.stack([np.cos(turn), np.sin(turn)])


def bayes(log: pd.DataFrame, known: Floats, sd: float) -> Floats:
    """Bayes chance given everything but who the courier really is."""
    courier = pd.factorize(log["courier_id"])[0]
    moment = log.groupby(["courier_id", "offered_at"], sort=False).ngroup().to_numpy()
    return bayes_chance(known, log["accepted"].to_numpy() == 1, courier, moment, sd)


def dense(matrix: Floats, codes: list[int]) -> Floats:
    """Features as a network takes them: categories apart, unknown as the mean and said so."""
    known = ~np.isnan(matrix)
    mean = np.where(known, matrix, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    parts = [np.where(known, matrix, mean), ~known[:, ~known.all(axis=0)]]
    parts += [matrix[:, [k]] == np.arange(n) for k, n in enumerate(codes) if n]
    return np.concatenate(parts, axis=1).astype(np.float64)


def by_hand(sets: OfferSets, base: Floats) -> Floats:
    """Summaries of each offer's moment that somebody who knows the planted law would make."""
    drop = sets.places[:, 2:]
    unit = sets.stops / np.maximum(np.hypot(*sets.stops.T), 1.0)[:, None]
    size = {"minlength": sets.n_moments}
    total = np.stack([np.bincount(sets.stop_moment, each, **size) for each in unit.T], axis=1)
    along = (total[sets.moment] * drop).sum(axis=1) / np.maximum(np.hypot(*drop.T), 1.0)
    odds = np.bincount(sets.moment, np.exp(base))[sets.moment]
    best = np.full(sets.n_moments, -np.inf)
    np.maximum.at(best, sets.moment, base)
    offers, stops = np.bincount(sets.moment, **size), np.bincount(sets.stop_moment, **size)
    beside = (offers[sets.moment], stops[sets.moment], along, np.log(odds) - base)
    return np.stack([*beside, best[sets.moment] - base, base], axis=1)


def residual_trees(log: OffersLog, x: Floats, base: Floats, learned: Rows) -> Any:
    """Grow trees on features made by hand that add to the log-odds `base`."""
    import lightgbm

    older, newest = split_by_time(log.offered_at_s[learned], log.orders[learned], (0.85, 0.15))
    old, new = (
        lightgbm.Dataset(x[rows], log.accepted[rows], init_score=base[rows])
        for rows in (learned[older], learned[newest])
    )
    settings = {"objective": "binary", "num_leaves": 15, "learning_rate": 0.05, "verbosity": -1}
    settings |= {"min_data_in_leaf": 40, "lambda_l2": 5.0, "num_threads": 1, "seed": 0}
    stop = lightgbm.early_stopping(40, verbose=False)
    return lightgbm.train(settings, old, 500, valid_sets=[new], callbacks=[stop])


def interval(gain: Floats, orders: NDArray[np.int64]) -> tuple[float, float]:
    """90 % interval of a mean by resampling whole orders."""
    _, inverse = np.unique(orders, return_inverse=True)
    sums, sizes = np.bincount(inverse, gain), np.bincount(inverse)
    drawn = np.random.default_rng(0).integers(len(sums), size=(REPLICATES, len(sums)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), (0.05, 0.95))
    return float(low), float(high)


def judge(name: str, n: int, seed: int) -> None:
    world = CASES[name](n, seed)
    model = train(world.log, AcceptanceParams(n_bags=0))
    log = read_log(world.log, model.schema_.raw_names)
    sets = read_sets(world.log, world.stops)
    learned, judged, newest = time_parts(log, model.params)
    start = time.process_time()
    stacked = stack(model, log, sets, SetParams())
    spent = time.process_time() - start

    def calibrated(scores: Floats) -> Floats:
        accepted = log.accepted[judged]
        method, _ = choose_calibration(scores[judged], accepted, log.orders[judged], 0)
        return METHODS[method].fit(scores[judged], accepted).apply(scores)

    x = dense(model.matrix(log.columns), [len(s.categories) for s in model.schema_.features])
    alone = fit_scorer(log, sets, x, np.zeros(n), learned, SetParams()).score(x, sets)
    base, full = base_log_odds(model, log, learned), log_odds(model.predict_log(log))
    trees = residual_trees(log, by_hand(sets, base), base, learned)
    summed = full + np.asarray(trees.predict(by_hand(sets, full), raw_score=True))
    y, orders = log.accepted[newest], log.orders[newest]
    plain, both = model.predict_log(log)[newest], stacked.predict_log(log, sets)[newest]
    losses = (
        log_loss(y, plain),
        log_loss(y, calibrated(alone)[newest]),
        log_loss(y, calibrated(summed)[newest]),
        log_loss(y, both),
        log_loss(y, world.bayes[newest]),
    )
    sign = np.where(y, 1.0, -1.0)
    each = np.log(np.where(sign > 0, both / plain, (1 - both) / (1 - plain)))
    low, high = interval(each, orders)
    print(
        f"| {name} | {seed} | "
        + " | ".join(f"{loss:.4f}" for loss in losses)
        + f" | {each.mean():+.4f} [{low:+.4f}, {high:+.4f}] | "
        f"{stacked.gain.value:+.4f} ± {stacked.gain.error:.4f} | "
        f"{'kept' if stacked.gain.proven else 'dropped'} | {spent:.0f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=20_000)
    parser.add_argument("--worlds", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    args = parser.parse_args()
    titles = ("world", "seed", "LightGBM", "attention alone", "LightGBM + summaries by hand")
    titles += ("stacked", "Bayes", "stacked gains [90 %]", "gain it was chosen by", "rule", "CPU s")
    print("| " + " | ".join(titles) + " |")
    print("|" + "---|" * len(titles))
    for seed in args.seeds:
        for name in args.worlds:
            judge(name, args.offers, seed)


if __name__ == "__main__":
    main()
