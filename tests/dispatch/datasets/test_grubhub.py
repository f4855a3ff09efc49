"""Grubhub instances are read strictly and seen by the instance's own rules."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from dispatch.datasets import GrubhubInstance
from dispatch.datasets.grubhub import MIDNIGHT
from dispatch.errors import InvalidInputError
from dispatch.tables import tabulate
from dispatch.travel import great_circle_m
from dispatch.validate import validate


def test_orders_of_the_last_ten_minutes_wait_and_none_placed_later(grubhub: Path) -> None:
    snapshot = GrubhubInstance.read(grubhub).snapshot(20)
    validate(snapshot)
    assert [o.id for o in snapshot.orders] == ["o2", "o3"]
    assert {o.merchant_id for o in snapshot.orders} == {"r1"}
    assert snapshot.orders[0].pickup.location == snapshot.orders[1].pickup.location
    assert [o.id for o in GrubhubInstance.read(grubhub).snapshot(20, 16).orders] == [
        "o1",
        "o2",
        "o3",
    ]


def test_couriers_on_shift_are_online_where_they_logged_on(grubhub: Path) -> None:
    snapshot = GrubhubInstance.read(grubhub).snapshot(20)
    assert [c.id for c in snapshot.couriers] == ["c1", "c2"]
    assert snapshot.couriers[0].shift_end == MIDNIGHT + timedelta(minutes=60)
    assert not any(c.on_board for c in snapshot.couriers)


def test_legs_take_whole_minutes_rounded_up(grubhub: Path) -> None:
    matrix = GrubhubInstance.read(grubhub).snapshot(20).travel_matrix
    assert matrix is not None
    row = {name: i for i, name in enumerate(matrix.location_ids)}
    seconds, metres = matrix.classes[0].seconds, matrix.classes[0].metres
    c1, r1, o2 = row["courier/c1"], row["restaurant/r1"], row["dropoff/o2"]
    assert seconds[c1][r1] == 5 * 60
    assert seconds[r1][o2] == 60
    assert seconds[c1][o2] == 6 * 60
    assert seconds[c1][c1] == 0
    assert metres[c1][r1] == 500
    assert sorted(row) == ["courier/c1", "courier/c2", "dropoff/o2", "dropoff/o3", "restaurant/r1"]


def test_an_order_carries_the_instances_times_service_and_pay(grubhub: Path) -> None:
    order = GrubhubInstance.read(grubhub).snapshot(20).orders[0]
    assert order.placed_at == MIDNIGHT + timedelta(minutes=11)
    assert order.ready_at == MIDNIGHT + timedelta(minutes=22)
    assert order.due_at == order.placed_at + timedelta(minutes=40)
    for place in (order.pickup, order.dropoff):
        assert (place.service_before_s, place.service_after_s) == (120, 120)
    assert order.pay == 10


def test_the_busiest_minute_is_the_first_with_most_orders_waiting(grubhub: Path) -> None:
    instance = GrubhubInstance.read(grubhub)
    assert instance.busiest_minute() == 11  # o1 and o2; two wait at 20 and at 21 as well
    assert instance.busiest_minute(waiting_minutes=60) == 21


def test_a_moment_with_nobody_and_nothing_is_an_empty_snapshot(grubhub: Path) -> None:
    snapshot = GrubhubInstance.read(grubhub).snapshot(1_000)
    validate(snapshot)
    assert not snapshot.orders
    assert not snapshot.couriers


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new", "path", "ids"),
    [
        ("orders", "o3\t300", "o2\t300", "orders.txt.order", ("o2",)),
        ("orders", "o3\t300", "o3\tleft", "orders.txt.x", ("o3",)),
        ("orders", "20\tr1", "20\tr9", "orders.txt.restaurant", ("o3",)),
        ("orders", "20\tr1\t30", "20\tr1\t19", "orders.txt.ready_time", ("o3",)),
        ("orders", "ready_time", "ready", "orders.txt.ready_time", ()),
        ("couriers", "20\t80", "20\t20", "couriers.txt.off_time", ("c2",)),
        ("restaurants", "r2\t0", "r2\tinf", "restaurants.txt.x", ("r2",)),
        (
            "instance_parameters",
            "\n100",
            "\n0",
            "instance_parameters.txt.metres_per_minute",
            (),
        ),
    ],
)
def test_a_fault_is_named_by_file_column_and_id(
    grubhub: Path, file: str, old: str, new: str, path: str, ids: tuple[str, ...]
) -> None:
    edit(grubhub / f"{file}.txt", old, new)
    with pytest.raises(InvalidInputError) as refused:
        GrubhubInstance.read(grubhub)
    (problem,) = refused.value.problems
    assert (problem.path, problem.ids) == (path, ids)


def test_missing_files_and_faults_are_listed_together(grubhub: Path) -> None:
    (grubhub / "couriers.txt").unlink()
    (grubhub / "instance_parameters.txt").unlink()
    edit(grubhub / "orders.txt", "o1\t0", "o1\t")
    with pytest.raises(InvalidInputError) as refused:
        GrubhubInstance.read(grubhub)
    assert {p.path for p in refused.value.problems} == {
        "couriers.txt",
        "instance_parameters.txt",
        "orders.txt.x",
    }


def test_a_window_that_is_none_is_refused(grubhub: Path) -> None:
    with pytest.raises(InvalidInputError, match="waiting_minutes"):
        GrubhubInstance.read(grubhub).snapshot(20, 0)


@pytest.mark.parametrize("name", ["0o50t100s1p100", "9o50t100s2p125"])
def test_published_instances_give_valid_snapshots_on_a_faithful_globe(
    public_data: Path, name: str
) -> None:
    instance = GrubhubInstance.read(public_data / "grubhub" / name)
    snapshot = instance.snapshot(instance.busiest_minute())
    validate(snapshot)
    assert len(snapshot.orders) >= 10
    assert snapshot.travel_matrix is not None
    at = tabulate(snapshot).couriers.position
    one, other = at[np.arange(len(at) - 1)], at[np.arange(1, len(at))]
    metres = np.array(snapshot.travel_matrix.classes[0].metres)[one.row, other.row]
    np.testing.assert_allclose(great_circle_m(one, other), metres, rtol=0.005, atol=0.01)
