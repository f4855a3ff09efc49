"""A running service with the stub model."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings
from dispatch.pipeline import Dispatcher

MakeClient = Callable[..., TestClient]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPATCH_MODEL_DIR", "DISPATCH_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_client(make_stub_model: Any) -> Iterator[MakeClient]:
    """Start a service; keywords are settings, `before` is called ahead of every prediction."""
    running: list[TestClient] = []

    def start(before: Callable[[], None] = lambda: None, **settings: Any) -> TestClient:
        app = create_app(Settings(**settings), Dispatcher(make_stub_model(before)))
        client = TestClient(app)
        client.__enter__()
        running.append(client)
        return client

    yield start
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture(scope="session")
def client(dispatcher: Dispatcher) -> Iterator[TestClient]:
    """One service for all tests that leave it as it was."""
    with TestClient(create_app(Settings(max_body_bytes=1 << 20), dispatcher)) as running:
        yield running
