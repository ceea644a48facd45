"""Jobs: what became of work that takes longer than a request; following it, ending it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from app.api.answers import answer, created, json_bytes, manners
from app.api.deps import Data, Reader, Writer
from app.api.errors import problem_responses
from app.api.job_shapes import JobPage, JobShape
from app.api.language import InLanguage
from app.api.numbers import RecordInPath
from app.api.paging import LONG, Cursor, Limit, cut, links, read_number
from app.api.streams import EVENTS, EventStream, Streams
from app.api.strict import StrictRoute
from app.api.work import IdempotencyKey
from app.database import Database, DatabaseFailed
from app.domain.jobs import ENDED, State, cancelling, listing, shown
from app.domain.jobs.listing import Wanted
from app.domain.territory import Caller

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

KindInQuery = Annotated[
    str | None,
    Query(pattern="^[a-z]+(_[a-z]+)*$", max_length=60, description="Of this kind: `import`, …"),
]
StateInQuery = Annotated[State | None, Query(description="In this state.")]
_FOLLOWED: Final = 300.0  # seconds until a stream ends; whoever follows comes back by itself
_SILENT: Final = 15.0  # seconds without an event until a comment shows that the stream lives
# How long a stream has been open, and from then on how often it looks, in seconds.
_LOOKS: Final = ((0.0, 0.5), (15.0, 1.0), (60.0, 2.0))
_STREAMED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Events", "content": {EVENTS: {"schema": {"type": "string"}}}}
}


@router.get("", summary="List jobs", response_model=JobPage, responses=problem_responses(422))
async def list_jobs(
    request: Request,
    caller: Reader,
    data: Data,
    language: InLanguage,
    kind: KindInQuery = None,
    state: StateInQuery = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List one's own jobs and those of the clients in one's territory, the newest first.

    What came of each, and everything that is wrong with one that failed, is in `/v1/jobs/{id}`.
    """
    filters = {"list": "jobs", "kind": kind, "state": state}
    after = read_number(cursor, filters, LONG)
    async with data.reading() as connection:
        found = await listing.page(connection, caller, Wanted(kind, state), limit + 1, after)
    some, following = cut(found, lambda one: [str(one["id"])], limit, filters)
    body = {"items": [shown(one, whole=False) for one in some], "next": following}
    return answer(request, body, language, links(request, following))


@router.get(
    "/{id:number}",
    summary="Read a job",
    response_model=JobShape,
    responses=problem_responses(404, 422),
)
async def read_job(
    request: Request, caller: Reader, data: Data, language: InLanguage, id: RecordInPath
) -> Response:
    """Read how far a job is, and its result or its problem once it has ended."""
    async with data.reading() as connection:
        row = await listing.get(connection, caller, id)
    return answer(request, shown(row), language)


@router.post(
    "/{id:number}/cancel",
    summary="Cancel a job",
    response_model=JobShape,
    responses=problem_responses(404, 409, 422),
)
async def cancel_job(
    caller: Reader,
    connection: Writer,
    language: InLanguage,
    id: RecordInPath,
    _: IdempotencyKey = None,
) -> Response:
    """End a job of one's own that has not ended: what is not on record by then never will be."""
    row = await cancelling.cancel(connection, caller, id)
    return created(shown(row), language, status=200)


@router.get(
    "/{id:number}/events",
    summary="Follow a job",
    response_class=StreamingResponse,
    responses=_STREAMED | problem_responses(404, 422),
)
async def follow_job(
    request: Request, caller: Reader, data: Data, language: InLanguage, id: RecordInPath
) -> Response:
    """Follow a job as server-sent events: `progress` whenever it changes, `end` when it has ended.

    Each carries the job as `/v1/jobs/{id}` shows it, the first one as it is now, so that nothing
    is missed by coming back. A stream ends after five minutes: come back then.
    """
    streams: Streams = request.app.state.streams
    with ExitStack() as opened:
        opened.enter_context(streams.one_more(caller.client_id))
        async with data.reading() as connection:
            row = await listing.get(connection, caller, id)
        headers = manners(language) | {"cache-control": "no-store", "x-accel-buffering": "no"}
        if request.scope.get("head_only"):
            return StreamingResponse(iter(()), headers=headers, media_type=EVENTS)
        events = _events(streams, data, caller, shown(row))
        return EventStream(opened.pop_all(), events, headers)


async def _events(
    streams: Streams, data: Database, caller: Caller, job: dict[str, Any]
) -> AsyncIterator[bytes]:
    """Yield a job whenever it has changed; between two looks nothing is held."""
    began = spoke = time.monotonic()
    yield b"retry: 2000\n\n" + _event("progress", job)
    while job["state"] not in ENDED:
        now = time.monotonic()
        if now - began >= _FOLLOWED or not await streams.pause(_pause(now - began)):
            return
        found = await _look(data, caller, job)
        if found is None:
            return
        if found != job:
            job, spoke = found, time.monotonic()
            yield _event("progress", job)
        elif time.monotonic() - spoke >= _SILENT:
            spoke = time.monotonic()
            yield b": still there\n\n"
    yield _event("end", job)


async def _look(data: Database, caller: Caller, job: dict[str, Any]) -> dict[str, Any] | None:
    """Return a job as it is now, or as it was while the database does not answer."""
    try:
        async with data.reading() as connection:
            row = await listing.followed(connection, caller, job["id"])
    except DatabaseFailed:
        return job
    return None if row is None else shown(row)


def _pause(age: float) -> float:
    return next(pause for since, pause in reversed(_LOOKS) if age >= since)


def _event(name: str, job: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), json_bytes(job))
