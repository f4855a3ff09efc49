"""Non-dominated points of any number of terms: a representation with a proven error, or all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from optimization.errors import ProblemError, SolverError
from optimization.frontier import non_dominated
from optimization.network.ready import warm_up
from optimization.points import Representation, representation_of
from optimization.problem import AssignmentProblem
from optimization.scalar import scalarize
from optimization.stop import Deadline
from optimization.structure import Kind, recognise
from optimization.weights import Weights


def represent(
    problem: AssignmentProblem,
    terms: Sequence[str],
    *,
    divisions: int = 40,
    within: float | None = None,
    deadline: Deadline | None = None,
    folder: Path | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Representation:
    """Solve a lattice of weights, then, if asked for, every box that its points leave.

    Each weight's optimum is a point and a half-space that holds all plans; what the half-spaces
    leave of the search zones bounds the error. With `within`, the zones are searched until no plan
    can be that much better than every point, for a flow by a branch and bound over groups of zones
    (`regions.tree`), otherwise by one integer program per zone (Daechert and Klamroth, Journal of
    Global Optimization 61, 2015), which is for small problems. All plans have the best coverage.

    Parameters
    ----------
    problem
        Any; a flow (single pairs whose size caps cannot bind) is far faster.
    terms
        At least two names.
    divisions
        Weights are multiples of 1 / divisions; with three terms there are about half its square.
        Flows only.
    within
        Share of each term's range; 0 for the complete set, None for the lattice alone.
    deadline
        When to stop with the points at hand; the lattice's corners are always solved.
    folder
        Where finished groups of zones are kept; a killed run that is given it again goes on from
        there and ends with the same points. Flows only.
    workers
        Threads that search zones, at least 1; the answer does not depend on it. Flows only.
    progress
        Called with the zones known to be empty and the zones there are.

    Raises
    ------
    ProblemError
        If there are fewer than two terms, a name repeats or is unknown, a number is out of range,
        or the folder holds something else.
    SolverError
        If a problem that is no flow is given without `within` or its ends cannot be had in time, or
        if weights overflow.
    """
    faults = []
    if len(terms) < 2 or len(set(terms)) < len(terms):
        faults.append(f"terms: expected several different names, got {list(terms)}")
    if divisions < 1 or workers < 1:
        faults.append(f"expected divisions and workers >= 1, got {divisions} and {workers}")
    if within is not None and not 0.0 <= within < 1.0:
        faults.append(f"within: expected a share in [0, 1), got {within}")
    if faults:
        raise ProblemError(faults)
    deadline = deadline or Deadline.after(None)
    scalar = scalarize(problem, Weights(dict.fromkeys(terms, 1.0)))
    structure = recognise(scalar)
    if structure.kind is Kind.FLOW and warm_up() < float("inf"):
        from optimization.regions.represent import represent_flow

        return represent_flow(scalar, terms, divisions, within, deadline, folder, workers, progress)
    if within is None:
        raise SolverError(
            f"weights alone represent flows only ({structure.reason}): ask for within=0.0 or more"
        )
    if folder is not None:
        raise SolverError(f"only flows can be resumed from a folder: {structure.reason}")
    from optimization.zoned import search_zones

    found = search_zones(problem, terms, within=within, deadline=deadline, progress=progress)
    rows = found.values
    _, first = np.unique(rows, axis=0, return_index=True)
    first = first[non_dominated(rows[first])]
    return representation_of(
        problem, terms, rows[first], [found.columns[i] for i in first.tolist()], found.epsilon
    )
