"""What holds for every route: who may call, which methods and parameters, how errors read."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from html.parser import HTMLParser
from typing import Any, NamedTuple, cast
from urllib.parse import quote, urlsplit

import httpx
import pytest
from conftest import ANYTHING, HERE, PREVIEW, Described, Join, calling, lasting, problem
from evidence_operations import LISTED, SEEN, Making, office
from fastapi import FastAPI
from hostile import (
    COUNTING,
    EVALUATION,
    GUARDED,
    HAMLET,
    MEMBERS_EVALUATION,
    NEW_CLIENT,
    NEW_GRANT,
    NEW_TAKING,
    OPERATIONS,
    TODAY_COMMUNE,
    VALUE,
    Operation,
    new_designation,
    new_evaluation,
    new_value,
)

from app.database import Database
from app.domain.clients import SCOPES
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

PAGES = (
    Operation("GET", "/docs", "/docs", None),
    Operation("GET", "/openapi.json", "/openapi.json", None),
)
PUBLIC = tuple(one for one in OPERATIONS if not one.scope)
ALL = (*OPERATIONS, *PAGES)
# Reads that can be told apart by an entity tag: neither health nor what is sent while it is made.
STREAMED = re.compile(r"/v1/(values|evaluations|communes|imports/{id}/rejected)\.\w+|.*/events")
# Names are kept nowhere; the tag of a file of evidence is its digest, which its own tests check.
PRIVATE = re.compile(r"/v1/evidence-submissions/.*/(names|files/\{name\})")
TAGGED = tuple(
    one
    for one in (*OPERATIONS, PAGES[1])
    if one.method == "GET"
    and one.path not in ("/livez", "/readyz")
    and not PRIVATE.fullmatch(one.template)
    and (one.template == "/v1/communes.geojson" or not STREAMED.fullmatch(one.template))
)
BY_ITS_MAKER = ("POST /v1/imports/{id}/commit", "POST /v1/jobs/{id}/cancel")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")


def each(operations: tuple[Operation, ...]) -> pytest.MarkDecorator:
    """Run a test for each of these operations."""
    return pytest.mark.parametrize("route", operations, ids=lambda route: route.name)


def test_every_described_operation_is_among_the_routes_tested_here(described: Described) -> None:
    operations = {
        (method.upper(), path) for path, found in described.paths.items() for method in found
    }
    assert operations == {(route.method, route.template) for route in OPERATIONS}


@each(ALL)
async def test_a_good_call_is_answered_as_the_description_says(
    client: httpx.AsyncClient, described: Described, route: Operation
) -> None:
    answer = await (await route.ready(client)).call(client)
    assert answer.status_code == route.status, answer.text[:300]
    if route in PAGES:
        assert answer.content
    elif route.status == 204:
        assert not answer.content
        assert (
            "content"
            not in described.operation("DELETE", answer.request.url.path)["responses"]["204"]
        )
    else:
        described.judge(answer)


async def test_liveness_and_readiness_say_ok(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/livez")).json() == {"status": "ok"}
    ready = (await stranger.get("/readyz")).json()
    assert ready["status"] == "ok"
    assert ready["rulesets"] == 13
    assert ready["units"] > 10_000


# --- who may call --------------------------------------------------------------------------------


@each((*PUBLIC, *PAGES))
async def test_what_is_public_is_answered_without_a_token(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, route: Operation
) -> None:
    assert (await (await route.ready(client)).call(stranger)).status_code == 200


async def _chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(0, size, 65_536):
        yield b" " * 65_536


JSON = {"content-type": "application/json"}
# What somebody may send along: query, content and headers.
SENT: tuple[tuple[str, bytes | None, Mapping[str, str]], ...] = (
    ("", None, {}),
    ("", b"{", JSON),
    ("", b"{}", JSON),
    ("", b"{}", {"content-type": "text/plain"}),
    ("", b" " * 10_000_000, JSON),
    ("", b"{}", {**JSON, "content-length": "10000000"}),
    ("?x=1", None, {}),
    ("?limit=0&limit=x&cursor=x", None, {}),
    ("?on=2024-13-01", b"\xff", JSON),
    ("", None, {"if-none-match": "*"}),
    ("", None, {"content-encoding": "gzip"}),
    ("", None, {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", "host": "localhost"}),
    ("", None, {"cookie": "session=1", "x-http-method-override": "GET"}),
)


@each(GUARDED)
async def test_a_stranger_learns_nothing_about_his_request(
    stranger: httpx.AsyncClient, described: Described, route: Operation
) -> None:
    first = await route.call(stranger)
    assert (first.status_code, problem(first)["code"]) == (401, "invalid-token")
    assert first.headers["www-authenticate"] == 'Bearer realm="ntm"'
    assert "/v1/oauth/token" in problem(first)["detail"]
    described.judge(first)
    for query, content, headers in SENT:
        answer = await stranger.request(
            route.method, route.path + query, content=content, headers=headers
        )
        assert (answer.status_code, answer.content) == (401, first.content), (query, headers)


@each(GUARDED)
async def test_whatever_is_no_token_gets_the_answer_of_no_token(
    stranger: httpx.AsyncClient, route: Operation
) -> None:
    nothing = await route.call(stranger)
    for sent in ("Bearer", "Bearer ", "Bearer x", "Basic YTpi", "Bearer a.b.c", "x" * 65_536):
        answer = await route.call(stranger, headers={"authorization": sent})
        assert (answer.status_code, answer.content) == (401, nothing.content), sent[:20]
        assert "error=" in answer.headers["www-authenticate"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.0.0.5", "2001:db8::1", ""])
async def test_from_where_somebody_calls_makes_no_difference(
    service: FastAPI, join: Join, host: str
) -> None:
    token = (await join("VN", "read")).http.headers["authorization"].removeprefix("Bearer ")
    async with calling(service, host) as nobody, calling(service, host, token) as somebody:
        assert (await nobody.get("/v1/vocabulary")).status_code == 401
        assert (await somebody.get("/v1/vocabulary")).status_code == 200


@pytest.mark.parametrize(
    ("there", "not_there"),
    [
        ("/v1/units/25", "/v1/units/99"),
        ("/v1/rulesets/phutho.commune", "/v1/rulesets/phutho.nothing"),
        ("/v1/indicators/area_island", "/v1/indicators/area_moon"),
        (f"/v1/communes/{TODAY_COMMUNE}", "/v1/communes/x"),
    ],
)
async def test_a_stranger_does_not_learn_what_is_there(
    stranger: httpx.AsyncClient, there: str, not_there: str
) -> None:
    found, missing = problem(await stranger.get(there)), problem(await stranger.get(not_there))
    assert (found.pop("instance"), missing.pop("instance")) == (there, not_there)
    assert found == missing


async def test_the_body_of_a_stranger_is_not_read(stranger: httpx.AsyncClient) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 100_000_000:
            read += 65_536
            yield b"[" * 65_536

    for route in GUARDED:
        answer = await stranger.request(route.method, route.path, content=endless(), headers=JSON)
        assert answer.status_code == 401, route.name
    assert read < 10_000_000


@each(GUARDED)
async def test_a_token_that_lacks_the_scope_gets_403_before_anything_is_judged(
    join: Join, described: Described, route: Operation
) -> None:
    caller = (await join("VN", *(set(SCOPES) - {str(route.scope)}))).http
    first = await route.call(caller)
    found = problem(first)
    assert (first.status_code, found["code"]) == (403, "insufficient-scope")
    assert f"“{route.scope}”" in found["detail"]
    assert f'error="insufficient_scope", scope="{route.scope}"' in first.headers["www-authenticate"]
    described.judge(first)
    for query, content, headers in SENT:
        answer = await caller.request(
            route.method, route.path + query, content=content, headers=headers
        )
        assert (answer.status_code, answer.content) == (403, first.content), (query, headers)


@each(GUARDED)
async def test_one_scope_is_enough_for_an_operation(
    service: FastAPI, client: httpx.AsyncClient, join: Join, route: Operation
) -> None:
    member = await join("VN")
    ready = await route.ready(member.http if route.name in BY_ITS_MAKER else client)
    if route.path == "/v1/clients" and route.method == "POST":
        ready = ready._replace(body={**NEW_CLIENT, "scopes": ["clients:admin"]})
    if route.template == "/v1/clients/{client_id}/secrets":  # of a client that can no more
        weak = (await join("VN", "clients:admin")).client_id
        ready = ready._replace(path=f"/v1/clients/{weak}/secrets")
    if route.name in BY_ITS_MAKER:
        token = service.state.tokens.issue(member.client_id, [str(route.scope)])
        async with calling(service, token=token) as caller:
            answer = await ready.call(caller)
    else:
        territory = TODAY_COMMUNE if route.of_commune else "VN"
        caller = (await join(territory, str(route.scope), *route.also)).http
        answer = await ready._replace(sent_by=None).call(caller)
    assert answer.status_code == route.status, answer.text[:300]


# --- methods -------------------------------------------------------------------------------------


def _methods(path: str) -> set[str]:
    """Return the methods that a path takes."""
    # A unit might have the code `resolve`: it is looked for, and not found.
    also = {"GET"} if path == "/v1/units/resolve" else set()
    found = {route.method for route in ALL if route.path == path} | also
    return found | ({"HEAD"} if "GET" in found else set())


@each(ALL)
async def test_a_wrong_method_is_405_and_says_which_are_allowed(
    client: httpx.AsyncClient, route: Operation
) -> None:
    allowed = _methods(route.path)
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


@each(ALL)
async def test_head_is_get_without_its_body(client: httpx.AsyncClient, route: Operation) -> None:
    ready = await route.ready(client)
    headers = ready.sent_by.headers if ready.sent_by else None
    answer = await client.head(ready.url(), headers=headers)
    assert answer.content == b""
    if route.method == "GET":
        read = await client.get(ready.url(), headers=headers)
        assert answer.status_code == read.status_code == 200
        assert lasting(answer) == lasting(read)
    elif "GET" not in _methods(route.path):
        assert answer.status_code == 405
        assert route.method in answer.headers["allow"]


@each(GUARDED)
async def test_head_tells_a_stranger_nothing_either(
    stranger: httpx.AsyncClient, route: Operation
) -> None:
    answer = await stranger.head(route.path, headers={"if-none-match": "*"})
    assert answer.status_code == (401 if "GET" in _methods(route.path) else 405)
    assert answer.content == b""
    assert "etag" not in answer.headers


# --- entity tags ---------------------------------------------------------------------------------


@each(TAGGED)
async def test_a_read_is_not_sent_again_to_who_holds_it(
    client: httpx.AsyncClient, route: Operation
) -> None:
    ready = await route.ready(client)
    read = await ready.call(client)
    tag = read.headers["etag"]
    told = read.headers["content-type"].endswith("json")
    version = read.json().get("version") if told else None
    begins = re.escape(f"{version}-") if version else ""
    assert re.fullmatch(f'"{begins}[0-9a-f]{{32}}"', tag)
    assert (await ready.call(client)).headers["etag"] == tag
    for held in (tag, f"W/{tag}", f'"x", {tag}', f'W/"x",{tag} ', "*"):
        answer = await ready.call(client, headers={"if-none-match": held})
        assert (answer.status_code, answer.content) == (304, b""), held
        assert answer.headers["etag"] == tag
        assert "content-type" not in answer.headers
    for other in ('"x"', tag.strip('"'), f'"{"0" * 32}"', ",", "", '"' * 10_000):
        answer = await ready.call(client, headers={"if-none-match": other})
        assert (answer.status_code, answer.content) == (200, read.content), other[:40]


@each(TAGGED)
async def test_an_unknown_parameter_is_refused_to_who_holds_the_answer_too(
    client: httpx.AsyncClient, route: Operation
) -> None:
    answer = await route.call(client, "?x=1", {"if-none-match": "*"})
    assert answer.status_code == 422


async def test_another_answer_has_another_tag(client: httpx.AsyncClient) -> None:
    url = "/v1/units/86/identifiers/tag_test"
    tags = set()
    for value in ("a", "b", "c"):
        assert (await client.put(url, json={"value": value}, headers=ANYTHING)).status_code == 200
        tags.add((await client.get("/v1/units/86")).headers["etag"])
    assert len(tags) == 3


# --- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["x=1", "Limit=1", "_=", "x[]=1", "đ=1", "%00=1", "access_token=x"]
)
@each(tuple(one for one in ALL if not one.form))
async def test_an_unknown_query_parameter_is_refused_by_name(
    client: httpx.AsyncClient, route: Operation, query: str
) -> None:
    answer = await route.call(client, f"?{query}")
    assert answer.status_code == 422
    found = problem(answer)
    assert found["code"] == "unknown-field"
    (one,) = found["errors"]
    assert one["pointer"].startswith("/")
    if query != "%00=1":
        name = query.partition("=")[0]
        assert one["pointer"] == f"/{name}"
        assert name in found["detail"]


@pytest.mark.parametrize("query", ["x=1", "grant_type=client_credentials", "client_secret=x"])
async def test_the_token_service_refuses_query_parameters_in_its_own_words(
    client: httpx.AsyncClient, described: Described, query: str
) -> None:
    (token,) = (one for one in OPERATIONS if one.form)
    answer = await (await token.ready(client)).call(client, f"?{query}")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    described.judge(answer)


@each(OPERATIONS)
async def test_a_repeated_query_parameter_is_refused_by_name(
    client: httpx.AsyncClient, described: Described, route: Operation
) -> None:
    operation = described.operation(route.method, route.path)
    for one in operation.get("parameters", ()):
        if one["in"] == "query":
            name = one["name"]
            answer = await route.call(client, f"?{name}=1&{name}=1")
            found = problem(answer)
            assert (answer.status_code, found["code"]) == (422, "repeated-parameter"), name
            assert [fault["pointer"] for fault in found["errors"]] == [f"/{name}"]


async def test_every_unknown_parameter_is_named_at_once(client: httpx.AsyncClient) -> None:
    for path in ("/v1/rulesets", "/v1/units", "/v1/clients"):
        found = problem(await client.get(f"{path}?a=1&b=2&limit=5"))
        assert [one["pointer"] for one in found["errors"]] == ["/a", "/b"]


@each(NEW_TAKING)
async def test_an_unknown_key_of_a_body_is_refused_by_name(
    client: httpx.AsyncClient, route: Operation
) -> None:
    for key in ("extra", "Name", "id", "a/b~c", "x" * 1_000):
        answer = await route._replace(body={**route.body, key: 1}).call(client)
        found = problem(answer)
        assert (answer.status_code, found["code"]) == (422, "unknown-field"), key[:20]
        escaped = key.replace("~", "~0").replace("/", "~1")
        (pointer,) = (one["pointer"] for one in found["errors"])
        assert pointer.startswith(f"/{escaped[:200]}")


# --- lists ---------------------------------------------------------------------------------------


class Listing(NamedTuple):
    """A list with a filter that keeps it short, and a page size that divides it."""

    path: str
    query: str
    size: int

    def url(self, **more: object) -> str:
        """Return its address with these parameters."""
        return "&".join(
            [f"{self.path}?{self.query}", *(f"{key}={value}" for key, value in more.items())]
        ).replace("?&", "?")


_VALUES = f"unit={TODAY_COMMUNE}&on=2025-08-01&period=2025"
MEASURED = (
    "commune_digital_team_decision", "commune_radio_ict_compliant", "commune_social_media_account",
    "commune_website_content_current", "commune_website_exists", "digital_healthcare_services",
)  # fmt: skip

LISTS = (
    Listing("/v1/rulesets", "", 2),
    Listing("/v1/indicators", "kind=ratio", 3),
    Listing("/v1/units", "level=province&on=2025-08-01", 5),
    Listing("/v1/units", "under=25&on=2025-08-01", 40),
    Listing("/v1/communes", "under=25&on=2025-08-01", 40),
    Listing(f"/v1/communes/{TODAY_COMMUNE}/hamlets", "on=2025-08-01", 2),
    Listing("/v1/designations", "model=smart", 2),
    Listing("/v1/audit", "action=designation.recorded", 2),
    Listing("/v1/clients", "", 50),
    Listing("/v1/grants", "direction=given", 5),
    Listing("/v1/values", _VALUES, 3),
    Listing("/v1/values/{value}/history", "", 2),
    Listing("/v1/evaluations", "ruleset=phutho.commune&period=2025", 2),
    Listing("/v1/evaluations/{verdict}/members", f"criterion={COUNTING}", 20),
    Listing("/v1/evidence-submissions", "state=submitted", 2),
    Listing(f"/v1/evidence-submissions/{{submission}}/slots/{SEEN}/findings", "", 2),
    Listing(f"/v1/evidence-submissions/{{submission}}/slots/{LISTED}/rows", "", 2),
)
lists = pytest.mark.parametrize("listing", LISTS, ids=lambda one: one.url(), indirect=True)


async def _ends_within(client: httpx.AsyncClient, url: str, size: int) -> bool:
    """Tell whether a list has at most this many items."""
    joint = "&" if "?" in url else "?"
    answer = await client.get(f"{url}{joint}limit={size + 1}")
    assert answer.status_code == 200, answer.text
    return len(answer.json()["items"]) <= size


@pytest.fixture
async def filled(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A caller, after every list has got more than two pages."""
    for code in range(10, 16):  # entered once by each worker
        body = {**HAMLET, "code": f"{TODAY_COMMUNE}-{code}", "name": f"Khu {code % 3}"}
        answer = await client.post(f"/v1/communes/{TODAY_COMMUNE}/hamlets", json=body)
        assert answer.status_code in (201, 409), answer.text
    for _ in range(5):
        await new_designation(client)
    # Each list is looked at by itself: other tests of this worker may have filled any of them.
    if await _ends_within(client, "/v1/clients", 150):
        for _ in range(150):
            assert (await client.post("/v1/clients", json=NEW_CLIENT)).status_code == 201
    if await _ends_within(client, "/v1/grants?direction=given", 15):
        for _ in range(16):
            assert (await client.post("/v1/grants", json=NEW_GRANT)).status_code == 201
    if await _ends_within(client, f"/v1/values?{_VALUES}", 6):
        for indicator in MEASURED:
            await new_value(client, indicator=indicator, value=True)
    if await _ends_within(client, f"/v1/values?{_VALUES}&indicator={VALUE['indicator']}", 0):
        await new_value(client)
    history = await _found(client, Listing("/v1/values/{value}/history", "", 2))
    if await _ends_within(client, history.path, 5):
        for _ in range(6):
            await new_value(client)
    if await _ends_within(client, "/v1/evaluations?ruleset=phutho.commune&period=2025", 5):
        for _ in range(6):
            await new_evaluation(client, EVALUATION)
    if await _ends_within(client, "/v1/evaluations?ruleset=travinh.province", 0):
        await new_evaluation(client, MEMBERS_EVALUATION)
    making = Making(client, await office(client))
    while await _ends_within(client, "/v1/evidence-submissions?state=submitted", 5):
        await making.everything()
    await making.checked()
    return client


