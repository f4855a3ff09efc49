"""The named objective terms: acceptance, delivery time, convex fairness, and any linear price."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimization.errors import ProblemError, first_five
from optimization.term import Term
from optimization.work import Work, WorkPrice

FLOOR_S = 1800.0
"""Least active time counted per courier, so that the rate of one who just started stays finite."""


def acceptance_term(
    probability: ArrayLike, orders_per_column: ArrayLike, max_orders: ArrayLike
) -> Term:
    """Build the term "acceptance": minus the expected number of orders accepted in this epoch.

    Minimised, so a good plan has a negative value. A bundle is taken or refused whole: one
    probability counts all its orders.

    Parameters
    ----------
    probability
        (k,) chance that the courier accepts the column, in [0, 1].
    orders_per_column
        (k,) orders in each column.
    max_orders
        (m,) most orders per courier.

    Raises
    ------
    ProblemError
        If a probability is outside [0, 1].
    """
    expected = _probability(probability) * np.asarray(orders_per_column)
    return linear_term("acceptance", "orders", 1_000_000, -expected, max_orders)


def delivery_time_term(
    probability: ArrayLike,
    time_to_door_s: ArrayLike,
    wait_s: ArrayLike,
    stack_s: ArrayLike,
    max_orders: ArrayLike,
    column_order: ArrayLike,
    column_ptr: ArrayLike | None = None,
) -> Term:
    """Build the term "delivery_time": expected seconds to the door over all waiting orders.

    An order that is refused or left counts with its cost of waiting for the next epoch, so that
    leaving work undone never looks fast. Where pairs are added up, an order queued behind q others
    of the same plan waits q times the courier's stacking time.

    Parameters
    ----------
    probability
        (k,) chance that the courier accepts the column, in [0, 1].
    time_to_door_s
        (k,) seconds to the door once accepted, added over the column's orders.
    wait_s
        (n,) cost in seconds of an order that waits for the next epoch.
    stack_s
        (m,) extra seconds per order queued ahead; zeros for bundles, timed exactly already.
    max_orders
        (m,) most orders per courier.
    column_order, column_ptr
        Orders of each column as in `AssignmentProblem`; no `column_ptr` for single pairs.

    Raises
    ------
    ProblemError
        If a probability is outside [0, 1] or a time is negative or not finite.
    """
    p = _probability(probability)
    door = _amount("time_to_door_s", time_to_door_s)
    wait = _amount("wait_s", wait_s)
    stack = _amount("stack_s", stack_s)
    column_wait = wait[np.asarray(column_order)]
    if column_ptr is not None and column_wait.size:
        column_wait = np.add.reduceat(column_wait, np.asarray(column_ptr)[:-1])
    most = np.asarray(max_orders, dtype=np.int64)
    return Term(
        name="delivery_time",
        unit="s",
        scale=1000,
        constant=round(1000 * float(wait.sum())),
        column=_rounded("delivery_time", 1000 * p * (door - column_wait)),
        # Rounding one stacking time and multiplying keeps the block non-decreasing exactly.
        marginal=np.rint(1000 * np.repeat(stack, most)).astype(np.int64) * _queued_ahead(most),
    )


def hold_term(
    price_s: ArrayLike,
    max_orders: ArrayLike,
    column_order: ArrayLike,
    column_ptr: ArrayLike | None = None,
) -> Term:
    """Build the term "hold": the price of the orders that no chosen column holds.

    With `leave` 0, leaving such an order costs no coverage: it may be held at this price, which
    competes with the other terms, where any other order must be served if it can be. A price may
    be negative: it comes on top of what the other terms count for an order left out.

    Parameters
    ----------
    price_s
        (n,) seconds that holding each order costs; 0 where `leave` is positive.
    max_orders
        (m,) most orders per courier.
    column_order, column_ptr
        Orders of each column as in `AssignmentProblem`; no `column_ptr` for single pairs.

    Raises
    ------
    ProblemError
        If a price is not finite.
    """
    price = _rounded("hold", 1000 * np.asarray(price_s, dtype=np.float64))
    column = price[np.asarray(column_order)]
    if column_ptr is not None and column.size:
        column = np.add.reduceat(column, np.asarray(column_ptr)[:-1])
    return Term.linear("hold", "s", 1000, -column, max_orders, constant=int(price.sum()))


def convex_spread(
    past_orders: ArrayLike,
    active_s: ArrayLike,
    max_orders: ArrayLike,
    n_columns: int,
    *,
    target_rate: float | None = None,
    expected_orders: float = 0.0,
    floor_s: float = FLOOR_S,
) -> Term:
    """Build the term "fairness": convex spread of orders per active hour, past work included.

    The value is sum_j (a_j + n_j - rho h_j)^2 / h_j = sum_j h_j (rate_j - rho)^2, with a_j past
    orders, n_j orders committed now, h_j active hours and rho the target rate fixed before solving.
    With rho the mean rate it is the hour-weighted variance of the rates times total hours (a least
    squares, separable convex load balance: Ibaraki and Katoh, Resource Allocation Problems, 1988).
    Unit orders^2/h, scale 1000.

    Each increment (2 (a + q) - 1 - 2 rho h) / h rises in q and is rounded on its own. Rounding is
    monotone, so convexity survives; the value is off by at most 0.0005 per committed order.

    Parameters
    ----------
    past_orders
        (m,) orders already done in the fairness window.
    active_s
        (m,) active seconds in the window; counted as at least `floor_s`.
    max_orders
        (m,) most orders per courier.
    n_columns
        Number of candidate columns.
    target_rate
        rho in orders per hour; None for (past orders + expected_orders) / active hours over all.
    expected_orders
        Orders about to be committed, used only where `target_rate` is None.
    floor_s
        Least active seconds per courier.

    Raises
    ------
    ProblemError
        If an amount is negative or not finite, or the floor is not positive.
    """
    past = _amount("past_orders", past_orders)
    if not floor_s > 0.0:
        raise ProblemError([f"expected floor_s > 0, got {floor_s}"])
    hours = np.maximum(_amount("active_s", active_s), floor_s) / 3600.0
    most = np.asarray(max_orders, dtype=np.int64)
    if target_rate is None:
        target_rate = float(past.sum() + expected_orders) / float(hours.sum()) if past.size else 0.0
    offset = past - target_rate * hours
    q = _queued_ahead(most) + 1
    increment = (2.0 * (np.repeat(offset, most) + q) - 1.0) / np.repeat(hours, most)
    return Term.separable(
        "fairness",
        "orders^2/h",
        1000,
        _rounded("fairness", 1000 * increment),
        n_columns,
        constant=round(1000 * float((offset**2 / hours).sum())),
    )


def work_spread(
    work: Work,
    past: ArrayLike,
    active_s: ArrayLike,
    max_orders: ArrayLike,
    column_courier: ArrayLike,
    *,
    step: int,
    steps_per_unit: int,
    target_rate: float | None = None,
    expected: float = 0.0,
    floor_s: float = FLOOR_S,
    name: str = "fairness",
) -> Term:
    """Build the term of the convex spread of work (minutes, earnings) per active hour.

    The value is sum_j (a_j + w_j - rho h_j)^2 / h_j = sum_j h_j (rate_j - rho)^2, with a_j past
    work, w_j work committed now, h_j active hours and rho the target rate fixed before solving,
    interpolated in between multiples of `step`: at most step^2 / (4 h_j) too high per courier.
    Unit: (unit of work)^2 / h, scale 10^9. Tight: the column formulation's bound is within 1e-4 of
    the optimum (see `LagrangianSolver`), and the compact program's within 1e-2.

    Parameters
    ----------
    work
        What the columns add.
    past
        (m,) work already done in the fairness window, in steps of `work`.
    active_s
        (m,) active seconds in the window; counted as at least `floor_s`.
    max_orders
        (m,) most orders per courier: with the largest column it says how far prices reach.
    column_courier
        (k,) courier of each column.
    step
        Distance of the knots in steps of `work`, e.g. 300 for five minutes in seconds.
    steps_per_unit
        Steps of `work` in the unit in which rates are told, e.g. 3600 for hours per hour.
    target_rate
        rho in units per hour; None for (past + expected) / active hours over all couriers.
    expected
        Work about to be committed in steps, used only where `target_rate` is None.
    floor_s
        Least active seconds per courier.
    name
        Name of the term.

    Raises
    ------
    ProblemError
        If an amount is negative or not finite, or step or floor is not positive.
    """
    done = _amount("past", past) / steps_per_unit
    if not (floor_s > 0.0 and step > 0 and steps_per_unit > 0):
        raise ProblemError(["expected positive floor_s, step and steps_per_unit"])
    hours = np.maximum(_amount("active_s", active_s), floor_s) / 3600.0
    largest = np.zeros(hours.size, np.int64)
    np.maximum.at(largest, np.asarray(column_courier), work.column)
    most = np.minimum(largest * np.asarray(max_orders, dtype=np.int64), work.limit)
    pieces = np.maximum(1, -(-most // step))
    if target_rate is None:
        total = float(done.sum()) + expected / steps_per_unit
        target_rate = total / float(hours.sum()) if done.size else 0.0
    offset = done - target_rate * hours
    rank = _queued_ahead(pieces)
    width = step / steps_per_unit
    # Linear in the rank of the piece, so that rounding keeps slopes from falling.
    slope = (2.0 * np.repeat(offset, pieces) + (2 * rank + 1) * width) / np.repeat(hours, pieces)
    price = WorkPrice(
        work=work.name,
        ptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(pieces)]),
        knot=step * rank,
        slope=_rounded(name, 10**9 * slope / steps_per_unit),
    )
    return Term(
        name=name,
        unit="unit^2/h",
        scale=10**9,
        constant=round(10**9 * float((offset**2 / hours).sum())),
        column=np.zeros(work.column.size, np.int64),
        marginal=np.zeros(int(np.sum(np.asarray(max_orders))), np.int64),
        work=price,
    )


def linear_term(
    name: str,
    unit: str,
    scale: int,
    column: ArrayLike,
    max_orders: ArrayLike,
) -> Term:
    """Build a term that is a price per column, (k,) in `unit`, rounded to 1 / `scale` of it."""
    rounded = _rounded(name, scale * np.asarray(column, dtype=np.float64))
    return Term.linear(name, unit, scale, rounded, max_orders)


def _queued_ahead(max_orders: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of every slot within its courier, from 0."""
    start = np.cumsum(max_orders) - max_orders
    return np.arange(int(max_orders.sum())) - np.repeat(start, max_orders)


def _rounded(name: str, values: NDArray[np.float64]) -> NDArray[np.int64]:
    bad = np.flatnonzero(~(np.abs(values) < 2.0**62))
    if bad.size:
        raise ProblemError(
            [f"term {name}: not finite or beyond int64 at {first_five(bad)}: lower the scale"]
        )
    return np.rint(values).astype(np.int64)


def _probability(values: ArrayLike) -> NDArray[np.float64]:
    p = np.asarray(values, dtype=np.float64)
    bad = np.flatnonzero(~((p >= 0.0) & (p <= 1.0)))
    if bad.size:
        raise ProblemError([f"probability: outside [0, 1] at {first_five(bad)}"])
    return p


def _amount(name: str, values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    bad = np.flatnonzero(~((x >= 0.0) & np.isfinite(x)))
    if bad.size:
        raise ProblemError([f"{name}: negative or not finite at {first_five(bad)}"])
    return x
