"""Proof that a flow is optimal, from its prices alone and without the code that found it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError, first_five
from optimization.network.layout import AWAY, FAR, Graph, Prices, State


def require_optimal(graph: Graph, prices: Prices, state: State) -> None:
    """Check feasibility and complementary slackness of a state at rest, array by array.

    A selection whose orders each sit where pair price + courier price is least, and whose couriers'
    prices lie between the marginals of their last unit and the next, minimises the Lagrangian of
    the capacities and is feasible, hence optimal. Costs one pass over the pairs.

    Raises
    ------
    SolverError
        Naming the first orders or couriers that break a condition.
    """
    order = np.flatnonzero(state.pair != AWAY)
    chosen = np.where(state.pair >= 0, state.pair, 0)[order]
    on_pair = state.pair[order] >= 0
    faults: list[str] = []
    if np.any(graph.order[chosen[on_pair]] != order[on_pair]):
        raise SolverError("network flow: an order is on another's pair")
    held = np.bincount(graph.courier[chosen[on_pair]], minlength=state.price.size)
    _report(faults, held != state.held, "couriers whose count is wrong")
    _report(faults, held > prices.room, "couriers over their room")
    reduced = prices.pair + state.price[graph.courier]
    least = prices.leave.copy()
    served = np.flatnonzero(np.diff(graph.order_ptr))
    if served.size:
        cheapest = np.minimum.reduceat(reduced, graph.order_ptr[served])
        least[served] = np.minimum(least[served], cheapest)
    paid = prices.leave[order]
    paid[on_pair] = reduced[chosen[on_pair]]
    _report(faults, paid > least[order], "orders that would rather move")
    last, onward = _neighbouring_marginals(graph, prices, held)
    _report(faults, (last > state.price) | (state.price > onward), "couriers whose price is wrong")
    if faults:
        raise SolverError("network flow: " + "; ".join(faults))


def _neighbouring_marginals(
    graph: Graph, prices: Prices, held: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Marginals of the last unit held and of the next, (m,) each; out of reach where none is."""
    base = graph.slot_ptr[:-1]
    last, onward = np.full(held.size, -FAR), np.full(held.size, FAR)
    some, more = held > 0, held < prices.room
    last[some] = prices.marginal[(base + held - 1)[some]]
    onward[more] = prices.marginal[(base + held)[more]]
    return last, onward


def _report(faults: list[str], broken: NDArray[np.bool_], message: str) -> None:
    if broken.any():
        faults.append(f"{message}: {first_five(np.flatnonzero(broken))}")
