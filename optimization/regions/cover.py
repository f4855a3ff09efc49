"""All boxes that a set of points leaves, searched in groups until none is open."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimization.frontier import non_dominated
from optimization.regions.flow import ManyObjectiveFlow, Planes
from optimization.regions.kept import Found, KeptGroups
from optimization.stop import Deadline
from optimization.zones import SearchZones

GROUP, AT_ONCE = 4, 4
"""Boxes searched by one tree, and trees between which nothing is shared: always as many, so that
what is found does not depend on the number of threads."""


@dataclass(slots=True)
class Cover:
    """Points (p, d) in the flow's units with their columns; the boxes left, and which are empty."""

    points: NDArray[np.int64]
    columns: list[NDArray[np.int32]]
    corners: NDArray[np.int64]
    empty: NDArray[np.bool_]


def cover(
    flows: list[ManyObjectiveFlow],
    points: NDArray[np.int64],
    columns: list[NDArray[np.int32]],
    planes: Planes,
    *,
    deadline: Deadline,
    kept: KeptGroups | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Cover:
    """Search the boxes below and between points until all are empty or the deadline has passed.

    Parameters
    ----------
    flows
        One per thread, alike, with their spans and slack set.
    points, columns
        Plans known, (p, d), none dominated and no two alike.
    planes
        Weights (w, d) and least values (w,) that no plan is below.
    deadline
        When to stop.
    kept
        Finished groups of an earlier run.
    progress
        Called with the boxes known to be empty and all boxes, which points make more of.
    """
    slack = flows[0].aims.slack
    zones = SearchZones(flows[0].ceiling)
    for point in points:
        zones.add(point - slack)
    done: set[bytes] = set()
    number = 0
    while True:
        corners = zones.corners
        empty = _marked(corners, done)
        fresh = np.flatnonzero(~empty)
        closed = fresh[_below_planes(corners[fresh], *planes)]
        done.update(c.tobytes() for c in corners[closed])
        empty[closed] = True
        if progress is not None:
            progress(int(empty.sum()), empty.size)
        if empty.all() or deadline.expired:
            return Cover(points, columns, corners, empty)
        groups = _groups(corners[~empty], flows[0].aims.span)
        answers = _searched(flows, groups, points, planes, deadline, kept, number)
        number += len(groups)
        for group, found in zip(groups, answers, strict=True):
            points, columns = _merged(points, columns, found)
            for point in found.points:
                zones.add(point - slack)
            if found.finished:
                done.update(c.tobytes() for c in zones.corners if (c <= group).all(axis=1).any())


def _searched(
    flows: list[ManyObjectiveFlow],
    groups: list[NDArray[np.int64]],
    known: NDArray[np.int64],
    planes: Planes,
    deadline: Deadline,
    kept: KeptGroups | None,
    number: int,
) -> Iterator[Found]:
    """Search the groups, a thread per flow, in their order; those that are kept are read."""
    from joblib import Parallel, delayed

    free: queue.SimpleQueue[ManyObjectiveFlow] = queue.SimpleQueue()
    for flow in flows:
        free.put(flow)

    def one(group: NDArray[np.int64], number: int) -> Found:
        found = kept.read(number, group) if kept is not None else None
        if found is None:
            flow = free.get()
            found = flow.search(group, known, planes, lambda: deadline.expired)
            free.put(flow)
            if kept is not None and found.finished:
                kept.write(number, group, found)
        return found

    parallel = Parallel(n_jobs=len(flows), prefer="threads", return_as="generator")
    jobs = (delayed(one)(group, number + i) for i, group in enumerate(groups))
    answers: Iterator[Found] = parallel(jobs)
    return answers


def _groups(corners: NDArray[np.int64], span: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Choose boxes far apart, and to each the nearest others."""
    order = np.lexsort(corners.T[::-1])
    left, groups = corners[order], []
    for part in range(AT_ONCE):
        if not len(left):
            break
        seed = left[part * len(left) // AT_ONCE]
        near = np.argsort((np.abs(left - seed) / span).sum(axis=1), kind="stable")[:GROUP]
        groups.append(left[near])
        left = np.delete(left, near, axis=0)
    return groups


def _merged(
    points: NDArray[np.int64], columns: list[NDArray[np.int32]], found: Found
) -> tuple[NDArray[np.int64], list[NDArray[np.int32]]]:
    """Add what was found and drop what is dominated, or there already."""
    new = np.flatnonzero(non_dominated(found.points)) if len(found.points) else np.zeros(0, int)
    fresh = found.points[new]
    beaten = (points[None] <= fresh[:, None]).all(axis=2).any(axis=1)
    new, fresh = new[~beaten], fresh[~beaten]
    stays = np.ones(len(points), np.bool_)
    for point in fresh:
        stays &= ~(point <= points).all(axis=1)
    kept = [c for c, stay in zip(columns, stays.tolist(), strict=True) if stay]
    return (
        np.concatenate([points[stays], fresh]),
        kept + [found.columns[i] for i in new.tolist()],
    )


def _marked(corners: NDArray[np.int64], done: set[bytes]) -> NDArray[np.bool_]:
    return np.fromiter((c.tobytes() in done for c in corners), np.bool_, len(corners))


def _below_planes(
    corners: NDArray[np.int64], weight: NDArray[np.int64], least: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Mark the boxes whose best integer point some plane rules out."""
    parts = np.array_split(corners - 1, max(1, len(corners) // 1000))
    return np.concatenate([(part @ weight.T < least).any(axis=1) for part in parts])
