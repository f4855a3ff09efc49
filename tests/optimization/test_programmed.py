"""Frontiers of problems that are no flows: bundles, size caps and work, by integer programs."""

from __future__ import annotations

import numpy as np
import pytest

from optimization import (
    Deadline,
    ProblemError,
    SolverError,
    Weights,
    exact_frontier,
    non_dominated,
    represent,
    scalarize,
)
from optimization.work import Work

EFFICIENCY = Weights({"a": 1.0, "b": 0.5})
KINDS = [
    {"sizes": True},
    {"bundles": True},
    {"bundles": True, "sizes": True},
    {"work": True, "sizes": True},
    {"bundles": True, "work": True},
]


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_the_frontier_is_the_non_dominated_set_of_an_enumeration(kind, random_problem, image):
    rng = np.random.default_rng(kind)
    several = 0
    while several < 3:
        problem = random_problem(rng, **KINDS[kind])
        axis = scalarize(problem, EFFICIENCY)
        every = image(problem, axis, problem.term("c"))
        if non_dominated(every).sum() < 2:
            continue
        found = exact_frontier(problem, EFFICIENCY, "c")
        assert found.complete
        assert found.values.tolist() == every[non_dominated(every)].tolist()
        several += 1
        for i in range(len(found)):
            assert found.solution(i).proven


def test_a_flow_against_work_that_adds_up_unevenly_is_no_flow(random_problem, image):
    """The efficiency alone would be one, and no size or limit binds."""
    rng, several = np.random.default_rng(5), 0
    while several < 5:
        drawn = random_problem(rng, work=True)
        free = tuple(
            Work.unlimited(w.name, w.unit, w.column, drawn.n_couriers) for w in drawn.works
        )
        problem = drawn.replace(works=free)
        every = image(problem, scalarize(problem, Weights({"a": 1.0})), problem.term("d"))
        if non_dominated(every).sum() < 3:
            continue
        found = exact_frontier(problem, Weights({"a": 1.0}), "d")
        assert found.complete
        assert found.values.tolist() == every[non_dominated(every)].tolist()
        several += 1
    with pytest.raises(SolverError, match="d prices work"):
        exact_frontier(problem, Weights({"a": 1.0}), "d", unsupported=False)


def test_three_terms_are_complete_too(random_problem, image):
    rng = np.random.default_rng(9)
    for _ in range(4):
        problem = random_problem(rng, bundles=True, sizes=True)
        every = image(problem, *(problem.term(t) for t in "abc"))
        found = represent(problem, "abc", within=0.0)
        assert found.complete
        assert found.values.tolist() == every[non_dominated(every)].tolist()
        rough = represent(problem, "abc", within=0.3)
        allowed = (rough.epsilon + 1e-9) * rough.span
        assert all((rough.values <= z + allowed).all(axis=1).any() for z in every)


def test_a_limit_leaves_boxes_that_hold_what_is_missing(random_problem, image, tmp_path):
    """And a folder takes a run that was cut short to the same frontier."""
    for seed in range(10_000):
        problem = random_problem(np.random.default_rng(seed), bundles=True, sizes=True)
        every = image(problem, scalarize(problem, EFFICIENCY), problem.term("c"))
        if non_dominated(every).sum() > 4:
            break
    whole = exact_frontier(problem, EFFICIENCY, "c")
    assert len(whole) > 4
    part = exact_frontier(problem, EFFICIENCY, "c", max_points=3, folder=tmp_path)
    assert not part.complete
    assert whole.hypervolume - part.hypervolume <= part.hypervolume_gap + 1e-12
    known = set(map(tuple, part.points.tolist()))
    for e, f in set(map(tuple, whole.points.tolist())) - known:
        assert any(
            box.efficiency[0] <= e <= box.efficiency[1] and box.against[0] <= f <= box.against[1]
            for box in part.boxes
        )
    assert list(tmp_path.glob("group-*.npz"))
    again = exact_frontier(problem, EFFICIENCY, "c", folder=tmp_path)
    assert again.values.tolist() == whole.values.tolist()
    with pytest.raises(ProblemError, match="another"):
        exact_frontier(problem, Weights({"a": 1.0}), "c", folder=tmp_path)


def test_what_cannot_be_had_is_said(paper_with_sizes):
    acceptance = Weights({"acceptance": 1.0})
    with pytest.raises(SolverError, match="flows only"):
        exact_frontier(paper_with_sizes, acceptance, unsupported=False)
    with pytest.raises(SolverError):
        exact_frontier(paper_with_sizes, acceptance, deadline=Deadline.after(0.0))
