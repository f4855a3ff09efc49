"""The mixed-integer program of a scalar problem, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimization.scalar import ScalarProblem
from optimization.structure import usable
from optimization.work import NO_LIMIT, WorkPrice


@dataclass(frozen=True, slots=True, eq=False)
class MilpModel:
    """Minimise cost @ x with 0 <= x <= upper and row_lower <= A x <= row_upper.

    `integer` marks the whole-numbered variables; A is sparse by rows: `row_ptr`, `row_var`,
    `row_coef`.
    """

    cost: NDArray[np.float64]
    upper: NDArray[np.float64]
    integer: NDArray[np.bool_]
    row_lower: NDArray[np.float64]
    row_upper: NDArray[np.float64]
    row_ptr: NDArray[np.int64]
    row_var: NDArray[np.int32]
    row_coef: NDArray[np.float64]


class _Rows:
    """Gathers row blocks as triplets."""

    def __init__(self) -> None:
        self.row: list[NDArray[np.int64]] = []
        self.var: list[NDArray[np.int64]] = []
        self.coef: list[NDArray[np.float64]] = []
        self.lower: list[NDArray[np.float64]] = []
        self.upper: list[NDArray[np.float64]] = []
        self.count = 0

    def open(self, lower: NDArray[np.float64], upper: NDArray[np.float64]) -> int:
        start = self.count
        self.lower.append(lower)
        self.upper.append(upper)
        self.count += lower.size
        return start

    def put(self, row: NDArray[np.int64], var: NDArray[np.int64], coef: NDArray[np.int64]) -> None:
        keep = coef != 0
        self.row.append(row[keep])
        self.var.append(var[keep])
        self.coef.append(coef[keep].astype(np.float64))

    def single(
        self, coef: NDArray[np.int64], lower: float = -np.inf, upper: float = np.inf
    ) -> None:
        """Append one dense row over the first variables."""
        start = self.open(np.array([lower]), np.array([upper]))
        self.put(np.full(coef.size, start), np.arange(coef.size), coef)


@dataclass(frozen=True, slots=True, eq=False)
class ColumnModel:
    """The rows shared by every objective over one scalar problem.

    Variables: x, one binary per usable column, then y, one continuous per run of equal slots of a
    courier, then z, one continuous per piece of every priced work. With x whole, marginals and
    slopes that never fall fill runs and pieces in order, so y and z need no integrality. Coverage
    is a row, not a price: a large price in the objective would cost a floating-point engine the
    digits that the other terms need.

    Attributes
    ----------
    column
        (x,) problem column of each binary.
    slot, run_length
        (y,) first slot and number of slots of each run; empty where nothing is paid per slot.
    coverable
        Leave price of all orders that some usable column serves.
    work
        The prices of work in the objective and then in the bounds, whose pieces are z.
    """

    scalar: ScalarProblem
    column: NDArray[np.int64]
    slot: NDArray[np.int64]
    run_length: NDArray[np.int64]
    coverable: int
    work: tuple[WorkPrice, ...]

    @classmethod
    def of(cls, scalar: ScalarProblem) -> ColumnModel:
        """Lay out the variables."""
        problem = scalar.problem
        column = np.flatnonzero(usable(problem))
        prices = np.stack([scalar.marginal, *(b.term.marginal for b in scalar.bounds)])
        if prices.any():
            courier = np.repeat(np.arange(problem.n_couriers), problem.max_orders)
            starts = np.ones(courier.size, np.bool_)
            starts[1:] = (np.diff(courier) != 0) | (np.diff(prices, axis=1) != 0).any(axis=0)
            slot = np.flatnonzero(starts)
            run_length = np.diff(np.append(slot, courier.size))
        else:
            slot = run_length = np.zeros(0, np.int64)
        served = np.zeros(problem.n_orders, np.bool_)
        chosen = np.zeros(problem.n_columns, np.bool_)
        chosen[column] = True
        served[problem.column_order[np.repeat(chosen, problem.orders_per_column)]] = True
        bounded = tuple(b.term.work for b in scalar.bounds if b.term.work is not None)
        coverable = int(problem.leave[served].sum())
        return cls(scalar, column, slot, run_length, coverable, scalar.work + bounded)

    @property
    def least_coverage(self) -> int:
        """Coverage if every order that some usable column serves could be served."""
        return int(self.scalar.problem.leave.sum()) - self.coverable

    def for_coverage(self) -> MilpModel:
        """Minimise the price of orders left, bounds aside."""
        covered = self.scalar.problem.per_column(self.scalar.problem.leave)[self.column]
        cost = np.concatenate([-covered, np.zeros(self.slot.size, np.int64), *self._slopes(())])
        return self._model(cost, self._rows())

    def for_terms(self, coverage: int) -> MilpModel:
        """Minimise the weighted terms at a coverage known to be attainable, within the bounds."""
        scalar, problem = self.scalar, self.scalar.problem
        rows = self._rows(serve_all=coverage == self.least_coverage)
        if coverage != self.least_coverage:
            covered = problem.per_column(problem.leave)[self.column]
            rows.single(covered, lower=float(problem.leave.sum() - coverage))
        for bound in scalar.bounds:
            paid = () if bound.term.work is None else (bound.term.work,)
            parts = [bound.term.column[self.column], bound.term.marginal[self.slot]]
            parts += self._slopes(paid)
            rows.single(np.concatenate(parts), upper=float(bound.limit - bound.term.constant))
        parts = [scalar.column_cost[self.column], scalar.marginal[self.slot]]
        cost = np.concatenate([*parts, *self._slopes(scalar.work)])
        return self._model(cost, rows)

    def _slopes(self, paid: tuple[WorkPrice, ...]) -> list[NDArray[np.int64]]:
        """Coefficients of z where only some of the prices are paid."""
        return [
            price.slope if any(price is p for p in paid) else np.zeros_like(price.slope)
            for price in self.work
        ]

    def _work_rows(self, rows: _Rows) -> None:
        """Pieces add up to the work of the chosen columns, and work keeps its limit."""
        problem, column = self.scalar.problem, self.column
        variable, courier = np.arange(column.size), problem.column_courier[column].astype(np.int64)
        first = column.size + self.slot.size
        zero = np.zeros(problem.n_couriers)
        for price in self.work:
            start = rows.open(zero, zero)
            piece = first + np.arange(price.knot.size)
            rows.put(start + price.owner, piece, -np.ones(piece.size, np.int64))
            rows.put(start + courier, variable, problem.work(price.work).column[column])
            first += piece.size
        for work in problem.works:
            limit = np.where(work.limit < NO_LIMIT, work.limit.astype(np.float64), np.inf)
            start = rows.open(np.full(problem.n_couriers, -np.inf), limit)
            rows.put(start + courier, variable, work.column[column])

    def _rows(self, serve_all: bool = False) -> _Rows:
        problem, column, rows = self.scalar.problem, self.column, _Rows()
        variable = np.arange(column.size)
        count = problem.orders_per_column[column]
        courier = problem.column_courier[column].astype(np.int64)

        entry = np.full(problem.n_columns, -1, np.int64)
        entry[column] = variable
        entry = np.repeat(entry, problem.orders_per_column)
        order = problem.column_order[entry >= 0].astype(np.int64)
        touched = np.bincount(order, minlength=problem.n_orders) > 0
        must = (touched & (problem.leave > 0)) if serve_all else np.zeros(touched.size, np.bool_)
        start = rows.open(must.astype(np.float64), np.ones(problem.n_orders))
        rows.put(start + order, entry[entry >= 0], np.ones(order.size, np.int64))

        if self.slot.size:
            zero = np.zeros(problem.n_couriers)
            start = rows.open(zero, zero)
            holder = np.repeat(np.arange(problem.n_couriers), problem.max_orders)[self.slot]
            run = column.size + np.arange(self.slot.size)
            rows.put(start + holder, run, -np.ones(run.size, np.int64))
        else:
            none = np.full(problem.n_couriers, -np.inf)
            start = rows.open(none, problem.max_orders.astype(np.float64))
        rows.put(start + courier, variable, count)

        if problem.one_column_per_courier:
            start = rows.open(np.full(problem.n_couriers, -np.inf), np.ones(problem.n_couriers))
            rows.put(start + courier, variable, np.ones(column.size, np.int64))
        else:
            size = problem.column_size[column]
            total = np.zeros(problem.n_couriers, np.int64)
            np.add.at(total, courier, size)
            tight = total > problem.max_size
            start = rows.open(
                np.full(int(tight.sum()), -np.inf), problem.max_size[tight].astype(np.float64)
            )
            place = start + np.cumsum(tight) - 1
            held = tight[courier]
            rows.put(place[courier[held]], variable[held], size[held])
        self._work_rows(rows)
        return rows

    def _model(self, cost: NDArray[np.int64], rows: _Rows) -> MilpModel:
        row = np.concatenate(rows.row)
        ranked = np.argsort(row, kind="stable")
        lengths = [np.where(p.length < NO_LIMIT, p.length, np.inf) for p in self.work]
        binaries = np.arange(cost.size) < self.column.size
        return MilpModel(
            cost=cost.astype(np.float64),
            upper=np.concatenate(
                [np.ones(self.column.size), self.run_length.astype(np.float64), *lengths]
            ),
            integer=binaries,
            row_lower=np.concatenate(rows.lower),
            row_upper=np.concatenate(rows.upper),
            row_ptr=np.searchsorted(row[ranked], np.arange(rows.count + 1)),
            row_var=np.concatenate(rows.var)[ranked].astype(np.int32),
            row_coef=np.concatenate(rows.coef)[ranked],
        )
