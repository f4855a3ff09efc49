"""CP-SAT through OR-Tools on a model of arrays; runs inside the worker process."""

from __future__ import annotations

import numpy as np

from optimization.errors import SolverError
from optimization.solvers.cbc import MilpAnswer, Outcome
from optimization.solvers.model import MilpModel

MOST_WORK = 0.5
"""Of its own deterministic time, about a second each, where there is no limit in seconds."""


def solve_with_cpsat(model: MilpModel, limit_s: float) -> MilpAnswer:
    """Minimise over binaries with whole numbers, exactly, with one thread.

    On set partitioning with small costs faster than CBC and HiGHS, which takes up to ten times
    as long where there is a gap at the root; with large costs slower. Without a time limit at most
    `MOST_WORK`, which is work, not time: the same model stops at the same solution.

    Raises
    ------
    SolverError
        If a variable is no binary or a number is not whole.
    """
    from ortools.sat.python import cp_model

    numbers = np.concatenate([model.cost, model.row_coef])
    if (model.upper != 1.0).any() or (numbers != np.rint(numbers)).any():
        raise SolverError("CP-SAT takes binaries and whole numbers only")
    program = cp_model.CpModel()
    variables = [program.new_bool_var("") for _ in range(model.cost.size)]
    ptr, entry = model.row_ptr.tolist(), model.row_var.tolist()
    whole = model.row_coef.astype(np.int64).tolist()
    for row, (lower, upper) in enumerate(zip(model.row_lower, model.row_upper, strict=True)):
        held = [variables[v] for v in entry[ptr[row] : ptr[row + 1]]]
        coef = whole[ptr[row] : ptr[row + 1]]
        if lower == upper == 1.0 and set(coef) <= {1}:
            program.add_exactly_one(held)
            continue
        total = cp_model.LinearExpr.weighted_sum(held, coef)
        if lower > -np.inf:
            program.add(total >= round(lower))
        if upper < np.inf:
            program.add(total <= round(upper))
    cost = model.cost.astype(np.int64).tolist()
    program.minimize(cp_model.LinearExpr.weighted_sum(variables, cost))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 2  # all rows in the relaxation
    solver.parameters.cp_model_probing_level = 0  # takes longer than it saves
    if np.isfinite(limit_s):
        solver.parameters.max_time_in_seconds = limit_s
    else:
        solver.parameters.max_deterministic_time = MOST_WORK
    status = solver.solve(program)
    if status == cp_model.INFEASIBLE:
        return MilpAnswer(Outcome.INFEASIBLE, np.zeros(0), np.inf, -np.inf)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return MilpAnswer(Outcome.NOTHING, np.zeros(0), np.inf, -np.inf)
    values = np.array([solver.boolean_value(v) for v in variables], np.float64)
    outcome = Outcome.OPTIMAL if status == cp_model.OPTIMAL else Outcome.FEASIBLE
    return MilpAnswer(outcome, values, solver.objective_value, solver.best_objective_bound)
