"""The public solution files are written exactly, and a lived day is read off its events."""

from pathlib import Path

from dispatch.datasets.grubhub import GrubhubInstance
from dispatch.simulation import AlwaysAccept, Environment
from dispatch.simulation.grubhub import GrubhubRun, check_run, write_solution
from dispatch.simulation.grubhub.policies import rolling_horizon


def test_the_files_are_those_of_the_public_evaluator(good: GrubhubRun, tmp_path: Path) -> None:
    write_solution(good, tmp_path / "out")
    text = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert text == {
        "solution_info_assignments.txt": (
            "assignment_time pickup_time courier order\n2 12 c1 o1 o2\n27 34 c1 o3\n"
        ),
        "solution_info_orders.txt": (
            "order placement_time ready_time pickup_time dropoff_time courier\n"
            "o1 0 10 12 19 c1\no2 2 12 12 25 c1\no3 20 25 34 40 c1\n"
        ),
        "solution_info_couriers.txt": (
            "courier departure_time origin destination\n"
            "c1 2 0 r1\nc1 14 r1 o1\nc1 21 o1 o2\nc1 27 o2 r2\nc1 36 r2 o3\n"
        ),
    }


def test_departures_of_a_courier_stand_together(good: GrubhubRun, tmp_path: Path) -> None:
    from dataclasses import replace

    mixed = replace(good, departures=tuple(reversed(good.departures)))
    write_solution(mixed, tmp_path)
    write_solution(good, tmp_path / "as it was")
    name = "solution_info_couriers.txt"
    assert (tmp_path / name).read_text() == (tmp_path / "as it was" / name).read_text()


def test_a_lived_day_keeps_the_rules_and_is_the_one_worked_out(
    tiny: GrubhubInstance, good: GrubhubRun
) -> None:
    """Told as late as is safe: c1 leaves at 5 and need not wait for o2.

    Only then does the day differ from the one worked out, where c1 was told at 2.
    """
    day = tiny.day()
    log = Environment(day, rolling_horizon(day), AlwaysAccept()).run()
    run = GrubhubRun.of_log(tiny, log)
    assert check_run(run, tiny) == []
    assert run.deliveries == good.deliveries
    assert [(a.assigned_min, a.orders) for a in run.assignments] == [
        (5, ("o1", "o2")),
        (27, ("o3",)),
    ]
    assert [d.departure_min for d in run.departures] == [5, 14, 21, 27, 36]
