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
