"""One assignment by every engine, build included, CPU time, as ratios within one run.

    python benchmarks/one_assignment.py --sizes S M

Minimise the price of the pairs used plus a price for each order left, couriers' room kept. Every
engine must reach the same optimum. Engines that would take minutes at a size are left out there.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optimization_engines import SIZES, city

from optimization import Weights, scalarize
from optimization.network import warm_up

EFFICIENCY = Weights({"acceptance": 1.0, "delivery_time": 1 / 1800})


@dataclass(frozen=True)
class Data:
    """Pairs sorted by order, integer prices of 1e-6, room per courier."""

    order: NDArray[np.int32]
    courier: NDArray[np.int32]
    cost: NDArray[np.int64]
    leave: NDArray[np.int64]
    room: NDArray[np.int64]


def instance(size: str, seed: int, tight: bool) -> Data:
    """Draw a city; tight leaves room for nine orders in ten."""
    problem = city(np.random.default_rng(seed), *SIZES[size])
    cost = scalarize(problem, EFFICIENCY).column_cost
    room = problem.max_orders.copy()
    if tight:
        spare = np.random.default_rng(seed).permutation(np.repeat(np.arange(room.size), room))
        room = np.bincount(spare[: int(0.9 * problem.n_orders)], minlength=room.size)
    leave = np.full(problem.n_orders, 10 * int(np.abs(cost).max()))
    return Data(problem.column_order, problem.column_courier, cost, leave, room.astype(np.int64))


def value(data: Data, chosen: NDArray[np.bool_]) -> int:
    served = np.bincount(data.order[chosen], minlength=data.leave.size)
    held = np.bincount(data.courier[chosen], minlength=data.room.size)
    if served.max() > 1 or np.any(held > data.room):
        raise SystemExit("an engine returned a broken plan")
    return int(data.cost[chosen].sum() + data.leave[served == 0].sum())


def own_flow(data: Data) -> NDArray[np.bool_]:
    from optimization.network.flow import NetworkFlow

    flow = NetworkFlow(
        data.order,
        data.courier,
        pair=data.cost,
        marginal=np.zeros(int(data.room.sum()), np.int64),
        leave=data.leave,
        slots=data.room,
        room=data.room,
    )
    flow.solve()
    flow.certify()
    chosen = np.zeros(data.cost.size, np.bool_)
    chosen[flow.chosen] = True
    return chosen


def ortools_flow(data: Data) -> NDArray[np.bool_]:
    from ortools.graph.python import min_cost_flow

    n, m = data.leave.size, data.room.size
    engine = min_cost_flow.SimpleMinCostFlow()
    arcs = engine.add_arcs_with_capacity_and_unit_cost(
        np.concatenate([data.order, n + np.arange(m), np.arange(n)]).astype(np.int32),
        np.concatenate([n + data.courier, np.full(m + n, n + m)]).astype(np.int32),
        np.concatenate([np.ones(data.cost.size, np.int64), data.room, np.ones(n, np.int64)]),
        np.concatenate([data.cost, np.zeros(m, np.int64), data.leave]),
    )
    supply = np.concatenate([np.ones(n, np.int64), np.zeros(m, np.int64), [-n]])
    engine.set_nodes_supplies(np.arange(n + m + 1, dtype=np.int32), supply)
    if engine.solve() != engine.OPTIMAL:
        raise SystemExit("OR-Tools' flow failed")
    return np.asarray(engine.flows(arcs[: data.cost.size])) > 0


def scipy_assignment(data: Data) -> NDArray[np.bool_]:
    """One column per unit of room and one dummy per order, each row matched."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    n = data.leave.size
    first = np.concatenate([[0], np.cumsum(data.room)])
    times = data.room[data.courier]
    pair = np.repeat(np.arange(data.cost.size), times)
    rank = np.arange(pair.size) - np.repeat(np.cumsum(times) - times, times)
    row = np.concatenate([data.order[pair], np.arange(n)])
    column = np.concatenate([first[data.courier[pair]] + rank, first[-1] + np.arange(n)])
    # The matching refuses explicit zeros: a constant per row changes nothing.
    lift = 1 - int(data.cost.min())
    weight = np.concatenate([data.cost[pair], data.leave]).astype(np.float64) + lift
    graph = csr_matrix((weight, (row, column)), shape=(n, int(first[-1]) + n))
    order, slot = min_weight_full_bipartite_matching(graph)
    real = slot < first[-1]
    courier = np.searchsorted(first, slot[real], side="right") - 1
    key = data.order.astype(np.int64) * data.room.size + data.courier
    return np.isin(key, order[real].astype(np.int64) * data.room.size + courier)


