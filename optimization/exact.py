"""Every non-dominated point of efficiency against one other term, with proof of completeness."""

from __future__ import annotations

import functools
import queue
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from optimization.certified import Box, CertifiedFrontier
from optimization.checkpoint import Checkpoint
from optimization.errors import ProblemError, SolverError
from optimization.frontier import non_dominated
from optimization.network.ready import warm_up
from optimization.problem import AssignmentProblem
from optimization.scalar import ScalarProblem, scalarize
from optimization.segment import Findings, Opening, Plan, Segment, explore, opening_of
from optimization.stop import Deadline
from optimization.structure import Kind, recognise
from optimization.term import Term
from optimization.weights import Weights

if TYPE_CHECKING:
    from optimization.network.parametric import TwoObjectiveFlow


Explorer = Callable[[Segment, Callable[[int], bool]], Findings]
"""Finds the points of a segment unless told to stop."""


def exact_frontier(
    problem: AssignmentProblem,
    efficiency: Weights,
    against: str = "fairness",
    *,
    unsupported: bool = True,
    max_points: int | None = None,
    deadline: Deadline | None = None,
    folder: Path | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> CertifiedFrontier:
    """Find all non-dominated points, or as many as allowed and what is left open.

    The structure chooses the way. A flow (single pairs whose size caps cannot bind) has two phases
    (Ulungu and Teghem, Foundations of Computing and Decision Sciences 20, 1995): the supported
    points by dichotomy on the weight; then, between each two of them, the others: by falling limits
    on the other term, each the optimum of a branch and bound on counts, where it depends on counts
    alone; by one tree that branches on pairs where it does not. Anything else, which should be
    small, is solved by one integer program per gap (`zoned`). Widest gaps first, so that a limit
    leaves the least open. All plans have the best coverage.

    Parameters
    ----------
    problem
        Any.
    efficiency
        Raw weights of the terms on the first axis; `against` is not among them.
    against
        Name of the term on the other axis.
    unsupported
        False for the points that some weighted sum finds, and nothing between them; flows only.
    max_points
        Stop at about that many; the two ends are always found.
    deadline
        When to stop with the points at hand; the two ends are always found.
    folder
        Where finished pieces are kept; a killed run that is given it again goes on from there and
        ends with the same points.
    workers
        Threads that explore gaps, at least 1. Flows only.
    progress
        Called with the gaps done and the gaps there are.

    Raises
    ------
    ProblemError
        If the arguments do not fit, or the folder holds another problem's frontier.
    SolverError
        If numba is absent or int64 prices cannot decide; for what is no flow, if the ends of the
        frontier cannot be proven in time, or supported points alone are asked for.
    """
    if efficiency[against] > 0.0:
        raise ProblemError([f"{against} is both an efficiency term and the other axis"])
    if workers < 1 or (max_points is not None and max_points < 2):
        raise ProblemError(
            [f"expected workers >= 1 and max_points >= 2, got {workers} and {max_points}"]
        )
    axis, other = scalarize(problem, efficiency), problem.term(against)
    deadline = deadline or Deadline.after(None)
    structure = recognise(axis)
    if structure.kind is not Kind.FLOW or other.work is not None:
        if not unsupported:
            reason = f"{against} prices work" if other.work is not None else structure.reason
            raise SolverError(f"supported points alone are for flows only: {reason}")
        from optimization.programmed import programmed_frontier

        return programmed_frontier(
            axis,
            efficiency,
            against,
            max_points=max_points,
            deadline=deadline,
            folder=folder,
            progress=progress,
        )
    if warm_up() == float("inf"):
        raise SolverError("the exact frontier of a flow needs numba: pip install numba")
    from optimization.network.parametric import TwoObjectiveFlow

    kept = Checkpoint(folder, axis, other) if folder is not None else None
    flow = TwoObjectiveFlow(axis, other)
    hull, segments = _hull(flow, kept, deadline, max_points)
    wide = sorted((s for s in segments if s.holds_more(flow.step)), key=lambda s: -s.area)
    found: list[Plan] = []
    openings: list[Opening] = []
    if unsupported:
        flows = [flow, *(TwoObjectiveFlow(axis, other) for _ in range(workers - 1))]
        explorers = [_explorer(axis, other, own, hull) for own in flows]
        room = np.inf if max_points is None else max_points - len(hull)
        for done, findings in enumerate(_explored(explorers, wide, kept, deadline, room), start=1):
            found += findings.plans
            openings += [findings.opening] if findings.opening else []
            if progress is not None:
                progress(done, len(wide))
    else:
        openings = [opening_of(s, s.upper) for s in wide]
    every = hull + found
    values = np.array([flow.values(plan.point) for plan in every], np.int64).reshape(-1, 2)
    order = np.lexsort((values[:, 1], values[:, 0]))
    order = order[non_dominated(values[order])]
    return CertifiedFrontier(
        problem=problem,
        efficiency=efficiency,
        against=against,
        axis=axis,
        values=values[order],
        columns=tuple(every[i].columns for i in order.tolist()),
        supported=_on_hull(values[order], order < len(hull)),
        boxes=tuple(_box(flow, opening, axis.scale, other.scale) for opening in openings),
    )


def _hull(
    flow: TwoObjectiveFlow, kept: Checkpoint | None, deadline: Deadline, limit: int | None
) -> tuple[list[Plan], list[Segment]]:
    """Read the supported plans, or find them; and the segments between them."""
    from optimization.supported import supported_points

    plans = kept.hull() if kept is not None else None
    if plans is None:
        hull = supported_points(flow, deadline, limit)
        plans = [Plan(p, c) for p, c in zip(hull.points, hull.columns, strict=True)]
        proven = hull.proven
        if kept is not None and all(proven):
            kept.keep_hull(plans)
    else:
        proven = [True] * (len(plans) - 1)
    segments = [
        Segment(i, a.point, b.point, sure)
        for i, ((a, b), sure) in enumerate(zip(pairwise(plans), proven, strict=True))
    ]
    return plans, segments


def _explorer(
    axis: ScalarProblem, other: Term, flow: TwoObjectiveFlow, hull: list[Plan]
) -> Explorer:
    """Choose how gaps are explored, by what the other term depends on."""
    if not flow.by_order:
        return functools.partial(explore, flow)
    from optimization.regions.between import Between

    return Between(axis, other, flow, (hull[0].point, hull[-1].point)).explore


def _explored(
    explorers: list[Explorer],
    segments: list[Segment],
    kept: Checkpoint | None,
    deadline: Deadline,
    room: float,
) -> Iterator[Findings]:
    """Explore the segments, a thread per explorer, reading those that are kept."""
    from joblib import Parallel, delayed

    free: queue.SimpleQueue[Explorer] = queue.SimpleQueue()
    for explorer in explorers:
        free.put(explorer)
    counted = 0

    def one(segment: Segment) -> Findings:
        nonlocal counted
        if kept is not None and segment.proven:
            plans = kept.segment(segment)
            if plans is not None:
                counted += len(plans)
                return Findings(plans)
        if deadline.expired or counted >= room:
            return Findings([], opening_of(segment, segment.upper))
        explorer = free.get()
        findings = explorer(segment, lambda n: deadline.expired or counted + n >= room)
        free.put(explorer)
        counted += len(findings.plans)
        if kept is not None and segment.proven and findings.opening is None:
            kept.keep_segment(segment, findings.plans)
        return findings

    parallel = Parallel(n_jobs=len(explorers), prefer="threads", return_as="generator_unordered")
    yield from parallel(delayed(one)(segment) for segment in segments)


def _on_hull(values: NDArray[np.int64], found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark, beside the hull points found, those on a line between two of them; (p,) each."""
    ends = np.flatnonzero(found)
    left = ends[np.maximum(np.searchsorted(ends, np.arange(found.size), side="right") - 1, 0)]
    right = ends[np.minimum(np.searchsorted(ends, np.arange(found.size)), ends.size - 1)]
    edge, offset = values[right] - values[left], values - values[left]
    on_line: NDArray[np.bool_] = edge[:, 0] * offset[:, 1] == edge[:, 1] * offset[:, 0]
    return on_line


def _box(flow: TwoObjectiveFlow, opening: Opening, scale: int, other_scale: int) -> Box:
    """Restate an opening in the units of the axes."""
    (e_a, f_a), (e_b, f_b) = flow.values(opening.upper), flow.values(opening.lower)
    reduced = (opening.lower[0] - opening.upper[0]) * (opening.upper[1] - opening.lower[1])
    width, height = (e_b - e_a) / scale, (f_a - f_b) / other_scale
    return Box(
        (e_a / scale, e_b / scale),
        (f_b / other_scale, f_a / other_scale),
        width * height * opening.area / reduced,
    )
