"""One assignment by every engine, build and solve apart, CPU time, as ratios within one run.

    python benchmarks/one_assignment.py --sizes S M L XL --plot docs/growth.png
    python benchmarks/one_assignment.py --sizes XL --roomy --engines "OR-Tools min" CBC
    python benchmarks/one_assignment.py --sizes M --sweep

Minimise the price of the pairs used plus a price for each order left, couriers' room kept. Every
engine must reach the same optimum. Who took longer than `--most-s` is left out at the next size.
`--sweep` compares 21 weights of fairness, one flow kept warm against a PuLP/CBC model per weight.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from assignment_engines import ENGINES, Chosen, Data
from optimization_engines import SIZES, city

from optimization import Deadline, Weights, scalarize
from optimization.network import warm_up

EFFICIENCY = Weights({"acceptance": 1.0, "delivery_time": 1 / 1800})
REPEAT_S = 0.5
"""Engines are repeated until they have used as much; the median counts."""


def instance(size: str, seed: int, tight: bool, room_per_order: float = 0.9) -> Data:
    """Draw a city; tight leaves only so much room for each order."""
    problem = city(np.random.default_rng(seed), *SIZES[size])
    cost = scalarize(problem, EFFICIENCY).column_cost
    room = problem.max_orders.copy()
    if tight:
        spare = np.random.default_rng(seed).permutation(np.repeat(np.arange(room.size), room))
        room = np.bincount(spare[: int(room_per_order * problem.n_orders)], minlength=room.size)
    leave = np.full(problem.n_orders, 10 * int(np.abs(cost).max()))
    return Data(problem.column_order, problem.column_courier, cost, leave, room.astype(np.int64))


def value(data: Data, chosen: Chosen) -> int:
    served = np.bincount(data.order[chosen], minlength=data.leave.size)
    held = np.bincount(data.courier[chosen], minlength=data.room.size)
    if served.max() > 1 or np.any(held > data.room):
        raise SystemExit("an engine returned a broken plan")
    return int(data.cost[chosen].sum() + data.leave[served == 0].sum())


def cpu_s() -> float:
    """CPU seconds of this process and of the children it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def clock_s(in_children: bool) -> float:
    """CPU seconds; finer where nothing runs in another process."""
    return cpu_s() if in_children else time.process_time()


def once(name: str, data: Data) -> tuple[float, float, Chosen]:
    """CPU seconds of building and of solving, and what was chosen."""
    children = name.startswith("PuLP")
    began = clock_s(children)
    solve = ENGINES[name](data)
    built = clock_s(children)
    chosen = solve()
    return built - began, clock_s(children) - built, chosen


def measure(
    size: str, seed: int, tight: bool, room_per_order: float, names: list[str], most_s: float
) -> dict[str, tuple[int, float]]:
    """Print one size; pairs and CPU seconds of every engine, and whoever is too slow dropped."""
    data = instance(size, seed, tight, room_per_order)
    kind = f"room for {room_per_order:g} of each order" if tight else "room for all"
    print(f"\n{size}, {kind}: {data.leave.size} x {data.room.size}, {data.cost.size} pairs")
    print(f"  {'':32s} {'build ms':>10s} {'solve ms':>10s} {'ratio':>9s}")
    seen: dict[str, tuple[int, float]] = {}
    own_s, best = 0.0, 0
    for name in list(names):
        took: list[tuple[float, float]] = []
        while not took or (sum(map(sum, took)) < REPEAT_S and len(took) < 200):
            build_s, solve_s, chosen = once(name, data)
            took.append((build_s, solve_s))
        build_s, solve_s = np.median(np.array(took), axis=0)
        total_s = float(build_s + solve_s)
        seen[name] = data.cost.size, total_s
        if name == names[0]:
            own_s, best = total_s, value(data, chosen)
        off = value(data, chosen) - best
        print(
            f"  {name:32s} {1000 * build_s:10.2f} {1000 * solve_s:10.2f} {total_s / own_s:7.1f} x  "
            f"{'same optimum' if off == 0 else f'DIFFERS by {off}'}",
            flush=True,
        )
        if total_s > most_s:
            names.remove(name)
    return seen


