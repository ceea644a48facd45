"""Exports that break off: visibly for who reads them, and without anything left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import httpx
import pytest
from conftest import Member, calling
from export_calls import BOM, on_a_socket, table
from fastapi import FastAPI
from on_record import client_of, record, value
from own_database import own
from sqlalchemy import text
from starlette.types import Message
from value_calls import COUNT

from app.api import downloads
from app.api.downloads import Cut
from app.database import Database
from app.domain.clients import SCOPES
from app.domain.exports import values as exported_values
from app.domain.grants import counting

settings, database, service = own("cut")

DEADLINE: Final = 60.0  # for what must happen at last; nothing is said about how fast
PATH: Final = "/v1/values.csv"
# What an export holds at the database: a transaction in which it waits for its reader.
_OPEN: Final = """
FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'
"""


@pytest.fixture
async def reader(service: FastAPI, database: Database) -> AsyncIterator[Member]:
    """A caller of the nation, with some values on record; a part has one row."""
    nation = await client_of(database)
    token = service.state.tokens.issue(nation, list(SCOPES))
    async with calling(service, token=token) as http:
        await record(http, *(value("00004", COUNT, 3, f"2026-{n:02}") for n in range(1, 10)))
        yield Member(nation, token, http)


@pytest.fixture(autouse=True)
def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value is a part of its own."""
    monkeypatch.setattr(exported_values, "PAGE", 1)


class Halfway:
    """Something that happens after the second part was read, before it is sent."""

    def __init__(self, act: Callable[[], Awaitable[None]]) -> None:
        self._act, self._count, self.parts = act, counting.count, 0

    async def __call__(self, *arguments: Any) -> None:
        """Count as usual; act in the middle."""
        self.parts += 1
        if self.parts == 2:
            await self._act()
        await self._count(*arguments)


async def nobody_is_left(service: FastAPI, database: Database) -> None:
    """Wait until no export holds a place or a transaction."""
    async with asyncio.timeout(DEADLINE):
        while service.state.downloads.running or await opened(database):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def opened(database: Database) -> int:
    """Return how many transactions wait for a reader."""
    async with database.as_owner() as connection:
        return int((await connection.execute(text(f"SELECT count(*) {_OPEN}"))).scalar_one())


async def received(address: str, token: str) -> tuple[bytes, Exception | None]:
    """Return what arrived of a download over TCP, and how it broke off, if it did."""
    arrived = b""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=address, headers=headers) as http:
        try:
            async with http.stream("GET", PATH) as answer:
                assert answer.status_code == 200
                async for part in answer.aiter_raw():
                    arrived += part
        except httpx.HTTPError as error:
            return arrived, error
    return arrived, None


async def test_a_download_that_nothing_disturbs_is_whole(service: FastAPI, reader: Member) -> None:
    """Over a real connection every part arrives, and the last row proves it."""
    async with on_a_socket(service) as address:
        content, error = await received(address, reader.secret)
    assert error is None
    assert len(table(content)) == 10


async def test_a_database_that_goes_away_cuts_the_download(
    service: FastAPI, database: Database, reader: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection ends without the end of the answer; there is no last row; nothing is left."""

    async def kill() -> None:
        async with database.as_owner() as connection:
            await connection.execute(text(f"SELECT pg_terminate_backend(pid) {_OPEN}"))

    halfway = Halfway(kill)
    monkeypatch.setattr(counting, "count", halfway)
    async with on_a_socket(service) as address:
        content, error = await received(address, reader.secret)
        await nobody_is_left(service, database)
    assert isinstance(error, httpx.RemoteProtocolError)
    assert halfway.parts == 2
    assert content.startswith(BOM + b"unit,on,")
    assert b"#sha256" not in content


async def test_a_caller_that_hangs_up_ends_the_export(
    service: FastAPI, database: Database, reader: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transaction and place are given back, although the export would have gone on for ever."""
    waiting = asyncio.Event()

    async def wait() -> None:
        waiting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(counting, "count", Halfway(wait))
    async with on_a_socket(service) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        _, line = await asyncio.open_connection(host, int(port))
        request = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {reader.secret}\r\n\r\n"
        line.write(request.encode())
        await asyncio.wait_for(waiting.wait(), DEADLINE)
        assert (service.state.downloads.running, await opened(database)) == (1, 1)
        assert service.state.gate.running == 0  # its room is free since the answer began
        line.close()
        await nobody_is_left(service, database)


async def test_a_reader_that_does_not_read_is_cut(
    service: FastAPI,
    database: Database,
    reader: Member,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who does not take a part in time holds no state of the record any longer."""
    monkeypatch.setattr(downloads, "_TAKING", 0.01)
    asked, sent = iter([{"type": "http.request"}]), list[Message]()

    async def receive() -> Message:
        for message in asked:
            return message
        await asyncio.Event().wait()
        raise AssertionError("nobody hangs up")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": PATH, "raw_path": PATH.encode(),
        "query_string": b"", "scheme": "http", "server": ("x", 80), "client": ("127.0.0.1", 1),
        "http_version": "1.1",
        "headers": [(b"authorization", f"Bearer {reader.secret}".encode())],
    }  # fmt: skip
    await asyncio.wait_for(service(scope, receive, send), DEADLINE)
    assert [message["type"] for message in sent] == ["http.response.start"]  # and no end
    assert [one.exc_info[0] for one in caplog.records if one.exc_info] == [Cut]
    await nobody_is_left(service, database)


async def test_what_fails_in_the_first_part_is_a_problem_document(
    service: FastAPI, database: Database, reader: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent yet: the caller is told what is wrong, with a status."""

    async def kill(*_: Any) -> None:
        async with database.as_owner() as connection:
            await connection.execute(text(f"SELECT pg_terminate_backend(pid) {_OPEN}"))

    rows = exported_values.rows

    async def after_the_kill(*arguments: Any) -> Any:
        await kill()
        return await rows(*arguments)

    monkeypatch.setattr(exported_values, "rows", after_the_kill)
    for path in (PATH, "/v1/values.xlsx"):
        answer = await reader.http.get(path)
        assert answer.status_code == 503
        assert answer.json()["code"] == "database-unavailable"
        await nobody_is_left(service, database)
