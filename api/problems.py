"""Every refusal as an RFC 9457 problem document, none of which repeats what was sent."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.errors import RequestError
from dispatch.errors import DeadlineError, InvalidInputError, Problem, UnattainableBoundError

MEDIA_TYPE = "application/problem+json"
MAX_PROBLEMS = 500  # shown; the detail says how many there are


@dataclass(frozen=True, slots=True)
class ProblemEntry:
    """One thing wrong: the field, why, the first five ids, and in how many places."""

    path: str
    message: str
    ids: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class ProblemDocument:
    """A refusal (RFC 9457); `instance` is the request's id, also found in the server's log."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    problems: tuple[ProblemEntry, ...] = ()


def problem_response(
    status: int,
    kind: str,
    title: str,
    detail: str,
    request_id: str,
    problems: Sequence[Problem] = (),
) -> Response:
    """Write a problem document."""
    entries = tuple(ProblemEntry(p.path, p.message, p.ids, p.count) for p in problems)
    document = ProblemDocument(f"/problems/{kind}", title, status, detail, request_id, entries)
    # ASCII, because a field name that was sent may hold half a surrogate pair
    return Response(json.dumps(asdict(document)), status, media_type=MEDIA_TYPE)


def internal_error(request_id: str) -> Response:
    """Write the answer to a fault of ours: where to look, and nothing else."""
    return problem_response(
        500,
        "internal",
        "Internal error",
        "a fault of the service; its log has it under this request id",
        request_id,
    )


def install_handlers(app: FastAPI) -> None:
    """Answer every expected error with a problem document."""
    app.add_exception_handler(RequestError, _refused)
    app.add_exception_handler(InvalidInputError, _invalid)
    app.add_exception_handler(DeadlineError, _too_late)
    app.add_exception_handler(RequestValidationError, _unreadable_parameters)
    app.add_exception_handler(HTTPException, _http)


def _id_of(request: Request) -> str:
    return str(request.state.request_id)


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestError):
        raise error
    answer = problem_response(error.status, error.kind, error.title, str(error), _id_of(request))
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, InvalidInputError):
        raise error
    if isinstance(error, UnattainableBoundError):
        kind, title = "unattainable-bound", "No plan meets the bound"
    else:
        kind, title = "invalid-input", "The request cannot be used"
    count = len(error.problems)
    detail = f"{error.what}: {count} problem{'s' if count != 1 else ''}"
    if count > MAX_PROBLEMS:
        detail += f", the first {MAX_PROBLEMS} shown"
    shown = error.problems[:MAX_PROBLEMS]
    return problem_response(422, kind, title, detail, _id_of(request), shown)


async def _too_late(request: Request, error: Exception) -> Response:
    title = "No plan within the bound by the deadline"
    return problem_response(504, "deadline-passed", title, str(error), _id_of(request))


async def _unreadable_parameters(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    problems = [Problem(".".join(map(str, e["loc"])), "cannot be read") for e in error.errors()]
    return problem_response(
        422, "invalid-input", "The request cannot be used", "", _id_of(request), problems
    )


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    title = HTTPStatus(error.status_code).phrase
    kind = title.lower().replace(" ", "-")
    answer = problem_response(error.status_code, kind, title, title.lower(), _id_of(request))
    answer.headers.update(error.headers or {})
    return answer