def sweep_weights(size: str, seed: int) -> None:
    """21 weights of the squared spread of counts, each optimum the same."""
    from frontier import counts_city

    from optimization.network.parametric import TwoObjectiveFlow
    from optimization.solvers import SOLVERS

    problem = counts_city(size, seed)
    steps = [int(1000 * w) for w in np.linspace(0.0, 0.4, 21)]
    for _ in range(2):
        began = time.thread_time()
        flow = TwoObjectiveFlow(scalarize(problem, EFFICIENCY), problem.term("spread"))
        ours = []
        for step in steps:
            flow.at(1000, step * 10**6)
            ours.append(flow.columns)
        own_s = time.thread_time() - began
    began, same = cpu_s(), 0
    for step, columns in zip(steps, ours, strict=True):
        scalar = scalarize(problem, Weights({**EFFICIENCY.values, "spread": step / 1000}))
        found = SOLVERS["pulp"].solve(scalar, Deadline.after(None))
        same += scalar.value(found.columns) == scalar.value(columns)
    loop_s = cpu_s() - began
    print(
        f"\n{size}: 21 weights, {1000 * own_s:.1f} ms by a flow kept warm, {loop_s:.1f} s by a "
        f"PuLP/CBC model each: {loop_s / own_s:.0f} x; same optimum at {same} of 21"
    )


def plot(seen: dict[str, list[tuple[int, float]]], path: Path) -> None:
    """Draw how CPU time grows with the number of pairs."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
    dearest = sorted(seen, key=lambda name: seen[name][-1][1] / seen[name][-1][0], reverse=True)
    for name in dearest:
        pairs, seconds = np.array(seen[name]).T
        wide = {"lw": 3.0, "color": "black"} if name == next(iter(ENGINES)) else {"lw": 1.3}
        ax.loglog(pairs, 1000 * seconds, "o-", ms=4, label=name, **wide)
    ax.set(xlabel="pairs of an order and a courier", ylabel="CPU time, build and solve (ms)")
    ax.set_title("One assignment, the same optimum by every engine")
    ax.grid(alpha=0.3)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["S", "M"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most-s", type=float, default=15.0, help="with room for all")
    parser.add_argument("--tight-most-s", type=float, default=3.0, help="without")
    parser.add_argument("--engines", nargs="+", default=[""], help="only those named so, and ours")
    parser.add_argument("--room", type=float, default=0.9, help="for each order, where it is short")
    parser.add_argument("--roomy", action="store_true", help="only with room for all")
    parser.add_argument("--sweep", action="store_true", help="21 weights instead of one")
    parser.add_argument("--plot", type=Path, help="draw the growth of the roomy instances there")
    arguments = parser.parse_args()
    print(f"compiled or read from the cache in {warm_up():.2f} s")
    if arguments.sweep:
        for size in arguments.sizes:
            sweep_weights(size, arguments.seed)
        return
    own, *peers = ENGINES
    asked = [own, *(p for p in peers if any(part in p for part in arguments.engines))]
    for name in asked:
        once(name, instance("S", 99, tight=False))  # imports apart
    seen: dict[str, list[tuple[int, float]]] = {name: [] for name in asked}
    names = {tight: list(asked) for tight in (False, True)}
    limit_s = {False: arguments.most_s, True: arguments.tight_most_s}
    for size in arguments.sizes:
        for tight in (False,) if arguments.roomy else (False, True):
            row = measure(size, arguments.seed, tight, arguments.room, names[tight], limit_s[tight])
            for name, point in row.items() if not tight else ():
                seen[name].append(point)
    if arguments.plot:
        plot(seen, arguments.plot)


if __name__ == "__main__":
    main()
