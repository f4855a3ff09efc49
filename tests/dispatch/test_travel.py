"""Travel times: great circles against known distances, matrices by their own entries."""

from dataclasses import replace

import numpy as np
import pytest

from dispatch.availability import availability
from dispatch.columns import Trip, local_clock
from dispatch.domain import (
    BoardStop,
    ClassMatrix,
    Courier,
    Handover,
    Location,
    Snapshot,
    StopKind,
    TravelMatrix,
    VehicleKind,
)
from dispatch.tables import KIND_CODE, KINDS, Points, tabulate
from dispatch.travel import (
    DEFAULT_CIRCUITY,
    DEFAULT_SPEED_MPS,
    GreatCircleTravel,
    MatrixTravel,
    great_circle_m,
)


def points(*places: tuple[float, float], row: int = -1) -> Points:
    lat, lon = np.array(places).T
    return Points(lat, lon, np.full(len(places), row))


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        ((0.0, 0.0), (0.0, 1.0), 111_195.1),  # a degree of the equator: 2 pi R / 360
        ((90.0, 0.0), (-90.0, 0.0), 20_015_114.4),  # pole to pole: pi R
        ((48.8566, 2.3522), (51.5074, -0.1278), 343_556.5),  # Paris to London
        ((0.0, 179.9), (0.0, -179.9), 22_239.0),  # across the date line
        ((12.0, 34.0), (12.0, 34.0), 0.0),
    ],
)
def test_great_circle_distances_are_those_of_the_sphere(
    a: tuple[float, float], b: tuple[float, float], metres: float
) -> None:
    assert great_circle_m(points(a), points(b))[0] == pytest.approx(metres, rel=1e-5, abs=1e-6)


def test_default_travel_is_distance_times_circuity_over_speed_unless_the_vehicle_has_its_own() -> (
    None
):
    kinds = np.arange(len(KINDS))
    a, b = points(*[(41.0, 29.0)] * 5), points(*[(41.01, 29.0)] * 5)
    own = np.array([np.nan, np.nan, np.nan, np.nan, 3.0])
    legs = GreatCircleTravel().legs(a, b, kinds, own)
    straight = great_circle_m(a, b)[0]
    for code, kind in enumerate(KINDS):
        speed = 3.0 if kind is VehicleKind.CAR else DEFAULT_SPEED_MPS[kind]
        assert legs.metres[code] == pytest.approx(straight * DEFAULT_CIRCUITY[kind])
        assert legs.seconds[code] == pytest.approx(straight * DEFAULT_CIRCUITY[kind] / speed)


def test_a_matrix_is_read_by_vehicle_origin_and_destination() -> None:
    matrix = TravelMatrix(
        ("a", "b"),
        (
            ClassMatrix(VehicleKind.CAR, ((0, 60), (90, 0)), ((0, 500), (700, 0))),
            ClassMatrix(VehicleKind.FOOT, ((0, 300), (310, 0)), ((0, 400), (420, 0))),
        ),
    )
    travel = MatrixTravel(matrix)
    origin, destination = points((0, 0), (0, 0)), points((0, 0), (0, 0))
    origin, destination = (
        replace(origin, row=np.array([0, 1])),
        replace(destination, row=np.array([1, 0])),
    )
    kind = np.array([KIND_CODE[VehicleKind.CAR], KIND_CODE[VehicleKind.FOOT]])
    legs = travel.legs(origin, destination, kind, np.full(2, np.nan))
    assert legs.seconds.tolist() == [60, 310]
    assert legs.metres.tolist() == [500, 420]
    with pytest.raises(KeyError, match="not in the travel-time matrix"):
        travel.legs(origin, points((0, 0), (0, 0)), kind, np.full(2, np.nan))
    with pytest.raises(KeyError, match="not in the travel-time matrix"):
        travel.legs(origin, destination, np.full(2, KIND_CODE[VehicleKind.EBIKE]), kind * np.nan)


def test_a_courier_is_free_where_and_when_its_stops_on_board_end(small_snapshot: Snapshot) -> None:
    """One pickup that is not ready on arrival, then its dropoff, timed by hand."""
    now = small_snapshot.now
    a, b, c = Location(0.0, 0.0, "a"), Location(0.0, 0.01, "b"), Location(0.0, 0.02, "c")
    matrix = TravelMatrix(
        ("a", "b", "c"),
        (
            ClassMatrix(
                VehicleKind.BICYCLE,
                ((0, 100, 200), (100, 0, 150), (200, 150, 0)),
                ((0, 1000, 2000), (1000, 0, 1500), (2000, 1500, 0)),
            ),
        ),
    )
    ready = now.fromtimestamp(now.timestamp() + 400, tz=now.tzinfo)
    courier = Courier(
        id="k",
        position=a,
        available_at=now.fromtimestamp(now.timestamp() + 50, tz=now.tzinfo),
        on_board=(
            BoardStop(StopKind.PICKUP, "x", Handover(b, 30, 20), ready_at=ready),
            BoardStop(StopKind.DROPOFF, "x", Handover(c, 10, 5)),
        ),
    )
    snapshot = Snapshot(now=now, orders=(), couriers=(courier,), travel_matrix=matrix)
    free = availability(tabulate(snapshot), MatrixTravel(matrix))
    start = now.timestamp()
    assert (free.stop_arrive_s - start).tolist() == [150, 570]  # 50 + 100; 420 + 150
    assert (free.stop_event_s - start).tolist() == [400, 580]  # ready later than 150 + 30
    assert (free.stop_leave_s - start).tolist() == [420, 585]
    assert free.free_s[0] - start == 585
    assert free.metres[0] == 2500
    assert free.place.row.tolist() == [2]


def test_a_trip_waits_for_the_order_and_counts_both_services() -> None:
    def one(value: float) -> np.ndarray:
        return np.array([value])

    trip = Trip(
        free_s=one(1000),
        to_pickup_s=one(100),
        to_pickup_m=one(0),
        trip_s=one(200),
        trip_m=one(0),
        direct_s=one(250),
        ready_s=one(1300),
        pickup_before_s=one(60),
        pickup_after_s=one(30),
        dropoff_before_s=one(40),
        dropoff_after_s=one(20),
    )
    timing = trip.timing()
    assert timing.arrive_s == 1100
    assert timing.picked_up_s == 1300  # 1100 + 60 < ready
    assert timing.door_s == 1570  # + 30 + 200 + 40
    assert timing.done_s == 1590


def test_the_local_clock_follows_summer_time() -> None:
    """2026-03-29 01:00 UTC is when Vienna skips from 2 to 3 o'clock, a Sunday."""
    skip = np.array([1774746000.0 - 60, 1774746000.0])
    hour, weekday = local_clock(skip, "Europe/Vienna")
    assert hour.tolist() == pytest.approx([1 + 59 / 60, 3.0])
    assert weekday.tolist() == [6, 6]


def test_one_moment_has_the_clock_it_has_among_many() -> None:
    """A snapshot's moment and a log's are read alike, over two years with fractions of seconds."""
    moments = np.random.default_rng(0).uniform(1.7e9, 1.76e9, 500)
    many = np.array(local_clock(moments, "Europe/Vienna"))
    one = [local_clock(moments[k : k + 1], "Europe/Vienna") for k in range(moments.size)]
    np.testing.assert_array_equal(np.array(one)[:, :, 0].T, many)
