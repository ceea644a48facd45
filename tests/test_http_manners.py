"""What holds for every route: who may call, which methods and parameters, how errors read."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import PREVIEW, Described, calling, problem
from fastapi import FastAPI
from hostile import VALID

from app.main import create_app
from app.rules.registry import Registry


class Route(NamedTuple):
    """A route, and one good call of it."""

    method: str
    path: str
    template: str

    async def call(self, client: httpx.AsyncClient, query: str = "") -> httpx.Response:
        """Call it as it wants to be called."""
        body = VALID if self.method == "POST" else None
        return await client.request(self.method, self.path + query, json=body)


OPEN = (Route("GET", "/livez", "/livez"), Route("GET", "/readyz", "/readyz"))
PAGES = (Route("GET", "/docs", "/docs"), Route("GET", "/openapi.json", "/openapi.json"))
GUARDED = (
    Route("GET", "/v1/vocabulary", "/v1/vocabulary"),
    Route("GET", "/v1/rulesets", "/v1/rulesets"),
    Route("GET", "/v1/rulesets/phutho.commune", "/v1/rulesets/{id}"),
    Route("GET", "/v1/indicators", "/v1/indicators"),
    Route("GET", "/v1/indicators/area_island", "/v1/indicators/{code}"),
    Route("POST", PREVIEW, PREVIEW),
)
DESCRIBED = (*OPEN, *GUARDED)
ALL = (*OPEN, *PAGES, *GUARDED)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")

every = pytest.mark.parametrize("route", ALL, ids=lambda route: route.path)


def test_every_described_operation_is_among_the_routes_tested_here(described: Described) -> None:
    operations = {
        (method.upper(), path) for path, found in described.paths.items() for method in found
    }
    assert operations == {(route.method, route.template) for route in DESCRIBED}


@every
async def test_a_caller_on_this_host_is_answered(client: httpx.AsyncClient, route: Route) -> None:
    answer = await route.call(client)
    assert answer.status_code == 200
    assert answer.content


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: route.path)
async def test_an_answer_is_what_the_description_says(
    client: httpx.AsyncClient, described: Described, route: Route
) -> None:
    described.judge(await route.call(client))


async def test_liveness_and_readiness_say_ok(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "ok"}
    ready = (await client.get("/readyz")).json()
    assert ready["status"] == "ok"
    assert ready["rulesets"] == 13


@pytest.mark.parametrize("host", ["10.0.0.5", "192.168.1.7", "8.8.8.8", "2001:db8::1", "::", ""])
@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.path)
async def test_a_caller_on_another_host_gets_403(
    service: FastAPI, described: Described, route: Route, host: str
) -> None:
    async with calling(service, host) as outsider:
        answer = await route.call(outsider)
    assert answer.status_code == 403
    found = problem(answer)
    assert found["code"] == "loopback-only"
    assert "127.0.0.1" in found["detail"]
    described.judge(answer)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1"])
async def test_every_loopback_address_is_this_host(service: FastAPI, host: str) -> None:
    async with calling(service, host) as caller:
        assert (await caller.get("/v1/vocabulary")).status_code == 200


@pytest.mark.parametrize("route", [*OPEN, *PAGES], ids=lambda route: route.path)
async def test_health_and_documentation_are_open_to_other_hosts(
    outsider: httpx.AsyncClient, route: Route
) -> None:
    assert (await route.call(outsider)).status_code == 200


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip", "host"])
async def test_no_header_makes_another_host_this_one(
    outsider: httpx.AsyncClient, header: str
) -> None:
    told = "for=127.0.0.1" if header == "forwarded" else "127.0.0.1"
    answer = await outsider.get("/v1/vocabulary", headers={header: told})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("url", "content", "headers"),
    [
        (PREVIEW, b"{", {"content-type": "application/json"}),
        (PREVIEW, b"{}", {"content-type": "text/plain"}),
        (PREVIEW, b"{}", {"content-type": "application/json"}),
        (PREVIEW, b" " * 10_000_000, {"content-type": "application/json"}),
        (f"{PREVIEW}?x=1", b"{}", {"content-type": "application/json"}),
        ("/v1/rulesets?x=1", None, {}),
        ("/v1/rulesets?limit=0", None, {}),
        ("/v1/rulesets/nope", None, {}),
        ("/v1/indicators/nope", None, {}),
    ],
    ids=["no JSON", "media type", "no ruleset", "10 MB", "parameter", "unknown parameter", "limit",
         "no such ruleset", "no such indicator"],
)  # fmt: skip
async def test_a_caller_on_another_host_learns_nothing_about_its_request(
    outsider: httpx.AsyncClient, url: str, content: bytes | None, headers: dict[str, str]
) -> None:
    method = "GET" if content is None else "POST"
    answer = await outsider.request(method, url, content=content, headers=headers)
    assert (answer.status_code, problem(answer)["code"]) == (403, "loopback-only")


@every
async def test_a_wrong_method_is_405_and_says_which_are_allowed(
    client: httpx.AsyncClient, route: Route
) -> None:
    allowed = {"GET", "HEAD"} if route.method == "GET" else {route.method}
    for method in METHODS:
        if method in allowed:
            continue
        answer = await client.request(method, route.path)
        assert answer.status_code == 405, method
        assert problem(answer)["code"] == "method-not-allowed"
        told = {one.strip() for one in answer.headers["allow"].split(",")}
        assert route.method in told
        assert told <= allowed
        assert method in problem(answer)["detail"]


@every
async def test_head_never_has_a_body_nor_fails(client: httpx.AsyncClient, route: Route) -> None:
    answer = await client.head(route.path)
    assert answer.status_code in (200, 405)
    assert answer.content == b""
    if answer.status_code == 405:
        assert route.method in answer.headers["allow"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/nope", "/v1", "/v1/nope", "/redoc", "/v1/rulesets/a/b"])
async def test_an_unknown_path_is_404_for_every_method(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == 404
    if method == "HEAD":
        assert answer.content == b""
    else:
        found = problem(answer)
        assert found["code"] == "not-found"
        assert path in found["detail"]
        assert found["instance"] == path


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.path)
async def test_the_documentation_refuses_an_unknown_query_parameter_too(
    client: httpx.AsyncClient, route: Route
) -> None:
    answer = await route.call(client, "?x=1")
    assert (answer.status_code, problem(answer)["code"]) == (422, "unknown-field")


@pytest.mark.parametrize("query", ["x=1", "Limit=1", "_=", "x[]=1", "đ=1"])
@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: route.path)
async def test_an_unknown_query_parameter_is_refused_by_name(
    client: httpx.AsyncClient, route: Route, query: str
) -> None:
    answer = await route.call(client, f"?{query}")
    assert answer.status_code == 422
    found = problem(answer)
    name = query.partition("=")[0]
    assert found["code"] == "unknown-field"
    assert [one["pointer"] for one in found["errors"]] == [f"/{name}"]
    assert name in found["detail"]


@pytest.mark.parametrize(
    "url",
    [
        "/v1/rulesets?limit=5&limit=5",
        "/v1/rulesets?level=commune&level=district",
        "/v1/rulesets?cursor=x&cursor=x",
        "/v1/rulesets/phutho.commune?digest=" + "0" * 64 + "&digest=" + "0" * 64,
        "/v1/indicators?q=a&q=b",
        "/v1/indicators?theme=x&theme=x",
        "/v1/indicators?kind=set&kind=set",
        "/v1/indicators?ruleset=x&ruleset=x",
        f"{PREVIEW}?texts=false&texts=false",
    ],
)
async def test_a_repeated_query_parameter_is_refused_by_name(
    client: httpx.AsyncClient, url: str
) -> None:
    body = VALID if url.startswith(PREVIEW) else None
    answer = await client.request("POST" if body else "GET", url, json=body)
    found = problem(answer)
    name = url.partition("?")[2].partition("=")[0]
    assert (answer.status_code, found["code"]) == (422, "repeated-parameter")
    assert [one["pointer"] for one in found["errors"]] == [f"/{name}"]


async def test_every_unknown_parameter_is_named_at_once(client: httpx.AsyncClient) -> None:
    found = problem(await client.get("/v1/rulesets?a=1&b=2&limit=5"))
    assert [one["pointer"] for one in found["errors"]] == ["/a", "/b"]


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_a_wrong_limit_is_told_both_bounds(client: httpx.AsyncClient, language: str) -> None:
    for limit in ("0", "-1", "501", "５", "1" + "0" * 20):
        headers = {"accept-language": language}
        answer = await client.get(f"/v1/rulesets?limit={limit}", headers=headers)
        message = problem(answer, language)["errors"][0]["message"]
        assert re.search(r"\b1\b", message), message
        assert re.search(r"\b500\b", message), message


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "vi"),
        ("", "vi"),
        ("vi", "vi"),
        ("en", "en"),
        ("EN", "en"),
        ("en-GB", "en"),
        ("en-GB, en;q=0.9, vi;q=0.8", "en"),
        ("vi-VN, en;q=0.9", "vi"),
        ("en;q=0.3, vi;q=0.7", "vi"),
        ("en;q=0", "vi"),
        ("fr, de", "vi"),
        ("fr, en;q=0.1", "en"),
        ("*", "vi"),
        ("nonsense;;;=,,", "vi"),
        ("en;q=abc", "vi"),
        ("," * 100_000, "vi"),
    ],
)
async def test_errors_are_vietnamese_unless_english_is_preferred(
    client: httpx.AsyncClient, header: str | None, language: str
) -> None:
    headers = {} if header is None else {"accept-language": header}
    answer = await client.get("/v1/rulesets/nope", headers=headers)
    detail = problem(answer, language)["detail"]
    assert detail.startswith("không có" if language == "vi" else "there is no")
    assert "accept-language" in answer.headers["vary"].lower()


async def test_instance_is_a_uri_reference(client: httpx.AsyncClient) -> None:
    for name in ("nope", "a%00b", "%ff", "x%20y", "%22", "%C4%91"):
        instance = problem(await client.get(f"/v1/rulesets/{name}"))["instance"]
        assert re.fullmatch(r"(/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+", instance)


@every
async def test_64_kb_of_headers_are_no_reason_to_fail(
    client: httpx.AsyncClient, route: Route
) -> None:
    for name in ("x-large", "if-none-match", "accept-language", "accept", "cookie"):
        headers = {name: "a" * 65_536}
        body = VALID if route.method == "POST" else None
        answer = await client.request(route.method, route.path, json=body, headers=headers)
        assert answer.status_code == 200, name


async def test_what_nobody_expected_is_a_500_problem_without_details(registry: Registry) -> None:
    class Broken:
        """A registry that fails wherever it is touched."""

        entries = property(lambda _: 1 / 0)
        indicators = property(lambda _: 1 / 0)

    service = create_app(registry=cast(Registry, Broken()))
    async with calling(service) as client:
        for route in GUARDED[1:]:
            answer = await route.call(client)
            found = problem(answer)
            assert (answer.status_code, found["code"]) == (500, "internal-error"), route.path
            assert "division" not in answer.text
            english = await client.request(
                route.method, route.path, json=VALID, headers={"accept-language": "en"}
            )
            if route.method == "POST":
                assert problem(english, "en")["detail"] != found["detail"]


class Links(HTMLParser):
    """Everything a page makes the browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the links of one element."""
        self.found += [str(value) for name, value in attrs if name in ("src", "href", "srcset")]


async def _loaded(client: httpx.AsyncClient) -> list[str]:
    page = (await client.get("/docs")).text
    links = Links()
    links.feed(page)
    return [*links.found, *re.findall(r"url: *['\"]([^'\"]+)['\"]", page)]


async def test_the_documentation_page_loads_from_this_host_only(client: httpx.AsyncClient) -> None:
    loaded = await _loaded(client)
    assert any(one.endswith(".js") for one in loaded)
    assert any(one.endswith(".css") for one in loaded)
    assert "/openapi.json" in loaded
    assert all(not urlsplit(one).netloc and not urlsplit(one).scheme for one in loaded), loaded
    assert "//" not in (await client.get("/docs")).text.replace("<!-- ", "")


async def test_everything_the_documentation_page_loads_is_there(
    outsider: httpx.AsyncClient,
) -> None:
    for url in await _loaded(outsider):
        answer = await outsider.get(url)
        assert answer.status_code == 200, url
        assert answer.content, url


async def test_the_files_of_the_documentation_load_nothing_from_elsewhere(
    client: httpx.AsyncClient,
) -> None:
    files = {one: (await client.get(one)).text for one in await _loaded(client) if "static" in one}
    assert files
    away = r"""['"`( ](?:https?:)?//[^'"`)]+"""
    for name, text in files.items():
        if name.endswith(".css"):
            assert not re.search(rf"@import|url\(['\"]?(?:https?:)?//|src={away}", text), name
        elif name.endswith(".js"):
            loads = rf"(?:fetch|import|importScripts|open|\.src *=|\.href *=) *\(? *{away}"
            assert not re.search(loads, text), name
    # Swagger UI sends the document to this host for validation unless it is told not to.
    if any("validator.swagger.io" in text for text in files.values()):
        assert re.search(r'"validatorUrl": null', (await client.get("/docs")).text)


async def test_the_description_makes_the_browser_load_nothing(client: httpx.AsyncClient) -> None:
    def strings(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [one for below in value.values() for one in strings(below)]
        if isinstance(value, list):
            return [one for below in value for one in strings(below)]
        return [value] if isinstance(value, str) else []

    found = strings((await client.get("/openapi.json")).json())
    assert found
    assert not [one for one in found if re.search(r"!\[|<img|<script|<link", one)]
