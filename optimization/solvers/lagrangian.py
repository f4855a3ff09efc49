"""Prices on orders: certified bounds and near-optimal plans where couriers' costs interact."""

from __future__ import annotations

import math
import time

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError
from optimization.pricing.ascent import ascend
from optimization.pricing.blocks import Blocks, blocks_of
from optimization.pricing.core import Core, core_of
from optimization.pricing.local import PlanState, build, empty_state, improve, value_of
from optimization.pricing.start import start_prices
from optimization.pricing.subsets import evaluate
from optimization.scalar import ScalarProblem
from optimization.solution import Solution, StopReason
from optimization.solvers.base import best_of, conclude
from optimization.solvers.cbc import MilpAnswer, Outcome
from optimization.solvers.pool import WorkerPool
from optimization.stop import Deadline

TOLERANCE = 1e-6
FIRST_ROWS = 8000
"""Sets of a first core, which seldom closes the gap and mostly finds the best plan."""

CLIMB_SHARE = 0.6
"""Share of the time for moving prices; the core gets the rest."""

OFFERS = 20
"""Plans made from the couriers' sets while the prices move: a better one also aims the steps."""

RELAXATIONS = 4
"""Relaxations of a core solved before its program, as long as their prices prove more."""

HALVINGS = 12
CHUNK = 2000
"""Orders looked at between two looks at the clock."""


class LagrangianSolver:
    """Single pairs with convex prices and limits on what a courier's orders add up to.

    Relaxes "each order at most once" by a price per order. Each courier's best set of pairs is
    found exactly, so the bound is that of the column formulation, not of the compact program
    (Geoffrion, Lagrangean relaxation for integer programming, 1974). Plans come from the couriers'
    sets and local improvement; at the end the core of sets that could still beat the best plan is
    solved as a program. The bound is recomputed in exact integers.

    Parameters
    ----------
    pool
        Where the core runs; a pool of this package's workers by default.
    steps
        Most steps of the prices.
    core_rows
        Most sets in the core; 0 for no core.
    """

    name = "lagrangian"

    def __init__(
        self, pool: WorkerPool | None = None, *, steps: int = 200, core_rows: int = 30_000
    ) -> None:
        self.pool = pool or WorkerPool()
        self.steps = steps
        self.core_rows = core_rows

    def can_solve(self, scalar: ScalarProblem) -> bool:
        """Whether the problem has single pairs and no bound that couples couriers."""
        return scalar.problem.all_pairs and not scalar.bounds

    def solve(
        self, scalar: ScalarProblem, deadline: Deadline, incumbent: Solution | None = None
    ) -> Solution:
        """Return the best plan found with the best bound; proven where the two meet.

        Raises
        ------
        SolverError
            If the problem has bundles or bounds, or the core's claims contradict its columns.
        """
        started_s = time.monotonic()
        if not self.can_solve(scalar):
            raise SolverError(f"{self.name} takes single pairs without bounds")
        best = best_of(scalar, incumbent)
        search = _Search(scalar, deadline, None if best is None else best.columns)
        search.climb(self.steps, deadline.fraction(CLIMB_SHARE))
        message = f"{search.taken} steps of prices"
        if self.core_rows and search.bound < search.target and not deadline.expired:
            message += search.finish(self.pool, self.core_rows)
        proven = search.bound >= search.target
        stop = StopReason.DEADLINE if deadline.expired else StopReason.WORK_LIMIT
        return conclude(
            scalar,
            search.b.column[search.plan],
            engine=self.name,
            stop_reason=StopReason.PROVEN if proven else stop,
            bound_value=scalar.constant + min(search.bound, search.target),
            started_s=started_s,
            message=message,
        )


