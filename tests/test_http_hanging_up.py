"""Hanging up: work for a caller that is gone is cancelled, down to the statement it waits for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import pytest
import uvicorn
from fastapi import FastAPI, Request
from sqlalchemy import text
from starlette.types import Message, Receive, Scope, Send

from app.api.hanging_up import HangingUp
from app.database import Database
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

DEADLINE: Final = 60.0  # for what must happen at last; nothing is said about how fast
GONE: Final[Message] = {"type": "http.disconnect"}
POSTED: Final = ((b"content-length", b"2"),)


def part(more: bool = False) -> Message:
    """Return a part of a body."""
    return {"type": "http.request", "body": b"x", "more_body": more}


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


class Caller:
    """One request through the layer alone; what the server would say is put into `server`."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.server: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        self._app = HangingUp(app)

    def calls(self, *headers: tuple[bytes, bytes]) -> asyncio.Task[None]:
        """Begin the request."""
        scope = {"type": "http", "method": "POST", "path": "/", "headers": list(headers)}
        return asyncio.create_task(self._call(scope))

    async def _call(self, scope: Scope) -> None:
        async def send(message: Message) -> None:
            self.sent.append(message)

        await self._app(scope, self.server.get, send)


@contextlib.contextmanager
def no_task_left() -> Any:
    """Fail when a task of the block outlives it."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before
    assert not left, left


class Work:
    """A handler that waits for ever after it did what it is told to do first."""

    def __init__(self, *first: str) -> None:
        self._first, self.ended = first, ""
        self.seen: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a message, begin an answer, then wait."""
        try:
            for one in self._first:
                if one == "read":
                    self.seen.append(await receive())
                else:
                    await send({"type": "http.response.start", "status": 200, "headers": []})
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


@pytest.mark.parametrize("first", [(), ("read",)])
async def test_without_a_body_whoever_hangs_up_ends_the_work(first: tuple[str, ...]) -> None:
    """A handler is cancelled on disconnect whether or not it looked for a body; nothing is sent."""
    work = Work(*first)
    caller = Caller(work)
    with no_task_left():
        call = caller.calls()
        caller.server.put_nowait(part())
        await settled()
        assert work.ended == ""
        caller.server.put_nowait(GONE)
        await asyncio.wait_for(call, DEADLINE)
        await settled()
    assert (work.ended, caller.sent) == ("cancelled", [])
    assert call.cancelling() == 0


async def test_while_the_body_is_on_its_way_hanging_up_ends_the_work() -> None:
    """A disconnect in the middle of a body cancels the handler that reads it."""
    work = Work("read", "read")
    caller = Caller(work)
    with no_task_left():
        call = caller.calls(*POSTED)
        caller.server.put_nowait(part(more=True))
        await settled()
        caller.server.put_nowait(GONE)
        await asyncio.wait_for(call, DEADLINE)
        await settled()
    assert (work.ended, len(work.seen), caller.sent) == ("cancelled", 1, [])


async def test_after_the_body_hanging_up_ends_the_work() -> None:
    """A disconnect after the whole body cancels the handler that works on it."""
    work = Work("read", "read")
    caller = Caller(work)
    with no_task_left():
        call = caller.calls(*POSTED)
        caller.server.put_nowait(part(more=True))
        caller.server.put_nowait(part())
        await settled()
        assert (work.ended, len(work.seen)) == ("", 2)
        caller.server.put_nowait(GONE)
        await asyncio.wait_for(call, DEADLINE)
        await settled()
    assert work.ended == "cancelled"


async def test_a_body_that_nobody_asks_for_waits_at_the_server() -> None:
    """Two parts are received ahead of a handler that does not read, none when they are asked for.

    The server then stops reading; who expects `100 Continue` is not told to continue.
    """
    expecting, sending = Caller(Work()), Caller(Work())  # the later one is watched later
    calls = [expecting.calls(*POSTED, (b"expect", b"100-continue")), sending.calls(*POSTED)]
    for caller in (expecting, sending):
        for _ in range(4):
            caller.server.put_nowait(part(more=True))
    async with asyncio.timeout(DEADLINE):
        while sending.server.qsize() > 2:  # noqa: ASYNC110 - a timer of the layer begins it
            await asyncio.sleep(0.001)
    await settled()
    assert (expecting.server.qsize(), sending.server.qsize()) == (4, 2)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_parts_reach_the_handler_in_order() -> None:
    """A handler that reads late gets every part, in order, and then that the caller is gone."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await settled()
        while len(seen) < 6:
            message = await receive()
            seen.append(message.get("body", b"gone").decode())

    caller = Caller(app)
    call = caller.calls(*POSTED, (b"expect", b"100-continue"))
    for number in range(4):
        body = b"%d" % number
        caller.server.put_nowait({"type": "http.request", "body": body, "more_body": number < 3})
    caller.server.put_nowait(GONE)
    await asyncio.wait_for(call, DEADLINE)
    assert seen == ["0", "1", "2", "3", "gone", "gone"]


async def test_after_the_answer_has_begun_nothing_is_cancelled() -> None:
    """A disconnect after the beginning of the answer leaves the handler alone."""
    work = Work("answer")
    caller = Caller(work)
    call = caller.calls()
    caller.server.put_nowait(part())
    await settled()
    caller.server.put_nowait(GONE)
    await settled()
    assert (work.ended, call.done(), len(caller.sent)) == ("", False, 1)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)


async def test_a_handler_that_asks_learns_that_the_caller_is_gone() -> None:
    """Who receives again after the body gets the disconnect, as the protocol says."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        seen.append((await receive())["type"])

    caller = Caller(app)
    with no_task_left():
        call = caller.calls()
        caller.server.put_nowait(part())
        await settled()
        assert seen == []
        caller.server.put_nowait(GONE)
        await asyncio.wait_for(call, DEADLINE)
        await settled()
    assert seen == ["http.disconnect"]


