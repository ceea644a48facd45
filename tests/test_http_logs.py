"""Request ids and log lines: what is said of a request, where, and what never is."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any, Final

import httpx
import pytest
from conftest import Join, calling
from fastapi import FastAPI
from starlette.types import Message
from structlog.contextvars import bound_contextvars

from app import logs
from app.api.request_ids import RequestIds
from app.database import Database
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

DEADLINE: Final = 60.0  # for what must happen at last; nothing is said about how fast
CANARY: Final = "Nguyễn-Thị-Chim-Hoàng-Yến"
LINE: Final = {"event", "level", "logger", "timestamp", "request_id", "method", "route", "status"}


class Lines:
    """What is logged as JSON while a test runs."""

    def __init__(self) -> None:
        self.stream = StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(logs.formatter(people=False))

    def all(self) -> list[dict[str, Any]]:
        """Return every line; one that is no JSON object fails the test."""
        found = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        assert all(isinstance(one, dict) for one in found)
        return found

    def requests(self) -> list[dict[str, Any]]:
        """Return the lines of requests."""
        return [one for one in self.all() if one["event"] == "request"]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The log of this test, from level info on, as production writes it."""
    found, logger = Lines(), logging.getLogger("ntm")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(found.handler)
    yield found
    logger.removeHandler(found.handler)
    logger.setLevel(level)


@pytest.fixture
async def broken(settings: Settings, registry: Registry, database: Database) -> httpx.AsyncClient:
    """A caller of a service with a route that fails."""
    app = create_app(settings, registry, database)

    @app.get("/broken/{name}")
    async def fail(name: str) -> None:
        told = name + CANARY
        raise ValueError(told)

    return calling(app)


# --- ids -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", ["a", "A-1._z", "x" * 64])
async def test_an_id_that_the_caller_chose_is_kept(
    client: httpx.AsyncClient, lines: Lines, sent: str
) -> None:
    """A well-formed X-Request-ID comes back in the answer and stands in the log line."""
    answer = await client.get("/v1/vocabulary", headers={"x-request-id": sent})
    assert answer.headers.get_list("x-request-id") == [sent]
    assert [one["request_id"] for one in lines.requests()] == [sent]


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "á", 'a"b', "a\tb", "a,b", "{}"])
async def test_an_id_that_is_none_is_replaced(
    stranger: httpx.AsyncClient, lines: Lines, sent: str
) -> None:
    """What is no id never reaches the answer or the log; a new id takes its place."""
    answer = await stranger.get("/livez", headers={b"x-request-id": sent.encode()})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
    assert [one["request_id"] for one in lines.requests()] == [answer.headers["x-request-id"]]


