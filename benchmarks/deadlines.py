"""How far `solve` runs past its deadline, by size, structure and deadline.

    python benchmarks/deadlines.py --sizes L XL
    python benchmarks/deadlines.py --sizes M L --none

Flows, and the same problem with a bound on size (prices and a program). Each deadline is asked for
several times, once as a process that has compiled nothing (OR-Tools' flow, greedy) and once as a
service that has (`warm_up`). Deadlines and overruns are read off the CPU clock of the thread, the
wall clock of a machine with nothing else to do; what runs in worker processes does not count on it,
so only engines of this process are measured. `--none` solves problems whose sizes bind, three
cities a size, without a deadline instead, in wall time, worker processes included.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np
from optimization_engines import SIZES, city

from optimization import AssignmentProblem, Deadline, Weights, solve, warm_up

WEIGHTS = Weights({"acceptance": 1.0, "delivery_time": 1 / 1800, "fairness": 0.02})
DEADLINES_S = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)


def sized(problem: AssignmentProblem) -> AssignmentProblem:
    """Give orders one to three units and couriers four: sizes bind."""
    size = np.random.default_rng(0).integers(1, 4, problem.n_orders)
    return problem.replace(order_size=size, max_size=np.full(problem.n_couriers, 4))


def measure(name: str, problem: AssignmentProblem, runs: int) -> None:
    for seconds in DEADLINES_S:
        over, engines = [], Counter[str]()
        for _ in range(runs):
            began = time.monotonic()
            found = solve(problem, WEIGHTS, deadline=Deadline.after(seconds))
            over.append(1000 * (time.monotonic() - began - seconds))
            engines[found.engine] += 1
        late = np.maximum(over, 0.0)
        print(
            f"| {name} | {1000 * seconds:.0f} | {np.median(late):.0f} | "
            f"{np.percentile(late, 99):.0f} | {', '.join(engines)} |",
            flush=True,
        )


def unhurried(size: str) -> None:
    """Solve three cities whose sizes bind to the end."""
    for seed in (1, 2, 3):
        problem = sized(city(np.random.default_rng(seed), *SIZES[size]))
        began = time.perf_counter()
        found = solve(problem, WEIGHTS)
        took = time.perf_counter() - began
        print(
            f"{size}, city {seed}: {took:.1f} s, gap {found.gap:.1e}; {found.summary()}", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["L", "XL"], choices=SIZES)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--none", action="store_true", help="no deadline, where sizes bind")
    args = parser.parse_args()
    if args.none:
        warm_up()
        for size in args.sizes:
            unhurried(size)
        return
    time.monotonic = time.thread_time
    print("| problem | deadline, ms | overrun, median ms | p99 | answered |")
    print("|---|---:|---:|---:|---|")
    problems = {size: city(np.random.default_rng(1), *SIZES[size]) for size in args.sizes}
    for state in ("cold", "warm"):
        if state == "warm":
            warm_up()
        for size, problem in problems.items():
            measure(f"{size} flow, {state}", problem, args.runs)
            measure(f"{size} sizes bind, {state}", sized(problem), args.runs)


if __name__ == "__main__":
    main()
