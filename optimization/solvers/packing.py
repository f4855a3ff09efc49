"""Set packing over bundle columns: prices, a certified bound, local search, and an exact core."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError
from optimization.packing.columns import Ints, PackingColumns
from optimization.packing.core import solve_core
from optimization.packing.local import greedy, improve
from optimization.packing.prices import Prices, ascend
from optimization.problem import LARGEST
from optimization.scalar import ScalarProblem
from optimization.solution import Solution, StopReason
from optimization.solvers.base import conclude
from optimization.solvers.pool import WorkerPool
from optimization.stop import Deadline
from optimization.structure import counts_work

CLOSE = 5e-4
"""Gap, against the absolute costs of the chosen columns, that is not worth the exact core."""
CORE_S = 0.5
"""Seconds the mixed-integer engine may take where no deadline comes first."""
ASCENTS = ((400, 1.0, 6), (150, 0.3, 6), (150, 0.3, 12))
"""Rounds and first step of each price ascent, and how many columns of least slack, per order, the
search for better packings after it inserts."""
CANDIDATES_IF_LEFT = 12
"""The same while more orders are left than must be: coverage comes first."""
PASSES = 2
FIRST_CANDIDATES_PER_ORDER = 4
"""The same before there are prices, when what is cheap says little."""
CORE_PER_ORDER = 4
"""Columns of least slack, per order, given to the mixed-integer engine where not all can be."""
SMALL_CORE = 200
"""A core so small that it is always solved, whatever the gap."""
WITHIN_REACH = 0.02
"""Gap beyond which the nodes that a core gets without a deadline are not worth their time."""
START_S = 10.0
"""Seconds a small core may take, the start of the engine included."""
LARGEST_CORE = 4000
"""Most columns given to the mixed-integer engine."""
COVERAGE_ROUNDS = 400
COVERAGE_SCALE = 1000
"""Steps per unit of `leave` in which coverage is priced, so that rounding prices costs little."""
SPREADS = 3
"""Price of leaving an order against the distance between the dearest and the cheapest column."""


@dataclass(eq=False)
class _Search:
    """The state of one solve: the best packing, and what the prices prove.

    Leaving order i costs `unit * leave_i` towards the prices, enough for any packing of one order
    more to pay, and `dominance * leave_i` in the end: numbers that far apart converge badly. What
    is lost by that is added back for the orders that every packing leaves (`bound`). Packings that
    leave less than the best consist of columns `leaving_less`.
    """

    columns: PackingColumns
    unit: int
    chosen: Ints
    prices: Prices | None = None
    least_left: int = 0
    leaving_less: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def cap(self) -> Ints:
        return self.unit * self.columns.leave

    @property
    def left(self) -> int:
        return int(self.columns.leave[self.columns.covered(self.chosen) == 0].sum())

    @property
    def price(self) -> NDArray[np.float64]:
        return self.proven.price.astype(np.float64)

    @property
    def proven(self) -> Prices:
        if self.prices is None:
            raise SolverError("there is no bound before prices")
        return self.prices

    @property
    def value(self) -> int:
        return self.columns.value(self.chosen)

    @cached_property
    def step(self) -> int:
        """What values differ by multiples of, where leaving costs `cap`."""
        return max(1, int(np.gcd.reduce(np.concatenate([self.columns.cost, self.cap]))))

    @property
    def bound(self) -> int:
        if self.left == self.least_left and self.target - self.proven.bound < self.step:
            return self.value
        above = (self.columns.dominance - self.unit) * self.least_left
        return min(self.proven.bound + above, self.value)

    @property
    def target(self) -> int:
        """Value of the best packing where leaving costs `cap`."""
        return self.columns.value_at(self.chosen, self.cap)

    def in_question(self, prices: Prices) -> Ints:
        """List the columns of every packing better than the best, and of the best itself."""
        # One with column c costs at least bound + slack_c.
        return np.flatnonzero(prices.slack <= self.target - prices.bound)

    def settle(
        self,
        core: Ints,
        prices: Prices,
        pool: WorkerPool,
        deadline: Deadline,
        most_left: int | None = None,
    ) -> bool:
        """Look for a better packing in the core; raise the bound if the core holds all of them.

        Returns whether the core's best packing, or that the best is among them, is proven.
        """
        target, whole = self.target, core.size >= self.in_question(prices).size
        answer = solve_core(
            self.columns.only(core), prices.price, self.cap, target, pool, deadline, most_left
        )
        if answer.chosen is not None:
            target = self.columns.value_at(core[answer.chosen], self.cap)
            self.offer(core[answer.chosen])
        if whole and answer.bound > self.proven.bound:
            self.prices = replace(prices, bound=answer.bound)
        return answer.bound >= target

    @property
    def gap(self) -> float:
        size = int(np.abs(self.columns.cost[self.chosen]).sum())
        return (self.value - self.bound) / max(1, size)

    def offer(self, packing: Ints) -> None:
        """Keep a packing if it is the best so far."""
        if self.columns.value(packing) < self.value:
            self.chosen = packing


class PackingSolver:
    """At most one column per courier, each order at most once.

    Prices give a certified bound over all columns and rank them; greedy and local search make the
    packing; where its gap is not close, a mixed-integer engine solves the columns that the prices
    leave in question: all that any better packing could use if they are few (a proof), else the
    most promising. All but that engine's time limit is deterministic; without a deadline it has a
    limit on nodes instead.

    Parameters
    ----------
    close
        Gap that is good enough without the mixed-integer engine.
    core_s
        Seconds for that engine at most on more than 200 columns, where there is a deadline. 0 for
        never.
    pool
        Where it runs; a pool of this package's workers by default.
    """

    name = "prices and packing"

    def __init__(
        self, close: float = CLOSE, core_s: float = CORE_S, pool: WorkerPool | None = None
    ) -> None:
        self.close = close
        self.core_s = core_s
        self.pool = pool or WorkerPool()

    def can_solve(self, scalar: ScalarProblem) -> bool:
        """Whether there is one column per courier, no bound, and no work that counts."""
        return (
            scalar.problem.one_column_per_courier and not scalar.bounds and not counts_work(scalar)
        )

    def solve(
        self, scalar: ScalarProblem, deadline: Deadline, incumbent: Solution | None = None
    ) -> Solution:
        """Return the best packing found by the deadline, with its bound.

        Raises
        ------
        SolverError
            If the problem is not a packing, or the worker fails.
        """
        if not self.can_solve(scalar):
            raise SolverError("packing takes one column per courier and no bounds")
        started_s = time.monotonic()
        search = _start(PackingColumns.of(scalar), incumbent, deadline)
        rounds = _price(search, deadline, self.close)
        late = deadline.expired
        note = f"{len(search.columns)} columns, {rounds} rounds of prices"
        core = search.in_question(search.proven)
        reach = math.inf if deadline.timed else WITHIN_REACH
        worthwhile = core.size <= SMALL_CORE or self.close < search.gap < reach
        if search.gap > 0 and worthwhile and self.core_s > 0 and not late:
            told, late = self._core(search, core, deadline)
            note += told
        reason = StopReason.DEADLINE if late else StopReason.WORK_LIMIT
        return conclude(
            scalar,
            search.columns.column[search.chosen],
            engine=self.name,
            stop_reason=StopReason.PROVEN if search.bound == search.value else reason,
            bound_value=search.bound,
            started_s=started_s,
            message=note,
        )

    def _core(self, search: _Search, core: Ints, deadline: Deadline) -> tuple[str, bool]:
        """Solve the columns in question; say how it went, and whether time ran out."""
        columns, prices = search.columns, search.proven
        whole = core.size <= LARGEST_CORE
        if not whole:
            most = min(LARGEST_CORE, CORE_PER_ORDER * len(columns.leave))
            ranked = np.argsort(prices.slack, kind="stable")
            core = np.union1d(ranked[:most], search.chosen)
        # A small core takes milliseconds, but the engine may still be starting.
        own_s = max(self.core_s, START_S) if core.size <= SMALL_CORE else self.core_s
        # Without a deadline no clock runs: the same problem has the same answer.
        timed = deadline.timed
        due = min(Deadline.after(own_s), deadline, key=lambda d: d.at_s) if timed else deadline
        solved = search.settle(core, prices, self.pool, due)
        if not (solved and whole):
            return f", a core of {core.size}", timed and not solved
        if search.least_left < search.left and search.leaving_less.size <= LARGEST_CORE:
            self._prove_coverage(search, due)
        if search.bound < search.value and search.least_left == search.left:
            # What is cheaper where leaving costs `cap` leaves more: it is no better.
            core = search.in_question(prices)
            if core.size <= LARGEST_CORE:
                search.settle(core, prices, self.pool, due, most_left=search.left)
        return f", a core of {core.size} that holds every better plan", False

    def _prove_coverage(self, search: _Search, deadline: Deadline) -> None:
        """Find the least that any packing leaves among the columns that could leave less."""
        core = search.leaving_less
        columns = search.columns.for_coverage(1).only(core)
        price, left = np.zeros_like(columns.leave), search.left
        answer = solve_core(columns, price, columns.leave, left, self.pool, deadline)
        search.least_left = max(search.least_left, answer.bound)
        if answer.chosen is not None:
            search.offer(core[answer.chosen])


def _start(columns: PackingColumns, incumbent: Solution | None, deadline: Deadline) -> _Search:
    """Make a first packing, or take the one known."""
    spread = int(columns.cost.max(initial=0)) - int(columns.cost.min(initial=0))
    priced = columns.leave[columns.leave > 0]
    # Leaving costs a multiple of what all costs are multiples of, so that values still come in
    # steps as large as the costs'.
    whole = int(np.gcd.reduce(columns.cost))
    whole = max(1, whole // max(1, math.gcd(whole, int(np.gcd.reduce(columns.leave)))))
    unit = SPREADS * spread // int(priced.min(initial=1000)) + 1
    unit = min(columns.dominance, whole * -(-unit // whole))
    search = _Search(columns, unit, np.zeros(0, np.int64))
    worth = np.append(search.cap, 0)[columns.orders].sum(axis=1) - columns.cost
    ranking = np.argsort(-worth, kind="stable")
    near = ranking[: FIRST_CANDIDATES_PER_ORDER * len(columns.leave)]
    search.offer(greedy(columns, ranking))
    search.offer(improve(columns, search.chosen, near, 1, deadline))
    if incumbent is not None:
        search.offer(np.flatnonzero(np.isin(columns.column, incumbent.columns)))
    served = columns.covered(np.arange(len(columns))) > 0
    search.least_left = int(columns.leave[~served].sum())
    return search


def _price(search: _Search, deadline: Deadline, close: float) -> int:
    """Alternate price ascent and local search until close; return the rounds of ascent made."""
    columns, n = search.columns, len(search.columns.leave)
    # Each order starts at its share of what serves it now: prices of the right size throughout.
    price = np.append(search.cap, 0).astype(np.float64)
    mine = columns.orders[search.chosen]
    count = np.maximum((mine < n).sum(axis=1), 1)
    price[mine] = (columns.cost[search.chosen] / count)[:, None]
    start, made = price[:n], 0
    for rounds, step, per_order in ASCENTS:
        prices = ascend(
            columns,
            start,
            search.cap,
            search.target,
            rounds,
            deadline,
            step=step,
            near=search.step,
        )
        if search.prices is None or prices.bound > search.prices.bound:
            search.prices = prices
        start, made = search.price, made + prices.rounds
        if deadline.expired:
            break
        ranking = np.argsort(search.prices.slack, kind="stable")
        if search.left > search.least_left:
            per_order = max(per_order, CANDIDATES_IF_LEFT)
        near = ranking[: per_order * n]
        found = improve(columns, greedy(columns, ranking), near, PASSES, deadline)
        search.offer(found)
        if search.chosen is not found:
            search.offer(improve(columns, search.chosen, near, PASSES, deadline))
        if search.left > search.least_left:
            _bound_coverage(search, deadline)
        if search.gap <= close:
            break
    return made


def _bound_coverage(search: _Search, deadline: Deadline) -> None:
    """Bound what every packing leaves, by prices on coverage alone."""
    leave = search.columns.leave
    scale = COVERAGE_SCALE if int(leave.sum()) < LARGEST // COVERAGE_SCALE else 1
    columns = search.columns.for_coverage(scale)
    # What is left is a multiple of this, so a bound rounds up to the next one.
    step = int(np.gcd.reduce(leave))
    # Orders that are dear to serve are mostly those that are scarce couriers' last.
    start = np.maximum(search.price, 0.0) * (scale / search.unit)
    target, near = scale * search.left, scale * step
    proven = ascend(
        columns, start, columns.leave, target, COVERAGE_ROUNDS, deadline, step=0.3, near=near
    )
    search.least_left = max(search.least_left, -(-proven.bound // near) * step)
    search.leaving_less = np.flatnonzero(proven.slack <= target - near - proven.bound)
