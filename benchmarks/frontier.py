"""Frontiers: supported, exact, three objectives, the published sets; sessions; CPU time.

    python benchmarks/frontier.py --sizes S M
    python benchmarks/frontier.py --moap

Efficiency (acceptance and delivery time) against the squared spread of order counts, past orders
included, beside 21 weights of a PuLP/CBC model rebuilt for each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import moap
import moocore
import numpy as np
from numpy.typing import NDArray
from one_assignment import EFFICIENCY, cpu_s
from optimization_engines import SIZES, city

from optimization import (
    AssignmentProblem,
    CertifiedFrontier,
    Deadline,
    SolverSession,
    Term,
    Weights,
    exact_frontier,
    non_dominated,
    represent,
    scalarize,
    sweep,
)
from optimization.network import warm_up
from optimization.solvers import SOLVERS

T = TypeVar("T")


def counts_city(size: str, seed: int) -> AssignmentProblem:
    """Draw a city whose fairness is sum_j (past_j + n_j)^2 over couriers."""
    rng = np.random.default_rng(seed)
    problem = city(rng, *SIZES[size])
    past, most = rng.integers(0, 9, problem.n_couriers), problem.max_orders
    rank = np.arange(int(most.sum())) - np.repeat(np.cumsum(most) - most, most)
    marginal = 2 * (np.repeat(past, most) + rank) + 1
    constant = int((past**2).sum())
    spread = Term.separable("spread", "orders^2", 1, marginal, problem.n_columns, constant)
    return problem.replace(terms=(*problem.terms[:2], spread))


def clock(call: Callable[[], T]) -> tuple[float, T]:
    began = cpu_s()
    answer = call()
    return cpu_s() - began, answer


def frontiers(size: str, seed: int, limit_s: float) -> None:
    problem = counts_city(size, seed)
    print(f"\n{size}: {problem.n_orders} x {problem.n_couriers}, {problem.n_columns} pairs")
    took, hull = clock(lambda: exact_frontier(problem, EFFICIENCY, "spread", unsupported=False))
    print(
        f"  supported             {took:8.2f} s  {hull.summary()}; hv {hull.hypervolume:.5f}",
        flush=True,
    )
    took, whole = clock(
        lambda: exact_frontier(problem, EFFICIENCY, "spread", deadline=Deadline.after(limit_s))
    )
    if not whole.hypervolume:
        print(f"  all                   {took:8.2f} s  too few points in the time", flush=True)
        return
    share = hull.hypervolume / whole.hypervolume
    print(f"  all                   {took:8.2f} s  {whole.summary()}; hv {whole.hypervolume:.5f}")
    print(f"  supported points hold {share:.3%} of the hypervolume of all found", flush=True)
    ours_s, swept = clock(lambda: sweep(problem, EFFICIENCY, "spread", points=21))
    points = np.array([(p.efficiency, p.against) for p in swept.points])
    print(
        f"  sweep(), 21 weights   {ours_s:8.2f} s  {len(points)} points, "
        f"{volume(whole, points) / whole.hypervolume:.2%} of the hypervolume",
        flush=True,
    )
    if size in ("S", "M"):
        pulp_s, points = clock(lambda: pulp_sweep(problem, whole))
        flow_s = clock_thread(
            lambda: exact_frontier(problem, EFFICIENCY, "spread", unsupported=False, max_points=21)
        )
        print(
            f"  PuLP/CBC, 21 weights  {pulp_s:8.2f} s  {len(points)} points, "
            f"{volume(whole, points) / whole.hypervolume:.2%} of the hypervolume\n"
            f"  21 supported points   {flow_s:8.4f} s: {pulp_s / flow_s:.0f} x",
            flush=True,
        )


def volume(whole: CertifiedFrontier, points: NDArray[np.float64]) -> float:
    """Share of the rectangle from ideal to nadir of a frontier that other points dominate."""
    spread = np.subtract(whole.nadir, whole.ideal)
    return float(moocore.hypervolume((points - whole.ideal) / spread, ref=[1.0, 1.0]))


def pulp_sweep(problem: AssignmentProblem, whole: CertifiedFrontier) -> NDArray[np.float64]:
    """Solve the PuLP model under 21 weights spread over the ranges, built anew for each."""
    width, height = np.subtract(whole.nadir, whole.ideal)
    axis, spread = scalarize(problem, EFFICIENCY), problem.term("spread")
    rows = []
    for share in np.linspace(0.001, 0.999, 21).tolist():
        mixed = {name: (1.0 - share) * weight for name, weight in EFFICIENCY.values.items()}
        scalar = scalarize(problem, Weights({**mixed, "spread": share * width / height}))
        found = SOLVERS["pulp"].solve(scalar, Deadline.after(None))
        value = problem.term_values(found.columns)["spread"]
        rows.append((axis.objective(found.columns), value))
    values = np.unique(np.array(rows, np.int64), axis=0)
    return values[non_dominated(values)] / np.array([axis.scale, spread.scale])


def three(size: str, seed: int) -> None:
    problem, names = counts_city(size, seed), ("acceptance", "delivery_time", "spread")
    for divisions in (10, 20, 44):
        began = time.thread_time()
        found = represent(problem, names, divisions=divisions)
        took = time.thread_time() - began
        print(
            f"  three objectives, lattice {divisions:3d} {took:8.2f} s  {len(found)} points, "
            f"proven error {found.epsilon:.2%} of each range",
            flush=True,
        )


def sessions(size: str, seed: int) -> None:
    problem = counts_city(size, seed)
    weights = Weights({**EFFICIENCY.values, "spread": 0.05})
    scalar = scalarize(problem, weights)
    cold_s = min(
        clock_thread(lambda: SOLVERS["network"].solve(scalar, Deadline.after(None)))
        for _ in range(5)
    )
    session, rng = SolverSession(problem, weights), np.random.default_rng(seed)
    spent: dict[str, list[float]] = {"cancel": [], "insert": []}
    for order in rng.integers(0, problem.n_orders, 5000).tolist():
        for name in spent:
            began = time.thread_time()
            getattr(session, name)(order)
            spent[name].append(time.thread_time() - began)
    for name, seconds in spent.items():
        middle, high = np.percentile(seconds, [50, 99])
        print(
            f"  {name:8s} p50 {1e6 * middle:6.1f} us, p99 {1e6 * high:6.1f} us: "
            f"1/{cold_s / high:.0f} of a cold solve ({1000 * cold_s:.1f} ms, verified)"
        )
    ids = rng.choice(problem.n_columns, problem.n_columns // 20, replace=False)
    cost = scalar.column_cost[ids] / scalar.scale * rng.uniform(0.8, 1.2, ids.size)
    print(f"  5 % re-scored {1000 * clock_thread(lambda: session.reprice(ids, cost)):.2f} ms")
    session.solution()


def clock_thread(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return time.thread_time() - began


def published() -> None:
    if moap.folder() is None:
        print(f"skipped: {moap.NOT_HERE}")
        return
    instances = [moap.pedersen(name) for name in moap.pedersen_names()]
    instances += [moap.tuyttens(n) for n in range(5, 51, 5)]
    for instance in instances:
        took, found = clock(
            lambda i=instance: exact_frontier(i.problem(), Weights({"z1": 1.0}), "z2")
        )
        same = np.rint(found.points).astype(int).tolist() == sorted(instance.published.tolist())
        print(
            f"  {instance.name:32s} {len(found):4d} points, {int(found.supported.sum()):3d} "
            f"supported {took:8.2f} s  {'every point' if same else 'DIFFERS'}",
            flush=True,
        )
    for n, number in [(n, k) for n in (5, 10, 15) for k in range(1, 6)]:
        instance = moap.kirlik(n, number)
        took, whole = clock(
            lambda i=instance: represent(i.problem(), ["z1", "z2", "z3"], divisions=10, within=0.0)
        )
        same = whole.complete and whole.values.tolist() == sorted(instance.published.tolist())
        print(
            f"  {instance.name:32s} {len(whole):4d} points {took:23.2f} s  "
            f"{'every point' if same else 'DIFFERS'}",
            flush=True,
        )
    print("published faults: " + "; ".join(moap.PUBLISHED_FAULTS))
    print(f"files that contradict themselves: {moap.contradictions() or 'none'}")


def plot(size: str, seed: int, path: Path) -> None:
    """Draw the frontier of a size: all points, the supported ones, and the 21-point sweep."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    problem = counts_city(size, seed)
    found = exact_frontier(problem, EFFICIENCY, "spread")
    swept = np.array(
        [(p.efficiency, p.against) for p in sweep(problem, EFFICIENCY, "spread", points=21).points]
    )
    figure, ax = plt.subplots(figsize=(8, 5.5), layout="constrained")
    points, knee = found.points, found.knee()
    near = ax.inset_axes((0.42, 0.4, 0.56, 0.42))
    for part in (ax, near):
        part.plot(*points.T, ".", color="0.55", label=f"all {len(found)} points")
        supported = points[found.supported]
        part.plot(*supported.T, "o-", ms=4, lw=1, color="C0", label=f"{len(supported)} supported")
        part.plot(*swept.T, "o", ms=9, mfc="none", color="C3", label="sweep of 21 weights")
        part.plot(*points[knee], "*", ms=14, color="C1", label="knee")
    left, right = points[max(knee - 9, 0)], points[min(knee + 9, len(points) - 1)]
    near.set(xlim=(left[0], right[0]), ylim=(right[1], left[1]))
    near.tick_params(labelsize="small")
    ax.indicate_inset_zoom(near, edgecolor="0.3")
    ax.set(xlabel="efficiency (minimised)", ylabel="spread of counts, orders$^2$ (minimised)")
    ax.set_title(f"{size}: {problem.n_orders} orders, {problem.n_couriers} couriers")
    ax.legend(loc="upper right", ncols=2, fontsize="small")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="*", choices=list(SIZES), default=["S", "M"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit-s", type=float, default=120.0, help="for all points of one size")
    parser.add_argument("--moap", action="store_true", help="the published sets instead")
    parser.add_argument("--sessions", action="store_true", help="changes to a solved flow alone")
    parser.add_argument("--plot", type=Path, help="draw the frontier of the first size there")
    arguments = parser.parse_args()
    print(f"compiled or read from the cache in {warm_up():.2f} s")
    if arguments.moap:
        published()
        return
    for size in arguments.sizes:
        if not arguments.sessions:
            frontiers(size, arguments.seed, arguments.limit_s)
            three(size, arguments.seed)
        sessions(size, arguments.seed)
    if arguments.plot:
        plot(arguments.sizes[0], arguments.seed, arguments.plot)


if __name__ == "__main__":
    main()
