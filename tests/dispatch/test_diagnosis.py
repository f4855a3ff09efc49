"""Orders left: why, and changes that cost what solving again says."""

from dataclasses import replace

import numpy as np
import pytest

from dispatch.config import DispatchConfig
from dispatch.datasets import SyntheticCity, synthetic_snapshot
from dispatch.decide import decide
from dispatch.diagnosis import diagnose_left
from dispatch.domain import Capacity, Snapshot
from dispatch.explain import why
from dispatch.operating import ByBound, ByWeights
from dispatch.pipeline import Dispatcher
from dispatch.prepare import Stopwatch, prepare
from dispatch.result import Plan
from dispatch.weighing import internal_weights
from optimization import Deadline, solve


@pytest.fixture(scope="module")
def short() -> Snapshot:
    """40 orders, a quarter of the couriers, room for one order each: many orders are left."""
    city = synthetic_snapshot(SyntheticCity(seed=11), n_orders=40, n_couriers=45)
    return replace(
        city,
        couriers=tuple(
            replace(
                c,
                capacity=Capacity(orders=1, size=1000),
                pending_offers=(),
                on_board=(),
                load_size=0,
            )
            for c in city.couriers[::4]
        ),
    )


def test_a_drop_costs_what_solving_again_says(short: Snapshot, dispatcher: Dispatcher) -> None:
    config, watch = DispatchConfig(), Stopwatch()
    ready = prepare(short, dispatcher.model, config, dispatcher.travel, watch)
    decision = decide(ready, config, ByWeights(), Deadline.after(None), watch)
    problem, weights = decision.problem, internal_weights(decision.report.weights)
    left = problem.left(decision.columns) & ~ready.tables.orders.locked
    row = {name: i for i, name in enumerate(ready.tables.orders.ids)}
    told = 0
    for order, found in list(diagnose_left(ready, decision, np.flatnonzero(left)).items())[:6]:
        for change in found.changes:
            if change.dropped_order_id is None:
                continue
            told += 1
            leave = np.where(left, 0, 10_000)
            leave[order], leave[row[change.dropped_order_id]] = 10_000, 0
            again = solve(problem.replace(leave=leave), weights)
            assert again.coverage == 0
            rise = again.objective / again.scale - decision.report.objective
            assert rise == pytest.approx(change.cost, abs=1e-4)
    assert told > 3


def test_the_plan_and_its_explanation_name_the_changes(
    short: Snapshot, dispatcher: Dispatcher
) -> None:
    plan = dispatcher.assign(short)
    taken = [left for left in plan.unassigned if left.reason == "couriers_taken"]
    assert taken
    for left in taken:
        assert [c.cost for c in left.changes] == sorted(c.cost for c in left.changes)
        assert {c.remedy for c in left.changes} == {"place", "drop"}
        text = why(plan, left.order_id)
        assert f"one more place at courier {left.changes[0].courier_id}" in text or (
            f"leaving {left.changes[0].dropped_order_id} instead" in text
        )
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.usefixtures("cold")
def test_without_an_unbounded_optimum_only_reasons_are_told(
    short: Snapshot, dispatcher: Dispatcher
) -> None:
    bound = dispatcher.assign(short, operating_point=ByBound("fairness", 1e6))
    late = dispatcher.assign(short, deadline=Deadline.after(0.0))
    for plan in (bound, late):
        assert {left.changes for left in plan.unassigned} == {()}
        assert "couriers_taken" in {left.reason for left in plan.unassigned}


def test_a_reason_without_candidates_is_the_constraint(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    nobody = replace(small_snapshot, couriers=small_snapshot.couriers[2:])
    left = {u.order_id: u for u in dispatcher.assign(nobody).unassigned}
    assert left["o2"].reason == "no_eligible_courier"
    assert left["o2"].considered.ruled_out["skills"] > 0
    assert left["o2"].changes == ()