@pytest.fixture
async def listing(request: pytest.FixtureRequest, filled: httpx.AsyncClient) -> Listing:
    """A list that has got more than two pages."""
    return await _found(filled, request.param)


async def _found(client: httpx.AsyncClient, listing: Listing) -> Listing:
    """Return a list of one thing as the list of a thing that is on record."""
    numbers: dict[str, str] = {}
    if "{submission}" in listing.path:
        numbers["{submission}"] = str(await Making(client, await office(client)).checked())
    for name, url in (
        ("{value}", f"/v1/values?{_VALUES}&indicator={VALUE['indicator']}"),
        ("{verdict}", "/v1/evaluations?ruleset=travinh.province&limit=1"),
    ):
        if name in listing.path:
            (item,) = (await client.get(url)).json()["items"]
            numbers[name] = str(item["id"])
    path = listing.path
    for name, found in numbers.items():
        path = path.replace(name, found)
    return listing._replace(path=path)


async def _all(client: httpx.AsyncClient, listing: Listing, size: int) -> list[Any]:
    """Return all items, by following the Link header from page to page."""
    items: list[Any] = []
    url: str | None = listing.url(limit=size)
    while url:
        answer = await client.get(url)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert set(body) - {"criterion", "counts", "damaged", "rows"} == {"items", "next"}
        assert not body.get("damaged")
        items += body["items"]
        assert len(body["items"]) == size or body["next"] is None
        linked = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
        assert (linked is None) == (body["next"] is None)
        if linked:
            following = listing.url(limit=size, cursor=quote(body["next"], safe=""))
            assert httpx.URL(HERE + linked[1]) == httpx.URL(HERE + following)
        url = linked[1] if linked else None
    return items


