"""Build and solve time of the engines on one assignment, as ratios within one run.

    python benchmarks/optimization_engines.py --sizes S M

Every engine must reach the same composed optimum, or the run fails.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from optimization import (
    AssignmentProblem,
    Deadline,
    Solution,
    Weights,
    acceptance_term,
    convex_spread,
    delivery_time_term,
    scalarize,
    solve,
    sweep,
)
from optimization.solvers import SOLVERS

T = TypeVar("T")
SIZES = {
    "S": (60, 100, 100),
    "M": (500, 600, 40),
    "L": (2000, 3000, 40),
    "XL": (10_000, 12_000, 30),
}
WEIGHTS = Weights({"acceptance": 1.0, "delivery_time": 1 / 1800, "fairness": 0.1})
EFFICIENCY = Weights({"acceptance": 1.0, "delivery_time": 1 / 1800})


def city(rng: np.random.Generator, n: int, m: int, d: int) -> AssignmentProblem:
    """Random points in a 10 km square, each order with its d nearest couriers."""
    orders, couriers = rng.uniform(0, 10_000, (n, 2)), rng.uniform(0, 10_000, (m, 2))
    courier, metres = np.empty((n, d), np.int64), np.empty((n, d))
    for low in range(0, n, 1000):
        gap = np.hypot(*(orders[low : low + 1000, None] - couriers).transpose(2, 0, 1))
        courier[low : low + 1000] = np.argpartition(gap, d - 1, axis=1)[:, :d]
        metres[low : low + 1000] = np.take_along_axis(gap, courier[low : low + 1000], axis=1)
    order, seconds = np.repeat(np.arange(n), d), 300 + metres.ravel() / 5
    chance = 1 / (1 + np.exp(seconds / 600 - rng.normal(1.5, 0.5, n * d)))
    most = rng.integers(1, 4, m)
    return AssignmentProblem.from_pairs(
        order,
        courier.ravel(),
        order_size=np.ones(n, np.int64),
        max_orders=most,
        max_size=most,
        leave=rng.choice([1000, 1500, 3000], n),
        terms=[
            acceptance_term(chance, np.ones(n * d), most),
            delivery_time_term(chance, seconds, np.full(n, 1800.0), np.full(m, 300.0), most, order),
            convex_spread(
                rng.integers(0, 6, m), rng.uniform(0, 14_400, m), most, n * d, expected_orders=n
            ),
        ],
    )


def clock(call: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    answer = call()
    return time.perf_counter() - began, answer


def measure(size: str, seed: int, engines: list[str]) -> None:
    problem = city(np.random.default_rng(seed), *SIZES[size])
    never, scalar = Deadline.after(None), scalarize(problem, WEIGHTS)
    print(f"\n{size}: {problem.n_orders} x {problem.n_couriers}, {problem.n_columns} pairs")
    seconds: dict[str, float] = {}
    answers: dict[str, Solution] = {}
    for name in engines:
        engine = SOLVERS[name]
        if not engine.can_solve(scalar):
            continue
        # The first call pays for imports and for starting the worker.
        repeats = [clock(functools.partial(engine.solve, scalar, never)) for _ in range(2)]
        seconds[name], answers[name] = min(repeats, key=lambda r: r[0])
    best = answers["flow"]
    for name, answer in answers.items():
        if answer.proven and (answer.coverage, answer.objective) != (best.coverage, best.objective):
            raise SystemExit(f"{answer.engine} disagrees: {answer.summary()}; {best.summary()}")
        print(
            f"  {answer.engine:24s} {1000 * seconds[name]:9.1f} ms "
            f"{seconds[name] / seconds['flow']:8.1f} x flow  gap {answer.gap:.1%}"
        )
    took, _ = min((clock(lambda: solve(problem, WEIGHTS)) for _ in range(3)), key=lambda r: r[0])
    print(f"  {'solve(), verified':24s} {1000 * took:9.1f} ms {took / seconds['flow']:8.1f} x flow")
    took, frontier = clock(lambda: sweep(problem, EFFICIENCY))
    print(
        f"  {'sweep(), 11 weights':24s} {1000 * took:9.1f} ms {took / seconds['flow']:8.1f} x flow"
        f"  {len(frontier.points)} points"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["S", "M"])
    parser.add_argument("--engines", nargs="+", choices=list(SOLVERS), default=list(SOLVERS))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    engines = ["flow", *(e for e in arguments.engines if e != "flow")]
    for size in arguments.sizes:
        measure(size, arguments.seed, engines)


if __name__ == "__main__":
    main()
