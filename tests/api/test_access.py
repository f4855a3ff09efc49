"""Request ids and logs: every request leaves one line, and no line holds a location."""

import json
import logging
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

LOCATION = re.compile(r"48\.\d|16\.3")


def test_a_harmless_request_id_is_echoed_and_a_harmful_one_replaced(client: TestClient) -> None:
    sent = {"X-Request-ID": "epoch-17.a"}
    assert client.get("/livez", headers=sent).headers["X-Request-ID"] == "epoch-17.a"
    for harmful in ("a b", "x" * 129, '"}{"', ""):
        answer = client.get("/livez", headers={"X-Request-ID": harmful})
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_one_line_for_each_request_without_body_query_or_location(
    client: TestClient, small_raw: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "api"):
        client.post("/assign", json={"snapshot": small_raw}, headers={"X-Request-ID": "r1"})
        client.get("/near/48.2083,16.3725?lat=48.2083")
    lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == "api.access"]
    assert [(e["method"], e["route"], e["status"]) for e in lines] == [
        ("POST", "/assign", 200),
        ("GET", "-", 404),
    ]
    assert lines[0]["request_id"] == "r1"
    assert lines[0]["ms"] > 0
    assert not LOCATION.search("".join(str(e | {"ms": 0}) for e in lines))


def test_a_fault_of_ours_says_nothing_but_its_request_id(
    make_client: Any, small_raw: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The stack is logged; the exception's text, which may quote the input, is not."""

    place = "48.2083, 16.3725"

    def fail() -> None:
        raise RuntimeError(f"no road at {place}")

    client = make_client(fail)
    answer = client.post("/assign", json={"snapshot": small_raw}, headers={"X-Request-ID": "r2"})
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "/problems/internal"
    assert problem["instance"] == "r2"
    assert "RuntimeError" not in answer.text
    errors = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "r2: RuntimeError" in errors[0]
    assert "predict_proba" in errors[0]
    assert not any(
        LOCATION.search(r.getMessage()) for r in caplog.records if r.name != "api.access"
    )
    assert "48.2083" not in caplog.text
