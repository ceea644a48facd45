"""The one transaction of a request that changes something, and the answer kept under its key.

It is opened when it is first asked for and committed before the answer is sent: a commit that
fails is never answered with 201. Where the caller named the request by an `Idempotency-Key`, the
answer is kept in the same transaction, and the same request is answered by it from then on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Annotated, Final, Self

import asyncpg
from fastapi import Header, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app.database import Database, DatabaseFailed, driver_in
from app.domain import kept_answers
from app.domain.kept_answers import Answer, Named
from app.domain.refusals import Complaint, Refused
from app.domain.territory import Caller
from app.rules.errors import Text

KEY: Final = "Idempotency-Key"
BODY_DIGEST: Final = "body_digest"
_PATTERN: Final = r"^[\x21-\x7e]{1,255}$"
_ATTEMPTS: Final = 3  # of a transaction that PostgreSQL takes back to let another one go on

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias=KEY,
        pattern=_PATTERN,
        description="A name for this request, of the caller's choice: the same request sent again "
        "under it (within 7 days) gets the same answer and changes nothing.",
    ),
]


class Replayed(Exception):
    """The request was answered before: nothing is done again."""

    def __init__(self, known: Answer) -> None:
        super().__init__("answered before")
        self.known = known

    def response(self) -> Response:
        """Return the answer as it was sent, marked as a replay."""
        headers = {**self.known.headers, "idempotent-replayed": "true"}
        return Response(self.known.body, self.known.status, headers)


class Work:
    """A transaction that is there once somebody asks for it: as a connection or as a session."""

    def __init__(self, database: Database, named: Named | None) -> None:
        self._database, self._named = database, named
        self._opened = AsyncExitStack()
        self._driver: asyncpg.Connection | None = None
        self._session: AsyncSession | None = None

    async def __aenter__(self) -> Self:
        """Begin the work; the transaction begins when it is asked for."""
        await self._opened.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit, or take everything back."""
        await self._opened.__aexit__(kind, error, trace)

    async def connection(self) -> asyncpg.Connection:
        """Return the transaction as a plain connection, for hot writes; raise Replayed."""
        if self._driver is None:
            self._driver = await self._opened.enter_async_context(self._database.writing())
            await self._answer_again(self._driver)
        return self._driver

    async def session(self) -> AsyncSession:
        """Return the transaction as a session; raise Replayed."""
        if self._session is None:
            self._session = await self._opened.enter_async_context(self._database.transaction())
            self._driver = await driver_in(self._session)
            await self._answer_again(self._driver)
        return self._session

    async def keep(self, answer: Response) -> None:
        """Keep the answer under the request's key, if it has one."""
        if self._named is None or self._driver is None:
            return
        headers = {name: text for name, text in answer.headers.items() if name != "content-length"}
        kept = Answer(answer.status_code, headers, bytes(answer.body))
        await kept_answers.keep(self._driver, self._named, kept)

    async def _answer_again(self, connection: asyncpg.Connection) -> None:
        if self._named is not None:
            known = await kept_answers.find(connection, self._named)
            if known is not None:
                raise Replayed(known)


async def worked(
    request: Request, handle: Callable[[Request], Awaitable[Response]], *, keyed: bool
) -> Response:
    """Handle a request in one transaction; `keyed` tells whether it may have a key of its own."""
    caller: Caller = request.state.caller
    database: Database = request.app.state.database.acting_for(caller.context())
    named = await _named(request, caller) if keyed else None
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with Work(database, named) as work:
                request.state.work = work
                answer = await handle(request)
                await work.keep(answer)
            return answer
        except Replayed as replayed:
            return replayed.response()
        except DatabaseFailed as error:
            if not error.gave_way or attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


async def _named(request: Request, caller: Caller) -> Named | None:
    keys = request.headers.getlist(KEY)
    if len(keys) > 1:
        message = Text(f"tiêu đề {KEY} bị lặp lại", f"the header {KEY} is given twice")
        raise Refused([Complaint("", "repeated-parameter", message)])
    key = keys[0] if keys else ""
    if not re.fullmatch(_PATTERN, key):
        return None  # absent, or refused with the other parameters
    query = str(sorted(request.query_params.multi_items()))
    digest = getattr(request.state, BODY_DIGEST, None)  # of a body that is not in memory
    said = digest.copy() if digest else hashlib.sha256(await request.body())
    for part in (request.method, request.url.path, query):
        said.update(b"\n" + part.encode())
    return Named(caller.client_id, key, said.digest())
