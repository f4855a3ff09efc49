"""Engines for one assignment, each as its users write it: a model built, then solved.

Every function takes the arrays, builds, and returns what solves and reads the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Chosen = NDArray[np.bool_]


@dataclass(frozen=True)
class Data:
    """Pairs sorted by order, integer prices of 1e-6, room per courier."""

    order: NDArray[np.int32]
    courier: NDArray[np.int32]
    cost: NDArray[np.int64]
    leave: NDArray[np.int64]
    room: NDArray[np.int64]

    @property
    def gain(self) -> NDArray[np.float64]:
        """(k,) what a pair changes in the objective, in whole units, against leaving its order."""
        return (self.cost - self.leave[self.order]) / 1e6


def own_flow(data: Data) -> Callable[[], Chosen]:
    """Certificate and the rule of ties included."""
    from optimization.network.flow import NetworkFlow
    from optimization.ties import settle_ties

    flow = NetworkFlow(
        data.order,
        data.courier,
        pair=data.cost,
        marginal=np.zeros(int(data.room.sum()), np.int64),
        leave=data.leave,
        slots=data.room,
        room=data.room,
    )

    def solve() -> Chosen:
        flow.solve()
        flow.certify()
        chosen = np.zeros(data.cost.size, np.bool_)
        on, _ = settle_ties(flow.plan, flow.courier_price)
        chosen[on[on >= 0]] = True
        return chosen

    return solve


def ortools_flow(data: Data) -> Callable[[], Chosen]:
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

    def solve() -> Chosen:
        if engine.solve() != engine.OPTIMAL:
            raise SystemExit("OR-Tools' flow failed")
        return np.asarray(engine.flows(arcs[: data.cost.size])) > 0

    return solve


def scipy_assignment(data: Data) -> Callable[[], Chosen]:
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

    def solve() -> Chosen:
        order, slot = min_weight_full_bipartite_matching(graph)
        real = slot < first[-1]
        courier = np.searchsorted(first, slot[real], side="right") - 1
        key = data.order.astype(np.int64) * data.room.size + data.courier
        return np.isin(key, order[real].astype(np.int64) * data.room.size + courier)

    return solve


def highs(data: Data, *, integer: bool) -> Callable[[], Chosen]:
    """One model of arrays through highspy; as a linear program it is integral all the same."""
    import highspy

    n, m, k = data.leave.size, data.room.size, data.cost.size
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = k, n + m
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = data.gain, np.zeros(k), np.ones(k)
    lp.row_lower_ = np.full(n + m, -highspy.kHighsInf)
    lp.row_upper_ = np.concatenate([np.ones(n), data.room])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = 2 * np.arange(k + 1, dtype=np.int32)
    lp.a_matrix_.index_ = np.column_stack([data.order, n + data.courier]).astype(np.int32).ravel()
    lp.a_matrix_.value_ = np.ones(2 * k)
    if integer:
        lp.integrality_ = [highspy.HighsVarType.kInteger] * k
    engine = highspy.Highs()
    for option, setting in (("output_flag", False), ("threads", 1), ("mip_rel_gap", 0.0)):
        engine.setOptionValue(option, setting)
    engine.passModel(lp)

    def solve() -> Chosen:
        engine.run()
        return np.asarray(engine.getSolution().col_value) > 0.5

    return solve


def pulp_cbc(data: Data, *, scan: bool) -> Callable[[], Chosen]:
    """Careful: pairs listed by order and courier once. Scanning: every courier asked per order."""
    import pulp

    n, m = data.leave.size, data.room.size
    model = pulp.LpProblem("assignment", pulp.LpMinimize)
    keys = list(zip(data.order.tolist(), data.courier.tolist(), strict=True))
    x = {
        key: model.add_variable(f"x{e}", lowBound=0, upBound=1, cat=pulp.LpBinary)
        for e, key in enumerate(keys)
    }
    model += pulp.lpSum(g * x[key] for g, key in zip(data.gain.tolist(), keys, strict=True))
    if scan:
        for i in range(n):
            model += pulp.lpSum(x[i, j] for j in range(m) if (i, j) in x) <= 1
        for j in range(m):
            model += pulp.lpSum(x[i, j] for i in range(n) if (i, j) in x) <= int(data.room[j])
    else:
        by_order: list[list[object]] = [[] for _ in range(n)]
        by_courier: list[list[object]] = [[] for _ in range(m)]
        for key in keys:
            by_order[key[0]].append(x[key])
            by_courier[key[1]].append(x[key])
        for members in by_order:
            model += pulp.lpSum(members) <= 1
        for members, room in zip(by_courier, data.room.tolist(), strict=True):
            if members:
                model += pulp.lpSum(members) <= room

    def solve() -> Chosen:
        model.solve(pulp.PULP_CBC_CMD(msg=0))
        return np.array([x[key].value() for key in keys]) > 0.5

    return solve


def ortools_cbc(data: Data) -> Callable[[], Chosen]:
    """Variable by variable, as the examples have it."""
    from ortools.linear_solver import pywraplp

    engine = pywraplp.Solver.CreateSolver("CBC")
    x = [engine.BoolVar("") for _ in range(data.cost.size)]
    rows = [engine.Constraint(-engine.infinity(), 1) for _ in range(data.leave.size)]
    caps = [engine.Constraint(-engine.infinity(), r) for r in data.room.tolist()]
    objective = engine.Objective()
    pairs = zip(x, data.gain.tolist(), data.order.tolist(), data.courier.tolist(), strict=True)
    for v, g, i, j in pairs:
        objective.SetCoefficient(v, g)
        rows[i].SetCoefficient(v, 1)
        caps[j].SetCoefficient(v, 1)

    def solve() -> Chosen:
        if engine.Solve() != engine.OPTIMAL:
            raise SystemExit("CBC failed")
        return np.array([v.solution_value() for v in x]) > 0.5

    return solve


ENGINES: dict[str, Callable[[Data], Callable[[], Chosen]]] = {
    "network flow of our own": own_flow,
    "OR-Tools min-cost flow, arrays": ortools_flow,
    "scipy sparse assignment": scipy_assignment,
    "HiGHS LP, arrays": lambda data: highs(data, integer=False),
    "HiGHS MIP, arrays": lambda data: highs(data, integer=True),
    "OR-Tools CBC, by variable": ortools_cbc,
    "PuLP/CBC, careful": lambda data: pulp_cbc(data, scan=False),
    "PuLP/CBC, scanning pairs": lambda data: pulp_cbc(data, scan=True),
}
"""Ours first: the others' times are told as multiples of its own."""