async def test_two_ids_are_none(stranger: httpx.AsyncClient) -> None:
    """Two X-Request-ID headers are replaced by a new id, for nobody knows which one is meant."""
    answer = await stranger.get("/livez", headers=[("x-request-id", "a"), ("x-request-id", "b")])
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/livez", 200), ("GET", "/v1/units", 401), ("GET", "/nope", 404),
     ("DELETE", "/livez", 405), ("POST", "/v1/oauth/token", 400), ("HEAD", "/readyz", 200)],
)  # fmt: skip
async def test_every_answer_has_an_id_of_its_own(
    stranger: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """Answers of every kind carry X-Request-ID once, never the same one twice."""
    answers = [await stranger.request(method, path) for _ in range(2)]
    assert [one.status_code for one in answers] == [status, status]
    found = [one.headers.get_list("x-request-id") for one in answers]
    assert [len(one) for one in found] == [1, 1]
    assert found[0] != found[1]


# --- lines ---------------------------------------------------------------------------------------


async def test_a_request_is_one_line_that_names_route_client_and_no_content(
    join: Join, lines: Lines
) -> None:
    """A request is logged once: template, status, duration, client; not path, query or body."""
    member = await join("25", "read")
    await member.http.get("/v1/units/07894?on=2025-08-01")
    await member.http.head("/v1/units/07894")
    first, second = lines.requests()
    assert set(first) == LINE | {"client_id", "duration_ms"}
    assert (first["method"], first["route"], first["status"]) == ("GET", "/v1/units/{code}", 200)
    assert (first["client_id"], first["level"]) == (member.client_id, "info")
    assert (second["method"], second["route"]) == ("HEAD", "/v1/units/{code}")
    assert "07894" not in lines.stream.getvalue()
    assert "2025-08-01" not in lines.stream.getvalue()


@pytest.mark.parametrize(
    ("method", "path", "route", "problem"),
    [
        ("GET", "/v1/units/99999", "/v1/units/{code}", "unit-not-found"),
        ("GET", "/v1/clients", "/v1/clients", "insufficient-scope"),
        ("GET", f"/v1/units?q={CANARY}&x=1", "/v1/units", "unknown-field"),
        ("DELETE", "/v1/units", "/v1/units", "method-not-allowed"),
        ("GET", f"/{CANARY}", "-", "not-found"),
    ],
)
async def test_what_was_refused_is_logged_by_its_code(
    join: Join, lines: Lines, method: str, path: str, route: str, problem: str
) -> None:
    """The line of a refused request carries the code of its problem, and nothing of its path."""
    member = await join("25", "read")
    await member.http.request(method, path)
    (line,) = lines.requests()
    assert (line["route"], line["problem"], line["level"]) == (route, problem, "info")
    assert CANARY not in lines.stream.getvalue()


async def test_who_lacks_a_scope_is_named(join: Join, lines: Lines) -> None:
    """A missing scope is logged with the client that lacks it."""
    member = await join("25", "read")
    await member.http.get("/v1/clients")
    (line,) = lines.requests()
    assert (line["client_id"], line["status"]) == (member.client_id, 403)


async def test_a_refused_token_and_a_refused_secret_are_logged_without_them(
    stranger: httpx.AsyncClient, lines: Lines
) -> None:
    """Refused tokens and secrets are seen in the log as codes; they themselves are not."""
    await stranger.get("/v1/units", headers={"authorization": f"Bearer {'s' * 40}"})
    form = {"grant_type": "client_credentials", "client_id": "c", "client_secret": "s" * 40}
    await stranger.post("/v1/oauth/token", data=form)
    assert [one["problem"] for one in lines.requests()] == ["invalid-token", "invalid_client"]
    assert "s" * 40 not in lines.stream.getvalue()


async def test_a_failure_is_logged_once_with_its_place_and_without_its_words(
    broken: httpx.AsyncClient, lines: Lines
) -> None:
    """A 500 is one line at level error: frames and kind, neither message nor local variables."""
    async with broken as caller:
        answer = await caller.get(f"/broken/{CANARY}?q={CANARY}")
    assert answer.status_code == 500
    (line,) = lines.all()
    assert (line["event"], line["level"], line["status"]) == ("request", "error", 500)
    assert (line["route"], line["problem"]) == ("/broken/{name}", "internal-error")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert "in fail" in line["exception"]
    assert line["exception"].endswith("builtins.ValueError")
    assert CANARY not in json.dumps(line, ensure_ascii=False)


async def test_a_5xx_that_is_no_failure_of_ours_is_a_warning(
    service: FastAPI, lines: Lines
) -> None:
    """An answer from 500 on is logged as a warning when nothing was raised."""

    async def busy(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        raise AssertionError("nobody asks for the body")

    async def send(message: Message) -> None:
        assert message["type"].startswith("http.response.")

    scope = {"type": "http", "method": "BREW", "path": "/", "headers": []}
    await RequestIds(busy, service.state.metrics)(scope, receive, send)
    (line,) = lines.requests()
    assert (line["level"], line["status"], line["method"]) == ("warning", 503, "other")


async def test_refusals_at_the_gate_share_a_line_that_counts_them(
    registry: Registry, settings: Settings, database: Database, lines: Lines
) -> None:
    """Overload does not flood the log, and none of its refusals is missing from it."""
    service = create_app(settings.model_copy(update={"max_running": 1}), registry, database)
    assert await service.state.gate.enter()
    async with calling(service) as stranger:
        waiting = [asyncio.create_task(stranger.get("/v1/units")) for _ in range(60)]
        found = [(await one).status_code for one in waiting]
    refused = found.count(503)
    assert refused > 30

    def told() -> list[dict[str, Any]]:
        return [one for one in lines.all() if one["event"] == "refused"]

    async with asyncio.timeout(DEADLINE):
        while sum(one["requests"] for one in told()) < refused:  # noqa: ASYNC110 - a timer tells
            await asyncio.sleep(0.01)
    assert sum(one["requests"] for one in told()) == refused
    assert len(told()) < 5
    assert {one["problem"] for one in told()} == {"overloaded"}
    assert not [one for one in lines.requests() if one["status"] == 503]


# --- every line ----------------------------------------------------------------------------------


def _record(name: str, error: BaseException | None = None, **extra: object) -> logging.LogRecord:
    trace = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, "it broke", None, trace)
    record.__dict__.update(extra)
    return record


def _line(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(logs.formatter(people=False).format(record))
    return found


def test_whoever_logs_within_a_request_names_it() -> None:
    """Lines of other libraries carry the request id too."""
    with bound_contextvars(request_id="r-1"):
        assert _line(_record("asyncpg"))["request_id"] == "r-1"
    assert "request_id" not in _line(_record("asyncpg"))


def test_only_our_own_modules_add_fields() -> None:
    """What other libraries attach to a record stays out of the line."""
    assert "secret" not in _line(_record("uvicorn.error", secret="s"))
    assert _line(_record("ntm.x", found=1))["found"] == 1


def test_a_chain_of_failures_is_told_without_their_words() -> None:
    """Causes come first, each with its frames; the values that exceptions quote do not appear."""
    try:
        try:
            int(CANARY)
        except ValueError as cause:
            raise LookupError(CANARY) from cause
    except LookupError as error:
        group = ExceptionGroup(CANARY, [error])
    for people in (True, False):
        said = logs.formatter(people=people).format(_record("asyncio", group))
        assert said.index("builtins.ValueError") < said.index("builtins.LookupError")
        assert "ExceptionGroup" in said
        assert "int(CANARY)" in said
        assert CANARY not in said


def test_a_line_is_one_line() -> None:
    """What somebody logs with line breaks is still one line of JSON: no line can be forged."""
    record = logging.LogRecord("ntm", logging.INFO, "", 1, "a\n{}\r\nb", None, None)
    assert "\n" not in logs.formatter(people=False).format(record)
