"""A flow under several objectives: its optimum for any weights, and all that boxes hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError
from optimization.network.build import usable_by_order
from optimization.network.flow import NetworkFlow
from optimization.regions.game import empty_game
from optimization.regions.kept import Found
from optimization.regions.layout import (
    BOXES,
    NODES,
    OPEN,
    POINTS,
    SOLVES,
    Aims,
    Archive,
    Boxes,
    empty_tree,
)
from optimization.regions.tree import (
    CROWDED,
    FINISHED,
    STUCK,
    search_boxes,
    value_of,
    weigh_many,
)
from optimization.scalar import ScalarProblem
from optimization.structure import courier_slots
from optimization.term import Term

Planes = tuple[NDArray[np.int64], NDArray[np.int64]]
Whole = TypeVar("Whole", np.int64, np.int32)
LEAVE_BITS, PRICE_BITS = 56, 44
"""Leaving is priced up to 2**56 and weighted objectives up to 2**44: exact in int64 distances."""
ROUNDS, PLANES = 60, 20_000
"""Plans per matrix game, and planes that are remembered along one path."""
FLOWS_BETWEEN_CHECKS = 2_000


class ManyObjectiveFlow:
    """Plans of best coverage under several terms, as integers without constants or common factors.

    Parameters
    ----------
    scalar
        Any weighing of the terms, for the structure.
    terms
        The objectives.

    Raises
    ------
    SolverError
        If coverage cannot be kept above the terms.
    """

    def __init__(self, scalar: ScalarProblem, terms: Sequence[Term]) -> None:
        problem = scalar.problem
        self.column = usable_by_order(scalar)
        self.terms = tuple(terms)
        d, room = len(self.terms), courier_slots(problem)
        leave_unit = 2**LEAVE_BITS // max(1, int(problem.leave.max(initial=0)))
        self.flow = NetworkFlow(
            problem.column_order[self.column],
            problem.column_courier[self.column],
            pair=np.zeros(self.column.size, np.int64),
            marginal=np.zeros(int(problem.max_orders.sum()), np.int64),
            leave=leave_unit * problem.leave,
            slots=problem.max_orders,
            room=room,
        )
        self.flow.solve()
        left = self.flow.left
        least_left = int(problem.leave[left].sum())
        # Plans of best coverage serve equally many orders if all do, or if leaving costs the same.
        alike = bool(np.all(problem.leave > 0)) and (
            least_left == 0 or np.unique(problem.leave).size == 1
        )
        slots = np.diff(self.flow.graph.slot_ptr)
        courier = np.repeat(np.arange(slots.size), slots)
        inside = np.arange(courier.size) - self.flow.graph.slot_ptr[courier] < room[courier]
        served = problem.n_orders - left.size
        pairs, marginals, offsets, units = [], [], [], []
        for term in self.terms:
            pair, marginal = term.column[self.column], term.marginal
            zero = (
                _first(pair) if alike else 0,
                _first(marginal[inside]) if alike else 0,
            )
            steps = np.concatenate([pair - zero[0], marginal[inside] - zero[1]])
            unit = max(1, int(np.gcd.reduce(steps, initial=0)))
            pairs.append((pair - zero[0]) // unit)
            marginals.append((marginal - zero[1]) // unit)
            offsets.append(term.constant + served * sum(zero))
            units.append(unit)
        self.offset, self.unit = np.array(offsets, np.int64), np.array(units, np.int64)
        self._pair = np.ascontiguousarray(np.column_stack(pairs))
        self._marginal = np.ascontiguousarray(np.column_stack(marginals))
        self._leave, self._rule = problem.leave, (least_left, leave_unit)
        self.ceiling = self._beyond() + 1
        self.aims = self._aims(np.ones(d), np.zeros(d, np.int64))
        self._off = np.zeros(self.column.size, np.int64)

    def scale_by(self, span: NDArray[np.int64], within: float = 0.0) -> None:
        """Let weights be per this span of each objective, (d,), and overlook a share of it."""
        whole = np.maximum(span, 1).astype(np.float64)
        self.aims = self._aims(whole, np.floor(within * whole).astype(np.int64))

    def weights(self, share: NDArray[np.float64]) -> NDArray[np.int64]:
        """Turn shares of the spans into integer weights, none of them zero."""
        whole = np.rint(share / self.aims.span * float(self.aims.rule[2]))
        return np.maximum(whole, 1.0).astype(np.int64)

    def at(self, weight: NDArray[np.int64]) -> NDArray[np.int64]:
        """Minimise the weighted objectives and return their values, (d,).

        Raises
        ------
        SolverError
            If leaving an order pays.
        """
        flow, value = self.flow, np.zeros(weight.size, np.int64)
        weigh_many(flow.graph, flow.prices, flow.state, flow.scratch, self.aims, self._off, weight)
        if value_of(flow.graph, flow.state, self.aims, value) != self._rule[0]:
            raise SolverError("coverage gave way to the other terms: lower their scales")
        return value

    @property
    def columns(self) -> NDArray[np.int32]:
        """Chosen columns of the present optimum."""
        return np.sort(self.column[self.flow.chosen]).astype(np.int32)

    def in_steps(self, points: NDArray[np.int64]) -> NDArray[np.int64]:
        """Restate points (p, d) in the terms' own steps."""
        return points * self.unit + self.offset

    def reduced(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Restate values (p, d) in the terms' own steps as points."""
        return (values - self.offset) // self.unit

    def search(
        self,
        corners: NDArray[np.int64],
        known: NDArray[np.int64],
        planes: Planes,
        stop: Callable[[], bool],
    ) -> Found:
        """Find every non-dominated point below the corners (b, d), or others within the slack.

        The known points (p, d) are not found again, and none at or above them is. The planes,
        weights (w, d) and the least values (w,) of plans under them, only save time. From equal
        starts, so that what is found depends on the arguments alone.

        Raises
        ------
        SolverError
            If int64 prices cannot decide.
        """
        keep = self._of_interest(corners, planes)
        (b, d), graph = corners.shape, self.flow.graph
        n, k = self._leave.size, keep.size
        flow = NetworkFlow(
            graph.order[keep],
            graph.courier[keep],
            pair=np.zeros(k, np.int64),
            marginal=np.zeros(self._marginal.shape[0], np.int64),
            leave=self.flow.prices.leave,
            slots=np.diff(graph.slot_ptr),
            room=self.flow.prices.room,
        )
        flow.solve()
        aims = self.aims._replace(pair=self._pair[keep])
        boxes = Boxes(_grown(corners, 64 * b + 1024), np.full(64 * b + 1024, OPEN, np.int64))
        archive = Archive(
            _grown(known, len(known) + 1024), np.zeros((len(known) + 1024, n), np.int32)
        )
        tree = empty_tree(n, k, d, ROUNDS, PLANES)
        tree.numbers[BOXES], tree.numbers[POINTS] = b, len(known)
        game = empty_game(d, ROUNDS)
        while True:
            outcome = search_boxes(
                flow.graph,
                flow.prices,
                flow.state,
                flow.scratch,
                aims,
                boxes,
                archive,
                tree,
                game,
                FLOWS_BETWEEN_CHECKS,
            )
            if outcome == STUCK:
                raise SolverError("a box cannot be decided: lower the terms' scales")
            if outcome == CROWDED:
                most = 2 * len(boxes.closed)
                boxes = Boxes(_grown(boxes.corner, most), _grown(boxes.closed, most))
                most = 2 * len(archive.point)
                archive = Archive(_grown(archive.point, most), _grown(archive.pair, most))
            elif outcome == FINISHED or stop():
                break
        new = slice(len(known), int(tree.numbers[POINTS]))
        column = self.column[keep]
        columns = tuple(
            np.sort(column[pair[pair >= 0]]).astype(np.int32) for pair in archive.pair[new]
        )
        return Found(
            archive.point[new].copy(),
            columns,
            outcome == FINISHED,
            int(tree.numbers[NODES]),
            int(tree.numbers[SOLVES]),
        )

    def _of_interest(self, corners: NDArray[np.int64], planes: Planes) -> NDArray[np.int64]:
        """Pairs that a plan below some corner can use: reduced cost fixing at the best plane."""
        weight, least = planes
        reach = ((corners - 1) @ weight.T).max(axis=0) - least
        best = int(np.argmin(reach))
        flow = self.flow
        flow.clear()
        flow.solve()
        self.at(weight[best])
        reduced = flow.prices.pair + flow.state.price[flow.graph.courier]
        own = flow.prices.leave.copy()
        some = np.flatnonzero(np.diff(flow.graph.order_ptr))
        if some.size:
            cheapest = np.minimum.reduceat(reduced, flow.graph.order_ptr[some])
            own[some] = np.minimum(own[some], cheapest)
        return np.flatnonzero(reduced - own[flow.graph.order] <= reach[best])

    def _aims(self, span: NDArray[np.float64], slack: NDArray[np.int64]) -> Aims:
        largest = np.maximum(
            np.abs(self._pair).max(axis=0, initial=1), np.abs(self._marginal).max(axis=0, initial=1)
        )
        # Shares of the spans add up to one: the dearest price stays below 2**PRICE_BITS.
        scale = int(2**PRICE_BITS / float((largest / span).max()))
        rule = np.array([*self._rule, scale], np.int64)
        return Aims(self._pair, self._marginal, span, self._leave, rule, slack)

    def _beyond(self) -> NDArray[np.int64]:
        """No plan's value is above this, (d,)."""
        order_ptr = self.flow.graph.order_ptr
        some = np.flatnonzero(np.diff(order_ptr))
        most = np.zeros(self._pair.shape[1], np.int64)
        if some.size:
            dearest = np.maximum.reduceat(self._pair, order_ptr[some], axis=0)
            most += np.maximum(dearest, 0).sum(axis=0)
        most += np.maximum(self._marginal, 0).sum(axis=0)
        return most


def _first(values: NDArray[np.int64]) -> int:
    return int(values[0]) if values.size else 0


def _grown(values: NDArray[Whole], size: int) -> NDArray[Whole]:
    """Copy into a longer array; what is added to `closed` is never read before it is written."""
    grown = np.zeros((size, *values.shape[1:]), values.dtype)
    grown[: len(values)] = values
    return grown
