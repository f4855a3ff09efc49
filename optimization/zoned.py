"""Every non-dominated point of any small problem: one integer program per search zone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimization.errors import SolverError
from optimization.problem import AssignmentProblem
from optimization.regions.kept import Found, KeptGroups
from optimization.scalar import scalarize
from optimization.solution import Status
from optimization.solvers.milp import MilpSolver
from optimization.stop import Deadline
from optimization.weights import Weights
from optimization.zones import SearchZones


@dataclass(frozen=True, slots=True, eq=False)
class Zoned:
    """Points (p, d) in the terms' steps with their columns, and the corners (z, d) left open.

    `ideal` (d,) is proven; `ceiling` (d,) stands for no limit; for every plan some point is no
    worse in any term by more than `epsilon` of the points' ranges.
    """

    values: NDArray[np.int64]
    columns: list[NDArray[np.int32]]
    corners: NDArray[np.int64]
    ideal: NDArray[np.int64]
    ceiling: NDArray[np.int64]
    epsilon: float


def search_zones(
    problem: AssignmentProblem,
    terms: Sequence[str],
    *,
    within: float = 0.0,
    max_points: int | None = None,
    deadline: Deadline,
    kept: KeptGroups | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Zoned:
    """Minimise one term within the others' sides of each zone, widest first, until none is open.

    If the least lies in the zone it splits it, otherwise the zone is empty (Kirlik and Sayin,
    European Journal of Operational Research 232, 2014). The term minimised is the one with the
    largest prices: as a bound they would be near a floating-point engine's tolerance. Zones are cut
    short of a point by `within` of the terms' ranges. Some points may be dominated by others.

    Raises
    ------
    SolverError
        If the deadline passes before the least of each term is proven.
    """
    described = [problem.term(name) for name in terms]
    engine, d = MilpSolver(), len(terms)
    rows: list[list[int]] = []
    columns: list[NDArray[np.int32]] = []
    coverage: int | None = None
    for name in terms:
        scalar = scalarize(problem, Weights({name: 1.0}))
        found = engine.solve(scalar, deadline, best_coverage=coverage)
        if not found.proven:
            raise SolverError(f"the least {name} could not be proven before the deadline")
        coverage = found.coverage
        values = problem.term_values(found.columns)
        rows.append([values[n] for n in terms])
        columns.append(found.columns.astype(np.int32))
    ends = np.array(rows, np.int64)
    ideal, span = ends.min(axis=0), np.maximum(ends.max(axis=0) - ends.min(axis=0), 1)
    slack = np.floor(within * span).astype(np.int64)
    # Beyond every value a plan can take: sums of absolute prices.
    ceiling = np.array([_beyond(problem, name) for name in terms], np.int64)
    zones, empty = SearchZones(ceiling), set[bytes]()
    for row in ends:
        zones.add(row - slack)
    sizes = [int(np.abs(t.column).max(initial=0)) for t in described]
    own = int(np.argmax(sizes))
    number = 0
    while True:
        todo = [c for c in zones.corners if c.tobytes() not in empty]
        # A corner at or below the ideal point leaves nothing.
        for corner in [c for c in todo if (c <= ideal).any()]:
            empty.add(corner.tobytes())
        todo = [c for c in todo if (c > ideal).all()]
        if progress is not None:
            progress(len(zones.corners) - len(todo), len(zones.corners))
        if not todo or deadline.expired or (max_points is not None and len(rows) >= max_points):
            break
        corner = max(todo, key=lambda c: _size(c, ideal, span))
        answer = kept.read(number, corner[None]) if kept is not None else None
        if answer is None:
            bounds = {
                t.name: t.in_unit(int(c) - 1)
                for t, c, most in zip(described, corner, ceiling, strict=True)
                if c < most and t is not described[own]
            }
            scalar = scalarize(problem, Weights({terms[own]: 1.0}), bounds)
            try:
                found = engine.solve(scalar, deadline, best_coverage=coverage)
            except SolverError:
                if deadline.remaining() > 0.0:
                    raise
                break
            if found.status is not Status.INFEASIBLE and not found.proven:
                break
            answer = _answer(problem, terms, found.columns if found.usable else None)
            if len(answer.points) and answer.points[0, own] >= corner[own]:
                answer = _answer(problem, terms, None)
            if kept is not None:
                kept.write(number, corner[None], answer)
        number += 1
        if not len(answer.points):
            empty.add(corner.tobytes())
        for row, plan in zip(answer.points, answer.columns, strict=True):
            rows.append(row.tolist())
            columns.append(plan)
            zones.add(row - slack)
    reach = np.maximum(np.ptp(np.array(rows, np.int64), axis=0), 1)
    left = np.array(todo, np.int64).reshape(-1, d)
    deep = ((left + slack - ideal) / reach).min(axis=1).max(initial=0.0)
    epsilon = max(float((slack / reach).max()), float(deep))
    return Zoned(np.array(rows, np.int64), columns, left, ideal, ceiling, epsilon)


def _answer(
    problem: AssignmentProblem, terms: Sequence[str], columns: NDArray[np.int64] | None
) -> Found:
    """Put the optimum of a zone, or that there is none, into what is kept."""
    if columns is None:
        return Found(np.zeros((0, len(terms)), np.int64), (), True, 0, 1)
    values = problem.term_values(columns)
    point = np.array([[values[name] for name in terms]], np.int64)
    return Found(point, (columns.astype(np.int32),), True, 0, 1)


def _size(
    corner: NDArray[np.int64], ideal: NDArray[np.int64], span: NDArray[np.int64]
) -> tuple[float, tuple[int, ...]]:
    """Volume of a zone within the ranges; ties by the corner, so that the order is the same."""
    edges = np.clip((corner - ideal) / span, 0.0, 1.0)
    return float(edges.prod()), tuple(corner.tolist())


def _beyond(problem: AssignmentProblem, name: str) -> int:
    term = problem.term(name)
    size = int(np.abs(term.column).sum() + np.abs(term.marginal).sum())
    if term.work is not None:
        most = problem.added(term.work.work, np.arange(problem.n_columns))
        steepest = np.maximum.reduceat(np.abs(term.work.slope), term.work.ptr[:-1])
        size += int((most * steepest).sum())
    return abs(term.constant) + size + 1
