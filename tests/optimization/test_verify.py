"""The verifier catches every planted fault, and passes what is sound."""

import numpy as np
import pytest

from optimization import AssignmentProblem, ProblemError, Term, VerificationError, Weights, verify

WEIGHTS = Weights({"acceptance": 1.0, "fairness": 0.1})
BEST = [0, 3, 4, 7]


@pytest.fixture
def bundled(paper):
    """The paper's pairs and the bundle {0, 1} for A as column 8."""
    term = Term.linear("cost", "u", 1, np.arange(9), paper.max_orders)
    return AssignmentProblem(
        4, 3, np.append(paper.column_courier, 0), np.append(paper.column_ptr, 10),
        np.append(paper.column_order, [0, 1]), paper.order_size, paper.max_orders, paper.max_size,
        paper.leave, (term,), True,
    )  # fmt: skip


def test_a_sound_plan_passes_with_its_values(paper):
    claimed = {**paper.term_values(np.array(BEST)), "coverage": 0}
    found = verify(paper, BEST, claimed=claimed, bounds={"fairness": 0.67})
    assert found.ok
    assert found.values == claimed
    found.raise_if_faulty()


@pytest.mark.parametrize(
    ("columns", "kind", "ids"),
    [
        ([0, 3, 4, 8], "unknown-column", (8,)),
        ([-1, 3], "unknown-column", (-1,)),
        ([0, 0, 3], "repeated-column", (0,)),
        ([0, 1, 4, 7], "order-repeated", (0,)),
        ([0, 2, 4], "too-many-orders", (0,)),
        ([5, 7], "too-many-orders", (2,)),
        ([0.0, 3.0], "not-ids", ()),
        ([[0, 3]], "not-ids", ()),
    ],
)
def test_infeasible_selections_are_caught(paper, columns, kind, ids):
    (fault,) = verify(paper, columns).faults
    assert (fault.kind, fault.ids) == (kind, ids)


def test_too_much_size_is_caught(paper_with_sizes):
    (fault,) = verify(paper_with_sizes, BEST).faults
    assert (fault.kind, fault.ids) == ("too-large", (0,))


@pytest.mark.parametrize(
    ("columns", "kinds"),
    [
        ([0, 2], {"several-columns"}),
        ([8, 1], {"order-repeated"}),
        ([8, 4], {"several-columns", "too-many-orders"}),
    ],
)
def test_bundle_faults_are_caught(bundled, columns, kinds):
    assert {fault.kind for fault in verify(bundled, columns).faults} == kinds


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"bounds": {"fairness": 0.6}}, "bound-broken"),
        ({"claimed": {"acceptance": -2_450_001}}, "false-value"),
        ({"claimed": {"coverage": 1000}}, "false-value"),
        ({"weights": WEIGHTS, "scale": 1_000_000, "objective": -2_383_401}, "false-objective"),
    ],
)
def test_false_claims_are_caught(paper, arguments, kind):
    (fault,) = verify(paper, BEST, **arguments).faults
    assert fault.kind == kind


def test_every_fault_is_reported_at_once(paper):
    found = verify(paper, [0, 1, 2, 4, 99], claimed={"coverage": 5}, bounds={"acceptance": -9})
    assert {fault.kind for fault in found.faults} == {
        "unknown-column", "order-repeated", "too-many-orders", "false-value", "bound-broken",
    }  # fmt: skip
    with pytest.raises(VerificationError) as caught:
        found.raise_if_faulty()
    assert len(caught.value.faults) == 5


def test_an_objective_needs_its_weights_and_scale(paper):
    with pytest.raises(ProblemError, match="weights and scale"):
        verify(paper, BEST, objective=0)


def test_the_recomputation_agrees_with_the_engines_arithmetic(random_problem):
    """Two code paths, same integers: terms, coverage and the composed objective."""
    from optimization import scalarize

    rng = np.random.default_rng(9)
    checked = 0
    for _ in range(300):
        problem = random_problem(rng, bundles=bool(rng.integers(2)))
        weights = Weights({"a": 0.3, "b": 1.7, "c": 2.1})
        columns = np.flatnonzero(rng.random(problem.n_columns) < 0.3)
        scalar = scalarize(problem, weights)
        found = verify(problem, columns, weights=weights, scale=scalar.scale)
        if found.ok:
            checked += 1
            assert found.objective == scalar.objective(columns)
            expected = {**problem.term_values(columns), "coverage": problem.coverage(columns)}
            assert found.values == expected
    assert checked > 100
