"""The OpenAPI document: bodies are read by our own parser, so their schemas are put in here."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from api.problems import MEDIA_TYPE, ProblemDocument
from api.schemas import AssignRequest, FrontierRequest
from dispatch.result import Plan
from dispatch.tradeoff import FrontierReport

_REF = "#/components/schemas/{model}"

_REFUSALS = {
    400: "The body is not a JSON object.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "Everything wrong with snapshot and options, or a bound that no plan meets.",
    503: "No usable model, or too many requests at once; see Retry-After.",
    504: "The deadline passed before the work began; nothing was decided.",
}


def _ref(name: str) -> dict[str, Any]:
    return {"schema": {"$ref": _REF.format(model=name)}}


def problem_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe refusals for a route's `responses`."""
    return {
        status: {"description": _REFUSALS[status], "content": {MEDIA_TYPE: _ref("ProblemDocument")}}
        for status in statuses
    }


def answers(schema: str, description: str) -> dict[int | str, dict[str, Any]]:
    """Describe the answer of a deciding route, and all its refusals."""
    good = {"description": description, "content": {"application/json": _ref(schema)}}
    return {200: good, **problem_answers(*_REFUSALS)}


def json_body(schema: str, examples: dict[str, Any]) -> dict[str, Any]:
    """Describe the body of a deciding route for its `openapi_extra`."""
    content = {"application/json": {**_ref(schema), "examples": examples}}
    return {"requestBody": {"required": True, "content": content}}


def document(app: FastAPI) -> dict[str, Any]:
    """Build the document once, with the schemas of everything that is sent and answered."""
    if app.openapi_schema is None:
        result = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        _, definitions = TypeAdapter.json_schemas(
            [
                (AssignRequest, "validation", TypeAdapter(AssignRequest)),
                (FrontierRequest, "validation", TypeAdapter(FrontierRequest)),
                (Plan, "serialization", TypeAdapter(Plan)),
                (FrontierReport, "serialization", TypeAdapter(FrontierReport)),
                (ProblemDocument, "serialization", TypeAdapter(ProblemDocument)),
            ],
            ref_template=_REF,
        )
        schemas = result.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(definitions["$defs"])
        app.openapi_schema = result
    return app.openapi_schema
