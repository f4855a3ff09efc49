"""Demand is measured around each pickup, the same way wherever on earth and for logs alike."""

from dataclasses import replace

import numpy as np
import pytest

from dispatch.availability import availability
from dispatch.config import CandidateRules
from dispatch.datasets import SyntheticCity, synthetic_snapshot
from dispatch.demand import CITY_COURIERS, SQUARE_M, local_demand, neighbours, squares
from dispatch.domain import Location, Snapshot
from dispatch.entities import pair_columns
from dispatch.pairs import find_pairs
from dispatch.tables import Floats, Points, tabulate
from dispatch.travel import EARTH_RADIUS_M, GreatCircleTravel

DEGREE_M = np.pi / 180 * EARTH_RADIUS_M


def at(lat: Floats, lon: Floats) -> Points:
    lat, lon = np.broadcast_arrays(np.asarray(lat, float), np.asarray(lon, float))
    return Points(lat, lon, np.full(lat.shape, -1))


def around(place: tuple[float, float], count: int, seed: int, sd_m: float = 200.0) -> Points:
    rng = np.random.default_rng(seed)
    north, east = rng.normal(0, sd_m / DEGREE_M, (2, count))
    return at(place[0] + north, place[1] + east / np.cos(np.radians(place[0])))


def both(first: Points, second: Points) -> Points:
    return at(np.append(first.lat, second.lat), np.append(first.lon, second.lon))


WEST, EAST = (47.07, 15.0), (47.07, 15.5)


def two_towns() -> Snapshot:
    """Ten orders and two couriers in the west, two orders and ten couriers 38 km east."""
    base = synthetic_snapshot(SyntheticCity(seed=4, n_couriers=60), n_orders=12, n_couriers=12)
    pickups = both(around(WEST, 10, 1), around(EAST, 2, 2))
    places = both(around(WEST, 2, 3), around(EAST, 10, 4))

    def spot(points: Points, k: int) -> Location:
        return Location(float(points.lat[k]), float(points.lon[k]))

    orders = tuple(
        replace(
            order,
            pickup=replace(order.pickup, location=spot(pickups, k)),
            dropoff=replace(order.dropoff, location=spot(pickups, k)),
            required_skills=(),
            refusals=(),
        )
        for k, order in enumerate(base.orders)
    )
    couriers = tuple(
        replace(courier, position=spot(places, k), on_board=(), pending_offers=(), load_size=0)
        for k, courier in enumerate(base.couriers)
    )
    return replace(base, orders=orders, couriers=couriers)


def test_two_towns_with_opposite_shortages_are_told_apart() -> None:
    """As many orders as couriers in all: the ratio of the whole snapshot is 1 for everybody."""
    snapshot = two_towns()
    tables, travel = tabulate(snapshot), GreatCircleTravel()
    free = availability(tables, travel)
    pairs = find_pairs(tables, free, travel, CandidateRules())
    told = pair_columns(snapshot, tables, free, pairs).order["local_demand"]
    k = CITY_COURIERS
    np.testing.assert_allclose(told[:10], (10 + k) / (2 + k))
    np.testing.assert_allclose(told[10:], (2 + k) / (10 + k))


def test_the_counts_are_those_of_the_nine_squares() -> None:
    """Against every pair of points, one at a time."""
    pickup, courier = around(WEST, 60, 5, sd_m=2_500), around(WEST, 90, 6, sd_m=2_500)
    theirs, others = squares(pickup), squares(courier)
    for i, found in enumerate(local_demand(pickup, courier)):
        near = set(neighbours(theirs[i : i + 1])[0].tolist())
        waiting = sum(int(each) in near for each in theirs)
        online = sum(int(each) in near for each in others)
        city = CITY_COURIERS * 60 / 90
        assert found == pytest.approx((waiting + city) / (online + CITY_COURIERS))


@pytest.mark.parametrize(
    "place", [(0.0, 0.0), WEST, (-33.9, 18.4), (-16.8, 180.0), (64.1, -21.9), (-16.8, -180.0)]
)
def test_what_is_half_a_square_away_is_around_and_what_is_three_away_is_not(
    place: tuple[float, float],
) -> None:
    """On either side of the equator, of Greenwich and of the date line."""
    centre = around(place, 300, 7, sd_m=3_000)
    near = neighbours(squares(centre))
    assert all(len(set(row)) == 9 for row in near.tolist())
    for metres, inside in ((0.49 * SQUARE_M, True), (3.01 * SQUARE_M, False)):
        for turn in np.linspace(0, 2 * np.pi, 16, endpoint=False):
            north, east = metres * np.cos(turn), metres * np.sin(turn)
            east_deg = east / DEGREE_M / np.cos(np.radians(centre.lat))
            other = squares(at(centre.lat + north / DEGREE_M, centre.lon + east_deg))
            found = (near == other[:, None]).any(axis=1)
            assert (found == inside).all()


def test_a_pickup_with_nobody_around_has_the_ratio_of_the_city() -> None:
    """But for the order itself; few are not taken for a pattern."""
    pickup = both(around(WEST, 30, 8), at(EAST[0], EAST[1]))
    courier = around(WEST, 60, 9)
    assert local_demand(pickup, courier)[-1] == pytest.approx(31 / 60 + 1 / CITY_COURIERS)
    assert np.isfinite(local_demand(pickup, courier[np.zeros(0, dtype=np.int64)])).all()
    assert local_demand(pickup[np.zeros(0, dtype=np.int64)], courier).shape == (0,)


def test_who_is_elsewhere_and_how_rows_are_sorted_do_not_matter() -> None:
    pickup, courier = around(WEST, 40, 10, 2_000), around(WEST, 40, 11, 2_000)
    told = local_demand(pickup, courier)
    turn = np.random.default_rng(0).permutation(40)
    np.testing.assert_array_equal(local_demand(pickup[turn], courier[turn]), told[turn])
    farther = both(courier, around(EAST, 20, 12))
    evenly = both(pickup, around(EAST, 20, 13))  # the city's ratio stays 1
    np.testing.assert_array_equal(local_demand(evenly, farther)[:40], told)
