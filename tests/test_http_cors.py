"""Dashboards in browsers: which origins may read answers, and what of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from conftest import Join, calling
from fastapi import FastAPI
from pydantic import ValidationError

from app.database import Database
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

BOARD = "https://dashboard.example.vn"
SECOND = "http://localhost:5173"
FOREIGN = (
    "https://evil.example.vn",
    "http://dashboard.example.vn",
    "https://dashboard.example.vn:8443",
    "https://dashboard.example.vn.evil.example",
    "https://sub.dashboard.example.vn",
    "https://evil-dashboard.example.vn",
    "null",
    "",
)
PLACE = "/v1/indicators"


def _app(
    settings: Settings, registry: Registry, database: Database, origins: tuple[str, ...]
) -> FastAPI:
    return create_app(settings.model_copy(update={"cors_origins": origins}), registry, database)


@pytest.fixture
async def board(
    settings: Settings, registry: Registry, database: Database, join: Join, service: FastAPI
) -> AsyncIterator[httpx.AsyncClient]:
    """A caller with a token, of a service that knows two dashboards."""
    member = await join("VN", "read")
    token = service.state.tokens.issue(member.client_id, ["read"])
    app = _app(settings, registry, database, (BOARD, SECOND))
    async with calling(app, token=token) as caller:
        yield caller


def _preflight(origin: str, method: str = "GET", headers: str = "authorization") -> dict[str, str]:
    return {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": headers,
    }


def _names(answer: httpx.Response, header: str) -> set[str]:
    return {one.strip().lower() for one in answer.headers.get(header, "").split(",")}


def _granted(answer: httpx.Response) -> list[str]:
    return [name for name in answer.headers if name.startswith("access-control-allow")]


@pytest.mark.parametrize("path", [PLACE, "/v1/oauth/token", "/livez", "/v1/clients"])
async def test_without_origins_no_browser_elsewhere_may_read_anything(
    stranger: httpx.AsyncClient, client: httpx.AsyncClient, path: str
) -> None:
    asked = await stranger.options(path, headers=_preflight(BOARD))
    assert asked.status_code == 405
    assert not [name for name in asked.headers if name.startswith("access-control")]
    for caller in (stranger, client):
        answer = await caller.get(path, headers={"origin": BOARD})
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", [BOARD, SECOND])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
async def test_a_known_dashboard_may_send_a_token_with_every_method(
    board: httpx.AsyncClient, origin: str, method: str
) -> None:
    wanted = (
        "authorization,content-type,if-none-match,accept-language,"
        "if-match,idempotency-key,x-request-id"
    )
    answer = await board.options(PLACE, headers=_preflight(origin, method, wanted))
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert set(wanted.split(",")) <= _names(answer, "access-control-allow-headers")
    assert method.lower() in _names(answer, "access-control-allow-methods")
    assert "origin" in _names(answer, "vary")


async def test_no_browser_sends_cookies_on_anybodys_behalf(board: httpx.AsyncClient) -> None:
    asked = await board.options(PLACE, headers=_preflight(BOARD))
    answer = await board.get(PLACE, headers={"origin": BOARD})
    for one in (asked, answer):
        assert "access-control-allow-credentials" not in one.headers


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_preflight_from_elsewhere_is_refused(board: httpx.AsyncClient, origin: str) -> None:
    answer = await board.options(PLACE, headers=_preflight(origin))
    assert answer.status_code in (400, 405)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "CONNECT", "BREW"])
async def test_a_preflight_for_a_method_that_no_route_has_is_refused(
    board: httpx.AsyncClient, method: str
) -> None:
    assert (await board.options(PLACE, headers=_preflight(BOARD, method))).status_code == 400


async def test_a_preflight_for_a_header_that_means_nothing_here_is_refused(
    board: httpx.AsyncClient,
) -> None:
    answer = await board.options(PLACE, headers=_preflight(BOARD, "GET", "x-secret"))
    assert answer.status_code == 400


async def test_a_known_dashboard_may_read_the_answer_its_tag_and_its_links(
    board: httpx.AsyncClient,
) -> None:
    answer = await board.get(f"{PLACE}?limit=1", headers={"origin": BOARD})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == BOARD
    exposed = _names(answer, "access-control-expose-headers")
    assert {"etag", "link", "location", "retry-after", "www-authenticate"} <= exposed
    assert {"idempotent-replayed", "x-request-id", "ratelimit", "ratelimit-policy"} <= exposed
    assert {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} <= exposed
    assert "etag" in answer.headers
    assert "link" in answer.headers
    assert {"origin", "accept-language"} <= _names(answer, "vary")


@pytest.mark.parametrize("origin", FOREIGN)
async def test_an_answer_to_elsewhere_carries_no_permission(
    board: httpx.AsyncClient, origin: str
) -> None:
    answer = await board.get(PLACE, headers={"origin": origin})
    assert answer.status_code == 200
    assert _granted(answer) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/clients", 403),
        ("GET", "/v1/nothing", 404),
        ("GET", f"{PLACE}?wrong=1", 422),
        ("DELETE", PLACE, 405),
    ],
)
async def test_a_known_dashboard_may_read_errors_too(
    board: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await board.request(method, path, headers={"origin": BOARD})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == BOARD


async def test_a_known_dashboard_may_read_that_its_token_has_ended(
    board: httpx.AsyncClient,
) -> None:
    answer = await board.get(PLACE, headers={"origin": BOARD, "authorization": "Bearer x"})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == BOARD
    assert "www-authenticate" in _names(answer, "access-control-expose-headers")


async def test_an_unchanged_answer_keeps_the_permission(board: httpx.AsyncClient) -> None:
    first = await board.get(PLACE, headers={"origin": BOARD})
    headers = {"origin": BOARD, "if-none-match": first.headers["etag"]}
    again = await board.get(PLACE, headers=headers)
    assert again.status_code == 304
    assert again.headers["access-control-allow-origin"] == BOARD


async def test_a_permission_is_no_token(board: httpx.AsyncClient) -> None:
    del board.headers["authorization"]
    answer = await board.get(PLACE, headers={"origin": BOARD})
    assert answer.status_code == 401


async def test_a_star_lets_every_origin_read_but_send_no_cookies(
    settings: Settings, registry: Registry, database: Database
) -> None:
    async with calling(_app(settings, registry, database, ("*",))) as caller:
        answer = await caller.get("/livez", headers={"origin": "https://any.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        (" , ", ()),
        (BOARD, (BOARD,)),
        (f" {BOARD} ,{SECOND},", (BOARD, SECOND)),
        ("*", ("*",)),
        ("http://[::1]:3000", ("http://[::1]:3000",)),
    ],
)
def test_origins_are_given_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, found: tuple[str, ...]
) -> None:
    monkeypatch.setenv("NTM_CORS_ORIGINS", text)
    assert Settings().cors_origins == found


NO_ORIGINS = (
    "dashboard.example.vn",
    "//dashboard.example.vn",
    "ftp://dashboard.example.vn",
    "file:///tmp",
    "javascript:alert(1)",
    "null",
    "https://",
    "https:///",
    f"{BOARD}/",
    f"{BOARD}/board",
    f"{BOARD}?x=1",
    f"{BOARD}#top",
    f"{BOARD} {SECOND}",
    "https://user:word@dashboard.example.vn",
    "https://*.example.vn",
    "https://dashboard.example.vn:port",
    "https://dashboard.example.vn:99999",
    "https://Dashboard.example.vn",
    "HTTPS://dashboard.example.vn",
    "https://:8443",
)


@pytest.mark.parametrize("text", NO_ORIGINS)
def test_what_no_browser_ever_sends_as_origin_is_refused_with_an_example(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("NTM_CORS_ORIGINS", f"{BOARD},{text}")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert text in str(refused.value)
    assert "https://dashboard.example.vn" in str(refused.value)
    assert len(refused.value.errors()) == 1
    assert refused.value.errors()[0]["loc"] == ("cors_origins",)
