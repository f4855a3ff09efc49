"""What menus are worth: an order offered to several couriers at once, against single offers.

    python benchmarks/menus.py --runs 40

Every courier holds at most one offer at a time; a pair that refused is not offered again; of the
couriers who accept one order the first wins and the others stay free. Single offers are the optimum
of a flow. A menu (at most three couriers) starts from it and improves: spare couriers join where
they add most, couriers move while that raises the sum of 1 - prod(1 - p). How far that is from the
best is bounded by a linear program over tangents of 1 - exp(-s), s the sum of -log(1 - p).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optimization_engines import city
from scipy.optimize import linprog
from scipy.sparse import coo_array, vstack

from optimization import AssignmentProblem, Weights, acceptance_term, solve
from optimization.network import warm_up

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST, ROUNDS = 3, 3
CASES = {"60 x 100": (60, 100, 40), "500 x 600": (500, 600, 40)}
CASES |= {"500 x 1,000": (500, 1000, 40), "500 x 450": (500, 450, 40)}
TANGENTS = np.array([0.0, 0.1, 0.25, 0.4, 0.6, 0.8, 1.05, 1.35, 1.7, 2.1, 2.6, 3.2, 4.0])


@dataclass(frozen=True)
class Pairs:
    """n orders, m couriers, and (k,) pairs with the chance that the courier accepts."""

    n: int
    m: int
    order: Ints
    courier: Ints
    chance: Floats


def singles(pairs: Pairs) -> Ints:
    """Choose at most one offer per order and courier, most expected acceptances."""
    ones = np.ones(pairs.m, np.int64)
    problem = AssignmentProblem.from_pairs(
        pairs.order,
        pairs.courier,
        order_size=np.ones(pairs.n, np.int64),
        max_orders=ones,
        max_size=ones,
        leave=np.zeros(pairs.n, np.int64),
        terms=[acceptance_term(pairs.chance, np.ones(pairs.order.size), ones)],
    )
    return solve(problem, Weights({"acceptance": 1.0})).columns


def accepted(pairs: Pairs, offers: Ints) -> float:
    """Add up the expected orders accepted: the sum of 1 - prod(1 - p)."""
    refused = np.ones(pairs.n)
    np.multiply.at(refused, pairs.order[offers], 1.0 - pairs.chance[offers])
    return float(pairs.n - refused.sum())


def menus(pairs: Pairs) -> Ints:
    """Improve single offers into menus of at most `MOST` couriers, one courier at a time."""
    ranked = np.argsort(pairs.courier, kind="stable")
    ptr = np.searchsorted(pairs.courier[ranked], np.arange(pairs.m + 1))
    held = np.full(pairs.m, -1)
    start = singles(pairs)
    held[pairs.courier[start]] = start
    refused, count = np.ones(pairs.n), np.zeros(pairs.n, np.int64)
    refused[pairs.order[start]] = 1.0 - pairs.chance[start]
    count[pairs.order[start]] = 1
    moved = True
    while moved:
        moved = False
        for j in range(pairs.m):
            mine = ranked[ptr[j] : ptr[j + 1]]
            if not mine.size:
                continue
            now = held[j]
            if now >= 0:
                refused[pairs.order[now]] /= 1.0 - pairs.chance[now]
                count[pairs.order[now]] -= 1
            gain = pairs.chance[mine] * refused[pairs.order[mine]]
            gain[count[pairs.order[mine]] >= MOST] = -1.0
            best = mine[np.argmax(gain)]
            if now >= 0 and gain.max() <= pairs.chance[now] * refused[pairs.order[now]] + 1e-9:
                best = now
            elif gain.max() <= 0.0:
                continue
            moved |= bool(best != now)
            held[j] = best
            refused[pairs.order[best]] *= 1.0 - pairs.chance[best]
            count[pairs.order[best]] += 1
    return held[held >= 0]


def most(pairs: Pairs) -> float:
    """Bound what any menus can have accepted."""
    k, weight = pairs.order.size, -np.log1p(-pairs.chance)
    column = np.arange(k)
    one = np.ones(k)
    offers = coo_array((one, (pairs.courier, column)), shape=(pairs.m, k + pairs.n))
    sizes = coo_array((one, (pairs.order, column)), shape=(pairs.n, k + pairs.n))
    rows, limits = [offers, sizes], [np.ones(pairs.m), np.full(pairs.n, float(MOST))]
    for s in TANGENTS.tolist():
        slope = np.exp(-s)
        values = np.concatenate([-slope * weight, np.ones(pairs.n)])
        at = np.concatenate([pairs.order, np.arange(pairs.n)])
        which = np.concatenate([column, k + np.arange(pairs.n)])
        rows.append(coo_array((values, (at, which)), shape=(pairs.n, k + pairs.n)))
        limits.append(np.full(pairs.n, 1.0 - slope - slope * s))
    cost = np.concatenate([np.zeros(k), -np.ones(pairs.n)])
    found = linprog(cost, vstack(rows).tocsr(), np.concatenate(limits), bounds=(0.0, 1.0))
    return -float(found.fun)


def rounds(pairs: Pairs, menu: tuple[bool, ...], rng: np.random.Generator) -> tuple[Floats, int]:
    """Play the rounds; share of orders accepted after each, and offers made."""
    waiting, free = np.ones(pairs.n, np.bool_), np.ones(pairs.m, np.bool_)
    fresh, made = np.ones(pairs.order.size, np.bool_), 0
    shares = np.zeros(len(menu))
    for t, several in enumerate(menu):
        keep = np.flatnonzero(fresh & waiting[pairs.order] & free[pairs.courier])
        part = Pairs(pairs.n, pairs.m, pairs.order[keep], pairs.courier[keep], pairs.chance[keep])
        offers = keep[menus(part) if several else singles(part)]
        made += offers.size
        yes = offers[rng.random(offers.size) < pairs.chance[offers]]
        fresh[offers] = False
        yes = rng.permutation(yes)
        _, first = np.unique(pairs.order[yes], return_index=True)
        waiting[pairs.order[yes[first]]] = False
        free[pairs.courier[yes[first]]] = False
        shares[t] = 1.0 - waiting.mean()
    return shares, made


def measure(name: str, runs: int, seed: int) -> None:
    n, m, d = CASES[name]
    problem = city(np.random.default_rng(seed), n, m, d)
    term = problem.term("acceptance")
    chance = np.clip(-term.column / term.scale, 0.001, 0.995)
    pairs = Pairs(
        n, m, problem.column_order.astype(np.int64), problem.column_courier.astype(np.int64), chance
    )
    one, several = accepted(pairs, singles(pairs)), accepted(pairs, menus(pairs))
    bound = most(pairs)
    print(
        f"\n{name}: {m / n:.1f} couriers an order; one round: single {one / n:.1%}, "
        f"menus {several / n:.1%} (bound {bound / n:.1%}), gain {100 * (several - one) / n:+.1f}"
    )
    plans = {
        "single, single, single": (False,) * ROUNDS,
        "menus, menus, menus": (True,) * ROUNDS,
        "single, single, menus": (False, False, True),
    }
    for plan, menu in plans.items():
        began, shares, made = time.thread_time(), [], 0
        for run in range(runs):
            share, offers = rounds(pairs, menu, np.random.default_rng([seed, run]))
            shares.append(share)
            made += offers
        mean, error = np.mean(shares, axis=0), np.std(shares, axis=0)[-1] / np.sqrt(runs)
        print(
            f"  {plan:24s} accepted after each round "
            + " ".join(f"{x:6.1%}" for x in mean)
            + f" (+- {error:.1%})  offers an order {made / runs / n:.2f}"
            f"  {1000 * (time.thread_time() - began) / runs / ROUNDS:.0f} ms a round",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warm_up()
    for name in CASES:
        measure(name, arguments.runs, arguments.seed)


if __name__ == "__main__":
    main()
