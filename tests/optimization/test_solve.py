import subprocess
import sys
import time
from dataclasses import fields

import numpy as np
import pytest

from optimization import (
    AssignmentProblem,
    Deadline,
    Kind,
    SolverError,
    Status,
    StopReason,
    Term,
    Weights,
    recognise,
    scalarize,
    solve,
    verify,
    warm_up,
)
from optimization.frames import read_frame, write_frame
from optimization.solvers import (
    SOLVERS,
    GreedySolver,
    MilpSolver,
    PulpSolver,
    solver_named,
)
from optimization.solvers.model import ColumnModel
from optimization.solvers.pool import WorkerPool

NEVER = Deadline.after(None)
ACCEPTANCE = Weights({"acceptance": 1.0})


@pytest.fixture(scope="module")
def hard():
    """A knapsack-like packing whose size caps bind everywhere: seconds of branching."""
    rng = np.random.default_rng(0)
    n, m, d = 220, 60, 20
    order = np.repeat(np.arange(n), d)
    courier = np.concatenate([rng.choice(m, d, replace=False) for _ in range(n)])
    size = rng.integers(35, 95, n)
    most = np.full(m, 6)
    gain = -(size[order] * 1000 + rng.integers(0, 99, n * d))
    return AssignmentProblem.from_pairs(
        order, courier, order_size=size, max_orders=most, max_size=rng.integers(150, 200, m),
        leave=np.zeros(n, int), terms=[Term.linear("gain", "u", 1000, gain, most)],
    )  # fmt: skip


def test_the_paper_optimum_is_found_and_proven(paper):
    found = solve(paper, ACCEPTANCE)
    assert found.columns.tolist() == [0, 3, 4, 6]
    assert (found.status, found.stop_reason) == (Status.OPTIMAL, StopReason.PROVEN)
    assert found.engine == "or-tools:min-cost-flow"
    assert found.objective == found.bound == -2_500_000
    assert found.gap == 0.0
    assert "optimal (proven) by or-tools:min-cost-flow" in found.summary()


@pytest.mark.parametrize(("weight", "columns"), [(0.024, [0, 3, 4, 6]), (0.026, [0, 3, 4, 7])])
def test_the_paper_plan_turns_fair_at_the_derived_weight(paper, weight, columns):
    found = solve(paper, Weights({"acceptance": 1.0, "fairness": weight}))
    assert found.columns.tolist() == columns


@pytest.mark.parametrize("engine", ["milp", "pulp"])
def test_every_exact_engine_finds_the_paper_optimum_with_sizes(paper_with_sizes, engine):
    scalar = scalarize(paper_with_sizes, ACCEPTANCE)
    found = SOLVERS[engine].solve(scalar, NEVER)
    assert found.columns.tolist() == [0, 2, 5, 6]
    assert found.status is Status.OPTIMAL


def test_structure_names_its_reason(paper, paper_with_sizes):
    assert recognise(scalarize(paper, ACCEPTANCE)).kind is Kind.FLOW
    sized = scalarize(paper_with_sizes, ACCEPTANCE)
    assert recognise(sized).kind is Kind.FLOW_IF_SIZES_FIT
    assert not SOLVERS["flow"].can_solve(sized)
    with pytest.raises(SolverError, match="size caps that may bind"):
        SOLVERS["flow"].solve(sized, NEVER)
    bounded = recognise(scalarize(paper, ACCEPTANCE, {"fairness": 1.0}))
    assert bounded.kind is Kind.MILP
    assert "fairness" in bounded.reason


def test_size_caps_that_cannot_bind_leave_a_flow(paper):
    fits = paper.replace(order_size=np.array([2, 1, 2, 1]), max_size=np.array([4, 3, 2]))
    assert recognise(scalarize(fits, ACCEPTANCE)).kind is Kind.FLOW
    # An order too large for a courier alone is no candidate, so it does not count.
    alone = paper.replace(order_size=np.array([9, 1, 1, 1]), max_size=np.array([2, 2, 1]))
    assert recognise(scalarize(alone, ACCEPTANCE)).kind is Kind.FLOW
    assert 0 in np.flatnonzero(alone.left(solve(alone, ACCEPTANCE).columns))


