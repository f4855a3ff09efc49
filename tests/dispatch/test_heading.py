"""The angle between where a courier is going and where the pickup lies."""

from dataclasses import replace

import numpy as np
import pytest

from dispatch.columns import heading_off_deg
from dispatch.domain import Snapshot
from dispatch.pipeline import Dispatcher
from dispatch.prepare import Stopwatch, prepare
from dispatch.tables import Points
from models import FeatureError, build_matrix, default_schema
from models.history import HistoryPrior

CENTRE = (48.2, 16.37)
NORTH, EAST = (48.21, 16.37), (48.2, 16.385)


def _points(*places: tuple[float, float]) -> Points:
    lat, lon = np.array(places).T
    return Points(lat, lon, np.full(len(places), -1))


@pytest.mark.parametrize(
    ("to", "heading", "angle"),
    [
        (NORTH, 0.0, 0.0),
        (NORTH, 350.0, 10.0),
        (NORTH, 180.0, 180.0),
        (NORTH, 270.0, 90.0),
        (EAST, 90.0, 0.0),
        (EAST, 0.0, 90.0),
        (EAST, 271.0, 179.0),
    ],
)
def test_the_angle_is_the_smaller_turn(
    to: tuple[float, float], heading: float, angle: float
) -> None:
    found = heading_off_deg(_points(CENTRE), _points(to), np.array([heading]))
    assert found == pytest.approx([angle], abs=0.01)


def test_no_heading_and_no_way_have_no_angle() -> None:
    there = heading_off_deg(
        _points(CENTRE, CENTRE), _points(CENTRE, NORTH), np.array([90.0, np.nan])
    )
    assert np.isnan(there).all()


def test_the_model_is_given_the_heading_of_the_snapshot(
    small_snapshot: Snapshot, dispatcher: Dispatcher
) -> None:
    first = replace(small_snapshot.couriers[0], heading_deg=45.0)
    rest = tuple(replace(c, heading_deg=None) for c in small_snapshot.couriers[1:])
    seen: list[np.ndarray] = []

    class Watching:
        version = "watching"

        def predict_proba(self, columns: dict[str, np.ndarray]) -> np.ndarray:
            seen.append(columns["heading_off_deg"])
            return np.full(len(columns["pay"]), 0.5)

    snapshot = replace(small_snapshot, couriers=(first, *rest))
    ready = prepare(snapshot, Watching(), dispatcher.config, dispatcher.travel, Stopwatch())
    known = ~np.isnan(seen[0])
    np.testing.assert_array_equal(known, ready.pairs.courier == 0)
    assert ((seen[0][known] >= 0.0) & (seen[0][known] <= 180.0)).all()


def test_a_platform_that_never_measured_it_may_leave_it_out_and_nothing_else() -> None:
    schema, prior = default_schema(), HistoryPrior(4.0, 1.0)
    one = {name: np.ones(3) for name in schema.raw_names}
    del one["heading_off_deg"]
    matrix = build_matrix(one, schema, prior)
    assert np.isnan(matrix[:, schema.names.index("heading_off_deg")]).all()
    with pytest.raises(FeatureError, match="missing columns slack_s"):
        build_matrix({k: v for k, v in one.items() if k != "slack_s"}, schema, prior)
