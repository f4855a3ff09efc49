"""Alive, ready and versions; a service without a model stays up and says why."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings


def test_a_ready_service_names_what_it_runs(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready", "model_version": "stub-logit-1"}
    running = client.get("/version").json()
    assert running["model"] == "stub-logit-1"
    assert running["snapshot_schema"] == "1.0"
    assert len(running["configuration"]) == 64
    assert "or-tools:min-cost-flow" in running["solver_engines"]
    assert running["libraries"]["ortools"]


@pytest.mark.parametrize("kind", ["unset", "missing", "not an artefact", "bad configuration"])
def test_without_a_usable_model_it_lives_is_not_ready_and_says_why(
    kind: str, tmp_path: Path, small_raw: dict[str, Any]
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text("{}")
    (tmp_path / "config.toml").write_text("[objective]\nacceptence = 1\n")
    settings, reason = {
        "unset": (Settings(), "DISPATCH_MODEL_DIR"),
        "missing": (Settings(model_dir=tmp_path / "none"), "none"),
        "not an artefact": (Settings(model_dir=tmp_path / "model"), "manifest"),
        "bad configuration": (
            Settings(model_dir=tmp_path / "model", config=tmp_path / "config.toml"),
            "acceptence",
        ),
    }[kind]
    with TestClient(create_app(settings)) as client:
        assert client.get("/livez").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert reason in ready.json()["detail"]
        refused = client.post("/assign", json={"snapshot": small_raw})
        assert refused.status_code == 503
        assert refused.json()["type"] == "/problems/not-ready"
        assert client.get("/version").json()["model"] is None


def test_unknown_paths_and_methods_are_problem_documents(client: TestClient) -> None:
    for answer, status in ((client.get("/nowhere"), 404), (client.put("/assign"), 405)):
        assert answer.status_code == answer.json()["status"] == status
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert client.put("/assign").headers["Allow"] == "POST"