@lists
async def test_the_pages_of_a_list_are_the_list(
    filled: httpx.AsyncClient, listing: Listing
) -> None:
    whole = await _all(filled, listing, 500)
    assert len(whole) > 2 * listing.size
    assert len({json.dumps(one, sort_keys=True) for one in whole}) == len(whole)
    assert await _all(filled, listing, listing.size) == whole
    assert await _all(filled, listing, min(len(whole), 500)) == whole
    assert (await filled.get(listing.url())).json()["items"] == whole[:100]
    assert (await filled.get(listing.url(limit=1))).json()["items"] == whole[:1]


@pytest.mark.parametrize("language", ["vi", "en"])
@lists
async def test_a_wrong_limit_is_told_both_bounds(
    client: httpx.AsyncClient, listing: Listing, language: str
) -> None:
    for limit in ("0", "-1", "501", "x", "", "1.0", "+5", "%205", "５", "٥", "0x1", "1" + "0" * 20):
        answer = await client.get(listing.url(limit=limit), headers={"accept-language": language})
        found = problem(answer, language)
        assert (answer.status_code, found["code"]) == (422, "wrong-value"), limit
        (fault,) = found["errors"]
        assert fault["pointer"] == "/limit"
        assert re.search(r"\b1\b", fault["message"]), fault
        assert re.search(r"\b500\b", fault["message"]), fault


