"""The portable reference: the same program in PuLP, written to be read, not for speed."""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError
from optimization.scalar import ScalarProblem, trivial_bound
from optimization.solution import Solution, Status, StopReason
from optimization.solvers.base import best_of, conclude, named_by_ties
from optimization.stop import Deadline
from optimization.structure import usable
from optimization.work import NO_LIMIT, WorkPrice

PREFERRED = ("COIN_CMD", "PULP_CBC_CMD", "HiGHS", "HiGHS_CMD")
"""CBC from the machine, CBC as older PuLP brings it, then HiGHS."""

_OPTIMAL, _INFEASIBLE = 1, -1


class PulpSolver:
    """Coverage first, then the weighted terms; by CBC where PuLP has one, else by HiGHS."""

    @property
    def name(self) -> str:
        """Name with the engine that PuLP really uses here."""
        kind = "highs" if engine_name().startswith("HiGHS") else "cbc"
        return f"pulp:{kind}"

    def can_solve(self, scalar: ScalarProblem) -> bool:  # noqa: ARG002 - it is general
        """Whether the engine models everything: always."""
        return True

    def solve(
        self, scalar: ScalarProblem, deadline: Deadline, incumbent: Solution | None = None
    ) -> Solution:
        """Return the optimum, or the incumbent where the deadline comes first.

        Raises
        ------
        SolverError
            If PuLP has no engine, or the deadline passes with nothing in hand.
        """
        started_s = time.monotonic()
        model = PulpModel(scalar)
        status = model.minimise_left(deadline)
        if status == _OPTIMAL:
            coverage = scalar.problem.coverage(model.columns())
            status = model.minimise_terms(coverage, deadline)
            if status == _INFEASIBLE:
                return Solution(
                    columns=np.zeros(0, np.int64),
                    status=Status.INFEASIBLE,
                    stop_reason=StopReason.PROVEN,
                    engine=self.name,
                    objective=0,
                    bound=0,
                    scale=scalar.scale,
                    coverage=coverage,
                    elapsed_s=time.monotonic() - started_s,
                    message="no plan of best coverage keeps the bounds",
                )
        best = best_of(scalar, incumbent)
        if status != _OPTIMAL and best is None:
            raise SolverError(f"{self.name} found nothing before the deadline")
        columns = model.columns() if status == _OPTIMAL or best is None else best.columns
        if status == _OPTIMAL:
            columns = named_by_ties(scalar, columns)
        value = scalar.value(columns)
        if best is not None and scalar.value(best.columns) < value:
            raise SolverError(f"{self.name} claims an optimum worse than a known plan")
        return conclude(
            scalar,
            columns,
            engine=self.name if status == _OPTIMAL or best is None else best.engine,
            stop_reason=StopReason.PROVEN if status == _OPTIMAL else StopReason.DEADLINE,
            bound_value=value if status == _OPTIMAL else min(value, trivial_bound(scalar)),
            started_s=started_s,
        )

    def write(self, scalar: ScalarProblem, path: str | Path) -> None:
        """Write the program as MPS or LP, by the suffix, for a user's own solver.

        Coverage is fixed at its best first, so the file holds the weighted terms alone.

        Raises
        ------
        SolverError
            If the suffix is neither, or the best coverage was not found.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in (".mps", ".lp"):
            raise SolverError(f"expected a path ending in .mps or .lp, got {path}")
        model = PulpModel(scalar)
        if model.minimise_left(Deadline.after(None)) != _OPTIMAL:
            raise SolverError(f"{self.name} did not find the best coverage")
        model.require(scalar.problem.coverage(model.columns()))
        write = model.program.writeMPS if suffix == ".mps" else model.program.writeLP
        write(str(path))


class PulpModel:
    """The program over one scalar problem, line by line as one would write it on paper."""

    def __init__(self, scalar: ScalarProblem) -> None:
        import pulp

        self._sum = pulp.lpSum
        self._scalar, problem = scalar, scalar.problem
        self._ids: NDArray[np.int64] = np.flatnonzero(usable(problem))
        self.program: Any = pulp.LpProblem("assignment", pulp.LpMinimize)
        ids = self._ids.tolist()
        x = {c: self.program.add_variable(f"x_{c}", 0, 1, cat="Binary") for c in ids}
        self._x = x
        # A slack of whole orders left: 0 where the order is in a chosen column.
        left = [self.program.add_variable(f"left_{i}", 0, 1) for i in range(problem.n_orders)]
        slot = [self.program.add_variable(f"slot_{q}", 0, 1) for q in range(scalar.marginal.size)]
        ptr, orders = problem.column_ptr.tolist(), problem.column_order.tolist()
        courier, size = problem.column_courier.tolist(), problem.column_size.tolist()
        of_order, of_courier = defaultdict(list), defaultdict(list)
        for c in ids:
            of_courier[courier[c]].append(c)
            for i in orders[ptr[c] : ptr[c + 1]]:
                of_order[i].append(c)
        for i, leaving in enumerate(left):
            self.program += self._sum(x[c] for c in of_order[i]) + leaving == 1, f"order_{i}"
        start = problem.slot_ptr.tolist()
        for j, most in enumerate(problem.max_orders.tolist()):
            columns = of_courier[j]
            if not most:
                continue
            count = self._sum((ptr[c + 1] - ptr[c]) * x[c] for c in columns)
            paid = self._sum(slot[start[j] : start[j + 1]])
            self.program += count - paid == 0, f"orders_{j}"
            load = self._sum(size[c] * x[c] for c in columns)
            self.program += load <= int(problem.max_size[j]), f"size_{j}"
            if problem.one_column_per_courier:
                self.program += self._sum(x[c] for c in columns) <= 1, f"one_column_{j}"
        self._left = self._sum(p * u for p, u in zip(problem.leave.tolist(), left, strict=True))
        for work in problem.works:
            added, limit = work.column.tolist(), work.limit.tolist()
            for j, columns in of_courier.items():
                if limit[j] < NO_LIMIT:
                    total = self._sum(added[c] * x[c] for c in columns)
                    self.program += total <= limit[j], f"{work.name}_{j}"
        self._terms = self._priced(scalar.column_cost, scalar.marginal, slot)
        for number, price in enumerate(scalar.work):
            self._terms += self._worked(price, of_courier, f"work_{number}")
        self._bounds = []
        for number, b in enumerate(scalar.bounds):
            total = self._priced(b.term.column, b.term.marginal, slot)
            if b.term.work is not None:
                total += self._worked(b.term.work, of_courier, f"bounded_work_{number}")
            self._bounds.append(total <= b.limit - b.term.constant)

    def minimise_left(self, deadline: Deadline) -> int:
        """Minimise the price of orders left; 1 for optimal, -1 infeasible, else stopped."""
        return self._solve(self._left, deadline)

    def minimise_terms(self, coverage: int, deadline: Deadline) -> int:
        """Minimise the weighted terms at a given price of orders left, within the bounds."""
        self.require(coverage)
        return self._solve(self._terms, deadline)

    def require(self, coverage: int) -> None:
        """Fix the price of orders left, add the bounds and make the terms the objective."""
        self.program += self._left <= coverage, "coverage"
        for number, bound in enumerate(self._bounds):
            self.program += bound, f"bound_{number}"
        self.program.setObjective(self._terms)

    def columns(self) -> NDArray[np.int64]:
        """Read the chosen columns."""
        values = np.array([self._x[c].value() or 0.0 for c in self._ids.tolist()])
        return self._ids[values > 0.5]

    def _priced(
        self, column: NDArray[np.int64], marginal: NDArray[np.int64], slot: list[Any]
    ) -> Any:
        chosen = self._sum(int(column[c]) * x for c, x in self._x.items())
        return chosen + self._sum(p * y for p, y in zip(marginal.tolist(), slot, strict=True))

    def _worked(self, price: WorkPrice, of_courier: dict[int, list[int]], name: str) -> Any:
        """Split each courier's work into the pieces of its price."""
        added = self._scalar.problem.work(price.work).column.tolist()
        ptr, slope = price.ptr.tolist(), price.slope.tolist()
        length = [p if p < NO_LIMIT else None for p in price.length.tolist()]
        piece = [self.program.add_variable(f"{name}_{k}", 0, most) for k, most in enumerate(length)]
        for j, columns in of_courier.items():
            total = self._sum(added[c] * self._x[c] for c in columns)
            self.program += total - self._sum(piece[ptr[j] : ptr[j + 1]]) == 0, f"{name}_of_{j}"
        return self._sum(slope[k] * piece[k] for j in of_courier for k in range(ptr[j], ptr[j + 1]))

    def _solve(self, objective: Any, deadline: Deadline) -> int:
        import pulp

        left = deadline.remaining()
        if left <= 0.0:
            return 0
        self.program.setObjective(objective)
        options: dict[str, Any] = {} if np.isinf(left) else {"timeLimit": left}
        if not engine_name().startswith("HiGHS"):
            # The CBC 2.10.3 that PuLP 3 brings substitutes columns wrongly in its preprocessing and
            # then proves a worse plan optimal: one in 5,000 random problems.
            options["options"] = ["preprocess off"]
        options |= {"msg": False, "gapRel": 0.0}
        try:
            result = self.program.solve(pulp.getSolver(engine_name(), **options))
        except pulp.PulpSolverError:
            # Without preprocessing the same CBC crashes on one in 5,000, where orders cost nothing
            # to leave.
            options.pop("options", None)
            result = self.program.solve(pulp.getSolver(engine_name(), **options))
        # PuLP 4 returns an object; PuLP 3 an integer that calls a stopped search optimal too.
        if not isinstance(result, int):
            return int(result.status)
        return 0 if result == _OPTIMAL != self.program.sol_status else result


@functools.cache
def engine_name() -> str:
    """Find the engine PuLP has here, by preference.

    Raises
    ------
    SolverError
        If there is none.
    """
    import pulp

    for name in PREFERRED:
        if name in pulp.listSolvers() and pulp.getSolver(name, msg=False).available():
            return name
    raise SolverError("PuLP has neither CBC nor HiGHS here: pip install highspy")
