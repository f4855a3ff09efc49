"""POST /assign decides exactly what `Dispatcher.assign` decides."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from dispatch.domain import Snapshot
from dispatch.pipeline import Dispatcher
from dispatch.result import Plan
from dispatch.snapshot import read_snapshot, to_json


def _post(client: TestClient, raw: dict[str, Any], **options: Any) -> Any:
    return client.post("/assign", json={"snapshot": raw, "options": options})


def test_a_file_and_a_request_get_the_same_plan_byte_for_byte(
    client: TestClient, dispatcher: Dispatcher, small_snapshot: Snapshot, tmp_path: Path
) -> None:
    text = to_json(small_snapshot)
    file = tmp_path / "snapshot.json"
    file.write_text(text)
    by_file = dispatcher.assign(read_snapshot(file))
    answer = client.post(
        "/assign",
        content=f'{{"snapshot": {text}}}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 200
    assert Plan.from_json(answer.content).to_json(timings=False) == by_file.to_json(timings=False)
    # the plan is sent as it was written, not parsed and written again
    assert answer.text == Plan.from_json(answer.content).to_json()


def test_every_order_of_the_request_is_accounted_for(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    plan = _post(client, small_raw).json()
    places = [name for offer in plan["offers"] for name in offer["order_ids"]]
    places += [
        entry["order_id"] for room in ("unassigned", "held", "locked") for entry in plan[room]
    ]
    assert sorted(places) == ["o1", "o2", "o3", "o4", "o5", "o6"]
    assert plan["request_id"] == "small-1"
    assert plan["frontier"] is None


def test_the_frontier_comes_along_when_asked_for(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    plan = _post(client, small_raw, include_frontier=True).json()
    assert len(plan["frontier"]["points"]) >= 2
    assert plan["solver"]["operating_point"] == "weights"


def test_the_knee_is_one_of_the_frontiers_points(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    plan = _post(client, small_raw, operating_point={"kind": "knee"}).json()
    knees = [point for point in plan["frontier"]["points"] if point["knee"]]
    assert len(knees) == 1
    assert plan["solver"]["weights"] == knees[0]["weights"]


def test_weights_of_the_request_replace_the_configurations(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    point = {"kind": "weights", "fairness": 7.5}
    plan = _post(client, small_raw, operating_point=point).json()
    assert plan["solver"]["weights"]["fairness"] == pytest.approx(7.5)
    assert plan["solver"]["weights"]["acceptance"] == pytest.approx(1.0)


def test_a_bound_is_kept(client: TestClient, small_raw: dict[str, Any]) -> None:
    free = _post(client, small_raw).json()["objectives"]["fairness_spread"]
    fairest = min(
        p["fairness_spread"]
        for p in client.post("/frontier", json={"snapshot": small_raw}).json()["points"]
    )
    limit = (free + fairest) / 2
    point = {"kind": "bound", "objective": "fairness", "limit": limit}
    answer = _post(client, small_raw, operating_point=point)
    assert answer.status_code == 200, answer.text
    assert answer.json()["objectives"]["fairness_spread"] <= limit + 1e-6


def test_a_bound_no_plan_meets_is_refused_with_what_is_attainable(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    point = {"kind": "bound", "objective": "acceptance", "limit": 6.0}
    answer = _post(client, small_raw, operating_point=point)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "/problems/unattainable-bound"
    assert problem["problems"][0]["path"] == "options.operating_point.limit"
    assert "at least 6 expected orders" in problem["problems"][0]["message"]


@pytest.mark.parametrize("empty", ["orders", "couriers"])
def test_an_empty_side_is_a_plan_without_offers(
    client: TestClient, small_raw: dict[str, Any], empty: str
) -> None:
    small_raw[empty] = []
    for courier in small_raw["couriers"]:
        courier["pending_offers"] = []
    answer = _post(client, small_raw)
    assert answer.status_code == 200, answer.text
    assert answer.json()["offers"] == []


def test_lenient_sets_the_broken_row_aside_and_decides_the_rest(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    small_raw["orders"][0]["pay"] = "-1"
    assert _post(client, small_raw).status_code == 422
    plan = _post(client, small_raw, mode="lenient").json()
    rejected = [u["order_id"] for u in plan["unassigned"] if u["reason"] == "rejected_input"]
    assert rejected == ["o1"]
    assert len(plan["offers"]) == 4
    assert any("orders[*].pay" in warning for warning in plan["warnings"])


def test_problems_of_snapshot_and_options_come_together(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    small_raw["orders"][0]["size"] = -1
    small_raw["currency"] = "euro"
    body = {"snapshot": small_raw, "options": {"deadline_ms": 0, "modus": 1}, "extra": 1}
    problem = client.post("/assign", json=body).json()
    assert {entry["path"] for entry in problem["problems"]} == {
        "snapshot.orders[*].size",
        "snapshot.currency",
        "options.deadline_ms",
        "options.modus",
        "extra",
    }


def test_an_unknown_operating_point_is_refused_without_repeating_it(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    answer = _post(client, small_raw, operating_point={"kind": "48.203917"})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["path"].startswith("options.operating_point")
    assert "48.203917" not in answer.text


def test_weights_that_are_all_zero_are_refused_by_name(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    zero = dict.fromkeys(("acceptance", "delivery_time", "lateness", "fairness"), 0.0)
    answer = _post(client, small_raw, operating_point={"kind": "weights", **zero})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["path"].startswith("options.operating_point")
