"""Colombian city-days are read strictly, over midnight too."""

import gzip
from datetime import timedelta
from pathlib import Path

import pytest

from dispatch.datasets import ColombianDay
from dispatch.datasets.colombia import MIDNIGHT
from dispatch.domain import VehicleKind
from dispatch.errors import InvalidInputError
from dispatch.validate import validate


def test_a_clock_time_sees_the_orders_waiting_and_the_couriers_on_shift(colombia: Path) -> None:
    snapshot = ColombianDay.read(colombia).snapshot("19:30")
    validate(snapshot)
    assert snapshot.now == MIDNIGHT + timedelta(hours=19, minutes=30)
    assert [o.id for o in snapshot.orders] == ["2"]
    assert [(c.id, c.vehicle.kind) for c in snapshot.couriers] == [("1", VehicleKind.FOOT)]
    order = snapshot.orders[0]
    assert order.placed_at == MIDNIGHT + timedelta(hours=19, minutes=20, seconds=1)
    assert order.due_at == MIDNIGHT + timedelta(hours=19, minutes=55, seconds=30)
    assert (order.pickup.location.lat, order.pickup.location.lon) == (3.42, -76.54)
    assert (snapshot.timezone, snapshot.currency) == ("America/Bogota", "COP")
    assert snapshot == ColombianDay.read(colombia).snapshot(19 * 60 + 30)


def test_what_ends_after_midnight_ends_the_next_day(colombia: Path) -> None:
    snapshot = ColombianDay.read(colombia).snapshot("23:58:00")
    validate(snapshot)
    assert snapshot.orders[0].ready_at == MIDNIGHT + timedelta(days=1, minutes=10)
    assert snapshot.couriers[0].shift_end == MIDNIGHT + timedelta(days=1, hours=1)


def test_the_busiest_minute_has_most_orders_waiting(colombia: Path) -> None:
    day = ColombianDay.read(colombia)
    assert day.busiest_minute() == 19 * 60 + 21
    assert len(day.snapshot(day.busiest_minute()).orders) == 2


@pytest.mark.parametrize("clock", ["25:00", "19", "half past", "19:61", -1])
def test_a_moment_that_is_none_is_refused(colombia: Path, clock: str | int) -> None:
    with pytest.raises(InvalidInputError, match="minute"):
        ColombianDay.read(colombia).snapshot(clock)


def test_every_fault_of_the_files_is_listed_at_once(colombia: Path) -> None:
    for name, old, new in (
        ("orders", "19:35:00", "later"),
        ("orders", "-76.53,3.37", "-276.53,3.37"),
        ("couriers", "walking", "donkey"),
    ):
        path = colombia / f"{name}.csv.gz"
        text = gzip.decompress(path.read_bytes()).decode()
        assert old in text
        path.write_bytes(gzip.compress(text.replace(old, new).encode()))
    with pytest.raises(InvalidInputError) as refused:
        ColombianDay.read(colombia)
    assert {(p.path, p.ids) for p in refused.value.problems} == {
        ("orders.csv.gz.ready_time", ("2",)),
        ("orders.csv.gz.pick_up_lng", ("1",)),
        ("couriers.csv.gz.vehicle", ("1",)),
    }


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as refused:
        ColombianDay.read(tmp_path)
    assert [p.path for p in refused.value.problems] == ["orders.csv.gz", "couriers.csv.gz"]


def test_a_published_day_gives_valid_snapshots(public_data: Path) -> None:
    day = ColombianDay.read(public_data / "colombia" / "1")
    snapshot = day.snapshot(day.busiest_minute())
    validate(snapshot)
    assert len(snapshot.orders) > 100
    assert len(day.snapshot("23:59", waiting_minutes=1440).orders) == len(day.orders)
