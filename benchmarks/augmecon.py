"""Three objectives: our certified points beside AUGMECON2 with HiGHS, and pyaugmecon.

    python benchmarks/augmecon.py --size S --grid 20 --limit-s 120 --peer-python OTHER/bin/python

AUGMECON2 (Mavrotas and Florios, Applied Mathematics and Computation 219, 2013) minimises acceptance
(negated) with slack-rewarded bounds on the other two over a grid, and skips cells by their slack;
here one HiGHS model is kept and only its bounds change. pyaugmecon needs NumPy 1, so it runs in an
environment of its own: `pip install pyaugmecon highspy` there and name its interpreter.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import moocore
import numpy as np
from frontier import counts_city
from numpy.typing import NDArray
from optimization_engines import SIZES
from scipy.sparse import coo_array

from optimization import AssignmentProblem, Representation, non_dominated, represent
from optimization.network import warm_up

NAMES = ("acceptance", "delivery_time", "spread")
REWARD = 1e-3


class Augmecon:
    """The model of one problem in HiGHS: binaries per pair, one variable per courier's unit."""

    def __init__(self, problem: AssignmentProblem) -> None:
        import highspy

        k, units = problem.n_columns, int(problem.max_orders.sum())
        self.values = np.array(
            [np.concatenate([problem.term(n).column, problem.term(n).marginal]) for n in NAMES],
            np.float64,
        )
        self.constant = np.array([problem.term(n).constant for n in NAMES], np.float64)
        n, m = problem.n_orders, problem.n_couriers
        x, y = np.arange(k), k + np.arange(units)
        holder = np.repeat(np.arange(m), problem.max_orders)
        row = [problem.column_order, n + problem.column_courier, n + holder]
        row += [np.full(k + units, n + m + i) for i in (0, 1)] + [np.array([n + m, n + m + 1])]
        column = [x, x, y, np.arange(k + units), np.arange(k + units), k + units + np.arange(2)]
        value = [np.ones(k), np.ones(k), -np.ones(units), *self.values[1:], np.ones(2)]
        shape = (n + m + 2, k + units + 2)
        self.first, self.slack = n + m, k + units
        a = coo_array(
            (np.concatenate(value), (np.concatenate(row), np.concatenate(column))), shape=shape
        ).tocsc()
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = shape
        lp.col_cost_ = np.zeros(shape[1])
        lp.col_lower_ = np.zeros(shape[1])
        lp.col_upper_ = np.concatenate([np.ones(k + units), np.full(2, highspy.kHighsInf)])
        free = np.full(2, highspy.kHighsInf)
        lp.row_lower_ = np.concatenate([np.ones(n), np.zeros(m), -free])
        lp.row_upper_ = np.concatenate([np.ones(n), np.zeros(m), free])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = a.indptr, a.indices, a.data
        whole, real = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
        lp.integrality_ = [whole] * k + [real] * (units + 2)
        self.model: Any = highspy.Highs()
        for option, setting in (("output_flag", False), ("threads", 1), ("mip_rel_gap", 1e-9)):
            self.model.setOptionValue(option, setting)
        self.model.passModel(lp)
        self.solves = 0
        self.began, self.limit_s = time.process_time(), float("inf")

    def least(self, cost: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Minimise; the plan's three values, None where there is none."""
        for i, c in enumerate(cost.tolist()):
            self.model.changeColCost(i, c)
        return self.run()

    def run(self) -> NDArray[np.float64] | None:
        """Solve with the bounds in force."""
        self.solves += 1
        # HiGHS counts the time of all runs of a model.
        spent = time.process_time() - self.began
        self.model.setOptionValue(
            "time_limit", self.model.getRunTime() + max(0.1, self.limit_s - spent)
        )
        self.model.run()
        if self.model.modelStatusToString(self.model.getModelStatus()) != "Optimal":
            return None
        chosen = np.round(np.array(self.model.getSolution().col_value))[: self.slack]
        return self.values @ chosen + self.constant

    def points(self, grid: int, limit_s: float) -> tuple[NDArray[np.int64], int]:
        """Walk the grid until the limit; the points, and the rows of the grid finished."""
        self.began, self.limit_s = time.process_time(), limit_s
        none, inf = np.zeros(2), 1e30
        spans = np.abs(self.values).max(axis=1)
        # Each objective first and the others breaking ties gives the payoff table.
        table = []
        for i in range(3):
            mixed = sum(self.values[j] / spans[j] * (1.0 if i == j else 1e-4) for j in range(3))
            table.append(self.least(np.concatenate([mixed, none])))
        payoff = np.array(table)
        best, worst = payoff.min(axis=0), payoff.max(axis=0)
        span = worst - best
        reward = -REWARD * span[0] / span[1:] * np.array([1.0, 0.1])
        rows = [payoff]
        for i, c in enumerate(np.concatenate([self.values[0], reward]).tolist()):
            self.model.changeColCost(i, c)
        done = 0
        for third in np.linspace(worst[2], best[2], grid).tolist():
            bound = third - self.constant[2]
            self.model.changeRowBounds(self.first + 1, bound, bound)
            cell = 0
            while cell < grid and time.process_time() - self.began < limit_s:
                second = worst[1] - cell * span[1] / (grid - 1)
                bound = second - self.constant[1]
                self.model.changeRowBounds(self.first, bound, bound)
                found = self.run()
                if found is None:
                    break
                rows.append(found[None])
                cell += 1 + int((second - found[1]) / (span[1] / (grid - 1)) + 1e-9)
            if time.process_time() - self.began >= limit_s:
                break
            done += 1
        self.model.changeRowBounds(self.first, -inf, inf)
        values = np.unique(np.rint(np.concatenate(rows)).astype(np.int64), axis=0)
        return values[non_dominated(values)], done


def share(values: NDArray[np.int64], beside: Representation) -> float:
    """Hypervolume of points in the box from ideal to nadir of a representation."""
    low, high = beside.values.min(axis=0), beside.values.max(axis=0)
    return float(moocore.hypervolume((values - low) / (high - low), ref=np.ones(3)))


def peer(problem: AssignmentProblem, python: Path, grid: int, limit_s: float) -> str:
    """Run pyaugmecon on the same problem in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        np.savez(
            path,
            order=problem.column_order,
            courier=problem.column_courier,
            most=problem.max_orders,
            column=np.array([problem.term(n).column for n in NAMES]),
            marginal=np.array([problem.term(n).marginal for n in NAMES]),
        )
        script = Path(__file__).with_name("augmecon_peer.py").resolve()
        command = [str(python), str(script), str(path), str(grid)]
        began = time.perf_counter()
        # A session of its own, so that its worker processes end with it.
        ran = subprocess.Popen(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            output, errors = ran.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(ran.pid, signal.SIGKILL)
            ran.communicate()
            return f"nothing in {limit_s:g} wall s (it reports at the end only)"
        took = time.perf_counter() - began
    if ran.returncode:
        return f"failed after {took:.0f} wall s: {errors.strip().splitlines()[-1]}"
    told = json.loads(output.splitlines()[-1])
    return f"{told['points']} points, {told['models']} models, {took:.1f} wall s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=["XS", "S"], default="S")
    parser.add_argument("--grid", type=int, default=20)
    parser.add_argument("--limit-s", type=float, default=120.0)
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warm_up()
    SIZES.setdefault("XS", (20, 30, 30))
    problem = counts_city(arguments.size, arguments.seed)
    represent(counts_city("S", 99), NAMES, divisions=3, within=0.2)
    kinds: list[dict[str, Any]] = [
        {"divisions": 44},
        {"divisions": 90},
        *({"divisions": 20, "within": w} for w in (0.05, 0.03, 0.02, 0.01)),
    ]
    if arguments.size == "XS":
        kinds.append({"divisions": 20, "within": 0.0})
    best = None
    for kind in kinds:
        began = time.thread_time()
        found = represent(problem, NAMES, **kind)
        took = time.thread_time() - began
        best = found
        print(
            f"  represent {kind!s:36s} {took:7.2f} s  {len(found):5d} points, proven error "
            f"{found.epsilon:.2%}, hypervolume {found.hypervolume:.4f}",
            flush=True,
        )
    model = Augmecon(problem)
    began = time.process_time()
    points, rows = model.points(arguments.grid, arguments.limit_s)
    took = time.process_time() - began
    print(
        f"  AUGMECON2 with HiGHS, grid {arguments.grid}: {took:.1f} CPU s, {len(points)} points, "
        f"{model.solves} solves, {rows} of {arguments.grid} rows, hypervolume "
        f"{share(points, best):.4f} of the last box above ({best.hypervolume:.4f})",
        flush=True,
    )
    if arguments.peer_python:
        limit_s = 4 * arguments.limit_s
        print(f"  pyaugmecon: {peer(problem, arguments.peer_python, arguments.grid, limit_s)}")
    else:
        print("  pyaugmecon: skipped, --peer-python names the interpreter that has it")


if __name__ == "__main__":
    main()
