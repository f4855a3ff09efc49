"""From the bytes of a request to a snapshot and options, with every problem found at once.

The snapshot's own text is cut out of the body untouched and read by `dispatch.snapshot`, so a
snapshot means the same, and is refused in the same words, over HTTP and from a file.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from api.errors import BodyTooLargeError, MalformedBodyError, MediaTypeError
from api.schemas import AssignOptions, FrontierOptions
from dispatch.errors import InvalidInputError, Problem
from dispatch.jsontext import STRUCTURE, RepeatedFieldError
from dispatch.snapshot import Intake, parse_snapshot
from dispatch.validate import structural_findings

Options = TypeVar("Options", AssignOptions, FrontierOptions)

_FIELDS = ("snapshot", "options")
_SPACE = re.compile(r"[ \t\n\r]*")
_JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json(?:\s*;\s*charset=\"?utf-8\"?)?\s*", re.I)
_MAX_NAME = 128  # of a field name the sender made up, in an error


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Read a JSON body as it is, refusing what is too large as soon as that is known.

    Raises
    ------
    MediaTypeError, BodyTooLargeError
        Before the rest of the body is read.
    MalformedBodyError
        The sender left.
    """
    encoding = request.headers.get("content-encoding", "identity").lower()
    media_type = request.headers.get("content-type", "")
    if encoding != "identity" or not _JSON_TYPE.fullmatch(media_type):
        raise MediaTypeError("send application/json in UTF-8, without content encoding")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > max_bytes:
        raise BodyTooLargeError(f"the body may have at most {max_bytes} bytes")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise BodyTooLargeError(f"the body may have at most {max_bytes} bytes")
    except ClientDisconnect:
        raise MalformedBodyError("the connection ended before the body") from None
    return bytes(body)


def parse_body(
    body: bytes, adapter: TypeAdapter[Options], default_deadline_ms: int, max_deadline_ms: int
) -> tuple[Intake, Options, int]:
    """Read snapshot, options and the deadline in milliseconds out of a request's body.

    Raises
    ------
    MalformedBodyError
        The body is not one JSON object.
    InvalidInputError
        Everything wrong with snapshot and options; paths start with `snapshot` or `options`.
    """
    members = split_object(body)
    problems = [
        Problem(name[:_MAX_NAME], "unknown field; remove it or check its spelling")
        for name in members
        if name not in _FIELDS
    ]
    options = adapter.validate_json("{}")
    try:
        options = adapter.validate_json(members.get("options", "{}"))
    except ValidationError as error:
        found = (Problem(f.path, f.message) for f in structural_findings(error))
        problems += prefixed("options", found)
    deadline_ms = options.deadline_ms or default_deadline_ms
    if deadline_ms > max_deadline_ms:
        message = f"must be less than or equal to {max_deadline_ms}"
        problems.append(Problem("options.deadline_ms", message))
    intake: Intake | None = None
    if "snapshot" not in members:
        problems.append(Problem("snapshot", "required field is missing"))
    else:
        try:
            # cutting the body up has walked the snapshot already
            intake = parse_snapshot(members["snapshot"], options.mode, unrepeated=True)
        except InvalidInputError as error:
            problems += prefixed("snapshot", error.problems)
    if intake is None or problems:
        raise InvalidInputError("request", problems)
    return intake, options, deadline_ms


def prefixed(part: str, problems: Iterable[Problem]) -> list[Problem]:
    """Name problems from the top of the request; a whole part calls itself `snapshot`."""
    return [replace(p, path=part if p.path == "snapshot" else f"{part}.{p.path}") for p in problems]


def split_object(body: bytes) -> dict[str, str]:
    """Cut a JSON object into the untouched texts of its members.

    Raises
    ------
    MalformedBodyError
        Not UTF-8, not JSON, not an object, or nested too deeply.
    InvalidInputError
        A field appears twice in one object, where readers differ on which one counts.
    """
    try:
        return dict(_members(body.decode()))
    except RepeatedFieldError as error:
        raise InvalidInputError("request", [error.problem]) from None
    except UnicodeDecodeError:
        raise MalformedBodyError("the body is not UTF-8") from None
    except RecursionError:
        raise MalformedBodyError("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise MalformedBodyError(f"the body is not one JSON object: error at {place}") from None


def _members(text: str) -> Iterator[tuple[str, str]]:
    at = _expect(text, "{", 0)
    names: set[str] = set()
    while text[at : at + 1] != "}":
        if names:
            at = _expect(text, ",", at)
        name, end = STRUCTURE.raw_decode(text, at)
        if not isinstance(name, str):
            raise json.JSONDecodeError("field name expected", text, at)
        if name in names:
            raise RepeatedFieldError(name)
        names.add(name)
        at = _expect(text, ":", end)
        _, end = STRUCTURE.raw_decode(text, at)
        yield name, text[at:end]
        at = _skip_space(text, end)
    if _skip_space(text, at + 1) != len(text):
        raise json.JSONDecodeError("end expected", text, at + 1)


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _expect(text: str, mark: str, at: int) -> int:
    """Place after a mark and the space around it."""
    at = _skip_space(text, at)
    if text[at : at + 1] != mark:
        raise json.JSONDecodeError(f"{mark} expected", text, at)
    return _skip_space(text, at + 1)
