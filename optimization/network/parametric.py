"""A flow under two objectives, E and F, solved warm at one pair of weights after another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError
from optimization.network.branch import (
    FINISHED,
    STUCK,
    Node,
    Objectives,
    Tree,
    search,
    totals,
    weigh,
)
from optimization.network.build import usable_by_order
from optimization.network.flow import NetworkFlow
from optimization.network.layout import LEFT
from optimization.scalar import ScalarProblem
from optimization.structure import courier_slots
from optimization.term import Term

LEAVE_BITS, COST_BITS, WEIGHT_BITS = 56, 46, 14
"""Leaving is priced up to 2**56 and everything else up to 2**46: both exact in int64 distances.
A search between two points begins at a weight of about 2**14."""

HIGHEST = 2.0 ** (LEAVE_BITS + 1)
"""No courier's price need be farther from zero than leaving plus the dearest pair."""


class TwoObjectiveFlow:
    """Plans of best coverage under K E + b F, for E a weighted objective and F one term.

    Coverage is priced well above the rest rather than by a proven bound, so that weights keep
    their digits; every answer is checked against the best coverage, which proves it all the same.

    Parameters
    ----------
    efficiency
        E: the composed objective of a problem of flow structure.
    other
        F: a term of the same problem.
    """

    def __init__(self, efficiency: ScalarProblem, other: Term) -> None:
        problem = efficiency.problem
        self.column = usable_by_order(efficiency)
        units = (
            _common(efficiency.column_cost, efficiency.marginal),
            _common(other.column, other.marginal),
        )
        self._affine = tuple(zip(units, (efficiency.constant, other.constant), strict=True))
        self.two = Objectives(
            pair=efficiency.column_cost[self.column] // units[0],
            marginal=efficiency.marginal // units[0],
            other_pair=other.column[self.column] // units[1],
            other_marginal=other.marginal // units[1],
            leave=problem.leave,
        )
        self.leave_unit = 2**LEAVE_BITS // max(1, int(problem.leave.max(initial=0)))
        self.room = courier_slots(problem)
        self.by_order = bool(np.any(self.two.other_pair != 0))
        self.flow = NetworkFlow(
            problem.column_order[self.column],
            problem.column_courier[self.column],
            pair=0 * self.two.pair,
            marginal=0 * self.two.marginal,
            leave=self.leave_unit * problem.leave,
            slots=problem.max_orders,
            room=self.room,
        )
        self._free = Node(
            np.zeros(self.room.size, np.int64),
            np.zeros(self.column.size, np.int64),
            np.zeros(problem.n_orders, np.int64),
        )
        self.flow.solve()
        self.least_left = int(problem.leave[self.flow.left].sum())
        self.weights = 0, 0
        self.step = _step(self.two, self.room, self.flow, all_served=self.least_left == 0)
        self.largest_own = max(_largest(self.two.pair), _largest(self.two.marginal), 1)
        # The dearest price, so far below the least step in coverage that paths seldom bridge it.
        least_step = self.leave_unit * int(np.gcd.reduce(problem.leave, initial=0))
        self.largest_price: int = min(2**COST_BITS, (least_step or 2**LEAVE_BITS) >> 7)
        # As fine as fits beside the sums that a search compares: n orders at the dearest price.
        spare = min(self.largest_price, 2**58 // max(1, problem.n_orders)) // self.largest_own
        self.scale = 1 << max(0, spare.bit_length() - 2)
        self.largest_other = max(_largest(self.two.other_pair), _largest(self.two.other_marginal))

    def fits(self, scale: int, weight: int) -> bool:
        """Whether prices under these weights stay exact."""
        return scale * self.largest_own + weight * self.largest_other < self.largest_price

    def at(self, scale: int, weight: int) -> tuple[int, int]:
        """Minimise scale E + weight F from wherever the flow stands, and return (E, F).

        Raises
        ------
        SolverError
            If the weights are too large to stay exact, or make leaving an order pay.
        """
        if not self.fits(scale, weight):
            raise SolverError(f"weights {scale} and {weight} overflow: lower the terms' scales")
        flow, (before, _) = self.flow, self.weights
        rescaled = scale != before
        if rescaled and before:
            # Prices are in the composed unit: near enough is a warm start, `weigh` mends the rest.
            near = np.clip(flow.state.price * (scale / before), -HIGHEST, HIGHEST)
            flow.state.price[:] = np.rint(near).astype(np.int64)
        weigh(
            flow.graph,
            flow.prices,
            flow.state,
            flow.scratch,
            self.two,
            self._free,
            scale,
            weight,
            rescaled or self.by_order,
        )
        if not any(self.weights):
            flow.solve()
        self.weights = scale, weight
        first, second, left = totals(flow.graph, flow.state, self.two)
        if left != self.least_left:
            raise SolverError("coverage gave way to the other terms: lower their scales")
        return first, second

    def restart(self) -> None:
        """Forget the prices, so that the next plan depends on its weights alone."""
        self.weights = 0, 0
        self.flow.clear()

    def values(self, point: tuple[int, int]) -> tuple[int, int]:
        """Return E and F as the problem counts them, with constants and common factors."""
        (unit_e, zero_e), (unit_f, zero_f) = self._affine
        return unit_e * point[0] + zero_e, unit_f * point[1] + zero_f

    @property
    def columns(self) -> NDArray[np.int32]:
        """Sorted ids of the chosen columns."""
        return self._columns(self.flow.state.pair)

    def _columns(self, pair: NDArray[np.int64]) -> NDArray[np.int32]:
        return np.sort(self.column[pair[pair >= 0]]).astype(np.int32)


class LevelSearch:
    """The least E for F within falling limits, between two supported plans of a flow.

    Works on what could still matter there: pairs and units whose reduced cost at the chord's
    weights exceeds its distance from the worst point of the triangle are in no plan of interest
    (reduced cost fixing), the others keep the chord's prices.

    Parameters
    ----------
    whole
        The flow; its state is moved to the chord's weights.
    upper, lower
        (E, F) of the supported plan with less E, and of the one with less F.
    """

    def __init__(
        self, whole: TwoObjectiveFlow, upper: tuple[int, int], lower: tuple[int, int]
    ) -> None:
        (e_a, f_a), (e_b, f_b) = upper, lower
        self._whole = whole
        slope = (e_b - e_a) / (f_a - f_b)
        scale = whole.scale
        while scale > 1 and not whole.fits(scale, round(scale * slope)):
            scale //= 2
        weight = round(scale * slope)
        e, f = whole.at(scale, weight)
        flow, two = whole.flow, whole.two
        gap = scale * (e_b - 1 - e) + weight * (f_a - whole.step - f)
        reduced = flow.prices.pair + flow.state.price[flow.graph.courier]
        least = flow.prices.leave.copy()
        some = np.flatnonzero(np.diff(flow.graph.order_ptr))
        if some.size:
            cheapest = np.minimum.reduceat(reduced, flow.graph.order_ptr[some])
            least[some] = np.minimum(least[some], cheapest)
        keep = np.flatnonzero(reduced - least[flow.graph.order] <= gap)
        slots = np.diff(flow.graph.slot_ptr)
        courier = np.repeat(np.arange(slots.size), slots)
        rank = np.arange(courier.size) - flow.graph.slot_ptr[courier]
        over = flow.prices.marginal - flow.state.price[courier]
        inside = rank < whole.room[courier]
        must = np.bincount(courier[inside & (over < -gap)], minlength=slots.size)
        can = np.bincount(courier[inside & (over <= gap)], minlength=slots.size)
        # Coarse weights keep the largest one, which proves a level empty, within int64.
        self.scale = min(whole.scale, 1 << max(0, WEIGHT_BITS - max(1, int(slope)).bit_length()))
        weight = round(self.scale * slope)
        self._most = 2**LEAVE_BITS // max(1, whole.largest_other)
        self._pair = keep
        self.two = Objectives(
            two.pair[keep], two.marginal, two.other_pair[keep], two.other_marginal, two.leave
        )
        self.flow = NetworkFlow(
            flow.graph.order[keep],
            flow.graph.courier[keep],
            pair=self.scale * two.pair[keep] + weight * two.other_pair[keep],
            marginal=self.scale * two.marginal + weight * two.other_marginal,
            leave=flow.prices.leave,
            slots=slots,
            room=can.astype(np.int64),
        )
        n, m = two.leave.size, slots.size
        self._node = Node(
            must.astype(np.int64), np.zeros(keep.size, np.int64), np.zeros(n, np.int64)
        )
        by_order = whole.by_order
        depth = keep.size + n + 1 if by_order else int(slots.sum()) + m + 1
        width = n if by_order else m
        self._tree = Tree(
            where=np.zeros(depth, np.int64),
            split=np.zeros(depth, np.int64),
            side=np.zeros(depth, np.int64),
            kept=np.zeros(depth, np.int64),
            numbers=np.array([0, weight, 0, 0, 0]),
            plan=np.full(n, LEFT, np.int64),
            within=np.zeros(width, np.int64),
            beyond=np.zeros(width, np.int64),
        )
        self.flow.solve()

    @property
    def nodes(self) -> int:
        """Nodes explored so far."""
        return int(self._tree.numbers[4])

    def open(self, below: int) -> None:
        """Begin a level: plans count only with E below this."""
        self._tree.numbers[2] = self._below = below

    def go_on(self, limit: int, budget: int) -> bool:
        """Explore up to `budget` nodes for F within the limit; True once the level is finished.

        Raises
        ------
        SolverError
            If int64 prices cannot decide.
        """
        whole, flow = self._whole, self.flow
        outcome = search(
            flow.graph,
            flow.prices,
            flow.state,
            flow.scratch,
            self.two,
            self._node,
            self._tree,
            whole.by_order,
            self.scale,
            limit,
            whole.least_left,
            whole.leave_unit,
            self._most,
            budget,
        )
        if outcome == STUCK:
            raise SolverError("a level of the frontier cannot be decided: lower the terms' scales")
        return outcome == FINISHED

    def found(self) -> tuple[int, int, NDArray[np.int32]] | None:
        """Return E, F and columns of the best plan of the level, None where there is none."""
        e = int(self._tree.numbers[2])
        if e == self._below:
            return None
        plan = self._tree.plan
        columns = np.sort(self._whole.column[self._pair[plan[plan >= 0]]]).astype(np.int32)
        return e, int(self._tree.numbers[3]), columns


def _common(*parts: NDArray[np.int64]) -> int:
    """Greatest common divisor of all prices, at least 1."""
    return max(1, int(np.gcd.reduce(np.concatenate(parts)))) if sum(p.size for p in parts) else 1


def _step(two: Objectives, room: NDArray[np.int64], flow: NetworkFlow, *, all_served: bool) -> int:
    """Least difference between two values of F, where every plan serves equally many orders.

    Each order then pays one pair and one unit, so F is the same modulo the greatest common divisor
    of the pairs' differences and of the units' differences.
    """
    priced = bool(np.all(two.leave > 0))
    if not (priced and (all_served or np.unique(two.leave).size == 1)):
        return 1
    slots = np.diff(flow.graph.slot_ptr)
    courier = np.repeat(np.arange(slots.size), slots)
    inside = np.arange(courier.size) - flow.graph.slot_ptr[courier] < room[courier]
    parts = [
        values - values[0] for values in (two.other_pair, two.other_marginal[inside]) if values.size
    ]
    common = int(np.gcd.reduce(np.concatenate(parts))) if parts else 1
    return max(1, common)


def _largest(values: NDArray[np.int64]) -> int:
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))
