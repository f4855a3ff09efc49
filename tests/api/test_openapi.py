"""The published document is whole, and its examples are accepted by the service itself."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

from api.examples import ASSIGN_EXAMPLES, FRONTIER_EXAMPLES


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    whole: dict[str, Any] = client.get("/openapi.json").json()
    return whole


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, child in value.items():
            if key == "$ref":
                yield child
            else:
                yield from _references(child)
    elif isinstance(value, list):
        for child in value:
            yield from _references(child)


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    references = set(_references(document))
    assert "#/components/schemas/AssignRequest" in references
    for reference in references:
        place: Any = document
        for key in reference.removeprefix("#/").split("/"):
            place = place[key]
        assert isinstance(place, dict)


def test_every_schema_is_a_schema(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_deciding_routes_document_every_refusal(document: dict[str, Any]) -> None:
    for path in ("/assign", "/frontier"):
        operation = document["paths"][path]["post"]
        assert set(operation["responses"]) == {"200", "400", "413", "415", "422", "503", "504"}
        for status, response in operation["responses"].items():
            kind = "application/json" if status == "200" else "application/problem+json"
            assert list(response["content"]) == [kind]


@pytest.mark.parametrize(
    ("path", "name"),
    [("/assign", name) for name in ASSIGN_EXAMPLES]
    + [("/frontier", name) for name in FRONTIER_EXAMPLES],
)
def test_a_published_example_is_accepted_and_fits_its_schema(
    client: TestClient, document: dict[str, Any], path: str, name: str
) -> None:
    operation = document["paths"][path]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    example = content["examples"][name]["value"]
    answer = client.post(path, json=example)
    assert answer.status_code == 200, answer.text
    answered = operation["responses"]["200"]["content"]["application/json"]["schema"]
    for schema, value in ((content["schema"], example), (answered, answer.json())):
        Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def test_a_refusal_fits_its_schema(client: TestClient, document: dict[str, Any]) -> None:
    schema = {
        "$ref": "#/components/schemas/ProblemDocument",
        "components": document["components"],
    }
    Draft202012Validator(schema).validate(client.post("/assign", json={}).json())


def test_the_schema_of_snapshots_takes_the_valid_and_refuses_the_misspelt(
    client: TestClient, small_raw: dict[str, Any]
) -> None:
    validator = Draft202012Validator(client.get("/schema/snapshot").json())
    assert validator.is_valid(small_raw)
    small_raw["orders"][0]["redy_at"] = small_raw["orders"][0].pop("ready_at")
    assert not validator.is_valid(small_raw)


def test_the_schema_of_plans_takes_a_plan(client: TestClient, small_raw: dict[str, Any]) -> None:
    plan = client.post("/assign", json={"snapshot": small_raw}).json()
    Draft202012Validator(client.get("/schema/plan").json()).validate(plan)
