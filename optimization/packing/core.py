"""The columns that prices leave in question, solved by the mixed-integer engine."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from optimization.errors import SolverError
from optimization.packing.columns import Ints, PackingColumns
from optimization.packing.prices import Prices, certify, least_by_courier
from optimization.solvers.cbc import MilpAnswer, Outcome
from optimization.solvers.model import MilpModel
from optimization.solvers.partition import partition_model
from optimization.solvers.pool import WorkerPool
from optimization.stop import Deadline

SIZES = (600, 1200)
"""Columns of least slack that are solved before all: they mostly hold the best packing, and what it
then leaves in question is proven sooner than the whole is solved."""

TOLERANCE = 1e-6
"""Relative slack within which an engine's floating-point claim counts as the integer it means."""

FEW_STEPS = 100
"""Steps between bound and target up to which CP-SAT, which works on whole numbers, is the faster
engine: minutes, say, rather than their millionths."""


@dataclass(frozen=True, slots=True, eq=False)
class CoreAnswer:
    """A packing that costs less than the one known, and what is proven.

    Attributes
    ----------
    chosen
        Ids of the columns given; None where none was found.
    bound
        No packing of these columns costs less than this, or than the target where that is less.
    """

    chosen: Ints | None
    bound: int


def solve_core(
    columns: PackingColumns,
    price: Ints,
    cap: Ints,
    target: int,
    pool: WorkerPool,
    deadline: Deadline,
    most_left: int | None = None,
) -> CoreAnswer:
    """Find the cheapest packing below a target, where leaving order i costs `cap[i]`.

    The relaxation comes first: its prices, made whole and certified like any others, prove more
    than those of an ascent and mostly leave a fraction of the columns in question.

    Parameters
    ----------
    columns, cap
        What may be chosen, and (n,) what leaving costs.
    price
        (n,) first prices.
    target
        Value of a known packing of these columns.
    pool, deadline
        Where the engine runs and when it is stopped.
    most_left
        Most that may be left, in units of `columns.leave`.

    Raises
    ------
    SolverError
        If the worker fails or its claim does not survive recomputation.
    """
    question = _Question(columns, price, cap, target, most_left)
    if question.open:
        question.relax(pool.run(question.relaxation(), deadline, "highs-relaxed"))
    for size in (*SIZES, len(columns)):
        if not question.open:
            break
        some = question.nearest(size)
        answer = pool.run(question.program(some), deadline, question.engine)
        if answer is None or answer.outcome is Outcome.NOTHING:
            break
        question.learn(some, answer)
        if some.size == len(question.columns):
            question.close(answer)
            break
        question.narrow()
    return CoreAnswer(question.chosen, question.bound if question.open else question.target)


class _Question:
    """What could still be part of a packing below the target, and what is known about it.

    `core` are the ids of `columns` among those given; the bound of `known` is one on packings of
    what is left, since the rest cannot be part of anything better. `coarse` are the prices that the
    last program was written out from.
    """

    def __init__(
        self, columns: PackingColumns, price: Ints, cap: Ints, target: int, most_left: int | None
    ) -> None:
        self.columns, self.cap, self.target = columns, cap, target
        self.most_left = None if most_left is None else (columns.leave, most_left)
        self.core: Ints = np.arange(len(columns))
        self.chosen: Ints | None = None
        # Values differ by multiples of this, so what is better is better by a whole step.
        self.step = max(1, int(np.gcd.reduce(np.concatenate([columns.cost, cap]))))
        self._know(certify(columns, price, cap))
        self.coarse = self.known
        self.narrow()

    @property
    def reach(self) -> int:
        """How far above the bound a better packing may lie; negative if there is none."""
        return self.target - self.step - self.bound

    @property
    def open(self) -> bool:
        """Whether there may be a better packing; else the target is the bound."""
        return self.reach >= 0

    @property
    def engine(self) -> str:
        """Who is the fastest at the program of what is left."""
        return "cp-sat" if self.reach <= FEW_STEPS * self.step else "highs"

    def narrow(self) -> None:
        """Drop what is beyond the reach."""
        near = np.flatnonzero(self.known.slack <= self.reach)
        self.core, self.columns = self.core[near], self.columns.only(near)
        self._know(certify(self.columns, self.known.price, self.cap))

    def relax(self, answer: MilpAnswer | None) -> None:
        """Take over the dual prices of the relaxation where they prove more."""
        if answer is not None and answer.outcome is Outcome.OPTIMAL:
            price = self.known.price + answer.values[: self.cap.size]
            found = certify(self.columns, price, self.cap)
            if found.bound > self.bound:
                self._know(found)
                self.narrow()

    def nearest(self, size: int) -> Ints:
        """List that many columns of least slack, or all."""
        return np.sort(np.argsort(self.known.slack, kind="stable")[:size])

    def relaxation(self) -> MilpModel:
        """Write out the program of all columns, with no limit on what is left."""
        return self._model(np.arange(len(self.columns)), self.known, 1, None)

    def program(self, some: Ints) -> MilpModel:
        """Write out the program of some columns, in whole steps: from prices that are, too."""
        price = self.step * np.rint(self.known.price / self.step).astype(np.int64)
        self.coarse = certify(self.columns, price, self.cap)
        return self._model(some, self.coarse, self.step, self.most_left)

    def _model(
        self, some: Ints, prices: Prices, unit: int, most_left: tuple[Ints, int] | None
    ) -> MilpModel:
        """Write out the program of some columns.

        Costs are what a packing is worth above the bound of these prices, in units.
        """
        reduced = self.columns.reduced(prices.price)
        best = np.minimum(least_by_courier(reduced, self.columns.ptr), 0)
        orders = self.columns.orders[some]
        real = orders < self.cap.size
        return partition_model(
            order=orders[real],
            owner=np.nonzero(real)[0],
            courier=self.columns.courier[some],
            slack=prices.slack[some] // unit,
            idle=-best // unit,
            left=(self.cap - prices.price) // unit,
            reach=(self.target - self.step - prices.bound) // unit,
            most_left=most_left,
        )

    def learn(self, some: Ints, answer: MilpAnswer) -> None:
        """Take over a better packing.

        Raises
        ------
        SolverError
            If it is not worth what is claimed.
        """
        if answer.outcome is Outcome.INFEASIBLE:
            return
        picked = some[answer.values[: some.size] > 0.5]
        value = self.columns.value_at(picked, self.cap)
        above = (value - self.coarse.bound) // self.step
        if not math.isclose(above, answer.objective, rel_tol=TOLERANCE, abs_tol=0.5):
            raise SolverError(f"the core is claimed to be worth {answer.objective:.9g}, is {above}")
        if value < self.target:
            self.chosen, self.target = self.core[picked], value

    def close(self, answer: MilpAnswer) -> None:
        """Take over what the answer to the whole question proves."""
        if answer.outcome is not Outcome.FEASIBLE:
            self.bound = self.target
        elif math.isfinite(answer.bound):
            steps = math.ceil(answer.bound - TOLERANCE * max(1.0, abs(answer.bound)))
            self.bound = max(self.bound, self.coarse.bound + self.step * steps)

    def _know(self, prices: Prices) -> None:
        self.known, self.bound = prices, prices.bound