class _Search:
    """The state of one solve, all values without the constant."""

    def __init__(
        self, scalar: ScalarProblem, deadline: Deadline, known: NDArray[np.int64] | None
    ) -> None:
        self.deadline = deadline
        self.b: Blocks = blocks_of(scalar)
        b = self.b
        n, m = b.leave.size, b.most.size
        wide = max(1, min(int(b.most.max(initial=0)), int(np.diff(b.ptr).max(initial=0))))
        self.sets = np.zeros((m, wide), np.int64)
        self.sizes, self.values = np.zeros(m, np.int64), np.zeros(m, np.int64)
        self.plan, self.target = np.zeros(0, np.int64), int(b.leave.sum())
        self.taken = 0
        if known is not None:
            self._offer(np.flatnonzero(np.isin(b.column, known)))
        self.price, pairs = start_prices(scalar, b)
        self.bound = evaluate(b, self.price, self.sets, self.sizes, self.values, np.empty(n, int))
        self._offer(pairs)

    def climb(self, steps: int, until: Deadline) -> None:
        """Raise the bound by moving the prices; offer the couriers' sets as plans in between."""
        b = self.b
        price, direction = self.price.astype(np.float64), np.zeros(self.price.size)
        state = np.array([1.0, 0.0])
        # One order's typical price: how far above the bound a plan may aim.
        served = self.price < b.leave
        reach = 0.02 * max(1.0, float(np.abs(self.price[served]).sum()))
        every = max(1, steps // OFFERS)
        # Few steps between looks at the clock where a step is long.
        chunk = max(1, min(10, 200_000 // max(1, b.column.size)))
        while self.taken < steps and self.bound < self.target and not until.expired:
            self.bound = ascend(
                b, price, self.price, direction, state, self.bound, self.target, reach, chunk,
                self.sets, self.sizes, self.values,
            )  # fmt: skip
            self.taken += chunk
            if self.taken % every < chunk:
                self._offer(self._claimed())
            if state[0] < 5e-3:
                break

    def finish(self, pool: WorkerPool, rows: int) -> str:
        """Solve cores of growing size until plan and bound meet; say what was solved."""
        text, small = "", min(rows, FIRST_ROWS * max(1, self.b.leave.size // 2000))
        while self.bound < self.target and small <= rows and not self.deadline.expired:
            core = self._core(small)
            for _ in range(RELAXATIONS):
                if core is None or not self._relax(core, pool):
                    break
                core = self._core(small)
            small = rows if small < rows else rows + 1
            if core is None or self.bound >= self.target:
                continue
            text += f"; core of {core.size.size} sets"
            whole = core.reach >= self.target - self.bound - 1
            answer = pool.run(core.model, self.deadline, "highs")
            if answer is None:
                return f"{text}, stopped"
            self._learn(core, answer)
            if whole:
                break
        return text or "; no core"

    def _relax(self, core: Core, pool: WorkerPool) -> bool:
        """Move the prices to the duals of the core's relaxation; say whether the bound rose."""
        answer = pool.run(core.model, self.deadline, "highs-relaxed")
        if answer is None or answer.outcome is not Outcome.OPTIMAL:
            return False
        move, before = answer.values[: self.price.size], self.bound
        for share in (1.0, 0.5):
            price = np.minimum(self.price + np.rint(share * move).astype(np.int64), self.b.leave)
            bound = evaluate(
                self.b, price, self.sets, self.sizes, self.values, np.empty(price.size, np.int64)
            )
            if bound > self.bound:
                self.price, self.bound = price, bound
                break
        return self.bound > before

    def _core(self, rows: int) -> Core | None:
        """Write out the largest core within the gap that has at most `rows` sets."""
        b = self.b
        level = evaluate(
            b, self.price, self.sets, self.sizes, self.values, np.empty(b.leave.size, np.int64)
        )
        if level != int(self.price.sum() + self.values.sum()):
            # Some courier's search was cut short, so its best set is not known.
            return None
        reach = self.target - level - 1
        for _ in range(HALVINGS):
            core = core_of(b, self.price, self.values, level, reach, rows)
            if core is not None or self.deadline.expired:
                return core
            reach //= 2
        return None

    def _learn(self, core: Core, answer: MilpAnswer) -> None:
        """Take over the plan and the bound of a solved core."""
        # A plan that is better than this uses only what is in the core.
        beyond = core.bound + core.reach + 1
        if answer.outcome is Outcome.INFEASIBLE:
            self.bound = max(self.bound, min(beyond, self.target))
            return
        if answer.outcome in (Outcome.OPTIMAL, Outcome.FEASIBLE):
            self._offer(core.pairs(answer.values))
        if math.isfinite(answer.bound):
            slack = TOLERANCE * max(1.0, abs(answer.bound))
            least = core.bound + math.ceil(answer.bound - slack)
            if answer.outcome is Outcome.OPTIMAL:
                least = self._proven(core, answer)
            self.bound = max(self.bound, min(beyond, least, self.target))

    def _proven(self, core: Core, answer: MilpAnswer) -> int:
        """Value of the core's optimum, once its claim has survived recomputation.

        Raises
        ------
        SolverError
            If it has not.
        """
        state = empty_state(self.b)
        pairs = core.pairs(answer.values)
        build(self.b, state, pairs)
        claimed, worth = answer.objective, value_of(self.b, state) - core.bound
        # What is built may also take in orders that the core's plan leaves: never worse.
        if worth > claimed + max(0.5, TOLERANCE * abs(claimed)):
            raise SolverError(f"the core claims {claimed:.9g} for a plan worth {worth}")
        return core.bound + min(worth, round(claimed))

    def _claimed(self) -> NDArray[np.int64]:
        """Pairs in the couriers' sets, most valuable courier first."""
        ranked = np.argsort(self.values, kind="stable")
        sets = self.sets[ranked]
        return sets[np.arange(sets.shape[1]) < self.sizes[ranked][:, None]]

    def _offer(self, pairs: NDArray[np.int64]) -> None:
        """Make a plan of pairs, improve it, keep it if it is the best."""
        state = empty_state(self.b)
        build(self.b, state, pairs)
        self._improve(state)
        value = value_of(self.b, state)
        if value < self.target:
            self.target = int(value)
            self.plan = np.sort(state.chosen[state.chosen >= 0])

    def _improve(self, state: PlanState) -> None:
        n, passes = state.chosen.size, 0
        moved = 1
        while moved and passes < 30:
            moved, passes = 0, passes + 1
            for first in range(0, n, CHUNK):
                if self.deadline.expired:
                    return
                moved += improve(self.b, state, first, min(n, first + CHUNK))