async def test_who_ends_in_peace_leaves_no_watcher() -> None:
    """When the handler has answered nobody watches any longer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})

    caller = Caller(app)
    with no_task_left():
        caller.server.put_nowait(part())
        await caller.calls()
        await settled()
    assert len(caller.sent) == 1


async def test_a_cancellation_by_somebody_else_stays_one() -> None:
    """A server that cancels a request is obeyed: only our own cancellation ends silently."""
    work = Work()
    caller = Caller(work)
    with no_task_left():
        call = caller.calls()
        caller.server.put_nowait(part())
        await settled()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(call, DEADLINE)
        await settled()
    assert work.ended == "cancelled"


# --- on a real socket ----------------------------------------------------------------------------

ENDED: Final[list[str]] = []
SLEEP: Final = "SELECT pg_sleep(3600), 'hung up' WHERE true"


def _slow(settings: Settings, registry: Registry, database: Database) -> FastAPI:
    """Return a service with routes that wait for a statement that never ends by itself."""
    app = create_app(settings, registry, database)

    @app.get("/plain")
    async def plain(request: Request) -> None:
        async with app.state.database.reading() as connection:
            await connection.execute("SET LOCAL statement_timeout = 0")
            await _until_cancelled(connection.execute(SLEEP, timeout=3600))

    @app.post("/session")
    async def session(request: Request) -> None:
        await request.body()
        async with app.state.database.transaction() as opened:
            await opened.execute(text("SET LOCAL statement_timeout = 0"))
            await _until_cancelled(opened.execute(text(SLEEP)))

    return app


async def _until_cancelled(work: Awaitable[object]) -> None:
    try:
        await work
    except asyncio.CancelledError:
        ENDED.append("cancelled")
        raise
    except BaseException as error:
        ENDED.append(type(error).__name__)
        raise


@pytest.fixture
async def port(
    settings: Settings, registry: Registry, database: Database
) -> AsyncIterator[tuple[int, FastAPI]]:
    """The port of a real server in this process, and its application."""
    app = _slow(settings, registry, database)
    line = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[line]))
    yield line.getsockname()[1], app
    server.should_exit = True
    await running


async def _asleep(database: Database) -> int:
    async with database.reading() as connection:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE query = $1 AND state = 'active'"
            " AND datname = current_database()",
            SLEEP,
        )
    return count


async def _eventually(holds: Callable[[], Awaitable[bool]], complaint: str) -> None:
    end = time.monotonic() + DEADLINE
    while not await holds():
        assert time.monotonic() < end, complaint
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("head", ["GET /plain", "POST /session"])
async def test_a_statement_that_nobody_waits_for_is_cancelled_in_the_database(
    port: tuple[int, FastAPI],
    database: Database,
    head: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Hanging up cancels the running statement; no transaction stays open; 499 is logged."""
    number, app = port
    ENDED.clear()
    caplog.set_level("INFO", logger="ntm.requests")
    _, line = await asyncio.open_connection("127.0.0.1", number)
    line.write(f"{head} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    async def asleep() -> bool:
        return await _asleep(database) == 1

    async def ended() -> bool:
        return bool(ENDED) and app.state.gate.running == 0 and await _asleep(database) == 0

    await _eventually(asleep, "the statement never ran")
    line.close()
    await _eventually(ended, "the statement still runs")
    assert ENDED == ["cancelled"]
    async with database.reading() as connection:
        states = await connection.fetch(
            "SELECT state, query FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
        )
    assert not states
    # Requests alone: of what was refused in an earlier test a line tells a second later.
    requests = [one for one in caplog.records if one.name == "ntm.requests"]
    (record,) = [one for one in requests if one.getMessage() == "request"]
    assert record.__dict__["status"] == 499
    assert record.exc_info is None
    assert not [one for one in caplog.records if one.name.startswith("uvicorn") and one.exc_info]


async def test_who_waits_gets_the_answer(port: tuple[int, FastAPI]) -> None:
    """Who keeps the line open is answered, and so is the next request on the same line."""
    number, _ = port
    reader, line = await asyncio.open_connection("127.0.0.1", number)
    for _ in range(2):
        line.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(15) == b'{"status":"ok"}'
    line.close()