async def _cursor(client: httpx.AsyncClient, listing: Listing) -> str:
    found = (await client.get(listing.url(limit=listing.size))).json()["next"]
    assert isinstance(found, str)
    return found


async def _refused(client: httpx.AsyncClient, listing: Listing, cursor: str) -> None:
    answer = await client.get(listing.url(limit=listing.size, cursor=quote(cursor, safe="")))
    found = problem(answer)
    code = "invalid-text" if "\0" in cursor else "invalid-cursor"
    assert (answer.status_code, found["code"]) == (422, code), cursor[:80]
    assert [one["pointer"] for one in found["errors"]] == ["/cursor"]


@lists
async def test_a_cursor_that_was_cut_is_refused(
    filled: httpx.AsyncClient, listing: Listing
) -> None:
    whole = await _cursor(filled, listing)
    for end in range(0, len(whole) - 1, 5):
        await _refused(filled, listing, whole[:end])
    await _refused(filled, listing, whole[1:])
    await _refused(filled, listing, whole + whole)


@lists
async def test_the_cursor_of_another_list_or_filter_is_refused(
    filled: httpx.AsyncClient, listing: Listing
) -> None:
    for one in LISTS:
        other = await _found(filled, one)
        if other != listing:
            await _refused(filled, listing, await _cursor(filled, other))


