"""Non-dominated points of any number of terms: a representation with a proven error, or all."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimization.errors import ProblemError, SolverError
from optimization.frontier import non_dominated
from optimization.network.ready import warm_up
from optimization.problem import AssignmentProblem
from optimization.scalar import scalarize
from optimization.solution import Status
from optimization.solvers.milp import MilpSolver
from optimization.stop import Deadline
from optimization.structure import Kind, recognise
from optimization.weights import Weights
from optimization.zones import SearchZones

PRICE_BITS = 44
"""Weighted prices stay below 2**44, far below the price of leaving an order."""


@dataclass(frozen=True, slots=True, eq=False)
class Representation:
    """Non-dominated points of several terms, and how much better than them anything could be.

    Attributes
    ----------
    terms
        Names of the axes.
    values
        (p, d) integers in the terms' own steps, all minimised, in lexicographic order.
    columns
        Chosen columns of each point.
    span
        (d,) distance of ideal and nadir over the points, at least 1.
    epsilon
        For every plan of best coverage some point is no worse in any term by more than this share
        of `span` (the additive epsilon indicator); 0.0 where the set is complete.
    """

    terms: tuple[str, ...]
    values: NDArray[np.int64]
    columns: tuple[NDArray[np.int64], ...]
    span: NDArray[np.int64]
    epsilon: float

    @property
    def complete(self) -> bool:
        """Whether every non-dominated point is here."""
        return self.epsilon == 0.0

    def __len__(self) -> int:
        return len(self.columns)


def represent(
    problem: AssignmentProblem,
    terms: Sequence[str],
    *,
    divisions: int = 40,
    exact: bool = False,
    deadline: Deadline | None = None,
) -> Representation:
    """Solve a lattice of weights, then, if asked for, every box that its points leave.

    Each weight's optimum is a point and a half-space that holds all plans; what the half-spaces
    leave of the search zones bounds the error. Exact: each zone's corner becomes a bound on every
    term (Daechert and Klamroth, Journal of Global Optimization 61, 2015) until all are empty.

    Parameters
    ----------
    problem
        Single pairs whose size caps cannot bind.
    terms
        At least two names.
    divisions
        Weights are multiples of 1 / divisions; with three terms there are about half its square.
    exact
        For small problems: go on to the complete set.
    deadline
        When to stop with the points at hand; the lattice's corners are always solved.

    Raises
    ------
    ProblemError
        If there are fewer than two terms, a name repeats or is unknown, or divisions < 1.
    SolverError
        If the problem is no flow, numba is absent, or weights overflow.
    """
    if len(terms) < 2 or len(set(terms)) < len(terms) or divisions < 1:
        raise ProblemError([f"expected several different terms and divisions >= 1, got {terms}"])
    deadline = deadline or Deadline.after(None)
    lattice = _Lattice(problem, terms)
    lattice.solve_all(divisions, deadline)
    columns, values, planes = lattice.columns, lattice.values, lattice.planes
    finished = False
    if exact:
        finished = _fill(problem, terms, columns, values, lattice.least_left, deadline)
    rows = np.array(values, np.int64)
    _, first = np.unique(rows, axis=0, return_index=True)
    first = first[non_dominated(rows[first])]
    kept = rows[first]
    span = np.maximum(kept.max(axis=0) - kept.min(axis=0), 1)
    return Representation(
        terms=tuple(terms),
        values=kept,
        columns=tuple(columns[i] for i in first.tolist()),
        span=span,
        epsilon=0.0 if finished else _error(kept, span, planes),
    )


class _Lattice:
    """The flow under weights of several terms, each optimum giving a point and a half-space."""

    def __init__(self, problem: AssignmentProblem, terms: Sequence[str]) -> None:
        if warm_up() == float("inf"):
            raise SolverError("a representation needs numba: pip install numba")
        from optimization.network.build import flow_of

        scalar = scalarize(problem, Weights(dict.fromkeys(terms, 1.0)))
        structure = recognise(scalar)
        if structure.kind is not Kind.FLOW:
            raise SolverError(f"a representation takes flows only: {structure.reason}")
        self._problem, self._names = problem, terms
        self._flow, self._column = flow_of(scalar)
        self._terms = [problem.term(name) for name in terms]
        largest = max(1, int(problem.leave.max(initial=0)))
        self._flow.prices.leave[:] = 2**56 // largest * problem.leave
        self._flow.prices.pair.fill(0)
        self._flow.prices.marginal.fill(0)
        self._flow.solve()
        self.least_left = problem.coverage(self._column[self._flow.chosen])
        self.columns: list[NDArray[np.int64]] = []
        self.values: list[list[int]] = []
        self.planes: list[tuple[list[int], int]] = []

    def solve_all(self, divisions: int, deadline: Deadline) -> None:
        """Solve the corners, then every weight of the lattice until the deadline."""
        d = len(self._terms)
        for corner in np.eye(d):
            self._at(corner, np.ones(d))
        corners = np.array(self.values, np.int64)
        span = np.maximum(corners.max(axis=0) - corners.min(axis=0), 1).astype(np.float64)
        for cut in itertools.combinations(range(divisions + d - 1), d - 1):
            if deadline.expired:
                return
            shares = np.diff([-1, *cut, divisions + d - 1]) - 1
            self._at(shares / divisions, span)

    def _at(self, share: NDArray[np.float64], span: NDArray[np.float64]) -> None:
        """Minimise the shares of the spans, as integers and none of them zero."""
        flow, terms = self._flow, self._terms
        weight = np.maximum(share, 1e-4) / span
        size = sum(
            w * max(np.abs(t.column).max(initial=0), np.abs(t.marginal).max(initial=0))
            for w, t in zip(weight, terms, strict=True)
        )
        whole = [max(1, round(w * 2**PRICE_BITS / max(size, 1e-300))) for w in weight]
        flow.prices.pair[:] = sum(
            w * t.column[self._column] for w, t in zip(whole, terms, strict=True)
        )
        flow.prices.marginal[:] = sum(w * t.marginal for w, t in zip(whole, terms, strict=True))
        flow.resume(pairs_changed=True)
        chosen = np.sort(self._column[flow.chosen])
        if self._problem.coverage(chosen) != self.least_left:
            raise SolverError("coverage gave way to the other terms: lower their scales")
        values = self._problem.term_values(chosen)
        point = [values[name] for name in self._names]
        self.columns.append(chosen)
        self.values.append(point)
        self.planes.append((whole, sum(w * v for w, v in zip(whole, point, strict=True))))


def _fill(
    problem: AssignmentProblem,
    terms: Sequence[str],
    columns: list[NDArray[np.int64]],
    values: list[list[int]],
    least_left: int,
    deadline: Deadline,
) -> bool:
    """Solve search zones until none is open, adding what is found; False where time ran out."""
    rows = np.array(values, np.int64)
    ranges = np.maximum(rows.max(axis=0) - rows.min(axis=0), 1)
    described = [problem.term(name) for name in terms]
    # Beyond every value a plan can take: sums of absolute prices.
    ceiling = [
        abs(t.constant) + int(np.abs(t.column).sum() + np.abs(t.marginal).sum()) + 1
        for t in described
    ]
    zones = SearchZones(np.array(ceiling, np.int64))
    # Lattice points that only tie with the best in their smallest weights may be dominated.
    for row in rows[non_dominated(rows)]:
        zones.add(row)
    weights = Weights({t.name: t.scale / float(r) for t, r in zip(described, ranges, strict=True)})
    engine = MilpSolver()
    empty: set[tuple[int, ...]] = set()
    while True:
        todo = [c for c in zones.corners.tolist() if tuple(c) not in empty]
        if not todo:
            return True
        corner = todo[0]
        bounds = {
            t.name: t.in_unit(c - 1)
            for t, c, most in zip(described, corner, ceiling, strict=True)
            if c < most
        }
        scalar = scalarize(problem, weights, bounds)
        try:
            found = engine.solve(scalar, deadline, best_coverage=least_left)
        except SolverError:
            if deadline.expired:
                return False
            raise
        if found.status is Status.INFEASIBLE:
            empty.add(tuple(corner))
        elif found.proven:
            value = problem.term_values(found.columns)
            row = [value[name] for name in terms]
            columns.append(found.columns)
            values.append(row)
            zones.add(np.array(row, np.int64))
        else:
            return False


def _error(
    points: NDArray[np.int64], span: NDArray[np.int64], planes: list[tuple[list[int], int]]
) -> float:
    """Bound the additive epsilon: how deep a plan could lie in a zone and in every half-space.

    A plan more than e spans better than every point lies below some zone's corner by more than e
    spans in each term; a half-space w z >= W forbids that for e = (w corner - W) / (w span).
    """
    ideal = points.min(axis=0)
    zones = SearchZones(points.max(axis=0) + 1)
    for point in points:
        zones.add(point)
    worst = np.ones(len(zones.corners))
    depth = (zones.corners - ideal) / span
    for weight, least in planes:
        w = np.array(weight, np.float64) * span
        worst = np.minimum(worst, (depth @ w - (least - float(np.dot(weight, ideal)))) / w.sum())
    return float(np.maximum(worst, 0.0).max(initial=0.0))