def test_a_relaxed_flow_that_keeps_the_sizes_is_accepted_with_the_reason(paper):
    """A may not hold orders 0 and 1 together, which the optimum does not ask for."""
    problem = paper.replace(order_size=np.array([2, 2, 1, 1]), max_size=np.array([3, 10, 10]))
    found = solve(problem, ACCEPTANCE)
    assert found.columns.tolist() == [0, 3, 4, 6]
    assert found.engine == "or-tools:min-cost-flow"
    assert "relaxation" in found.message


def test_no_weight_trades_coverage_away(paper):
    """The fairest plan is not the empty one, however heavy fairness is."""
    found = solve(paper, Weights({"fairness": 1e6}))
    assert found.coverage == 0
    assert found.columns.size == 4


@pytest.mark.parametrize(
    ("weights", "bounds", "columns"),
    [
        ({"acceptance": 1.0}, {"fairness": 1.0}, [0, 3, 4, 7]),
        ({"acceptance": 1.0}, {"fairness": 3.0}, [0, 3, 4, 6]),
        ({"fairness": 1.0}, {"acceptance": -2.45}, [0, 3, 4, 7]),
        ({"fairness": 1.0}, {"acceptance": -2.46}, [0, 3, 4, 6]),
        ({"fairness": 1.0, "acceptance": 0.001}, {"acceptance": -2.4, "fairness": 1.0},
         [0, 3, 4, 7]),
    ],
)  # fmt: skip
def test_bounds_are_kept_and_the_rest_is_optimal(paper, weights, bounds, columns):
    found = solve(paper, Weights(weights), bounds=bounds)
    assert found.status is Status.OPTIMAL
    assert found.columns.tolist() == columns


def test_an_impossible_bound_says_what_can_be_attained(paper):
    found = solve(paper, ACCEPTANCE, bounds={"fairness": 0.5})
    assert found.status is Status.INFEASIBLE
    assert not found.usable
    assert found.columns.size == 0
    assert found.attainable["fairness"] == pytest.approx(6 / 9, abs=0.002)
    assert "fairness can be no less than" in found.summary()


def test_bounds_possible_one_at_a_time_may_be_impossible_together(paper):
    found = solve(paper, ACCEPTANCE, bounds={"fairness": 1.0, "acceptance": -2.46})
    assert found.status is Status.INFEASIBLE
    assert "together" in found.message
    assert set(found.attainable) == {"fairness", "acceptance"}


def test_an_empty_problem_has_an_empty_optimum(paper):
    no_columns = paper.replace(
        column_courier=np.zeros(0, int), column_order=np.zeros(0, int),
        column_ptr=np.zeros(1, int), terms=(Term.separable("x", "u", 1, np.zeros(5, int), 0),),
    )  # fmt: skip
    weights = Weights({"x": 1.0})
    for found in (
        solve(no_columns, weights),
        SOLVERS["milp"].solve(scalarize(no_columns, weights), NEVER),
        SOLVERS["greedy"].solve(scalarize(no_columns, weights), NEVER),
    ):
        assert found.columns.size == 0
        assert found.coverage == 4000


@pytest.mark.usefixtures("cold")
def test_without_time_the_greedy_plan_answers_under_its_name(paper, paper_with_sizes):
    for problem in (paper, paper_with_sizes):
        found = solve(problem, ACCEPTANCE, deadline=Deadline.after(0.0))
        assert (found.status, found.stop_reason) == (
            Status.FEASIBLE,
            StopReason.GREEDY_FALLBACK,
        )
        assert found.engine == "greedy"
        assert found.bound <= -2_400_000 <= found.objective + 500_000
        assert verify(problem, found.columns).ok


def test_compiled_our_flow_answers_to_proof_even_late(paper):
    """It takes a tenth of greedy's time, so nothing is gained by not asking it."""
    warm_up()
    late = solve(paper, ACCEPTANCE, deadline=Deadline.after(0.0))
    assert late.proven
    assert late.engine == "courier-dispatch:network-flow"
    assert late.objective == solve(paper, ACCEPTANCE).objective