def highs(data: Data) -> NDArray[np.bool_]:
    """Solve the linear program, which is integral, given as arrays."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix

    n, k = data.leave.size, data.cost.size
    rows = np.concatenate([data.order, n + data.courier])
    matrix = csr_matrix(
        (np.ones(2 * k), (rows, np.tile(np.arange(k), 2))), shape=(n + data.room.size, k)
    )
    gain = (data.cost - data.leave[data.order]) / 1e6
    limit = np.concatenate([np.ones(n), data.room])
    answer = linprog(gain, A_ub=matrix, b_ub=limit, bounds=(0, 1), method="highs-ds")
    return np.asarray(answer.x) > 0.5


def pulp_cbc(data: Data, *, scan: bool) -> NDArray[np.bool_]:
    """Careful: pairs listed by order and courier once. Scanning: all pairs for each constraint."""
    import pulp

    model = pulp.LpProblem("assignment", pulp.LpMinimize)
    keys = list(zip(data.order.tolist(), data.courier.tolist(), strict=True))
    x = [
        model.add_variable(f"x{e}", lowBound=0, upBound=1, cat=pulp.LpBinary)
        for e in range(len(keys))
    ]
    gain = ((data.cost - data.leave[data.order]) / 1e6).tolist()
    model += pulp.lpSum(g * v for g, v in zip(gain, x, strict=True))
    limits = [(0, 1)] * data.leave.size, [(1, r) for r in data.room.tolist()]
    if scan:
        for side, group in enumerate(limits):
            for index, (_, limit) in enumerate(group):
                model += (
                    pulp.lpSum(v for key, v in zip(keys, x, strict=True) if key[side] == index)
                    <= limit
                )
    else:
        for side, group in enumerate(limits):
            lists: list[list[object]] = [[] for _ in group]
            for key, v in zip(keys, x, strict=True):
                lists[key[side]].append(v)
            for members, (_, limit) in zip(lists, group, strict=True):
                if members:
                    model += pulp.lpSum(members) <= limit
    model.solve(pulp.PULP_CBC_CMD(msg=0))
    return np.array([v.value() for v in x]) > 0.5


def ortools_cbc(data: Data) -> NDArray[np.bool_]:
    """Variable by variable, as the examples have it."""
    from ortools.linear_solver import pywraplp

    solver = pywraplp.Solver.CreateSolver("CBC")
    x = [solver.BoolVar("") for _ in range(data.cost.size)]
    rows = [solver.Constraint(-solver.infinity(), 1) for _ in range(data.leave.size)]
    caps = [solver.Constraint(-solver.infinity(), r) for r in data.room.tolist()]
    objective = solver.Objective()
    gain = ((data.cost - data.leave[data.order]) / 1e6).tolist()
    for v, g, i, j in zip(x, gain, data.order.tolist(), data.courier.tolist(), strict=True):
        objective.SetCoefficient(v, g)
        rows[i].SetCoefficient(v, 1)
        caps[j].SetCoefficient(v, 1)
    if solver.Solve() != solver.OPTIMAL:
        raise SystemExit("CBC failed")
    return np.array([v.solution_value() for v in x]) > 0.5


ENGINES: dict[str, tuple[Callable[[Data], NDArray[np.bool_]], str]] = {
    "courier-dispatch network flow": (own_flow, "S M L XL"),
    "OR-Tools min-cost flow, arrays": (ortools_flow, "S M L XL"),
    "scipy sparse assignment": (scipy_assignment, "S M L XL"),
    "HiGHS LP, arrays (scipy)": (highs, "S M L"),
    "OR-Tools CBC, by variable": (ortools_cbc, "S M L"),
    "PuLP/CBC, careful": (lambda d: pulp_cbc(d, scan=False), "S M L"),
    "PuLP/CBC, scanning pairs": (lambda d: pulp_cbc(d, scan=True), "S M"),
}


def cpu_s() -> float:
    """CPU seconds of this process and of the children it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measure(size: str, seed: int, tight: bool) -> None:
    data = instance(size, seed, tight)
    kind = "orders outnumber capacity" if tight else "room for all"
    print(f"\n{size}, {kind}: {data.leave.size} x {data.room.size}, {data.cost.size} pairs")
    own_s, best = 0.0, 0
    for name, (engine, sizes) in ENGINES.items():
        if size not in sizes.split():
            continue
        engine(data)  # imports and page faults apart
        spent, repeats = 0.0, 0
        while repeats == 0 or (spent < 0.5 and repeats < 200):
            began = cpu_s()
            chosen = engine(data)
            spent, repeats = spent + cpu_s() - began, repeats + 1
        mean_s = spent / repeats
        if engine is own_flow:
            own_s, best = mean_s, value(data, chosen)
        equal = value(data, chosen) == best
        print(
            f"  {name:32s} {1000 * mean_s:10.2f} ms {mean_s / own_s:9.1f} x  "
            f"{'same optimum' if equal else f'DIFFERS by {value(data, chosen) - best}'}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["S", "M"])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"compiled or read from the cache in {warm_up():.2f} s")
    for size in arguments.sizes:
        for tight in (False, True):
            measure(size, arguments.seed, tight)


if __name__ == "__main__":
    main()
