"""What tests of jobs share: beginning them without a route, and what is on record of them."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec
from conftest import Member

from app.database import Database
from app.domain import recognition
from app.domain.clients import SCOPES
from app.domain.jobs.beginning import begin
from app.domain.territory import Caller, Territories

QUEUE = "ntm_queue.procrastinate_jobs"


async def caller_of(database: Database, member: Member, *scopes: str) -> Caller:
    """Return a client as a request of it is known."""
    async with database.asking() as connection:
        found = await recognition.recognise(
            connection, Territories(), member.client_id, scopes or list(SCOPES)
        )
    assert found is not None
    return msgspec.structs.replace(found[0], request_id="request-1")


async def begun(
    database: Database, caller: Caller, kind: str = "test", total: int | None = None, **given: Any
) -> int:
    """Begin a job in a transaction of its own, as a route does; return its number."""
    async with database.acting_for(caller.context()).writing() as connection:
        return await begin(connection, caller, kind, given, total)


async def row_of(database: Database, id_: int) -> asyncpg.Record:
    """Return what is on record of a job."""
    async with database.reading() as connection:
        row = await connection.fetchrow("SELECT * FROM job WHERE id = $1", id_)
    assert row is not None
    return row


async def entries(database: Database, id_: int) -> list[asyncpg.Record]:
    """Return what the queue holds of a job."""
    async with database.reading() as connection:
        return list(
            await connection.fetch(
                f"SELECT * FROM {QUEUE} WHERE args = jsonb_build_object('job', $1::bigint)", id_
            )
        )


async def change(database: Database, statement: str, *given: object) -> None:
    """Change something behind the back of everybody."""
    async with database.writing() as connection:
        await connection.execute(statement, *given)
