"""Admission: so many at once, nobody queues for long, every place is given back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
import pytest
from conftest import Described, Join, calling, problem
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from app.api.admission import Admission
from app.api.gate import Gate, Pace
from app.api.problems import Problem
from app.database import Database
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

FOREVER: Final = 3_600.0
TOKEN: Final = "/v1/oauth/token"


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


# --- the gate ------------------------------------------------------------------------------------


async def test_no_more_than_the_limit_run_at_once_and_the_first_to_wait_is_the_first_in() -> None:
    """Whoever finds no place waits, and gets the place of who leaves, in order of arrival."""
    gate, entered = Gate(2, Pace(patience=FOREVER)), []

    async def come(number: int) -> None:
        assert await gate.enter()
        entered.append(number)

    callers = [asyncio.create_task(come(number)) for number in range(5)]
    await settled()
    assert (entered, gate.running, gate.waiting) == ([0, 1], 2, 3)
    for wanted in ([0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]):
        gate.leave()
        await settled()
        assert (entered, gate.running) == (wanted, 2)
    gate.leave()
    gate.leave()
    assert (gate.running, gate.waiting) == (0, 0)
    await asyncio.gather(*callers)


async def test_who_waited_too_long_is_refused_and_leaves_the_queue() -> None:
    """At the end of its patience a request is refused; the place it waited for stays taken."""
    gate = Gate(1, Pace(patience=0, sending=0))
    assert await gate.enter()
    assert not await gate.enter()
    assert (gate.running, gate.waiting) == (1, 0)
    gate.leave()
    assert gate.running == 0


ROOM: Final = 24  # requests may wait, as docs/operations.md says
SLOW: Final = Pace(patience=FOREVER, haste=0, period=100)


async def filled(gate: Gate) -> list[asyncio.Task[bool]]:
    """Fill the queue of a gate whose places are taken; return those who wait."""
    waiting = [asyncio.create_task(gate.enter()) for _ in range(ROOM)]
    await settled()
    assert gate.waiting == ROOM
    return waiting


async def test_as_long_as_there_is_room_everybody_waits_and_is_served() -> None:
    """A burst, or many who each wait for their answer, are no overload."""
    gate = Gate(1, SLOW)
    assert await gate.enter()
    waiting = await filled(gate)
    for _ in range(200):
        gate.leave()
        await settled()
        waiting.append(asyncio.create_task(gate.enter()))
        await settled()
    for _ in waiting:
        gate.leave()
    assert all(await asyncio.gather(*waiting))


async def test_when_the_queue_is_full_newcomers_are_refused_until_it_is_over() -> None:
    """Overload begins with a full queue, goes on while most are refused, and ends by itself."""
    clock = Clock()
    gate = Gate(1, SLOW, clock)
    assert await gate.enter()
    waiting = await filled(gate)
    assert not await gate.enter(), "no room"
    for _ in waiting:
        gate.leave()
    assert all(await asyncio.gather(*waiting)), "who waits already is served"
    for _ in range(ROOM):
        assert not await gate.enter(), "the queue is empty, and yet nobody else waits"
    clock.now += 101  # more than a quarter of all who came was refused: it goes on
    assert not await gate.enter()
    for _ in range(4):  # one of five is refused
        gate.leave()
        assert await gate.enter()
    clock.now += 101
    patient = asyncio.create_task(gate.enter())
    await settled()
    assert gate.waiting == 1, "it is over"
    gate.leave()
    assert await patient


async def test_who_is_cancelled_while_waiting_takes_no_place_along() -> None:
    """A place given in the very moment of a cancellation goes to the next, or back."""
    gate = Gate(1, Pace(patience=FOREVER))
    assert await gate.enter()
    first, second = (asyncio.create_task(gate.enter()) for _ in range(2))
    await settled()
    gate.leave()  # given to the first, which has not noticed yet
    first.cancel()
    assert await second
    with pytest.raises(asyncio.CancelledError):
        await first
    third = asyncio.create_task(gate.enter())
    await settled()
    third.cancel()
    await settled()
    assert (gate.running, gate.waiting) == (1, 0)
    gate.leave()
    assert gate.running == 0


# --- places of requests --------------------------------------------------------------------------

App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Caller:
    """One request as the server hands it on: a body that arrives when it is told to."""

    def __init__(self, app: App, gate: Gate, **scope: Any) -> None:
        self.body: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        head = {"type": "http", "method": "POST", "path": "/v1/values", "headers": []}
        self.task = asyncio.create_task(self._call(Admission(app, gate), head | scope))

    async def _call(self, app: App, scope: Scope) -> None:
        async def send(message: Message) -> None:
            self.sent.append(message)

        await app(scope, self.body.get, send)

    def gives(self, more: bool) -> None:
        """Let a part of the body arrive."""
        self.body.put_nowait({"type": "http.request", "body": b"x", "more_body": more})


async def reads(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole body, then answer."""
    while (await receive()).get("more_body"):
        pass
    await answers(scope, receive, send)


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_a_slow_sender_holds_no_place_and_waits_for_one_when_its_body_is_there() -> None:
    """While a body is on its way others are served; however it drips, it gets no place of it."""
    gate = Gate(1, Pace(patience=0, sending=0))
    slow = Caller(reads, gate)
    await settled()
    assert gate.running == 0
    for _ in range(3):
        slow.gives(more=True)
        await settled()
        assert gate.running == 0
    other = Caller(answers, gate)
    await other.task
    assert other.sent[0]["status"] == 204
    slow.gives(more=False)
    await slow.task
    assert slow.sent[0]["status"] == 204
    assert gate.running == 0


