"""Jobs over HTTP: who sees them, who may end them, and how they are followed."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest
import uvicorn
from conftest import Join, Member, problem
from fastapi import FastAPI
from job_calls import begun, caller_of, change, row_of
from own_database import own

from app.api import jobs
from app.api.job_shapes import JobShape, accepted
from app.api.streams import Streams
from app.cli import serve
from app.database import Database
from app.domain import jobs as on_record

settings, database, service = own("http_jobs")

JOBS = "/v1/jobs"
NEVER = 999_999_999
END = """
UPDATE job SET state = 'succeeded', result = '{"created": 3}', ended_at = now() WHERE id = $1
"""


class Made(NamedTuple):
    """A job of a commune's client, and those who look at it."""

    id: int
    maker: Member
    above: Member  # of the province the commune lies in
    elsewhere: Member

    @property
    def path(self) -> str:
        """Its address."""
        return f"{JOBS}/{self.id}"


@pytest.fixture
async def made(database: Database, join: Join) -> Made:
    """A job that waits."""
    maker = await join("07894")
    id_ = await begun(database, await caller_of(database, maker), "import", 10, file=1)
    return Made(id_, maker, await join("25"), await join("86"))


async def test_a_job_is_shown_as_it_is_on_record(made: Made, database: Database) -> None:
    """A job shows what it is, how far, by whom and when, and nothing of its arguments."""
    answer = await made.maker.http.get(made.path)
    assert answer.status_code == 200
    body = answer.json()
    assert JobShape.model_validate(body)
    assert set(body) == set(JobShape.model_fields)
    assert body["id"] == made.id
    assert (body["kind"], body["state"], body["attempts"]) == ("import", "queued", 0)
    assert body["progress"] == {"done": 0, "total": 10}
    assert body["created_by"] == made.maker.client_id
    assert [body[name] for name in ("result", "problem", "started_at", "ended_at")] == [None] * 4
    again = await made.maker.http.get(made.path, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    await change(database, END, made.id)
    ended = (await made.maker.http.get(made.path)).json()
    assert (ended["state"], ended["result"]) == ("succeeded", {"created": 3})


async def test_a_list_leaves_out_what_may_be_long(made: Made, database: Database) -> None:
    """A page of jobs has neither results nor everything that is wrong: one job alone has them."""
    said = {"vi": "lỗi", "en": "wrong"}
    problem = {"code": "invalid-rows", "detail": said, "errors": [{"pointer": "", "code": "x",
               "message": said}]}  # fmt: skip
    failed = "UPDATE job SET state = 'failed', problem = $2, result = '{}', ended_at = now()"
    await change(database, f"{failed} WHERE id = $1", made.id, json.dumps(problem))
    alone = (await made.maker.http.get(made.path)).json()
    assert (alone["problem"], alone.pop("result")) == (problem, {})
    del alone["problem"]["errors"]
    items = (await made.maker.http.get(JOBS)).json()["items"]
    assert next(one for one in items if one["id"] == made.id) == alone


async def test_an_operation_that_begins_a_job_says_where_to_follow_it(
    made: Made, database: Database
) -> None:
    """202 carries the job as it is shown, and its address."""
    shown = on_record.shown(await row_of(database, made.id))
    answer = accepted(shown, "en")
    assert (answer.status_code, answer.headers["location"]) == (202, made.path)
    assert json.loads(bytes(answer.body))["id"] == made.id


async def test_a_job_is_seen_by_its_maker_and_those_it_lies_under(made: Made) -> None:
    """Whoever's territory holds the maker's place sees the job; for others it is not there."""
    for one in (made.maker, made.above):
        assert (await one.http.get(made.path)).status_code == 200
        assert made.id in await _listed(one)
    never = f"{JOBS}/{NEVER}"
    for path, other in ((made.path, never), (f"{made.path}/events", f"{never}/events")):
        hidden, missing = [await made.elsewhere.http.get(one) for one in (path, other)]
        assert hidden.status_code == missing.status_code == 404
        assert problem(hidden)["code"] == problem(missing)["code"] == "job-not-found"
        told = problem(hidden)["detail"].replace(str(made.id), str(NEVER))
        assert told == problem(missing)["detail"]
    assert made.id not in await _listed(made.elsewhere)
    hidden = await made.elsewhere.http.post(f"{made.path}/cancel")
    assert problem(hidden)["code"] == "job-not-found"


async def _listed(member: Member, **query: Any) -> list[int]:
    found: list[int] = []
    cursor = None
    while True:
        asked = query | ({"cursor": cursor} if cursor else {})
        answer = await member.http.get(JOBS, params=asked)
        assert answer.status_code == 200, answer.text
        found += [one["id"] for one in answer.json()["items"]]
        cursor = answer.json()["next"]
        if cursor is None:
            return found


async def test_jobs_are_listed_newest_first_in_pages_and_by_kind_and_state(
    made: Made, database: Database
) -> None:
    """Every job stands on one page, the newest first; filters leave out what does not fit."""
    caller = await caller_of(database, made.maker)
    others = [await begun(database, caller, "evaluation_run") for _ in range(3)]
    await change(database, END, others[1])
    mine = [*reversed(others), made.id]

    async def listed(**query: Any) -> list[int]:
        """Those of this test: other clients of the commune have jobs as well."""
        return [one for one in await _listed(made.maker, **query) if one in mine]

    assert await listed() == mine
    assert await listed(limit=1) == mine
    assert await listed(kind="import") == [made.id]
    assert await listed(state="succeeded") == [others[1]]
    assert await listed(kind="evaluation_run", state="queued", limit=1) == [others[2], others[0]]
    assert await listed(kind="nothing_like_it") == []


@pytest.mark.parametrize(
    "query", ["?state=done", "?kind=UPPER", "?limit=0", "?cursor=x", "?colour=red"]
)
async def test_a_wrong_filter_is_refused(client: httpx.AsyncClient, query: str) -> None:
    """What a list of jobs cannot be narrowed to is named, never ignored."""
    assert problem(await client.get(JOBS + query))["status"] == 422


OPERATIONS = (("GET", ""), ("GET", "/1"), ("GET", "/1/events"), ("POST", "/1/cancel"))


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_jobs_need_a_token_that_may_read(
    stranger: httpx.AsyncClient, join: Join, method: str, path: str
) -> None:
    """Without a token nothing is said of jobs, and nothing with one that may not read."""
    assert (await stranger.request(method, JOBS + path)).status_code == 401
    writer = (await join("VN", "values:write")).http
    answer = await writer.request(method, JOBS + path)
    assert problem(answer)["code"] == "insufficient-scope"


# --- cancelling ----------------------------------------------------------------------------------


async def test_a_job_is_cancelled_once_and_on_the_audit(made: Made) -> None:
    """Cancelling answers the job, and is put on the audit; sent again under its key, it is kept."""
    keyed = {"idempotency-key": f"cancel-{made.id}"}
    answer = await made.maker.http.post(f"{made.path}/cancel", headers=keyed)
    assert answer.status_code == 200
    assert answer.json()["state"] == "cancelled"
    assert answer.json()["ended_at"]
    again = await made.maker.http.post(f"{made.path}/cancel", headers=keyed)
    assert (again.status_code, again.json()) == (200, answer.json())
    found = (await made.maker.http.get("/v1/audit?action=job.cancelled")).json()["items"]
    assert [one["details"] for one in found] == [{"job": made.id, "kind": "import"}]
    assert found[0]["client"] == made.maker.client_id
    assert found[0]["unit"]["code"] == "07894"
    ended = await made.maker.http.post(f"{made.path}/cancel")
    assert (ended.status_code, problem(ended)["code"]) == (409, "job-ended")


async def test_nobody_cancels_the_job_of_another(made: Made, join: Join) -> None:
    """Whoever sees a job without having asked for it may not end it, not even the nation."""
    for one in (made.above, await join("07894"), await join("VN")):
        answer = await one.http.post(f"{made.path}/cancel")
        assert (answer.status_code, problem(answer)["code"]) == (403, "not-your-job")
    assert (await made.maker.http.get(made.path)).json()["state"] == "queued"


@pytest.mark.parametrize("path", ["/0/cancel", "/x", "/1/cancel?force=true"])
async def test_what_is_no_address_of_a_job_is_refused(client: httpx.AsyncClient, path: str) -> None:
    """A number that is none is not found, and a parameter that is none is named."""
    answer = await client.post(JOBS + path)
    assert answer.status_code in (404, 405, 422)
    problem(answer)


# --- following -----------------------------------------------------------------------------------


def _events(content: bytes) -> list[tuple[str, Any]]:
    """Return the events of a stream: their names and what they carry."""
    found = []
    for part in content.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in part.splitlines() if not line.startswith(":"))
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


