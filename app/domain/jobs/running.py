"""A job as it runs: for whom it works, and how it tells what it has done.

Whatever a job tells is told under its attempt's number: the fence. Another worker that takes the
job over, because this one seemed dead, or the client that cancels it, ends the attempt; whatever
an ended attempt still tries to commit is taken back, so that nothing is ever done twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import asyncpg
import msgspec

from app.database import Database
from app.domain.territory import Caller
from app.rules.registry import Registry
from app.settings import Settings


class Lost(Exception):
    """The attempt is over: the job was cancelled, or another worker has taken it over."""


class Interrupted(Exception):
    """The worker stops: the job is given back and goes on elsewhere."""


# An attempt that begins anew tells nothing before it is further than the last one.
# Progress that is committed with what was done proves that the job does not die of itself.
_MARK: Final = """
UPDATE job SET done = greatest(done, $3), total = coalesce($4, total), deaths = 0
 WHERE id = $1 AND attempt = $2 AND state = 'running'
"""
_TELL: Final = """
UPDATE job SET done = greatest(done, $3), total = coalesce($4, total)
 WHERE id = $1 AND attempt = $2 AND state = 'running'
"""
_FINISH: Final = """
UPDATE job SET state = 'succeeded', result = $3::jsonb, ended_at = clock_timestamp(),
               done = coalesce($4, total, done), total = coalesce($4, total)
 WHERE id = $1 AND attempt = $2 AND state = 'running'
"""


class Running:
    """One attempt at a job; `caller` is its maker as the record knows it now.

    A kind that writes calls `mark` or `finish` as the LAST statement of each of its writing
    transactions: that is the fence, and it holds the job's row until the commit. It asks for
    `database` anew for each transaction, for that is where a worker that stops interrupts it.
    """

    def __init__(
        self,
        id_: int,
        attempt: int,
        caller: Caller,
        arguments: Mapping[str, Any],
        database: Database,
        registry: Registry,
        settings: Settings,
        stopping: Callable[[], bool] = lambda: False,
        *,
        failed_before: bool = False,
    ) -> None:
        """Prepare; `database` is the patient one, `stopping` tells whether the worker stops.

        `failed_before` tells that an attempt since the last progress died, or got no further.
        """
        self.id, self.attempt = id_, attempt
        self.caller, self.arguments = caller, arguments
        self.registry, self.settings = registry, settings
        self.failed_before = failed_before
        self._database = database.acting_for(caller.context())
        self._stopping = stopping

    @property
    def database(self) -> Database:
        """Return the database, acting for the caller; raise Interrupted when the worker stops."""
        if self._stopping():
            raise Interrupted
        return self._database

    async def tell(self, done: int, total: int | None = None) -> None:
        """Tell progress in a short transaction of its own; raise Lost, Interrupted.

        Never within a writing transaction of the job, which may hold the row already.
        """
        async with self.database.writing() as connection:
            await self._fenced(connection, _TELL, done, total)

    async def mark(
        self, connection: asyncpg.Connection, done: int, total: int | None = None
    ) -> None:
        """Tell progress as the last statement of a transaction of the job; raise Lost."""
        await self._fenced(connection, _MARK, done, total)

    async def finish(
        self, connection: asyncpg.Connection, result: Mapping[str, Any], done: int | None = None
    ) -> None:
        """End the job well, as the last statement of its last transaction; raise Lost.

        `result` is JSON, and is shown with the job; `done` is how much there was to do, where only
        the end tells.
        """
        await self._fenced(connection, _FINISH, msgspec.json.encode(result).decode(), done)

    async def _fenced(self, connection: asyncpg.Connection, statement: str, *told: Any) -> None:
        if await connection.execute(statement, self.id, self.attempt, *told) != "UPDATE 1":
            raise Lost


Kind = Callable[[Running], Awaitable[None]]