async def test_a_body_that_came_slowly_is_refused_when_there_is_no_room_for_it() -> None:
    """A slow sender comes back to the end of the queue, and is refused like everybody else."""
    gate = Gate(1, Pace(patience=0, sending=0))
    slow = Caller(reads, gate)
    await settled()
    assert await gate.enter()
    slow.gives(more=False)
    with pytest.raises(Problem) as refused:
        await slow.task
    assert refused.value.code == "overloaded"
    assert gate.running == 1


async def test_who_sent_a_large_file_waits_longer_for_a_place() -> None:
    """What took long to send is not refused for a moment without room."""
    gate = Gate(1, Pace(patience=0, sending=0))

    async def uploads(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["wait_longer"](FOREVER)
        await reads(scope, receive, send)

    slow = Caller(uploads, gate)
    await settled()
    assert await gate.enter()
    slow.gives(more=False)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(slow.task), 0.05)
    gate.leave()
    await slow.task
    assert slow.sent[0]["status"] == 204
    assert gate.running == 0


async def test_a_body_that_is_there_at_once_keeps_its_place() -> None:
    """Nobody who sent everything has to queue a second time."""
    gate, seen = Gate(1, Pace(patience=FOREVER, sending=FOREVER)), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            seen.append(gate.running)
        seen.append(gate.running)
        await answers(scope, receive, send)

    caller = Caller(app, gate)
    await settled()
    caller.gives(more=True)
    caller.gives(more=False)
    await caller.task
    assert seen == [1, 1]
    assert gate.running == 0


