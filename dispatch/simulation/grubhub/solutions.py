"""The public solution files, so that the published evaluator can score a run."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from dispatch.simulation.grubhub.record import Departure, GrubhubRun

_HEADS = {
    "solution_info_assignments.txt": "assignment_time pickup_time courier order",
    "solution_info_orders.txt": "order placement_time ready_time pickup_time dropoff_time courier",
    "solution_info_couriers.txt": "courier departure_time origin destination",
}


def write_solution(run: GrubhubRun, folder: str | Path) -> None:
    """Write the three files into a folder, which is made where it does not exist.

    Space-separated below their header lines; times are minutes, whole ones without a point. The
    departures of a courier stand together in their sequence, as the evaluator wants them.
    """
    rows: tuple[Iterable[Sequence[str | float]], ...] = (
        ((a.assigned_min, a.pickup_min, a.courier, *a.orders) for a in run.assignments),
        (
            (d.order, d.placed_min, d.ready_min, d.pickup_min, d.dropoff_min, d.courier)
            for d in run.deliveries
        ),
        (
            (d.courier, d.departure_min, d.origin, d.destination)
            for d in sorted(run.departures, key=_by_courier)
        ),
    )
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for (name, head), table in zip(_HEADS.items(), rows, strict=True):
        lines = [head, *(" ".join(map(_text, row)) for row in table)]
        (place / name).write_text("\n".join(lines) + "\n")


def _text(cell: str | float) -> str:
    return cell if isinstance(cell, str) else f"{cell:.10g}"


def _by_courier(departure: Departure) -> tuple[str, float]:
    return departure.courier, departure.departure_min
