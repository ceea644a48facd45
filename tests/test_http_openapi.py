"""The description of the API: valid, committed, complete, and true of what is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import PREVIEW, ROOT, Described, problem
from hostile import VALID
from jsonschema import Draft202012Validator


def _inside(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from _inside(below)
    elif isinstance(value, list):
        for below in value:
            yield from _inside(below)


async def test_the_service_hands_out_the_committed_description(client: httpx.AsyncClient) -> None:
    committed = json.loads((ROOT / "openapi" / "openapi.json").read_text("utf-8"))
    answer = await client.get("/openapi.json")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json() == committed


def test_the_description_is_openapi_3_1(described: Described) -> None:
    assert described.document["openapi"].startswith("3.1.")
    assert described.document["info"]["title"]
    assert described.document["info"]["version"]


def test_every_schema_is_valid_json_schema(described: Described) -> None:
    schemas = described.document["components"]["schemas"]
    assert schemas
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere(described: Described) -> None:
    references = {one["$ref"] for one in _inside(described.document) if "$ref" in one}
    assert references
    for reference in references:
        found: Any = described.document
        for part in reference.removeprefix("#/").split("/"):
            assert part in found, reference
            found = found[part]


def test_operations_have_names_of_their_own_and_a_summary(described: Described) -> None:
    operations = [one for found in described.paths.values() for one in found.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)
    assert all(one["summary"].strip() for one in operations)


def test_every_operation_lists_its_errors_as_problem_documents(described: Described) -> None:
    for path, operations in described.paths.items():
        for method, operation in operations.items():
            responses = operation["responses"]
            errors = {status for status in responses if status[0] in "45"}
            assert {"422", "500"} <= errors, (method, path)
            if path.startswith("/v1/"):
                assert "403" in errors, (method, path)
            if "{" in path:
                assert "404" in errors, (method, path)
            if "requestBody" in operation:
                assert {"400", "413", "415"} <= errors, (method, path)
            for status in errors:
                content = responses[status]["content"]
                assert list(content) == ["application/problem+json"], (method, path, status)
                schema = content["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ProblemDocument"}


def test_every_parameter_and_every_success_is_described(described: Described) -> None:
    for path, operations in described.paths.items():
        for operation in operations.values():
            assert "$ref" in json.dumps(operation["responses"]["200"]["content"]), path
            for parameter in operation.get("parameters", ()):
                assert parameter["schema"], (path, parameter["name"])


async def test_every_ruleset_is_what_the_description_says(
    client: httpx.AsyncClient, described: Described
) -> None:
    for item in (await client.get("/v1/rulesets")).json()["items"]:
        described.judge(await client.get(f"/v1/rulesets/{item['id']}"))


async def test_every_indicator_is_what_the_description_says(
    client: httpx.AsyncClient, described: Described
) -> None:
    for item in (await client.get("/v1/indicators?limit=500")).json()["items"]:
        described.judge(await client.get(f"/v1/indicators/{item['code']}"))


@pytest.mark.parametrize("texts", ["true", "false"])
async def test_an_empty_verdict_of_every_ruleset_is_what_the_description_says(
    client: httpx.AsyncClient, described: Described, texts: str
) -> None:
    for item in (await client.get("/v1/rulesets")).json()["items"]:
        body = {"ruleset": item["id"], "unit": {"level": item["level"]}, "as_of": "2024-12-31"}
        described.judge(await client.post(f"{PREVIEW}?texts={texts}", json=body))


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "/livez?x=1", 422),
        ("GET", "/readyz?x=1", 422),
        ("GET", "/v1/vocabulary?x=1", 422),
        ("GET", "/v1/rulesets?limit=0", 422),
        ("GET", "/v1/rulesets/nope", 404),
        ("GET", "/v1/indicators?cursor=x", 422),
        ("GET", "/v1/indicators/nope", 404),
        ("POST", PREVIEW, 415),
    ],
)
async def test_a_problem_is_what_the_description_says(
    client: httpx.AsyncClient, described: Described, method: str, url: str, status: int
) -> None:
    answer = await client.request(method, url)
    assert answer.status_code == status
    problem(answer)
    described.judge(answer)


def test_the_description_of_the_request_accepts_a_good_body_and_refuses_bad_ones(
    described: Described,
) -> None:
    content = described.operation("POST", PREVIEW)["requestBody"]["content"]
    assert list(content) == ["application/json"]
    schema = {
        **content["application/json"]["schema"],
        "components": described.document["components"],
    }
    validator = Draft202012Validator(schema)
    assert not list(validator.iter_errors(VALID))
    for wrong in (
        {**VALID, "extra": 1},
        {**VALID, "ruleset": 5},
        {**VALID, "facts": {"x": -1}},
        {**VALID, "facts": {"x": {"numerator": 1}}},
        {**VALID, "facts": {"x": {"percent": 85}}},
        {**VALID, "facts": {"x": "true"}},
        {key: value for key, value in VALID.items() if key != "unit"},
    ):
        assert list(validator.iter_errors(wrong)), wrong
