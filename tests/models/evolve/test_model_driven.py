"""A language model proposes, through OpenEvolve, and the same gates and clock decide."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from models.kernels.evolve.judge import Judge
from models.kernels.evolve.model_driven import (
    BEGINS,
    ENDPOINT,
    ENDS,
    KEY,
    MODEL,
    EndpointError,
    evaluate_file,
    rewrite,
    settings,
)
from models.kernels.evolve.render import free_block
from models.kernels.evolve.search import CANDIDATES, Ledger

RIGHT = free_block().replace("UNROLLED(UNROLL)", "UNROLLED(2)")
WRONG = free_block().replace("AT(1)", "AT(2)")


class Endpoint(BaseHTTPRequestHandler):
    """Answers chat completions with what a model might write: right and wrong by turns."""

    asked: ClassVar[list[dict[str, object]]] = []
    keys: ClassVar[list[str | None]] = []

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.asked.append(json.loads(self.rfile.read(length)))
        self.keys.append(self.headers["Authorization"])
        body = RIGHT if len(self.asked) % 2 else WRONG
        text = f"Faster:\n```c\n{BEGINS}\n{body}{ENDS}\n```"
        message = {"role": "assistant", "content": text}
        answer = {
            "id": "1", "object": "chat.completion", "created": 0, "model": "stand-in",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }  # fmt: skip
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Print nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    Endpoint.asked.clear()
    Endpoint.keys.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_endpoint_and_key_come_from_the_environment_and_nowhere_else() -> None:
    with pytest.raises(EndpointError, match=f"set {ENDPOINT}, {KEY}, {MODEL}"):
        settings({})
    given = {ENDPOINT: "http://here/v1", KEY: "k", MODEL: "m"}
    assert settings(given) == {"api_base": "http://here/v1", "api_key": "k", "name": "m"}


def test_proposals_are_judged_by_the_same_gates(judge: Judge, folder: Path, tmp_path: Path) -> None:
    """A right one is timed, a wrong one scores 0 and is said to be rejected."""
    found = []
    for text in (RIGHT, WRONG):
        program = tmp_path / "program.c"
        program.write_text(f"{BEGINS}\n{text}{ENDS}\n")
        found.append(evaluate_file(str(program), str(folder)))
    assert found[0]["combined_score"] > 0.0
    assert not found[0]["rejected"]
    assert found[1] == {"combined_score": 0.0, "rejected": 1.0}
    gates = {outcome.gate for _, outcome in Ledger(folder / CANDIDATES).entries()}
    assert gates == {"", "reference"}


@pytest.mark.skipif(
    importlib.util.find_spec("openevolve") is None, reason="needs pip install openevolve"
)
def test_openevolve_asks_the_endpoint_and_its_proposals_reach_our_ledger(
    judge_of: Callable[..., Judge], folder: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: our prompt to an endpoint in this process, its text through our gates."""
    judge_of()
    (folder / CANDIDATES).unlink(missing_ok=True)
    chosen = {ENDPOINT: endpoint, KEY: "secret", MODEL: "stand-in"}
    # Its workers are processes of their own, which find our packages as this one does.
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    )
    rewrite(folder, iterations=2, environment=chosen)
    assert Endpoint.keys
    assert set(Endpoint.keys) == {"Bearer secret"}
    assert "run_ops" in json.dumps(Endpoint.asked[0])
    entries = Ledger(folder / CANDIDATES).entries()
    proposed = {genome.free.strip() for genome, _ in entries}
    assert RIGHT.strip() in proposed
    assert len(proposed) >= 2