def test_compiled_local_search_answers_where_the_program_has_no_time(random_problem, brute_force):
    warm_up()
    weights, improved = Weights({"a": 1.0, "d": 1.0}), 0
    for seed in range(30):
        problem = random_problem(np.random.default_rng(seed), work=True)
        found, scalar = (
            solve(problem, weights, deadline=Deadline.after(0.0)),
            scalarize(problem, weights),
        )
        coverage, objective = brute_force(scalar)
        least = objective + scalar.dominance * coverage
        assert found.engine in ("greedy", "local search")
        assert found.bound + scalar.dominance * found.coverage <= least
        assert scalar.value(found.columns) >= least
        greedy = GreedySolver().solve(scalar, NEVER)
        assert scalar.value(found.columns) <= scalar.value(greedy.columns)
        improved += scalar.value(found.columns) < scalar.value(greedy.columns)
    assert improved > 0


@pytest.mark.usefixtures("cold")
def test_without_time_a_bound_is_unknown_rather_than_broken(random_problem):
    """Only the optimum keeps the bound, and greedy, all there is time for, misses it."""
    weights, unknown = Weights({"a": 1.0}), 0
    for seed in range(200):
        problem = random_problem(np.random.default_rng(seed), sizes=True)
        best = problem.term("a").in_unit(problem.term_values(solve(problem, weights).columns)["a"])
        quick = GreedySolver().solve(scalarize(problem, weights), NEVER)
        if problem.term("a").in_unit(problem.term_values(quick.columns)["a"]) <= best:
            continue
        found = solve(problem, weights, bounds={"a": best}, deadline=Deadline.after(0.0))
        assert (found.status, found.stop_reason) == (Status.UNKNOWN, StopReason.DEADLINE)
        assert not found.usable
        assert found.columns.size == 0
        unknown += 1
    assert unknown > 0


def test_greedy_is_feasible_for_every_kind_of_problem(random_problem):
    rng = np.random.default_rng(3)
    for _ in range(300):
        flags = {"sizes": bool(rng.integers(2)), "bundles": bool(rng.integers(2))}
        problem = random_problem(rng, **flags)
        scalar = scalarize(problem, Weights({"a": 1.0, "c": 1.0}))
        found = GreedySolver().solve(scalar, NEVER)
        assert verify(problem, found.columns).ok
        assert found.bound <= found.objective


def test_a_hard_program_obeys_its_deadline(hard):
    """0.2 s, with the worker warm, is answered within 0.25 s with a bound and a verified plan."""
    pool = WorkerPool()
    scalar = scalarize(hard, Weights({"gain": 1.0}))
    greedy = GreedySolver().solve(scalar, NEVER)
    took = []
    try:
        # A busy machine may delay one call; an engine that overruns delays all of them.
        for _ in range(3):
            pool.warm().join()
            began = time.monotonic()
            found = MilpSolver(pool).solve(scalar, Deadline.after(0.2), greedy)
            took.append(time.monotonic() - began)
    finally:
        pool.close()
    assert min(took) < 0.25
    assert found.status is Status.FEASIBLE
    assert found.stop_reason is StopReason.DEADLINE
    assert found.bound < found.objective <= greedy.objective
    assert found.gap > 0.0


STUB = """
import sys, time
import numpy as np
from optimization.frames import read_frame, write_frame
write_frame(sys.stdout.buffer, {"ready": np.array(True)})
read_frame(sys.stdin.buffer)
"""


def _pool(ending):
    return WorkerPool([sys.executable, "-c", STUB + ending])


def test_a_worker_that_ignores_its_limit_is_killed(paper):
    pool = _pool("time.sleep(60)")
    scalar = scalarize(paper, ACCEPTANCE)
    greedy = GreedySolver().solve(scalar, NEVER)
    took = []
    for _ in range(3):
        pool.warm().join()
        began = time.monotonic()
        found = MilpSolver(pool).solve(scalar, Deadline.after(0.2), greedy)
        took.append(time.monotonic() - began)
        assert found.stop_reason is StopReason.DEADLINE
        assert found.engine == "greedy"
        assert pool.alive == 0
    assert min(took) < 0.25