def _forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@lists
async def test_a_cursor_with_parts_that_are_none_is_refused(
    filled: httpx.AsyncClient, listing: Listing
) -> None:
    true = await _cursor(filled, listing)
    bound, *after = json.loads(base64.urlsafe_b64decode(true + "=" * (-len(true) % 4)))
    assert _forged(bound, *after) == true
    rest = after[1:]
    for forged in (
        _forged(bound),
        _forged(bound, *after, "x"),
        _forged(bound, *after[:-1]),
        _forged(*after),
        _forged(bound[::-1] + "x", *after),
        _forged(None, *after),
        _forged(bound, "a\0b", *rest),
        _forged(bound, "\0", *rest),
        _forged(bound, "\ud800", *rest),
        _forged(bound, 1, *rest),
        _forged(bound, 1.5, *rest),
        _forged(bound, None, *rest),
        _forged(bound, True, *rest),
        _forged(bound, [], *rest),
        _forged(bound, {"a": 1}, *rest),
        _forged(bound, *(1 for _ in after)),
        _forged([bound, *after]),
        base64.urlsafe_b64encode(json.dumps(bound).encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(json.dumps({bound: after}).encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(b"[" * 700).decode().rstrip("="),
        base64.urlsafe_b64encode(b"9" * 700).decode().rstrip("="),
        base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("="),
        "null",
        "é",
        "\0",
    ):
        await _refused(filled, listing, forged)


@lists
async def test_a_forged_place_in_the_order_is_a_page_or_refused(
    filled: httpx.AsyncClient, listing: Listing
) -> None:
    true = await _cursor(filled, listing)
    bound, *after = json.loads(base64.urlsafe_b64decode(true + "=" * (-len(true) % 4)))
    for text in ("", "~", "'; DROP TABLE unit; --", "0", "-1", "999999999", "9999999999", "１",
                 "1e9", "\U0010ffff", "x" * 400):  # fmt: skip
        forged = _forged(bound, text, *after[1:])
        answer = await filled.get(listing.url(limit=1, cursor=forged))
        assert answer.status_code in (200, 422), (text, answer.text)
        if answer.status_code == 422:
            assert problem(answer)["code"] == "invalid-cursor"


async def test_a_cursor_that_was_handed_out_is_taken_however_long_the_names_are(
    client: httpx.AsyncClient,
) -> None:
    hamlets = "/v1/communes/07969/hamlets"
    for number in range(3):
        body = {**HAMLET, "code": f"07969-{10 + number}", "name": " ".join("1" * 100)}
        assert (await client.post(hamlets, json=body)).status_code in (201, 409)
    found = (await client.get(f"{hamlets}?limit=1&on=2025-08-01")).json()
    answer = await client.get(f"{hamlets}?limit=1&on=2025-08-01&cursor={found['next']}")
    assert answer.status_code == 200, answer.text


# --- languages -----------------------------------------------------------------------------------


@each(tuple(one for one in OPERATIONS if one.path.startswith("/v1/")))
async def test_every_answer_says_its_language_and_that_it_is_not_to_be_guessed_at(
    client: httpx.AsyncClient, route: Operation
) -> None:
    for header, language in (("", "vi"), ("en", "en")):
        ready = await route.ready(client)
        answer = await ready.call(client, headers={"accept-language": header})
        assert answer.status_code == route.status
        if route.status != 204:
            # A form to fill in is Vietnamese, whoever asks.
            form = "template" in route.template
            assert answer.headers["content-language"] == ("vi" if form else language)
            assert form or "accept-language" in answer.headers["vary"].lower()
            assert answer.headers["x-content-type-options"] == "nosniff"


@each(GUARDED)
async def test_a_stranger_is_refused_in_his_language(
    stranger: httpx.AsyncClient, route: Operation
) -> None:
    vi = problem(await route.call(stranger))
    en = problem(await route.call(stranger, headers={"accept-language": "en-GB"}), "en")
    assert vi["code"] == en["code"]
    assert vi["title"] != en["title"]
    assert vi["detail"] != en["detail"]


async def test_the_token_service_refuses_in_the_language_asked_for(
    stranger: httpx.AsyncClient,
) -> None:
    said = set()
    for language in ("vi", "en"):
        answer = await stranger.post("/v1/oauth/token", headers={"accept-language": language})
        assert answer.headers["content-language"] == language
        said.add(answer.json()["error_description"])
    assert len(said) == 2


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


@each(ALL)
async def test_64_kb_of_headers_are_no_reason_to_fail(
    client: httpx.AsyncClient, route: Operation
) -> None:
    names = ("x-large", "if-none-match", "accept-language", "accept", "cookie")
    ready = await route.ready(client)
    answer = await ready.call(client, headers=dict.fromkeys(names, "a" * 65_536))
    assert answer.status_code == route.status


async def test_what_nobody_expected_is_a_500_problem_without_details(
    join: Join, settings: Settings, database: Database, described: Described
) -> None:
    class Broken:
        """A registry that fails wherever it is touched."""

        entries = property(lambda _: 1 / 0)
        indicators = property(lambda _: 1 / 0)

    broken = (
        "GET /readyz", "GET /v1/rulesets", "GET /v1/rulesets/{id}", "GET /v1/indicators",
        "GET /v1/indicators/{code}", f"POST {PREVIEW}", "POST /v1/values", "POST /v1/evaluations",
        "PUT /v1/communes/{code}/attributes/{name}", "GET /v1/communes/{code}/standing",
        "PUT /v1/communes/{code}/values/{period}/{indicator}",
    )  # fmt: skip
    assert set(broken) <= {route.name for route in OPERATIONS}
    service = create_app(settings, cast(Registry, Broken()), database)
    token = service.state.tokens.issue((await join("VN")).client_id, SCOPES)
    async with calling(service, token=token) as client:
        for route in OPERATIONS:
            if route.name not in broken:
                continue
            answer = await route.call(client)
            found = problem(answer)
            assert (answer.status_code, found["code"]) == (500, "internal-error"), route.path
            assert "division" not in answer.text
            described.judge(answer)
            english = await route.call(client, headers={"accept-language": "en"})
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
    stranger: httpx.AsyncClient,
) -> None:
    for url in await _loaded(stranger):
        answer = await stranger.get(url)
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
