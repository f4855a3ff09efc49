"""Bodies: what is not a usable request is refused by name, and nothing sent ever makes a 500."""

import copy
import json
import re
from contextlib import suppress
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.body import split_object
from api.errors import MalformedBodyError
from dispatch.errors import InvalidInputError

JSON = {"Content-Type": "application/json"}
COORDINATE = re.compile(rb'"(?:lat|lon)": ?"?(-?\d+\.\d+)')


def test_a_broken_snapshot_is_refused_by_the_name_of_its_field(
    client: TestClient, broken: Any
) -> None:
    answer = client.post("/assign", content=b'{"snapshot":' + broken.text + b"}", headers=JSON)
    problem = answer.json()
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == answer.status_code
    assert problem["instance"] == answer.headers["X-Request-ID"]
    if answer.status_code == 422:
        assert any(broken.path in entry["path"] for entry in problem["problems"]), problem
    else:
        assert broken.path == "snapshot"


def test_a_refusal_never_repeats_a_coordinate(client: TestClient, broken: Any) -> None:
    answer = client.post("/assign", content=b'{"snapshot":' + broken.text + b"}", headers=JSON)
    sent = {value.decode() for value in COORDINATE.findall(broken.text)}
    assert answer.status_code >= 400
    assert not [value for value in sent if value in answer.text]


def test_a_lenient_request_never_fails(client: TestClient, broken: Any) -> None:
    content = b'{"options":{"mode":"lenient"},"snapshot":' + broken.text + b"}"
    answer = client.post("/assign", content=content, headers=JSON)
    assert answer.status_code in (200, 400, 422)


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"[]", b"17", b'"text"', b"{", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,}', b"{,}",
     b'{"a":1 "b":2}', b"{1:2}", b'{"a":1}{}', b'{"a":1}x', b"\xff", b"\xef\xbb\xbf{}", b"{'a':1}",
     b"[" * 100_000, b'{"a":' * 100_000, b'{"options":' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
)  # fmt: skip
def test_what_is_not_one_json_object_is_a_400(client: TestClient, body: bytes) -> None:
    answer = client.post("/assign", content=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/malformed-json"


def test_members_are_cut_out_untouched() -> None:
    """Not one character of a member's text changes, whatever numbers it holds."""
    body = b' {"a" : [1.10, 1e999, -0.0, NaN] ,\n"\\u0062":{"x": "}" },"c":' + b"9" * 5000 + b"}\n"
    assert split_object(body) == {
        "a": "[1.10, 1e999, -0.0, NaN]",
        "b": '{"x": "}" }',
        "c": "9" * 5000,
    }
    assert split_object(b"{}") == {}


@pytest.mark.parametrize("body", [b'{"twice":1,"twice":1}', b'{"a":[{"twice":1,"b":2,"twice":3}]}'])
def test_a_field_given_twice_is_named(body: bytes) -> None:
    with pytest.raises(InvalidInputError) as refused:
        split_object(body)
    assert refused.value.problems[0].path == "twice"


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:0a \\', max_size=12).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_cutting_agrees_with_the_json_module(body: bytes) -> None:
    """Whatever is cut is JSON; whatever is refused is not a plain JSON object."""
    try:
        members = split_object(body)
    except InvalidInputError:
        return
    except MalformedBodyError:
        with suppress(ValueError):
            assert not isinstance(json.loads(body.decode()), dict)
    else:
        whole = json.loads(body)
        assert {name: json.loads(text) for name, text in members.items()} == whole


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "application/vnd.dispatch+json"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/jsonp"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ({}, 415),
    ],
)
def test_only_plain_json_is_read(
    client: TestClient, small_raw: dict[str, Any], header: dict[str, str], status: int
) -> None:
    content = json.dumps({"snapshot": small_raw}).encode()
    answer = client.post("/assign", content=content, headers=header)
    assert answer.status_code == status
    if status == 415:
        assert answer.json()["type"] == "/problems/media-type"


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "streamed"])
def test_a_body_that_is_too_large_is_refused(client: TestClient, announced: bool) -> None:
    """With a length it is refused by the announcement, without one while it is read."""
    read = 0

    def stream() -> Any:
        nonlocal read
        for _ in range(64):
            read += 1
            yield b" " * (1 << 16)

    content: Any = b" " * ((1 << 20) + 1) if announced else stream()
    answer = client.post("/assign", content=content, headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/too-large"


def test_a_deadline_above_the_servers_is_refused(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    body = {"snapshot": small_raw, "options": {"deadline_ms": 60_001}}
    answer = client.post("/assign", json=body)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["path"] == "options.deadline_ms"


def test_many_problems_are_counted_and_the_first_shown(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    small_raw["orders"][0] |= {f"x{i}": 1 for i in range(600)}
    problem = client.post("/assign", json={"snapshot": small_raw}).json()
    assert len(problem["problems"]) == 500
    assert "600 problems" in problem["detail"]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([
        0, -1, 1, 10**6, 10**18, 2**63, 10**400, 0.0, -0.0, 1e-300, 1e300, 5e-324, 90.0, -180.0,
        float("nan"), float("inf"), "", "x", "c1", "o1", "p1", "NaN", "1e400", "\x00", "é",
        "\ud800", "a\nb", "2026-03-06T18:30:00Z", "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1969-12-31T23:59:59Z", "2500-01-01T00:00:00Z", "UTC", "Factory", "weights", "knee",
        "lenient", "pickup", "car", [], {}, [[]], [{}],
    ]),
    st.floats(), st.integers(), st.text(max_size=8),
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        inner = [p for key, child in value.items() for p in _places(child, (*path, key))]
    elif isinstance(value, list):
        inner = [p for key, child in enumerate(value) for p in _places(child, (*path, key))]
    else:
        inner = []
    return [path, *inner] if path else inner


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_change_of_a_valid_body_makes_a_server_error(
    client: TestClient, small_raw: dict[str, Any], data: st.DataObject
) -> None:
    """One to three values replaced, removed or copied elsewhere: an answer or a refusal."""
    body: dict[str, Any] = copy.deepcopy(
        {
            "snapshot": small_raw,
            "options": {
                "operating_point": {"kind": "weights", "acceptance": 1.0, "fairness": 0.1},
                "deadline_ms": 5000,
                "include_frontier": False,
                "mode": data.draw(st.sampled_from(["strict", "lenient"])),
            },
        }
    )
    for _ in range(data.draw(st.integers(1, 3))):
        *parents, leaf = data.draw(st.sampled_from(_places(body)))
        place: Any = body
        for key in parents:
            place = place[key]
        match data.draw(st.sampled_from(["replace", "remove", "copy", "add"])):
            case "replace":
                place[leaf] = data.draw(VALUES)
            case "remove":
                del place[leaf]
            case "copy":
                source: Any = body
                for key in data.draw(st.sampled_from(_places(body))):
                    source = source[key]
                place[leaf] = copy.deepcopy(source)
            case "add" if isinstance(place, dict):
                place[data.draw(st.text(max_size=4))] = data.draw(VALUES)
    answer = client.post("/assign", content=json.dumps(body), headers=JSON)
    assert answer.status_code in (200, 400, 422), answer.text
