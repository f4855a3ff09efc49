"""Fairness of work minutes and size caps by prices on orders: time, gap and tightness per notion.

    python benchmarks/fairness.py --sizes S M L --cbc-s 10

CPU seconds of this process and wall seconds; CBC works in a process of its own, so its share shows
in wall time only. Compiling is done before and reported apart.
"""

from __future__ import annotations

import argparse
import time

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
from optimization.notions import NOTIONS
from optimization.scalar import ScalarProblem
from optimization.solvers import SOLVERS
from optimization.solvers.base import Solver
from optimization.solvers.flow import FlowSolver
from optimization.solvers.lagrangian import LagrangianSolver
from optimization.solvers.local import LocalSolver
from optimization.surrogate import judge_sweep

SIZES = {
    "S": (60, 100, 100, 8.0),
    "M": (500, 600, 40, 8.0),
    "L": (2000, 3000, 40, 16.0),
    "XL": (10_000, 12_000, 30, 30.0),
}
EFFICIENCY = Weights({"acceptance": 1.0, "minutes": 0.5})
FAIR = Weights({**EFFICIENCY.values, "fairness": 0.3})


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


def clock(engine: Solver, scalar: ScalarProblem, limit_s: float | None) -> tuple[str, Solution]:
    cpu, wall = time.process_time(), time.perf_counter()
    # CBC may find nothing in time: it starts from the greedy plan.
    start = SOLVERS["greedy"].solve(scalar, Deadline.after(None)) if "cbc" in engine.name else None
    found = engine.solve(scalar, Deadline.after(limit_s), start)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    verify(scalar.problem, found.columns).raise_if_faulty()
    return f"{cpu:7.2f} CPU s {wall:7.2f} wall s", found


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
    row("prices alone", *clock(LagrangianSolver(core_rows=0), scalar, limit_s))
    row(f"prices and core, {limit_s:g} s", *clock(LagrangianSolver(), scalar, limit_s))
    if cbc_s:
        row(f"CBC on the compact program, {cbc_s:g} s", *clock(SOLVERS["milp"], scalar, cbc_s))


def caps(size: str, seed: int) -> None:
    problem, account = city(size, seed)
    print(f"{size} seed {seed}: a cap on minutes, 11 points, prices alone and with the core")
    free = LagrangianSolver(core_rows=0).solve(scalarize(problem, EFFICIENCY), Deadline.after(None))
    top = float(account.rates(problem, free.columns).max())
    low = float(account.rates(problem, np.zeros(0, np.int64)).max())
    for engine in (LagrangianSolver(core_rows=0), LagrangianSolver()):
        cpu, wall, gaps, left = time.process_time(), time.perf_counter(), [], []
        for rate in np.linspace(low, top, 11):
            scalar = scalarize(account.capped(problem, float(rate)), EFFICIENCY)
            found = engine.solve(scalar, Deadline.after(20.0))
            gaps.append(found.gap)
            left.append(found.coverage // 1000)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(
            f"  core {engine.core_rows:6d}: {cpu:.2f} CPU s {wall:.2f} wall s, caps {low:.1f} to "
            f"{top:.1f} min/h, largest gap {max(gaps):.1e}, proven {gaps.count(0.0)}, left {left}",
            flush=True,
        )


def notions(size: str, seed: int) -> None:
    problem, account = city(size, seed)
    prices = {name: problem.n_orders / 120 for name in NOTIONS if name != "gini"}
    prices |= {"gini": float(problem.n_orders) / 4, "leximin": 0.0}
    cpu = time.process_time()
    found = judge_sweep(
        problem, EFFICIENCY, prices, account, LagrangianSolver(steps=100, core_rows=0)
    )
    print(f"{size} seed {seed}: 11 spreads judged, {time.process_time() - cpu:.2f} CPU s")
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
    row("prices and core", *clock(LagrangianSolver(), scalar, 20.0))
    if cbc_s:
        row(f"CBC, {cbc_s:g} s", *clock(SOLVERS["milp"], scalar, cbc_s))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["S", "M"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--limit-s", type=float, default=20.0)
    parser.add_argument("--cbc-s", type=float, default=0.0, help="0 leaves CBC out")
    arguments = parser.parse_args()
    began = time.perf_counter()
    tiny, _ = city("S", 99)
    LagrangianSolver(steps=10).solve(scalarize(tiny, FAIR), Deadline.after(None))
    print(f"imports, compiling and first worker: {time.perf_counter() - began:.1f} s")
    for size in arguments.sizes:
        for seed in range(arguments.seeds):
            spread(size, seed, arguments.limit_s, arguments.cbc_s)
            size_caps(size, seed, arguments.cbc_s)
            if size in ("S", "M"):
                caps(size, seed)
                notions(size, seed)


if __name__ == "__main__":
    main()
