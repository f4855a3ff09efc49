"""What fairness is the spread of: orders, hours of work, or earnings, per active hour.

A courier's rate is past work in the fairness window and work committed now over the hours online,
floored. The spread is the sum of hours times squared distance from a target rate that is fixed
before solving. Spread of orders is a flow; the others add up unevenly and take prices or a program.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dispatch.availability import Availability
from dispatch.config import DispatchConfig, FairnessName
from dispatch.pairs import CandidatePairs
from dispatch.tables import Floats, Ints, Tables
from dispatch.trips import Trips
from optimization import NO_LIMIT, AssignmentProblem, Term, Work, convex_spread, work_spread


@dataclass(frozen=True, slots=True)
class Notion:
    """A kind of work.

    Attributes
    ----------
    name, what
        Its name in a configuration, and in words.
    unit, rate_unit
        Of the spread, and of the rates.
    steps_per_unit
        Integer steps of work in one unit.
    knot
        Steps between the knots that the spread is interpolated at; 1 is exact.
    weight
        Of the spread where the configuration gives none; about alike for orders of 20 minutes
        that pay 5.
    """

    name: FairnessName
    what: str
    unit: str
    rate_unit: str
    steps_per_unit: int
    knot: int
    weight: float


NOTIONS: Mapping[FairnessName, Notion] = {
    notion.name: notion
    for notion in (
        Notion("orders", "orders", "orders²/h", "orders/h", 1, 1, 0.02),
        Notion("hours", "hours of work", "h²/h", "h/h", 3600, 300, 0.2),
        Notion("earnings", "earnings", "money²/h", "money/h", 100, 50, 0.001),
    )
}


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """What couriers have done so far, (m,) each.

    Attributes
    ----------
    notion
        The kind of work.
    past
        Steps done in the fairness window, stops on board included where they are known: their
        orders and hours are, their pay is not.
    online_s, floor_s
        Seconds online, and the least that is counted.
    cap
        Most units an hour for whom work is added; None for no cap.
    """

    notion: Notion
    past: Ints
    online_s: Floats
    floor_s: float
    cap: float | None

    @property
    def hours(self) -> Floats:
        """Active hours, floored, (m,)."""
        return np.maximum(self.online_s, self.floor_s) / 3600

    def rates(self, added: Ints) -> Floats:
        """Units of work an hour with some steps added, (m,) each."""
        return np.asarray((self.past + added) / self.notion.steps_per_unit / self.hours)

    def room(self) -> Ints:
        """Count the steps that may be added under the cap, (m,)."""
        if self.cap is None:
            return np.full(len(self.past), NO_LIMIT)
        most = np.floor(self.cap * self.hours * self.notion.steps_per_unit + 1e-6)
        return np.asarray(np.maximum(most.astype(np.int64) - self.past, 0))

    def added(self, problem: AssignmentProblem, columns: Ints) -> Ints:
        """Count the steps that columns add to each courier, (m,)."""
        if self.notion.name == "orders":
            return problem.committed(columns)
        return problem.added(self.notion.name, columns)

    @property
    def description(self) -> str:
        """The notion in a sentence."""
        limit = "" if self.cap is None else f"; at most {self.cap:g} {self.notion.rate_unit}"
        return (
            f"convex spread of {self.notion.what} per online hour, "
            f"past work in the window included{limit}"
        )


def account_of(tables: Tables, free: Availability, config: DispatchConfig) -> Account:
    """Read the account of every courier online from the snapshot."""
    couriers, notion = tables.couriers, NOTIONS[config.fairness.notion]
    if notion.name == "orders":
        past = couriers.past_orders + couriers.load_orders
    elif notion.name == "hours":
        busy_s = np.where(couriers.load_orders > 0, free.free_s - tables.now_s, 0.0)
        past = np.rint(couriers.past_busy_s + np.maximum(busy_s, 0.0)).astype(np.int64)
    else:
        past = np.rint(100 * couriers.past_earnings).astype(np.int64)
    floor_s, cap = config.objective.online_floor_s, config.fairness.max_per_hour
    return Account(notion, past, couriers.online_s, floor_s, cap)


def pair_work(notion: Notion, tables: Tables, pairs: CandidatePairs) -> Ints:
    """Count the steps of work that each pair adds to its courier, (k,)."""
    if notion.name == "orders":
        return np.ones(len(pairs), np.int64)
    if notion.name == "hours":
        return np.rint(pairs.alone.work_s).astype(np.int64)
    return np.rint(100 * tables.orders.pay[pairs.order]).astype(np.int64)


def trip_work(
    notion: Notion, tables: Tables, free: Availability, pairs: CandidatePairs, trips: Trips
) -> Ints:
    """Count the steps of work that each bundle adds to its courier, (b,)."""
    if notion.name == "hours":
        worked_s = trips.leave_s[:, -1] - free.free_s[trips.courier]
        return np.rint(np.maximum(worked_s, 0.0)).astype(np.int64)
    return np.asarray(pair_work(notion, tables, pairs)[trips.pairs].sum(axis=1))


def fairness_term(
    account: Account, column: Ints, courier: Ints, max_orders: Ints, expected: float
) -> tuple[Term, tuple[Work, ...]]:
    """Build the term of the spread, and the work it counts where that is not orders.

    Parameters
    ----------
    account
        What has been done.
    column, courier
        Steps each column adds, and to whom, (k,).
    max_orders
        Most orders per courier, (m,).
    expected
        Steps about to be added in all; they set the target rate.
    """
    notion = account.notion
    if notion.name == "orders":
        spread = convex_spread(
            account.past,
            account.online_s,
            max_orders,
            len(column),
            expected_orders=expected,
            floor_s=account.floor_s,
        )
        return spread, ()
    work = Work(notion.name, "step", column, account.room())
    spread = work_spread(
        work,
        account.past,
        account.online_s,
        max_orders,
        courier,
        step=notion.knot,
        steps_per_unit=notion.steps_per_unit,
        expected=expected,
        floor_s=account.floor_s,
    )
    return spread, (work,)
