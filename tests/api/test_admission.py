"""Slow work never blocks the service, and what it cannot take it turns away."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Semaphore
from typing import Any

import anyio
import pytest
from starlette.types import Message

WAIT_S = 10.0


class Gate:
    """Holds every prediction until opened; `begun` counts those that arrived."""

    def __init__(self) -> None:
        self.begun = Semaphore(0)
        self._open = Event()

    def __call__(self) -> None:
        self.begun.release()
        self._open.wait(WAIT_S)

    def arrived(self) -> bool:
        return self.begun.acquire(timeout=WAIT_S)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Open at the end, whatever fails inside."""
        try:
            yield
        finally:
            self._open.set()


def _assign(client: Any, raw: dict[str, Any], **options: Any) -> Any:
    return client.post("/assign", json={"snapshot": raw, "options": options})


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_livez_answers_while_a_slow_solve_runs(make_client: Any, small_raw: dict[str, Any]) -> None:
    gate = Gate()
    client = make_client(gate)
    with ThreadPoolExecutor() as pool, gate.held():
        slow = pool.submit(_assign, client, small_raw)
        assert gate.arrived()
        start = time.monotonic()
        assert client.get("/livez").status_code == 200
        assert time.monotonic() - start < 1.0
        assert not slow.done()
    assert slow.result().status_code == 200


def test_a_full_house_turns_away_and_says_when_to_come_back(
    make_client: Any, small_raw: dict[str, Any]
) -> None:
    """One works, one waits, the third is refused at once; the other two are served."""
    gate = Gate()
    client = make_client(gate, max_concurrent=1, max_queued=1)
    admission = client.app.state.service.admission
    with ThreadPoolExecutor() as pool, gate.held():
        served = [pool.submit(_assign, client, small_raw)]
        assert gate.arrived()
        served.append(pool.submit(_assign, client, small_raw))
        _until(lambda: admission.inside == 2)
        refused = _assign(client, small_raw)
    assert refused.status_code == 503
    assert refused.json()["type"] == "/problems/overloaded"
    assert int(refused.headers["Retry-After"]) >= 1
    assert [answer.result().status_code for answer in served] == [200, 200]
    assert admission.inside == 0
    assert _assign(client, small_raw).status_code == 200


def test_no_more_than_max_concurrent_are_worked_on_at_once(
    make_client: Any, small_raw: dict[str, Any]
) -> None:
    gate = Gate()
    client = make_client(gate, max_concurrent=2, max_queued=4)
    admission = client.app.state.service.admission
    with ThreadPoolExecutor() as pool, gate.held():
        answers = [pool.submit(_assign, client, small_raw) for _ in range(5)]
        _until(lambda: admission.inside == 5)
        assert gate.arrived()
        assert gate.arrived()
        assert not gate.begun.acquire(timeout=0.1)
    assert [answer.result().status_code for answer in answers] == [200] * 5


def test_a_bad_request_is_told_so_while_all_workers_are_busy(
    make_client: Any, small_raw: dict[str, Any]
) -> None:
    gate = Gate()
    client = make_client(gate, max_concurrent=1)
    with ThreadPoolExecutor() as pool, gate.held():
        slow = pool.submit(_assign, client, small_raw)
        assert gate.arrived()
        assert client.post("/assign", json={}).status_code == 422
        assert not slow.done()


def test_waiting_past_the_deadline_is_a_504_and_nothing_is_begun(
    make_client: Any, small_raw: dict[str, Any]
) -> None:
    gate = Gate()
    client = make_client(gate, max_concurrent=1)
    with ThreadPoolExecutor() as pool, gate.held():
        slow = pool.submit(_assign, client, small_raw)
        assert gate.arrived()
        late = _assign(client, small_raw, deadline_ms=50)
        assert late.status_code == 504
        assert late.json()["type"] == "/problems/deadline-passed"
        assert not gate.begun.acquire(blocking=False)
    assert slow.result().status_code == 200


def test_the_deadline_counts_from_arrival_and_is_handed_down(
    make_client: Any, small_raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    dispatcher = client.app.state.service.dispatcher
    left: list[float] = []

    def assign(intake: Any, *, deadline: Any, **_: Any) -> Any:
        left.append(deadline.remaining())
        return type(dispatcher).assign(dispatcher, intake)

    monkeypatch.setattr(dispatcher, "assign", assign)
    assert _assign(client, small_raw, deadline_ms=1500).status_code == 200
    assert _assign(client, small_raw).status_code == 200
    assert 1.0 < left[0] < 1.5
    assert 4.0 < left[1] < 5.0


def test_a_body_that_trickles_in_loses_its_place(make_client: Any) -> None:
    client = make_client(max_deadline_ms=60, default_deadline_ms=50)

    sent: list[Message] = []

    async def receive() -> Message:
        await anyio.sleep(0.02)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/assign",
        "raw_path": b"/assign",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "http_version": "1.1",
        "scheme": "http",
    }
    client.portal.call(client.app, scope, receive, send)
    assert sent[0]["status"] == 504
    assert client.app.state.service.admission.inside == 0