async def test_a_slow_reader_holds_no_place() -> None:
    """Once the answer begins the place is free, however long the caller takes to read it."""
    gate, seen = Gate(1), []

    async def send(message: Message) -> None:
        seen.append((message["type"], gate.running))

    async def receive() -> Message:
        raise AssertionError("nobody asks for the body")

    scope = {"type": "http", "method": "GET", "path": "/v1/units", "headers": []}
    await Admission(answers, gate)(scope, receive, send)
    assert seen == [("http.response.start", 0), ("http.response.body", 0)]
    assert gate.running == 0


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
async def test_whoever_fails_or_is_cancelled_gives_its_place_back(
    error: type[BaseException],
) -> None:
    """However the work ends, its place is free afterwards."""
    gate = Gate(1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert gate.running == 1
        raise error

    caller = Caller(app, gate)
    with pytest.raises(error):
        await caller.task
    assert gate.running == 0


# --- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture
def full(settings: Settings, registry: Registry, database: Database) -> FastAPI:
    """A service with one place, which is taken, and no patience."""
    small = settings.model_copy(update={"cors_origins": ("https://board.example.vn",)})
    app = create_app(small, registry, database)
    app.state.gate = gate = Gate(1, Pace(patience=0, sending=0))
    gate.running = 1
    return app


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("path", ["/v1/units", "/v1/nope/%C3%A1%22"])
async def test_without_room_the_answer_is_503_overloaded_and_when_to_try_again(
    full: FastAPI, described: Described, language: str, path: str
) -> None:
    """Who is refused gets the problem `overloaded`, with Retry-After, in the caller's language."""
    async with calling(full) as caller:
        answer = await caller.get(path, headers={"accept-language": language})
    found = problem(answer, language)
    assert (answer.status_code, found["code"]) == (503, "overloaded")
    assert found["instance"] == path
    assert found["errors"] == []
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-request-id"]
    if path == "/v1/units":
        described.judge(answer)


async def test_without_room_the_token_endpoint_refuses_in_its_own_form(
    full: FastAPI, described: Described
) -> None:
    """The token endpoint says `temporarily_unavailable` (RFC 6749) when there is no room."""
    async with calling(full) as caller:
        answer = await caller.post(TOKEN)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "1"
    described.judge(answer)


async def test_a_refusal_can_be_read_in_a_browser_and_is_counted(full: FastAPI) -> None:
    """A 503 of admission carries the headers of its origin, and counts as refused."""
    origin = {"origin": "https://board.example.vn"}
    async with calling(full) as caller:
        answer = await caller.get("/v1/units", headers=origin)
        head = await caller.head("/v1/units", headers=origin)
    assert answer.headers["access-control-allow-origin"] == origin["origin"]
    assert (head.status_code, head.content) == (503, b"")
    value = full.state.metrics.registry.get_sample_value
    assert value("ntm_refused_total", {"reason": "overloaded"}) == 2


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_health_is_answered_however_busy_the_service_is(full: FastAPI, path: str) -> None:
    """Health needs no place: an overloaded service is alive, and nobody restarts it."""
    async with calling(full) as caller:
        assert (await caller.get(path)).status_code == 200
        assert (await caller.head(path)).status_code == 200


async def test_a_preflight_needs_no_room(full: FastAPI) -> None:
    """A browser learns what it may send even while there is no room."""
    headers = {"origin": "https://board.example.vn", "access-control-request-method": "GET"}
    async with calling(full) as caller:
        assert (await caller.options("/v1/units", headers=headers)).status_code == 200
        assert (await caller.options("/v1/units")).status_code == 405


async def test_a_burst_is_served_or_refused_and_every_place_is_free_afterwards(
    settings: Settings, registry: Registry, database: Database, join: Join
) -> None:
    """Of many at once each gets its answer or 503; then the service is as it was."""
    app = create_app(settings.model_copy(update={"max_running": 1}), registry, database)
    member = await join("VN", "read")
    token = app.state.tokens.issue(member.client_id, ["read"])
    async with calling(app, token=token) as caller:
        found = await asyncio.gather(*(caller.get("/v1/units?limit=500") for _ in range(40)))
        codes = [one.status_code for one in found]
        assert set(codes) == {200, 503}
        assert all(json.loads(one.content)["code"] == "overloaded" for one in found
                   if one.status_code == 503)  # fmt: skip
        assert (app.state.gate.running, app.state.gate.waiting) == (0, 0)
        assert (await caller.get("/v1/units")).status_code == 200


async def test_the_limit_is_the_setting(
    settings: Settings, registry: Registry, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NTM_MAX_RUNNING says how many requests run at once; 3 when it is not set."""
    monkeypatch.setenv("NTM_MAX_RUNNING", "7")
    assert Settings().max_running == 7
    monkeypatch.delenv("NTM_MAX_RUNNING")
    assert Settings().max_running == 3
    app = create_app(settings.model_copy(update={"max_running": 3}), registry, database)
    assert app.state.gate.limit == 3


async def test_a_body_that_came_slowly_is_refused_over_http(full: FastAPI) -> None:
    """The refusal of a slow sender is the same problem, and at the token endpoint in its form."""
    full.state.gate.running = 0

    async def slowly() -> Any:
        await settled()
        full.state.gate.running = 1
        yield b"grant_type=client_credentials"

    headers = {"content-type": "application/x-www-form-urlencoded"}
    async with calling(full) as caller:
        answer: httpx.Response = await caller.post(TOKEN, content=slowly(), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "1"
