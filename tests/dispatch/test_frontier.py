"""The frontier of a snapshot: swept or exact, with what it costs to be fair."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dispatch.config import CandidateRules, DispatchConfig, FairnessRules, Objective
from dispatch.datasets import SyntheticCity, synthetic_snapshot
from dispatch.domain import Snapshot
from dispatch.operating import AtKnee, ByBound
from dispatch.pipeline import Dispatcher
from dispatch.tradeoff import FrontierReport
from optimization import Deadline


@pytest.fixture(scope="module")
def city() -> Snapshot:
    return synthetic_snapshot(SyntheticCity(seed=5), n_orders=18, n_couriers=30)


@pytest.fixture(scope="module")
def alone(dispatcher: Dispatcher) -> Dispatcher:
    """One new order per courier: sizes cannot bind, the problem is a flow."""
    config = DispatchConfig(candidates=CandidateRules(max_new_orders=1))
    return Dispatcher(dispatcher.model, config)


@pytest.fixture(scope="module")
def exact(city: Snapshot, alone: Dispatcher) -> FrontierReport:
    return alone.frontier(city, method="exact")


def _axes(report: FrontierReport) -> np.ndarray:
    return np.array([[p.efficiency, p.fairness_spread] for p in report.points])


def test_an_exact_frontier_dominates_every_swept_point(
    city: Snapshot, alone: Dispatcher, exact: FrontierReport
) -> None:
    swept = alone.frontier(city, method="sweep", points=21)
    assert (exact.method, swept.method) == ("exact", "sweep")
    assert exact.complete
    assert exact.hypervolume_gap == 0.0
    assert len(exact.points) > len(swept.points)
    for e, s in _axes(swept):
        assert ((_axes(exact) <= [e + 1e-5, s + 1e-5]).all(axis=1)).any()
    assert not all(p.supported for p in exact.points)


def test_points_are_ordered_and_priced_against_the_most_efficient(exact: FrontierReport) -> None:
    points, first = _axes(exact), exact.points[0]
    assert (np.diff(points[:, 0]) > 0).all()
    assert (np.diff(points[:, 1]) < 0).all()
    assert exact.ideal == (points[0, 0], points[-1, 1])
    assert exact.nadir == (points[-1, 0], points[0, 1])
    for p in exact.points:
        assert p.spread_removed == pytest.approx(1 - p.fairness_spread / first.fairness_spread)
        kept = p.expected_acceptances / first.expected_acceptances
        assert p.acceptance_lost == pytest.approx(1 - kept)
    cheap = [p.spread_removed for p in exact.points if p.acceptance_lost <= 0.01]
    assert exact.spread_removed_for(0.01) == max(cheap) > 0


def test_a_hypervolume_is_the_area_of_the_steps(exact: FrontierReport) -> None:
    ideal, nadir = np.array(exact.ideal), np.array(exact.nadir)
    steps = (_axes(exact) - ideal) / (nadir - ideal)
    right = np.append(steps[1:, 0], 1.0)
    area = float(((right - steps[:, 0]) * (1 - steps[:, 1])).sum())
    assert exact.hypervolume == pytest.approx(area)


def test_the_exact_knee_is_dispatched_and_best_at_its_fairness(
    city: Snapshot, alone: Dispatcher, exact: FrontierReport
) -> None:
    plan = alone.assign(city, operating_point=AtKnee(), method="exact")
    (knee,) = [p for p in exact.points if p.knee]
    assert plan.frontier == exact
    assert plan.objectives.fairness_spread == pytest.approx(knee.fairness_spread)
    assert plan.solver.objective == pytest.approx(knee.efficiency)
    assert plan.solver.status == "optimal"
    # no plan as fair is more efficient: fairness aside, a bound there gives the same
    plain = Dispatcher(alone.model, replace(alone.config, objective=Objective(fairness=0.0)))
    bounded = plain.assign(city, operating_point=ByBound("fairness", knee.fairness_spread))
    assert bounded.solver.objective == pytest.approx(plan.solver.objective, abs=1e-5)


def test_what_stopped_says_what_it_may_miss(city: Snapshot, alone: Dispatcher) -> None:
    few = alone.frontier(city, method="exact", points=4)
    assert not few.complete
    assert few.open_boxes > 0
    assert few.hypervolume_gap is not None
    assert 0 < few.hypervolume_gap < 1
    late = alone.frontier(city, method="exact", deadline=Deadline.after(0.0))
    assert len(late.points) >= 1


def test_a_killed_search_goes_on_from_its_folder(
    city: Snapshot, alone: Dispatcher, exact: FrontierReport, tmp_path: Path
) -> None:
    class KilledError(Exception):
        pass

    def kill(done: int, total: int) -> None:
        if done >= 2:
            raise KilledError

    with pytest.raises(KilledError):
        alone.frontier(city, method="exact", folder=tmp_path, progress=kill)
    assert any(tmp_path.iterdir())
    assert alone.frontier(city, method="exact", folder=tmp_path) == exact


def test_sizes_that_may_bind_and_do_not_leave_the_frontier_exact(
    city: Snapshot, dispatcher: Dispatcher
) -> None:
    """Two orders a courier may exceed its size; where no plan does, nothing is lost by asking."""
    roomy = replace(
        city,
        couriers=tuple(
            replace(c, capacity=replace(c.capacity, size=c.capacity.size + 100))
            for c in city.couriers
        ),
    )
    report = dispatcher.frontier(roomy, method="exact", points=12)
    assert report.method == "exact"


def test_what_is_no_flow_is_swept_and_says_so(city: Snapshot, alone: Dispatcher) -> None:
    report = alone.frontier(city, method="exact", points=3, fairness=FairnessRules("hours"))
    assert report.method == "sweep"
    assert "cannot be had" in report.note
    assert report.fairness_unit == "h²/h"
    assert len(report.points) >= 2
