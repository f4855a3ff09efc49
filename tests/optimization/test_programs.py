"""A mixed-integer engine is one function of yours, named by where it lives."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from optimization import Deadline, SolverError, Weights, scalarize
from optimization.solve import solve
from optimization.solvers import SOLVERS, MilpSolver
from optimization.solvers.pool import WorkerPool
from optimization.solvers.programs import program_named

OWN = """
from optimization.solvers.highs import solve_with_highs

def solve(model, limit_s):
    return solve_with_highs(model, limit_s)

def too_good(model, limit_s):
    answer = solve_with_highs(model, limit_s)
    return type(answer)(answer.outcome, answer.values, answer.objective - 7, answer.bound - 7)
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_engine.py").write_text(OWN)
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    return "own_engine"


def test_an_engine_of_ones_own_finds_the_same_optimum(own, random_problem, brute_force):
    engine = MilpSolver(WorkerPool(), program=f"{own}:solve")
    try:
        for seed in range(20):
            problem = random_problem(np.random.default_rng(seed), bundles=seed % 2 > 0)
            scalar = scalarize(problem, Weights({"a": 1.0, "b": 0.5}))
            found = engine.solve(scalar, Deadline.after(None))
            assert found.proven
            assert found.engine == "own_engine:solve"
            assert (found.coverage, found.objective) == brute_force(scalar)
    finally:
        engine.pool.close()


def test_registered_it_answers_where_cbc_does(own, random_problem, monkeypatch):
    engine = MilpSolver(WorkerPool(), program=f"{own}:solve")
    monkeypatch.setitem(SOLVERS, "milp", engine)
    problem = random_problem(np.random.default_rng(3), work=True)
    try:
        assert solve(problem, Weights({"a": 1.0, "d": 1.0})).engine == "own_engine:solve"
    finally:
        engine.pool.close()


def test_what_it_claims_is_recomputed(own, random_problem):
    engine = MilpSolver(WorkerPool(), program=f"{own}:too_good")
    scalar = scalarize(random_problem(np.random.default_rng(1)), Weights({"a": 1.0}))
    try:
        with pytest.raises(SolverError, match="claims"):
            engine.solve(scalar, Deadline.after(None))
    finally:
        engine.pool.close()


def test_a_name_that_leads_nowhere_says_so():
    assert program_named("cbc").__name__ == "solve_with_cbc"
    with pytest.raises(SolverError, match="module:function"):
        program_named("gurobi")
    with pytest.raises(SolverError, match="cannot be loaded"):
        program_named("no_such_module:solve")
    assert "no_such_module" not in sys.modules
