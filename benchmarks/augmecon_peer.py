"""pyaugmecon on one problem, run by `augmecon.py` in an environment that has it."""

from __future__ import annotations

import json
import sys

import numpy as np
import pyomo.environ as pyo
from pyaugmecon import PyAugmecon


@pyo.SolverFactory.register("highs_without_errors", doc="HiGHS; an infeasible model is an answer")
class Highs:
    """What pyaugmecon expects of a solver; nothing is raised where there is no plan."""

    def __init__(self, **_: object) -> None:
        self._highs = pyo.SolverFactory("appsi_highs")
        # Threads of its own do not survive the fork of pyaugmecon's workers.
        self._highs.highs_options = {"threads": 1, "parallel": "off"}
        self.options: dict[str, object] = {}

    def solve(self, model: pyo.ConcreteModel) -> object:
        """Solve and load the plan if there is one."""
        result = self._highs.solve(model, load_solutions=False)
        if result.solver.termination_condition == pyo.TerminationCondition.optimal:
            self._highs.load_vars()
        return result


def model_of(path: str) -> pyo.ConcreteModel:
    """Build the Pyomo model: binaries per pair, one variable per courier's unit."""
    data = np.load(path)
    order, courier, most = data["order"].tolist(), data["courier"].tolist(), data["most"]
    holder = np.repeat(np.arange(most.size), most).tolist()
    model = pyo.ConcreteModel()
    model.x = pyo.Var(range(len(order)), within=pyo.Binary)
    model.y = pyo.Var(range(len(holder)), bounds=(0, 1))
    of_order: dict[int, list[int]] = {}
    of_courier: dict[int, list[int]] = {}
    for c, (i, j) in enumerate(zip(order, courier, strict=True)):
        of_order.setdefault(i, []).append(c)
        of_courier.setdefault(j, []).append(c)
    model.served = pyo.Constraint(
        of_order, rule=lambda m, i: pyo.quicksum(m.x[c] for c in of_order[i]) == 1
    )
    model.count = pyo.Constraint(
        of_courier,
        rule=lambda m, j: (
            pyo.quicksum(m.x[c] for c in of_courier[j])
            == pyo.quicksum(m.y[u] for u, h in enumerate(holder) if h == j)
        ),
    )
    model.obj_list = pyo.ObjectiveList()
    for column, marginal in zip(data["column"], data["marginal"], strict=True):
        unit = float(max(np.abs(column).max(), np.abs(marginal).max()))
        model.obj_list.add(
            pyo.quicksum(v / unit * model.x[c] for c, v in enumerate(column.tolist()) if v)
            + pyo.quicksum(v / unit * model.y[u] for u, v in enumerate(marginal.tolist()) if v),
            sense=pyo.minimize,
        )
    for objective in model.obj_list.values():
        objective.deactivate()
    return model


def main() -> None:
    path, grid = sys.argv[1], int(sys.argv[2])
    options = {
        "name": "S",
        "grid_points": grid,
        "solver_name": "highs_without_errors",
        "cpu_count": 1,
        "output_excel": False,
    }
    run = PyAugmecon(model_of(path), options, {"MIPGap": None, "NonConvex": None})
    run.solve()
    told = {"points": run.num_unique_pareto_sols, "models": run.model.models_solved.value()}
    print()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
