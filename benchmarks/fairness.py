"""Fairness of work minutes and size caps by prices on orders: time, gap and tightness per notion.

    python benchmarks/fairness.py --sizes S M L --cbc-s 10

CPU seconds of this process and of the workers, and wall seconds. Compiling and starting the first
worker are done before and reported apart. `--counts` compares the notions of counts instead.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from optimization import (
    AssignmentProblem,
    Deadline,
    Solution,
    Weights,
    Work,
    acceptance_term,
    linear_term,
    scalarize,
    verify,
    work_spread,
)
from optimization.account import WorkAccount
from optimization.network.flow import NetworkFlow
from optimization.notions import NOTIONS
from optimization.scalar import ScalarProblem
from optimization.solvers import SOLVERS
from optimization.solvers.base import Solver
from optimization.solvers.flow import FlowSolver
from optimization.solvers.lagrangian import LagrangianSolver
from optimization.solvers.local import LocalSolver
from optimization.solvers.milp import MilpSolver
from optimization.solvers.pool import WorkerPool
from optimization.surrogate import judge_sweep

SIZES = {
    "S": (60, 100, 100, 8.0),
    "M": (500, 600, 40, 8.0),
    "L": (2000, 3000, 40, 16.0),
    "XL": (10_000, 12_000, 30, 30.0),
}
EFFICIENCY = Weights({"acceptance": 1.0, "minutes": 0.5})
FAIR = Weights({**EFFICIENCY.values, "fairness": 0.3})
POOL = WorkerPool()


def city(size: str, seed: int) -> tuple[AssignmentProblem, WorkAccount]:
    """Hot spots in a square, three vehicle classes, up to four orders and an hour of past work."""
    n, m, d, km = SIZES[size]
    rng = np.random.default_rng(seed)
    spots = rng.uniform(0, km, (max(4, int(km * km / 6)), 2))
    share = rng.dirichlet(np.full(len(spots), 0.7))

    def points(count: int, clustered: float, spread: float) -> NDArray[np.float64]:
        near = spots[rng.choice(len(spots), count, p=share)] + rng.normal(0, spread, (count, 2))
        pick = (rng.random(count) < clustered)[:, None]
        return np.clip(np.where(pick, near, rng.uniform(0, km, (count, 2))), 0, km)

    couriers, pickups = points(m, 0.45, 0.9), points(n, 0.7, 0.5)
    trip_km = np.minimum(rng.gamma(3.0, 0.75, n), 6.0)
    km_min = np.array([14.0, 22.0, 18.0])[rng.choice(3, m, p=[0.35, 0.5, 0.15])] / 60
    to_pickup, courier = cKDTree(couriers).query(pickups, k=d)
    courier, order = courier.ravel(), np.repeat(np.arange(n), d)
    away = 1.3 * to_pickup.ravel()
    ready = rng.uniform(0, 15, n)[order]
    minutes = np.maximum(away / km_min[courier] + 1.5, ready)
    minutes += 3.5 + 1.3 * trip_km[order] / km_min[courier]
    taste = 1.3 - 0.55 * away + rng.normal(0, 0.7, m)[courier] - 0.012 * np.abs(minutes - 25)
    most = rng.choice([1, 2, 3, 4], m, p=[0.35, 0.35, 0.2, 0.1])
    work = Work.unlimited("work", "s", np.rint(60 * minutes).astype(np.int64), m)
    past = np.rint(60 * np.clip(rng.gamma(4.0, 7.5, m), 0, 60)).astype(np.int64)
    active = np.full(m, 3600.0)
    problem = AssignmentProblem.from_pairs(
        order,
        courier,
        order_size=np.ones(n, np.int64),
        max_orders=most,
        max_size=most,
        leave=np.full(n, 1000),
        works=[work],
        terms=[
            acceptance_term(1 / (1 + np.exp(-taste)), np.ones(n * d), most),
            linear_term("minutes", "h", 1_000_000, minutes / 60, most),
            work_spread(
                work, past, active, most, courier, step=900, steps_per_unit=3600, target_rate=0.0
            ),
        ],
    )
    return problem, WorkAccount("work", past, active, 60)


def workers_cpu_s() -> float:
    """CPU seconds of the worker processes so far, as Linux tells them."""
    ticks = 0
    for worker in POOL._all:
        stat = Path(f"/proc/{worker.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Stopwatch:
    """CPU seconds here and in the workers, and wall seconds, since it was made."""

    def __init__(self) -> None:
        self.began = time.process_time(), workers_cpu_s(), time.perf_counter()

    def __str__(self) -> str:
        ended = time.process_time(), workers_cpu_s(), time.perf_counter()
        own, theirs, wall = (b - a for a, b in zip(self.began, ended, strict=True))
        return f"{own:6.2f} + {theirs:5.2f} CPU s {wall:6.2f} wall s"


def lagrangian(core_rows: int = 30_000, steps: int = 200) -> LagrangianSolver:
    return LagrangianSolver(POOL, steps=steps, core_rows=core_rows)


def clock(engine: Solver, scalar: ScalarProblem, limit_s: float | None) -> tuple[str, Solution]:
    watch = Stopwatch()
    # CBC may find nothing in time: it starts from the greedy plan.
    start = SOLVERS["greedy"].solve(scalar, Deadline.after(None)) if "cbc" in engine.name else None
    found = engine.solve(scalar, Deadline.after(limit_s), start)
    took = str(watch)
    verify(scalar.problem, found.columns).raise_if_faulty()
    return took, found


def row(name: str, took: str, found: Solution) -> None:
    print(
        f"  {name:34s} {took}  objective {found.objective / found.scale:11.5f}"
        f"  gap {found.gap:.1e}  left {found.coverage / 1000:g}"
        f"  {found.status.value}; {found.message}",
        flush=True,
    )


def spread(size: str, seed: int, limit_s: float, cbc_s: float) -> None:
    problem, _ = city(size, seed)
    scalar = scalarize(problem, FAIR)
    print(f"\n{size} seed {seed}: convex spread of minutes, {problem.n_columns} pairs")
    row("local search", *clock(LocalSolver(), scalar, limit_s))
    steps = 100 if size == "XL" else 200
    row(f"prices alone, {steps} steps", *clock(lagrangian(0, steps), scalar, limit_s))
    row("prices and a first core", *clock(lagrangian(8000, steps), scalar, limit_s))
    row(f"prices and cores, {limit_s:g} s", *clock(lagrangian(steps=steps), scalar, limit_s))
    if cbc_s:
        row(f"CBC on the compact program, {cbc_s:g} s", *clock(MilpSolver(POOL), scalar, cbc_s))


def caps(size: str, seed: int, each_s: float) -> None:
    problem, account = city(size, seed)
    print(f"{size} seed {seed}: a cap on minutes, 11 points, prices alone and with the core")
    free = lagrangian(0).solve(scalarize(problem, EFFICIENCY), Deadline.after(None))
    top = float(account.rates(problem, free.columns).max())
    low = float(account.rates(problem, np.zeros(0, np.int64)).max())
    for engine in (lagrangian(0), lagrangian()):
        watch, gaps, left = Stopwatch(), [], []
        for rate in np.linspace(low, top, 11):
            scalar = scalarize(account.capped(problem, float(rate)), EFFICIENCY)
            found = engine.solve(scalar, Deadline.after(each_s))
            gaps.append(found.gap)
            left.append(found.coverage // 1000)
        print(
            f"  core {engine.core_rows:6d}: {watch}, caps {low:.1f} to {top:.1f} min/h, proven "
            f"{gaps.count(0.0)}, gaps {' '.join(f'{gap:.0e}' for gap in gaps)}, left {sum(left)}",
            flush=True,
        )


def notions(size: str, seed: int) -> None:
    problem, account = city(size, seed)
    prices = {name: problem.n_orders / 120 for name in NOTIONS if name != "gini"}
    prices |= {"gini": float(problem.n_orders) / 4, "leximin": 0.0}
    watch = Stopwatch()
    found = judge_sweep(problem, EFFICIENCY, prices, account, lagrangian(0, 100))
    print(f"{size} seed {seed}: 11 spreads judged, {watch}")
    for name, judged in found.items():
        print(
            f"  {name:24s} {NOTIONS[name].optimised:6s} value {judged.value:11.4f} "
            f"bound {judged.bound:11.4f} gap {judged.gap:.1e} at weight {judged.share:g}, "
            f"measure {judged.fairness[0]:.4f} {NOTIONS[name].unit}"
        )


def size_caps(size: str, seed: int, cbc_s: float) -> None:
    problem, _ = city(size, seed)
    rng = np.random.default_rng(seed)
    problem = problem.replace(
        order_size=rng.integers(1, 6, problem.n_orders),
        max_size=rng.integers(4, 9, problem.n_couriers),
    )
    scalar = scalarize(problem, EFFICIENCY)
    broken = verify(problem, FlowSolver().columns(scalar)).faults
    print(
        f"{size} seed {seed}: size caps, {len(broken[0].ids) if broken else 0} broken by the flow"
    )
    row("prices and core", *clock(lagrangian(), scalar, 20.0))
    if cbc_s:
        row(f"CBC, {cbc_s:g} s", *clock(MilpSolver(POOL), scalar, cbc_s))


def counts(size: str, seed: int) -> None:
    """Each notion of counts by a method of its own against one flow with quadratic costs."""
    problem, _ = city(size, seed)
    m, most = problem.n_couriers, problem.max_orders
    past = np.random.default_rng(seed).integers(0, 6, m)
    courier = np.repeat(np.arange(m), most)
    rank = np.arange(courier.size) - np.repeat(np.cumsum(most) - most, most)
    after = past[courier] + rank + 1

    def solved(marginal: NDArray[np.int64], room: NDArray[np.int64]) -> NetworkFlow:
        flow = NetworkFlow(
            problem.column_order,
            problem.column_courier,
            pair=np.zeros(problem.n_columns, np.int64),
            marginal=marginal,
            leave=np.full(problem.n_orders, 10**9),
            slots=most,
            room=room,
        )
        flow.solve()
        flow.certify()
        return flow

    def orders(flow: NetworkFlow) -> NDArray[np.int64]:
        return past + flow.state.held

    def least_max() -> int:
        served, low, high = orders(solved(0 * after, most)).sum(), 0, int((past + most).max())
        while low < high:
            cap = (low + high) // 2
            capped = orders(solved(0 * after, np.clip(cap - past, 0, most)))
            low, high = (low, cap) if capped.sum() == served else (cap + 1, high)
        return max(low, int(past.max()))

    def most_for_worst_off() -> int:
        low, high = 0, int((past + most).min())
        while low < high:
            floor = (low + high + 1) // 2
            lifted = orders(solved(-1 * (after <= floor), most))
            low, high = (floor, high) if lifted.min() >= floor else (low, floor - 1)
        return low

    mean = (past.sum() + problem.n_orders) / m
    deviation = np.rint(10**6 * (np.abs(after - mean) - np.abs(after - 1 - mean))).astype(np.int64)
    solved(2 * after - 1, most)
    watch = time.thread_time()
    fair = orders(solved(2 * after - 1, most))
    fair_s = time.thread_time() - watch
    print(f"\n{size} seed {seed}: counts, one flow with quadratic costs {1000 * fair_s:.1f} ms")
    notions: list[tuple[str, float, Callable[[], float]]] = [
        ("max", float(fair.max()), least_max),
        ("worst-off", float(fair.min()), most_for_worst_off),
        (
            "mean absolute deviation",
            float(np.abs(fair - mean).mean()),
            lambda: float(np.abs(orders(solved(deviation, most)) - mean).mean()),
        ),
    ]
    for name, value, alone in notions:
        watch = time.thread_time()
        own, own_s = alone(), time.thread_time() - watch
        same = "same" if abs(own - value) < 1e-9 else "DIFFERS"
        print(f"  {name:24s} {value:8.4f}, alone {own:8.4f} in {1000 * own_s:6.1f} ms: {same}")
    jain = fair.sum() ** 2 / (m * (fair**2).sum())
    print(f"  Jain {jain:.4f}, range {np.ptp(fair)}, standard deviation {fair.std():.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["S", "M"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--limit-s", type=float, default=20.0)
    parser.add_argument("--cbc-s", type=float, default=0.0, help="0 leaves CBC out")
    parser.add_argument("--cap-s", type=float, default=1.0, help="wall seconds for each cap")
    parser.add_argument("--counts", action="store_true", help="notions of counts instead")
    arguments = parser.parse_args()
    began = time.perf_counter()
    tiny, _ = city("S", 99)
    lagrangian(steps=10).solve(scalarize(tiny, FAIR), Deadline.after(None))
    POOL.warm().join()
    print(f"imports, compiling and first worker: {time.perf_counter() - began:.1f} s")
    for size in arguments.sizes:
        for seed in range(arguments.seeds):
            if arguments.counts:
                counts(size, seed)
                continue
            spread(size, seed, arguments.limit_s, arguments.cbc_s)
            size_caps(size, seed, arguments.cbc_s)
            if size in ("S", "M"):
                caps(size, seed, arguments.cap_s)
                notions(size, seed)


if __name__ == "__main__":
    main()
