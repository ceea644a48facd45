"""Every operation of the API description, and the requests that are fired at it."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import httpx
from conftest import HERE, Described, Renewed, calling, shipped
from fastapi import FastAPI
from fastapi.routing import APIRoute
from hostile import OPERATIONS, Operation, Place, altered, sent

from app.cli.clients import make
from app.database import EVERYTHING, SCHEMA, Database, driver_of
from app.domain.clients import SCOPES
from app.main import create_app
from app.settings import Settings
from faults.goals import Stage

JSON: Final = {"content-type": "application/json"}
CSV: Final = {"content-type": "text/csv"}
FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
# A file that is sent to these is read by a process of its own.
SENDING: Final = frozenset({"POST /v1/imports"})
_TURNS: Final = 4
_MARK: Final = "MARK-OF-THE-DRILL"
_COLUMNS: Final = (
    "SELECT DISTINCT column_name FROM information_schema.columns WHERE table_schema = $1 ORDER BY 1"
)


class Shot(NamedTuple):
    """One hostile request: what is hostile in it, where, and the text that must not come back."""

    field: str
    value: str
    url: str
    content: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    text: str = ""


class Range(NamedTuple):
    """Where requests are fired: the service, its database, and a client that may do anything.

    What all operations have in common each of them is tried with by turns: so many of them try it
    all together, where the size is small.
    """

    service: FastAPI
    database: Database
    admin: httpx.AsyncClient
    described: Described
    columns: tuple[str, ...]
    token: Renewed
    turns: int

    def turn(self, route: Operation, name: str, values: Sequence[Any]) -> Sequence[Any]:
        """Return what an operation is tried with of values that many operations are tried with."""
        return values[len(f"{route.name} {name}") % self.turns :: self.turns]


@contextlib.asynccontextmanager
async def range_on(
    stage: Stage,
    served: Callable[[FastAPI], FastAPI] = lambda app: app,
    *,
    full: bool = False,
) -> AsyncIterator[Range]:
    """Open a service with a database of its own; `served` may spoil it for a control."""
    env = await stage.clone("fuzz", hasty=True)
    # One client sends everything: its own rate is not what is tried here.
    unlimited: dict[str, object] = (
        {"rate_limit": 0} if "rate_limit" in Settings.model_fields else {}
    )
    settings = stage.settings(env, **unlimited)
    async with Database(settings) as opened:
        database = opened.acting_for(EVERYTHING)
        service = served(create_app(settings, shipped(), opened))
        service.state.streams.close()  # who follows a job is told of it once: no stream goes on
        made = await make(database, "Thử đầu vào", "VN", list(SCOPES))
        token = Renewed(lambda: service.state.tokens.issue(made["client_id"], list(SCOPES)))
        async with database.as_owner() as connection:
            driver = await driver_of(connection)
            columns = tuple(row[0] for row in await driver.fetch(_COLUMNS, SCHEMA))
        described = Described(json.loads(json.dumps(service.openapi())))
        async with calling(service, auth=token) as admin:
            turns = 1 if full else _TURNS
            yield Range(service, database, admin, described, columns, token, turns)


def routes(service: FastAPI) -> set[tuple[str, str]]:
    """Return every method and path that the service answers, those not described included."""

    def below(found: Any) -> Iterator[tuple[str, str]]:
        for route in found:
            if isinstance(route, APIRoute):
                yield from (
                    (method, re.sub(r":\w+}", "}", route.path)) for method in route.methods or ()
                )
            else:  # a router within the router; files for the documentation have none
                yield from below(getattr(getattr(route, "original_router", None), "routes", ()))

    return set(below(service.routes))


PAGES: Final = (
    Operation("GET", "/docs", "/docs", None),
    Operation("GET", "/openapi.json", "/openapi.json", None),
)
EVERY: Final = (*OPERATIONS, *PAGES)


OFFICIAL: Final = {"id": "CB-12", "office": "Văn phòng UBND", "position": "Chánh Văn phòng"}


def known_keys(arena: Range, route: Operation) -> list[str]:
    """Return the keys that the description of an operation's JSON body knows at its top."""
    if route in PAGES or route.form or route.csv:
        return []
    operation = arena.described.operation(route.method, route.path)
    found: dict[str, None] = {}
    for media in operation.get("requestBody", {"content": {}})["content"].values():
        for one in media["schema"].get("anyOf", [media["schema"]]):
            name = str(one.get("$ref", ""))[len("#/components/schemas/") :]
            if name:
                schemas = arena.described.document["components"]["schemas"]
                found |= dict.fromkeys(schemas[name].get("properties", ()))
    return list(found)


async def made_ready(arena: Range, route: Operation) -> Operation:
    """Return the operation as a good request, with the official it is for where it takes one."""
    ready = await route.ready(arena.admin)
    keys = known_keys(arena, ready)
    more = {"acting_official": OFFICIAL} if "acting_official" in keys else {}
    if ready.body is None and keys:  # its body may be left out
        return ready._replace(body={"reason": "theo yêu cầu", **more})
    return ready._replace(body={**ready.body, **more}) if more else ready


def good_headers(route: Operation) -> dict[str, str]:
    """Return the headers of a good request; any version of what it changes is fine."""
    if route.body is None:
        return {"if-match": "*"} if route.method != "GET" else {}
    media = FORM if route.form else CSV if route.csv else JSON
    return {**media, **({} if route.form else {"if-match": "*"})}


def good_content(route: Operation) -> bytes | None:
    """Return the body of a good request as the bytes that travel."""
    if route.body is None:
        return None
    if route.form:
        return urlencode(route.body).encode()
    return route.body.encode() if route.csv else sent(route.body)


async def fire(arena: Range, route: Operation, shot: Shot) -> httpx.Response:
    """Send a request as it is, mending nothing in it."""
    headers = {name: value.encode() for name, value in good_headers(route).items()}
    if not route.form:
        token = route.sent_by.token if route.sent_by else arena.token()
        headers["authorization"] = f"Bearer {token}".encode()
    headers.update(dict(shot.headers))
    raw = quote(shot.url, safe="/?&%'*;=-_.()!~+[]").encode()
    url = httpx.URL(HERE).copy_with(raw_path=raw)
    request = httpx.Request(
        route.method,
        url,
        headers=[(name.encode(), value) for name, value in headers.items()],
        content=shot.content,
    )
    return await arena.admin.send(request, auth=None)


def with_raw(body: Any, changes: Mapping[Place, bytes]) -> bytes:
    """Return a body with pieces of JSON text put at some of its places."""
    for number, place in enumerate(changes):
        body = altered(body, place, f"{_MARK}-{number}-")
    content = sent(body)
    for number, raw in enumerate(changes.values()):
        content = content.replace(f'"{_MARK}-{number}-"'.encode(), raw)
    return content
