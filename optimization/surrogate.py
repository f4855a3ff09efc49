"""Hard fairness notions by a sweep of the convex spread, judged by the true measure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimization.account import WorkAccount
from optimization.errors import ProblemError
from optimization.notions import NOTIONS
from optimization.problem import AssignmentProblem
from optimization.scalar import scalarize
from optimization.solution import Solution
from optimization.solvers.base import Solver
from optimization.stop import Deadline
from optimization.weights import Weights

SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0)
"""Weights of the spread that are tried."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The best plan of a sweep under one notion.

    Attributes
    ----------
    notion
        Its name.
    solution
        The plan as its engine found it.
    share
        Weight of the convex spread under which it was found.
    efficiency
        Its weighted efficiency terms.
    fairness
        The notion's key.
    value, bound
        Efficiency + price x fairness, and a number no plan of this coverage is below: the proven
        least efficiency plus price x the notion's floor. Honest, and loose for most notions.
    """

    notion: str
    solution: Solution
    share: float
    efficiency: float
    fairness: tuple[float, ...]
    value: float
    bound: float

    @property
    def gap(self) -> float:
        """Relative distance of value and bound."""
        return (self.value - self.bound) / max(1e-9, abs(self.value))


def judge_sweep(
    problem: AssignmentProblem,
    efficiency: Weights,
    prices: dict[str, float],
    account: WorkAccount,
    engine: Solver,
    *,
    spread: str = "fairness",
    shares: Iterable[float] = SHARES,
    deadline: Deadline | None = None,
) -> dict[str, Judged]:
    """Sweep the convex spread once and keep the best plan under every notion asked for.

    Parameters
    ----------
    problem
        With the spread among its terms.
    efficiency
        Raw weights of the other terms.
    prices
        Weight of each notion, by name; for leximin fairness is compared first, price aside.
    account
        Turns plans into rates.
    engine
        Solves the convex problems.
    spread
        Name of the convex term.
    shares
        Its weights, the first of them 0 for the bound.
    deadline
        When to stop with the plans at hand; the first one is always found.

    Raises
    ------
    ProblemError
        If a notion is unknown, the spread is an efficiency term, or the first share is not 0.
    """
    shares = tuple(shares)
    faults = [
        f"unknown notion {name!r}: {sorted(NOTIONS)}" for name in sorted(set(prices) - set(NOTIONS))
    ]
    if efficiency[spread] > 0.0:
        faults.append(f"{spread} is both an efficiency term and the swept one")
    if not shares or shares[0] != 0.0:
        faults.append(f"expected shares that start with 0, got {shares}")
    if faults:
        raise ProblemError(faults)
    deadline = deadline or Deadline.after(None)
    axis = scalarize(problem, efficiency)
    plans: list[tuple[float, Solution]] = []
    for share in shares:
        if plans and deadline.expired:
            break
        scalar = scalarize(problem, Weights({**efficiency.values, spread: share}))
        plans.append((share, engine.solve(scalar, deadline)))
    coverage = min(solution.coverage for _, solution in plans)
    first = plans[0][1]
    # Restated at the best coverage, where that is not the first plan's.
    least = first.bound + (first.coverage - coverage) * axis.dominance
    level = [(share, s) for share, s in plans if s.coverage == coverage]
    past = account.rates(problem, np.zeros(0, np.int64))
    most = past + _attainable(problem, account)
    judged = {}
    for name, price in prices.items():
        notion = NOTIONS[name]
        options = []
        for share, solution in level:
            key = notion.key(account.rates(problem, solution.columns))
            cost = axis.objective(solution.columns) / axis.scale
            options.append((cost + price * key[0], cost, key, share, solution))
        if name == "leximin":
            chosen = min(options, key=lambda o: (o[2], o[1]))
        else:
            chosen = min(options, key=lambda o: o[0])
        value, cost, key, share, solution = chosen
        bound = least / axis.scale + price * notion.floor(past, most)
        judged[name] = Judged(name, solution, share, cost, key, value, bound)
    return judged


def _attainable(problem: AssignmentProblem, account: WorkAccount) -> NDArray[np.float64]:
    """Most that the rate of each courier can rise by, (m,): its largest columns together."""
    work = problem.work(account.work)
    ranked = np.lexsort((-work.column, problem.column_courier))
    courier = problem.column_courier[ranked]
    rank = np.arange(courier.size) - np.searchsorted(courier, courier)
    kept = rank < problem.max_orders[courier]
    total = np.zeros(problem.n_couriers, np.int64)
    np.add.at(total, courier[kept], work.column[ranked][kept])
    total = np.minimum(total, work.limit)
    return np.asarray(total / account.steps_per_unit / account.hours, dtype=np.float64)