async def test_a_job_that_has_ended_is_told_at_once(made: Made, database: Database) -> None:
    """The first event is the job as it is, and the last one says that it has ended."""
    await change(database, END, made.id)
    answer = await made.maker.http.get(
        f"{made.path}/events", headers={"last-event-id": "7", "accept-language": "en"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    now = (await made.maker.http.get(made.path)).json()
    assert _events(answer.content) == [("progress", now), ("end", now)]


async def test_every_change_of_a_job_is_told_until_it_ends(
    made: Made, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever follows a job sees what it is at first, that it goes on, and how it ends."""
    monkeypatch.setattr(jobs, "_LOOKS", ((0.0, 0.02),))
    monkeypatch.setattr(jobs, "_SILENT", 0.05)
    following = asyncio.create_task(made.maker.http.get(f"{made.path}/events"))
    await asyncio.sleep(0.2)
    await change(database, "UPDATE job SET state = 'running', done = 4 WHERE id = $1", made.id)
    await asyncio.sleep(0.2)
    await change(database, END, made.id)
    async with asyncio.timeout(20):
        answer = await following
    told = [(name, one["state"], one["progress"]["done"]) for name, one in _events(answer.content)]
    assert told == [
        ("progress", "queued", 0), ("progress", "running", 4), ("progress", "succeeded", 4),
        ("end", "succeeded", 4),
    ]  # fmt: skip
    assert b": still there" in answer.content


@pytest.mark.parametrize("how", ["time", "stop", "revoked", "gone"])
async def test_a_stream_ends_without_an_end_when_whoever_follows_must_come_back(
    made: Made, service: FastAPI, database: Database, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """After some minutes, when the service stops, when the client may no more: it ends silently."""
    monkeypatch.setattr(jobs, "_LOOKS", ((0.0, 0.02),))
    monkeypatch.setitem(service.state._state, "streams", Streams())
    if how == "time":
        monkeypatch.setattr(jobs, "_FOLLOWED", 0.1)
    following = asyncio.create_task(made.maker.http.get(f"{made.path}/events"))
    await asyncio.sleep(0.1)
    if how == "stop":
        service.state.streams.close()
    if how == "revoked":
        revoke = "UPDATE client SET revoked_at = now() WHERE client_id = $1"
        await change(database, revoke, made.maker.client_id)
    if how == "gone":
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
    else:
        async with asyncio.timeout(20):
            answer = await following
        assert {name for name, _ in _events(answer.content)} == {"progress"}
    assert service.state.streams.running == 0


async def test_no_more_follow_jobs_than_there_is_room_for(
    made: Made, service: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond its room a process refuses streams, and says when to come back."""
    for room, status, code in ((Streams(0), 503, "overloaded"), (Streams(9, 0), 429,
                               "rate-limited")):  # fmt: skip
        monkeypatch.setitem(service.state._state, "streams", room)
        answer = await made.maker.http.get(f"{made.path}/events")
        assert (answer.status_code, problem(answer)["code"]) == (status, code)
        assert answer.headers["retry-after"] == "30"


async def test_head_of_a_stream_does_not_follow(made: Made) -> None:
    """HEAD tells that a job can be followed, and does not do so."""
    async with asyncio.timeout(5):
        answer = await made.maker.http.head(f"{made.path}/events")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.fixture
async def served(
    service: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    """A real server in this process, as `ntm serve` makes it, and its address."""
    monkeypatch.setitem(service.state._state, "streams", Streams())
    line = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        service, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=60
    )
    server = serve._Server(config, service)
    running = asyncio.create_task(server.serve(sockets=[line]))
    yield f"http://127.0.0.1:{line.getsockname()[1]}", server
    server.should_exit = True
    async with asyncio.timeout(20):
        await running


async def test_whoever_hangs_up_is_followed_no_further(
    made: Made, served: tuple[str, uvicorn.Server], service: FastAPI, database: Database
) -> None:
    """A stream occupies no place of requests and no connection, and ends with its caller."""
    address, _ = served
    headers = dict(made.maker.http.headers)
    async with httpx.AsyncClient(base_url=address, headers=headers) as http:
        async with http.stream("GET", f"{made.path}/events") as answer:
            async for line in answer.aiter_lines():
                if line.startswith("event"):
                    break
            assert service.state.streams.running == 1
            assert service.state.gate.running == 0
            assert database.connections.in_use == 0
        async with asyncio.timeout(20):
            while service.state.streams.running:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.02)


async def test_a_service_that_stops_does_not_wait_for_who_follows_a_job(
    made: Made, served: tuple[str, uvicorn.Server]
) -> None:
    """Streams end when the server is to stop, not when the job does."""
    address, server = served
    headers = dict(made.maker.http.headers)
    async with (
        httpx.AsyncClient(base_url=address, headers=headers, timeout=20) as http,
        http.stream("GET", f"{made.path}/events") as answer,
        asyncio.timeout(20),
    ):
        server.should_exit = True
        content = await answer.aread()
    assert [name for name, _ in _events(content)] == ["progress"]