def test_a_worker_ends_with_its_caller_even_while_solving(hard):
    """An orphan would go on using a core for as long as the program is hard."""
    command = [sys.executable, "-m", "optimization.worker"]
    model = ColumnModel.of(scalarize(hard, Weights({"gain": 1.0}))).for_terms(0)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert read_frame(worker.stdout) is not None
        request = {field.name: getattr(model, field.name) for field in fields(model)}
        write_frame(worker.stdin, {**request, "limit_s": np.array(60.0), "engine": np.array("cbc")})
        time.sleep(0.2)
        assert worker.poll() is None
        worker.stdin.close()
        assert worker.wait(timeout=10) == 0


def test_a_worker_that_dies_is_an_error_not_an_answer(paper):
    with pytest.raises(SolverError, match="died with status 3"):
        MilpSolver(_pool("sys.exit(3)")).solve(scalarize(paper, ACCEPTANCE), NEVER)


@pytest.mark.parametrize(
    "command", [["/does/not/exist"], [sys.executable, "-c", "raise SystemExit"]]
)
def test_a_worker_that_cannot_start_is_an_error(paper, command):
    with pytest.raises(SolverError, match=r"cannot start|while starting"):
        MilpSolver(WorkerPool(command)).solve(scalarize(paper, ACCEPTANCE), NEVER)


LIE = """
while True:
    write_frame(sys.stdout.buffer, {{"outcome": np.array(0), "values": np.{values}(8 + 5),
                                    "claims": np.array([{claim}, {claim}])}})
    if read_frame(sys.stdin.buffer) is None: break
"""


@pytest.mark.parametrize(
    ("values", "claim", "message"),
    [("ones", -4000.0, "broken plan"), ("zeros", -4000.0, "claims")],
)
def test_a_false_claim_of_optimality_is_refused(paper, values, claim, message):
    """The stub says OPTIMAL for selections that are infeasible or not worth what it claims."""
    pool = _pool(LIE.format(values=values, claim=claim))
    with pytest.raises(SolverError, match=message):
        MilpSolver(pool).solve(scalarize(paper, Weights({"fairness": 1.0})), NEVER)


def test_concurrent_calls_get_workers_of_their_own(paper_with_sizes):
    from concurrent.futures import ThreadPoolExecutor

    scalar, solver = scalarize(paper_with_sizes, ACCEPTANCE), MilpSolver()
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: solver.solve(scalar, NEVER), range(6)))
    assert {tuple(f.columns.tolist()) for f in found} == {(0, 2, 5, 6)}
    assert 1 <= solver.pool.alive <= 3
    solver.pool.close()
    assert solver.pool.alive == 0


@pytest.mark.parametrize("suffix", [".mps", ".lp"])
def test_the_reference_program_can_be_written(paper_with_sizes, tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    PulpSolver().write(scalarize(paper_with_sizes, ACCEPTANCE), path)
    assert "x_7" in path.read_text()
    with pytest.raises(SolverError, match=r"\.mps or \.lp"):
        PulpSolver().write(scalarize(paper_with_sizes, ACCEPTANCE), tmp_path / "model.txt")


def test_pulp_without_an_engine_says_what_to_install(monkeypatch):
    from optimization.solvers import pulp_cbc

    pulp_cbc.engine_name.cache_clear()
    monkeypatch.setattr(pulp_cbc, "PREFERRED", ("NO_SUCH_ENGINE",))
    with pytest.raises(SolverError, match="pip install highspy"):
        pulp_cbc.engine_name()
    pulp_cbc.engine_name.cache_clear()


def test_an_unknown_engine_is_named():
    with pytest.raises(SolverError, match="no engine named 'gurobi'"):
        solver_named("gurobi")


def test_deadlines_never_go_negative_and_share_out_what_remains():
    assert NEVER.remaining() == float("inf")
    assert NEVER.fraction(0.5) == NEVER
    assert Deadline.after(-1.0).remaining() == 0.0
    assert Deadline.after(-1.0).expired
    assert 0.9 < Deadline.after(2.0).fraction(0.5).remaining() <= 1.0
    for bad in (0.0, 1.5):
        with pytest.raises(ValueError, match=r"f in \(0, 1\]"):
            NEVER.fraction(bad)
    with pytest.raises(ValueError, match="nan"):
        Deadline.after(float("nan"))
