"""The description of the API: valid, committed, complete, and true of what is answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import PREVIEW, ROOT, Described, problem
from hostile import OPERATIONS, TAKING, VALID, Operation
from jsonschema import Draft202012Validator, FormatChecker


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
    assert all(one["description"].strip() for one in operations)
    assert all(one["tags"] for one in operations)


@pytest.mark.parametrize("route", OPERATIONS, ids=lambda route: route.name)
def test_every_operation_says_whom_it_answers(described: Described, route: Operation) -> None:
    operation = described.operation(route.method, route.path)
    errors = {status for status in operation["responses"] if status[0] in "45"}
    if route.scope:
        assert operation["security"] == [{"client_credentials": [route.scope]}]
        assert {"401", "403", "429", "503"} <= errors
    else:
        assert not operation.get("security")
        assert "403" not in errors


async def test_the_description_says_where_tokens_come_from_and_what_for(
    described: Described, client: httpx.AsyncClient
) -> None:
    (scheme,) = described.document["components"]["securitySchemes"].values()
    assert scheme["type"] == "oauth2"
    flow = scheme["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "/v1/oauth/token"
    scopes = (await client.get("/v1/vocabulary")).json()["scopes"]
    assert flow["scopes"] == {name: label["en"] for name, label in scopes.items()}
    metadata = (await client.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["scopes_supported"] == list(scopes)
    assert metadata["token_endpoint"].endswith(flow["tokenUrl"])


WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEDIA = ("application/json", "application/geo+json", "text/csv", "application/x-ndjson", WORKBOOK,
         "text/event-stream")  # fmt: skip
REPORTING = ("POST /v1/imports", "POST /v1/imports/{id}/commit")
LARGE = (*REPORTING, "POST /v1/impact")
FILING = "PUT /v1/evidence-submissions/{id}/slots/{slot}/files/{name}"
SENDING = (FILING, "PUT /v1/evidence-submissions/{id}/slots/{slot}/rows")
DECIDING = "POST /v1/evidence-submissions/{id}/transitions"


@pytest.mark.parametrize("route", OPERATIONS, ids=lambda route: route.name)
def test_every_operation_lists_its_errors_as_problem_documents(
    described: Described, route: Operation
) -> None:
    operation = described.operation(route.method, route.path)
    responses = operation["responses"]
    errors = {status for status in responses if status[0] in "45"}
    assert "500" in errors
    own = set()  # the errors in the form of RFC 6749
    if route.form:
        own = {"400", "401", "408", "413", "429", "503"}
        assert own <= errors
    else:
        assert "422" in errors
        if "requestBody" in operation:
            malformed = set() if route.name == FILING else {"400"}  # any file is one
            assert {"408", "413", "415"} | malformed <= errors
    if "{" in route.template:
        assert "404" in errors
    for status in errors:
        media = "application/json" if status in own else "application/problem+json"
        model = "TokenError" if status in own else "ProblemDocument"
        assert responses[status]["description"].strip()
        ((found, content),) = responses[status]["content"].items()
        schema = content["schema"]
        if route.name in REPORTING and status == "422":  # the report of a file is one as well
            schema, report = schema["anyOf"]
            assert {"counts", "conflicts", "errors"} <= set(report["required"])
        if route.name == DECIDING and status == "409":  # the refusal of this state is one as well
            assert set(schema["required"]) >= {"code", "detail", "errors"}
            assert "may" in schema["properties"]
            continue
        assert (found, schema) == (media, {"$ref": f"#/components/schemas/{model}"}), status


@pytest.mark.parametrize("route", OPERATIONS, ids=lambda route: route.name)
def test_every_success_is_described(described: Described, route: Operation) -> None:
    responses = described.operation(route.method, route.path)["responses"]
    good = {one for one in responses if one[0] in "123"}
    # A value that is put is the first one of its period, or follows another.
    also = {"201"} if "/values/{period}" in route.template else set()
    if route.name in LARGE:
        also = {"202"}  # a job does it
    if "/files/{name}" in route.template:
        also = {"PUT": {"200"}, "GET": {"304"}}.get(route.method, set())
    assert good == {str(route.status)} | also
    for status in good:
        if status in ("204", "304"):
            assert "content" not in responses[status]
            continue
        found = responses[status]["content"]
        if route.name == FILING.replace("PUT", "GET"):  # whatever was sent
            assert set(found) == set(
                described.operation("PUT", route.path)["requestBody"]["content"]
            )
            continue
        ((media, content),) = found.items()
        assert media in MEDIA
        schema = content["schema"]
        if schema.get("type") == "string":
            assert media not in ("application/json", "application/geo+json")
            continue
        assert all(set(one) == {"$ref"} for one in schema.get("anyOf", [schema])), schema


@pytest.mark.parametrize("route", OPERATIONS, ids=lambda route: route.name)
def test_every_parameter_is_described(described: Described, route: Operation) -> None:
    parameters = described.operation(route.method, route.path).get("parameters", [])
    in_path = {one["name"] for one in parameters if one["in"] == "path"}
    assert in_path == set(re.findall(r"\{(\w+)\}", route.template))
    headers = {one["name"] for one in parameters if one["in"] == "header"}
    digests = {"repr-digest", "content-digest"} if route.name == FILING else set()
    assert headers <= {"Idempotency-Key", "If-Match", "Prefer"} | digests
    assert {one["in"] for one in parameters} <= {"path", "query", "header"}
    for one in parameters:
        assert one["schema"], one["name"]
        assert one.get("description", "").strip(), one["name"]


@pytest.mark.parametrize("route", OPERATIONS, ids=lambda route: route.name)
def test_a_list_says_how_it_is_paged(described: Described, route: Operation) -> None:
    operation = described.operation(route.method, route.path)
    parameters = {one["name"]: one for one in operation.get("parameters", [])}
    assert ("limit" in parameters) == ("cursor" in parameters)
    if "limit" in parameters:
        schema = parameters["limit"]["schema"]
        wanted = {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}
        assert {name: schema.get(name) for name in wanted} == wanted


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
        ("GET", "/.well-known/jwks.json?x=1", 422),
        ("GET", "/v1/units?limit=0", 422),
        ("GET", "/v1/units/99", 404),
        ("GET", "/v1/units/x/lineage", 422),
        ("GET", "/v1/communes?under=99", 404),
        ("GET", "/v1/communes.geojson?under=99", 404),
        ("GET", "/v1/communes/99999", 404),
        ("GET", "/v1/communes/99999/hamlets", 404),
        ("GET", "/v1/designations?model=x", 422),
        ("GET", "/v1/grants?state=x", 422),
        ("GET", "/v1/grants/999999999", 404),
        ("POST", "/v1/grants/999999999/revoke", 404),
        ("POST", "/v1/grants", 415),
        ("GET", "/v1/audit?action=x", 422),
        ("GET", "/v1/audit?unit=99999", 404),
        ("GET", "/v1/audit/999999999", 404),
        ("GET", "/v1/clients?cursor=x", 422),
        ("GET", "/v1/clients/ntm-0000000000000000", 404),
        ("DELETE", "/v1/clients/ntm-0000000000000000/secrets/1", 404),
        ("POST", "/v1/clients", 415),
        ("GET", "/v1/values?limit=0", 422),
        ("GET", "/v1/values?unit=99999", 404),
        ("GET", "/v1/values?status=nope", 422),
        ("GET", "/v1/values?with_predecessors=true", 422),
        ("GET", "/v1/values?indicator=x", 422),
        ("GET", "/v1/values?period=x", 422),
        ("GET", "/v1/values?updated_since=x", 422),
        ("GET", "/v1/values/999999999", 404),
        ("GET", "/v1/values/999999999/history", 404),
        ("POST", "/v1/values", 415),
        ("POST", "/v1/values/import", 415),
        ("POST", "/v1/values/1/retract", 415),
        ("PUT", "/v1/communes/07948/values/2025/x", 415),
        ("POST", "/v1/evaluations", 415),
        ("GET", "/v1/evaluations?ruleset=x", 422),
        ("GET", "/v1/evaluations?under=99", 404),
        ("GET", "/v1/evaluations/999999999", 404),
        ("POST", "/v1/evaluations/999999999/replay", 404),
        ("GET", "/v1/evaluations/999999999/members", 422),
        ("GET", "/v1/evaluations/999999999/members?criterion=x", 404),
        ("GET", "/v1/evaluations/999999999/compare/999999998", 404),
        ("GET", "/v1/communes/99999/standing?period=2025", 404),
        ("GET", "/v1/communes/07948/standing", 422),
        ("GET", "/v1/imports?state=x", 422),
        ("GET", "/v1/imports/999999999", 404),
        ("POST", "/v1/imports/999999999/commit", 404),
        ("GET", "/v1/imports/999999999/rejected.csv", 404),
        ("GET", "/v1/import-templates/nope.xlsx?under=25&period=2024", 404),
        ("GET", "/v1/import-templates/phutho.commune.xlsx", 422),
        ("GET", "/v1/jobs?state=x", 422),
        ("GET", "/v1/jobs/999999999", 404),
        ("POST", "/v1/jobs/999999999/cancel", 404),
        ("GET", "/v1/jobs/999999999/events", 404),
        ("POST", "/v1/evaluation-runs", 415),
        ("GET", "/v1/evaluation-runs?period=x", 422),
        ("GET", "/v1/evaluation-runs/999999999", 404),
        ("GET", "/v1/evaluation-runs/999999999/compare?with=1", 404),
        ("POST", "/v1/impact", 415),
        ("GET", "/v1/values.csv?headings=fr", 422),
        ("GET", "/v1/values.ndjson?under=99", 404),
        ("GET", "/v1/values.xlsx?limit=1", 422),
        ("GET", "/v1/evaluations.csv?criteria=true", 422),
        ("GET", "/v1/evaluations.ndjson?unit=99999", 404),
        ("GET", "/v1/evaluations.xlsx?cursor=x", 422),
        ("GET", "/v1/communes.csv?under=99", 404),
        ("GET", "/v1/statistics/outcomes", 422),
        ("GET", "/v1/statistics/completeness?ruleset=phutho.commune&period=2025&under=99", 404),
        ("GET", "/v1/statistics/series?from=2024&to=2025", 422),
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


def _validator(described: Described, route: Operation, media: str) -> Draft202012Validator:
    """Return what judges a body as the description does."""
    content = described.operation(route.method, route.path)["requestBody"]["content"]
    assert list(content) == [media]
    schema = {**content[media]["schema"], "components": described.document["components"]}
    return Draft202012Validator(schema, format_checker=FormatChecker())


@pytest.mark.parametrize("route", TAKING, ids=lambda route: route.name)
def test_the_description_of_a_body_accepts_a_good_one_and_no_key_that_is_not_its_own(
    described: Described, route: Operation
) -> None:
    validator = _validator(described, route, "application/json")
    assert not list(validator.iter_errors(route.body))
    assert list(validator.iter_errors({**route.body, "extra": 1}))
    nothing: tuple[Any, ...] = ({}, None, 1, "x", [1])
    for wrong in nothing:
        assert list(validator.iter_errors(wrong)), wrong


# They may be told why and by whom, and need not be.
ENDINGS = ("POST /v1/clients/{client_id}/revoke", "POST /v1/grants/{id}/revoke")


def test_an_operation_without_a_body_describes_none(described: Described) -> None:
    for route in OPERATIONS:
        body = described.operation(route.method, route.path).get("requestBody")
        needed = None if body is None else body.get("required", False)
        ending = f"{route.method} {route.template}" in ENDINGS
        assert needed == (False if ending else route.body is not None or None), route.name


def test_the_description_of_a_file_says_that_it_is_csv(described: Described) -> None:
    (route,) = (one for one in OPERATIONS if one.csv and one.name not in (*REPORTING, *SENDING))
    body = described.operation(route.method, route.path)["requestBody"]
    assert body["required"]
    ((media, content),) = body["content"].items()
    assert media == "text/csv"
    assert content["schema"]["type"] == "string"
    assert "unit, on, period" in str(body)


def test_the_description_of_the_form_accepts_a_good_one_and_refuses_bad_ones(
    described: Described,
) -> None:
    (token,) = (one for one in OPERATIONS if one.form)
    validator = _validator(described, token, "application/x-www-form-urlencoded")
    assert not list(validator.iter_errors(token.body))
    assert not list(validator.iter_errors({**token.body, "scope": "read values:write"}))
    for wrong in (
        {**token.body, "grant_type": "password"},
        {**token.body, "audience": "x"},
        {"client_id": "a", "client_secret": "b"},
    ):
        assert list(validator.iter_errors(wrong)), wrong


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
