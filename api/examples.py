"""Worked examples: each is published in the OpenAPI document and accepted by the service."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from dispatch.domain import Capacity, Courier, Handover, Location, Order, PastWork, Snapshot

_NOW = datetime(2026, 1, 31, 18, 0, tzinfo=UTC)
_SNAPSHOT = TypeAdapter(Snapshot)


def _order(name: str, pickup: Location, dropoff: Location, pay: str) -> Order:
    return Order(
        id=name,
        pickup=Handover(pickup, service_before_s=120.0, service_after_s=30.0),
        dropoff=Handover(dropoff, service_before_s=60.0, service_after_s=30.0),
        placed_at=_NOW - timedelta(minutes=3),
        ready_at=_NOW + timedelta(minutes=7),
        due_at=_NOW + timedelta(minutes=37),
        pay=Decimal(pay),
    )


def example_snapshot() -> Snapshot:
    """Two orders and two couriers in Paris."""
    return Snapshot(
        now=_NOW,
        timezone="Europe/Paris",
        city_id="paris",
        orders=(
            _order("order-1", Location(48.8606, 2.3376), Location(48.8530, 2.3499), "5.20"),
            _order("order-2", Location(48.8656, 2.3212), Location(48.8738, 2.2950), "6.10"),
        ),
        couriers=(
            Courier(
                id="courier-1",
                position=Location(48.8582, 2.3470),
                capacity=Capacity(orders=2),
                past_work=PastWork(orders=3, online_s=5400, offers=5, acceptances=3),
            ),
            Courier(
                id="courier-2",
                position=Location(48.8670, 2.3300),
                capacity=Capacity(orders=2),
                past_work=PastWork(orders=1, online_s=3600, offers=1, acceptances=1),
            ),
        ),
    )


def _example(summary: str, options: dict[str, Any]) -> dict[str, Any]:
    raw = _SNAPSHOT.dump_python(example_snapshot(), mode="json", exclude_defaults=True)
    return {"summary": summary, "value": {"snapshot": raw, "options": options}}


ASSIGN_EXAMPLES: dict[str, dict[str, Any]] = {
    "default": _example("The configuration's weights", {}),
    "weights": _example(
        "Own weights: per order accepted, per minute to the door, per unit of spread",
        {
            "operating_point": {
                "kind": "weights",
                "acceptance": 1.0,
                "delivery_time": 0.05,
                "fairness": 0.1,
            },
            "deadline_ms": 2000,
        },
    ),
    "bound": _example(
        "A limit: at most 90 expected minutes of delivery time over all waiting orders",
        {"operating_point": {"kind": "bound", "objective": "delivery_time", "limit": 90.0}},
    ),
    "knee": _example(
        "The knee of the efficiency-fairness frontier, with the frontier",
        {"operating_point": {"kind": "knee"}, "include_frontier": True},
    ),
    "hours": _example(
        "Hours of work shared evenly, nobody busy for more than 54 minutes of an hour",
        {"fairness": {"notion": "hours", "max_per_hour": 0.9}},
    ),
    "lenient": _example("Set broken rows aside", {"mode": "lenient"}),
}
FRONTIER_EXAMPLES: dict[str, dict[str, Any]] = {
    "default": _example("The configuration's number of points", {}),
    "coarse": _example("Five points in two seconds", {"points": 5, "deadline_ms": 2000}),
    "exact": _example("Every non-dominated plan there is", {"method": "exact"}),
}
