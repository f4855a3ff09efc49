"""Fairness notions one by one: how each is reached, in what time, how near to a proven bound.

    python benchmarks/notions.py --sizes S M

Efficiency + price x notion over the city of `fairness.py`. Counts of orders are one flow; the
convex spread of minutes is solved by prices and a core; a cap on minutes is the epsilon form of
min-max; the others are the best plan of one sweep of the convex spread under the true measure.
Their bound here is the linear relaxation of the notion's own program, or the floor of the notion.
Gini is relaxed further, by the largest mean there can be. Gaps are shares of the best efficiency.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from fairness import EFFICIENCY, FAIR, city
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, eye_array, hstack, vstack

from optimization import AssignmentProblem, Deadline, Solution, Term, Weights, scalarize
from optimization.account import WorkAccount
from optimization.network import warm_up
from optimization.notions import NOTIONS
from optimization.solvers import SOLVERS
from optimization.solvers.lagrangian import LagrangianSolver
from optimization.surrogate import judge_sweep

T = TypeVar("T")
LARGEST_GINI = 150
"""Couriers up to which the relaxation of Gini, with a variable per two of them, is solved."""


def clock(call: Callable[[], T]) -> tuple[str, T]:
    cpu, wall = time.process_time(), time.perf_counter()
    answer = call()
    return f"{time.process_time() - cpu:7.2f} {time.perf_counter() - wall:7.2f}", answer


class Relaxation:
    """Shares x of pairs and rates r of couriers; every notion adds a few variables and rows."""

    def __init__(self, problem: AssignmentProblem, account: WorkAccount, coverage: int) -> None:
        k, n, m = problem.n_columns, problem.n_orders, problem.n_couriers
        self.k, self.m = k, m
        axis = scalarize(problem, EFFICIENCY)
        self.constant, self.cost = axis.constant / axis.scale, axis.column_cost / axis.scale
        column, ones = np.arange(k), np.ones(k)
        order = coo_array((ones, (problem.column_order, column)), shape=(n, k + m))
        count = coo_array((ones, (problem.column_courier, column)), shape=(m, k + m))
        served = coo_array((-ones, (np.zeros(k, int), column)), shape=(1, k + m))
        self.rows = vstack([order, count, served])
        least = n - coverage / 1000
        self.most = np.concatenate([np.ones(n), problem.max_orders, [-least]])
        work = problem.work(account.work).column
        rate = work / account.steps_per_unit / account.hours[problem.column_courier]
        added = coo_array((-rate, (problem.column_courier, column)), shape=(m, k))
        self.equal = hstack([added, eye_array(m)])
        self.past = account.rates(problem, np.zeros(0, np.int64))

    def least(self, extra: NDArray[np.float64], rows: csr_array, free: bool) -> float:
        """Minimise efficiency and the prices of further variables, whose rows are at most 0."""
        width = extra.size
        above = hstack([self.rows, csr_array((self.rows.shape[0], width))])
        found = linprog(
            np.concatenate([self.cost, np.zeros(self.m), extra]),
            vstack([above, rows]).tocsr(),
            np.concatenate([self.most, np.zeros(rows.shape[0])]),
            hstack([self.equal, csr_array((self.m, width))]).tocsr(),
            self.past,
            bounds=[(0, 1)] * self.k + [(0, None)] * (self.m + width - width * free)
            + [(None, None)] * (width * free),
        )  # fmt: skip
        return self.constant + float(found.fun)

    def bound(self, notion: str, price: float) -> float | None:
        """Bound efficiency + price x notion; None where the relaxation is too large."""
        m, k = self.m, self.k
        rate = hstack([csr_array((m, k)), eye_array(m)])
        one = csr_array(np.ones((m, 1)))
        if notion == "max":
            return self.least(np.array([price]), hstack([rate, -one]), True)
        if notion == "worst_off":
            return self.least(np.array([-price]), hstack([-rate, one]), True)
        if notion == "range":
            high = hstack([rate, -one, csr_array((m, 1))])
            low = hstack([-rate, csr_array((m, 1)), one])
            return self.least(np.array([price, -price]), vstack([high, low]), True)
        if notion == "mean_absolute_deviation":
            from_mean = hstack([csr_array((m, k)), csr_array(np.eye(m) - 1.0 / m)])
            rows = vstack([hstack([s * from_mean, -eye_array(m)]) for s in (1.0, -1.0)])
            return self.least(np.full(m, price / m), rows, False)
        if notion == "gini" and m <= LARGEST_GINI:
            a, b = np.triu_indices(m, 1)
            pairs = np.arange(a.size)
            apart = coo_array((np.ones(a.size), (pairs, a)), shape=(a.size, m))
            apart = apart - coo_array((np.ones(a.size), (pairs, b)), shape=(a.size, m))
            apart = hstack([csr_array((a.size, k)), apart])
            rows = vstack([hstack([s * apart, -eye_array(a.size)]) for s in (1.0, -1.0)])
            return self.least(np.full(a.size, price / (m * m * self.largest_mean())), rows, False)
        return None

    def largest_mean(self) -> float:
        """Bound the mean rate of any plan."""
        cost = np.concatenate([np.zeros(self.k), np.full(self.m, -1.0 / self.m)])
        found = linprog(
            cost, self.rows.tocsr(), self.most, self.equal.tocsr(), self.past, bounds=(0, None)
        )
        return -float(found.fun)


def solved(name: str, took: str, found: Solution) -> None:
    print(f"  {name:32s} CPU, wall s {took}  gap {found.gap:.1e}  {found.status.value}", flush=True)


def table(size: str, seed: int) -> None:
    problem, account = city(size, seed)
    print(f"\n{size} seed {seed}: {problem.n_orders} x {problem.n_couriers}")
    never, prices_alone = Deadline.after(None), LagrangianSolver(core_rows=0)
    most = problem.max_orders
    rank = np.arange(int(most.sum())) - np.repeat(np.cumsum(most) - most, most)
    counts = Term.separable("counts", "orders^2", 1, 2 * rank + 1, problem.n_columns)
    stated = problem.replace(terms=(*problem.terms[:2], counts))
    scalar = scalarize(stated, Weights({**EFFICIENCY.values, "counts": 0.1}))
    solved("spread of orders", *clock(lambda: SOLVERS["network"].solve(scalar, never)))
    fair = scalarize(problem, FAIR)
    solved("spread of minutes, prices", *clock(lambda: prices_alone.solve(fair, never)))
    solved(
        "spread of minutes, with the core",
        *clock(lambda: LagrangianSolver().solve(fair, Deadline.after(20.0))),
    )
    free = prices_alone.solve(scalarize(problem, EFFICIENCY), never)
    top = float(account.rates(problem, free.columns).max())
    for share in (0.9, 0.8):
        capped = scalarize(account.capped(problem, share * top), EFFICIENCY)
        name = f"min-max: a cap at {share * top:.0f} an hour"
        solved(name, *clock(lambda c=capped: LagrangianSolver().solve(c, Deadline.after(20.0))))
    weight = dict.fromkeys(NOTIONS, problem.n_orders / 120)
    weight["gini"] = problem.n_orders / 4
    engine = LagrangianSolver(steps=100, core_rows=0)
    took, judged = clock(lambda: judge_sweep(problem, EFFICIENCY, weight, account, engine))
    print(f"  one sweep of 11 weights judged by seven measures: CPU, wall s {took}")
    best = abs(free.objective / free.scale)
    relaxation = Relaxation(problem, account, judged["range"].solution.coverage)
    for name, found in judged.items():
        if name == "leximin":
            print(f"  {name:24s} least rate {-found.fairness[0]:.4f}, fairness first")
            continue
        row = f"  {name:24s} measure {found.fairness[0]:9.4f}  value {found.value:10.3f}"
        took, bound = clock(lambda n=name: relaxation.bound(n, weight[n]))
        if bound is None:
            gap = f"floor bound {found.bound:.3f}, gap {(found.value - found.bound) / best:.2%}"
        else:
            gap = f"relaxation {bound:.3f} in {took} s, gap {(found.value - bound) / best:.2%}"
        print(f"{row}  {gap}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=["S", "M"], default=["S", "M"])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warm_up()
    tiny, _ = city("S", 99)
    LagrangianSolver(steps=10).solve(scalarize(tiny, FAIR), Deadline.after(None))
    for size in arguments.sizes:
        table(size, arguments.seed)


if __name__ == "__main__":
    main()
