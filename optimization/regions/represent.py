"""Representing a flow under several terms: a lattice of weights, then the boxes between."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from optimization.frontier import non_dominated
from optimization.points import Representation, representation_of
from optimization.regions.cover import cover
from optimization.regions.flow import ManyObjectiveFlow, Planes
from optimization.regions.kept import KeptGroups
from optimization.scalar import ScalarProblem
from optimization.stop import Deadline
from optimization.zones import SearchZones

LEAST_SHARE = 1e-6
"""Of any term in a weight: an optimum is then non-dominated, whatever the ties."""


def represent_flow(
    scalar: ScalarProblem,
    terms: Sequence[str],
    divisions: int,
    within: float | None,
    deadline: Deadline,
    folder: Path | None,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> Representation:
    """Represent a flow; the arguments are those of `representation.represent`."""
    problem = scalar.problem
    described = [problem.term(name) for name in terms]
    flow = ManyObjectiveFlow(scalar, described)
    rows, plans, planes = _lattice(flow, divisions, deadline)
    _, first = np.unique(rows, axis=0, return_index=True)
    # Optima that only tie in their smallest weights may be dominated.
    first = first[non_dominated(rows[first])]
    points, columns = rows[first], [plans[i] for i in first.tolist()]
    slack, done = np.zeros(len(terms), np.int64), False
    corners, empty = points[:0], np.zeros(0, np.bool_)
    if within is not None:
        span = points.max(axis=0) - points.min(axis=0)
        flow.scale_by(span, within)
        slack = flow.aims.slack
        kept = None
        if folder is not None:
            kept = KeptGroups(folder, *_identity(scalar, flow), np.array([divisions]), slack)
        flows = [flow, *(ManyObjectiveFlow(scalar, described) for _ in range(workers - 1))]
        for other in flows[1:]:
            other.scale_by(span, within)
        found = cover(
            flows, points, columns, planes, deadline=deadline, kept=kept, progress=progress
        )
        points, columns, corners, empty = found.points, found.columns, found.corners, found.empty
        done = bool(empty.all())
    span = np.maximum(points.max(axis=0) - points.min(axis=0), 1)
    most = float((slack / span).max())
    if done:
        epsilon = most
    else:
        epsilon = max(most, _error(flow.ceiling, points, span, planes, slack, corners[empty]))
    return representation_of(problem, terms, flow.in_steps(points), columns, epsilon)


def _lattice(
    flow: ManyObjectiveFlow, divisions: int, deadline: Deadline
) -> tuple[NDArray[np.int64], list[NDArray[np.int32]], Planes]:
    """Solve the corners, then every weight of the lattice until the deadline.

    Returns
    -------
    tuple
        Points (w, d), their columns, and the planes: weights (w, d) and least values (w,).
    """
    d = len(flow.terms)
    rows: list[NDArray[np.int64]] = []
    plans: list[NDArray[np.int32]] = []
    weights: list[NDArray[np.int64]] = []

    def solve(share: NDArray[np.float64]) -> None:
        weights.append(flow.weights(np.maximum(share, LEAST_SHARE)))
        rows.append(flow.at(weights[-1]))
        plans.append(flow.columns)

    for corner in np.eye(d):
        solve(corner)
    corners = np.array(rows)
    flow.scale_by(corners.max(axis=0) - corners.min(axis=0))
    for cut in itertools.combinations(range(divisions + d - 1), d - 1):
        if deadline.expired:
            break
        solve((np.diff([-1, *cut, divisions + d - 1]) - 1) / divisions)
    points, normals = np.array(rows), np.array(weights)
    return points, plans, (normals, (normals * points).sum(axis=1))


def _error(
    ceiling: NDArray[np.int64],
    points: NDArray[np.int64],
    span: NDArray[np.int64],
    planes: Planes,
    slack: NDArray[np.int64],
    empty: NDArray[np.int64],
) -> float:
    """Bound the additive epsilon: how deep a plan could lie in a zone and in every half-space.

    A plan more than e spans better than every point lies below some zone's corner by more than e
    spans in each term; a half-space w z >= W forbids that for e = (w corner - W) / (w span). Zones
    that lie, less the slack, within one proven empty hold no plan that exceeds the slack.
    """
    zones = SearchZones(ceiling)
    for point in points:
        zones.add(point)
    ideal = points.min(axis=0)
    worst = np.full(len(zones.corners), np.inf)
    depth = (zones.corners - ideal) / span
    for weight, least in zip(*planes, strict=True):
        w = weight * span.astype(np.float64)
        worst = np.minimum(worst, (depth @ w - (least - float(np.dot(weight, ideal)))) / w.sum())
    inner = np.where(zones.corners == ceiling, ceiling, zones.corners - slack)
    sure = np.fromiter(((c <= empty).all(axis=1).any() for c in inner), np.bool_, len(inner))
    return float(np.maximum(worst[~sure], 0.0).max(initial=0.0))


def _identity(scalar: ScalarProblem, flow: ManyObjectiveFlow) -> tuple[NDArray[np.int64], ...]:
    """Arrays that tell one question from another."""
    problem = scalar.problem
    return (
        problem.column_courier.astype(np.int64),
        problem.column_order.astype(np.int64),
        problem.max_orders,
        problem.leave,
        flow.aims.pair,
        flow.aims.marginal,
        flow.offset,
        flow.unit,
    )
