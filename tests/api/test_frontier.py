"""POST /frontier sweeps the trade-off of one snapshot."""

from typing import Any

from fastapi.testclient import TestClient


def test_points_run_from_the_most_efficient_to_the_fairest(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    body = {"snapshot": small_raw, "options": {"points": 7}}
    report = client.post("/frontier", json=body).json()
    points = report["points"]
    assert report["complete"]
    assert 2 <= len(points) <= 7
    efficiency = [point["efficiency"] for point in points]
    spread = [point["fairness_spread"] for point in points]
    assert efficiency == sorted(efficiency)
    assert spread == sorted(spread, reverse=True)


def test_method_and_fairness_are_options(client: TestClient, small_raw: dict[str, Any]) -> None:
    options = {"method": "exact", "points": 9, "fairness": {"notion": "orders"}}
    body = {"snapshot": small_raw, "options": options}
    report = client.post("/frontier", json=body).json()
    assert report["method"] == "exact" or "cannot be had" in report["note"]
    assert report["points"][0]["spread_removed"] == 0.0
    hours = {"snapshot": small_raw, "options": {"fairness": {"notion": "hours"}}}
    assert client.post("/frontier", json=hours).json()["fairness_unit"] == "h²/h"
    plan = client.post("/assign", json=hours).json()
    assert "hours of work" in plan["objectives"]["fairness_notion"]


def test_too_few_points_are_refused(client: TestClient, small_raw: dict[str, Any]) -> None:
    answer = client.post("/frontier", json={"snapshot": small_raw, "options": {"points": 2}})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["path"] == "options.points"


def test_a_broken_snapshot_is_refused_as_by_assign(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    small_raw["timezone"] = "Europe/Wien"
    answers = [
        client.post(path, json={"snapshot": small_raw}).json() for path in ("/assign", "/frontier")
    ]
    assert answers[0]["problems"] == answers[1]["problems"]
