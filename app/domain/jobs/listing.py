"""Reading jobs: one, lists, and following one until it ends."""

from __future__ import annotations

from typing import Final

import asyncpg
import msgspec

from app.domain.conditions import Conditions
from app.domain.jobs import State
from app.domain.newest import newest
from app.domain.refusals import Absent, Complaint
from app.domain.territory import Caller, reached
from app.rules.errors import Text

# What a job was given to work on is shown to nobody, and may be long.
_HEAD: Final = """
j.id, j.kind, j.state, j.done, j.total, j.client, j.attempt, j.created_at, j.started_at, j.ended_at
"""
_SHOWN: Final = f"{_HEAD}, j.result, j.problem"
_PLACE: Final = "j.unit_id, j.district_id, j.province_id"
# A result may be long, and so may the list of all that is wrong: lists leave them out.
_PAGE: Final = f"""
SELECT {_HEAD}, j.problem - 'errors' AS problem
  FROM ({{}}) found CROSS JOIN LATERAL (SELECT * FROM job WHERE id = found.id LIMIT 1) j
 ORDER BY j.id DESC
"""


class Wanted(msgspec.Struct, frozen=True):
    """Which jobs: those that fit everything that is given, of those that the caller may see."""

    kind: str | None = None
    state: State | None = None


def _seen(caller: Caller) -> Conditions:
    """Return the condition that a job is the caller's, or that its client lies in its territory."""
    found = Conditions()
    for one in (*caller.territory.arrays(), caller.client_id):
        found.mark(one)
    found.add(f"(j.client = $5 OR {reached('j', 1)})")
    return found


async def page(
    connection: asyncpg.Connection, caller: Caller, wanted: Wanted, limit: int, after: int
) -> list[asyncpg.Record]:
    """Return jobs in short, the newest first, that are older than number `after`."""
    where = Conditions()
    if wanted.kind is not None:
        where.add("x.kind = {}", wanted.kind)
    if wanted.state is not None:
        where.add("x.state = {}", wanted.state)
    found = newest("job", where, caller.territory, limit, after, caller.client_id)
    return list(await connection.fetch(_PAGE.format(found), *where.parameters))


async def get(connection: asyncpg.Connection, caller: Caller, id_: int) -> asyncpg.Record:
    """Return a job that the caller may see; raise Absent."""
    where = _seen(caller)
    where.add("j.id = {}", id_)
    statement = f"SELECT {_SHOWN}, {_PLACE} FROM job j WHERE {where}"
    row = await connection.fetchrow(statement, *where.parameters)
    if row is None:
        message = Text(
            f"không có công việc số {id_} trong địa bàn của bạn; xem danh sách tại /v1/jobs",
            f"there is no job {id_} in your territory; they are listed in /v1/jobs",
        )
        raise Absent(Complaint("/id", "job-not-found", message))
    return row


# Whoever follows a job has shown a token once; it must not outlive its client.
_FOLLOWED: Final = f"""
SELECT {_SHOWN} FROM job j
 WHERE j.id = $1
   AND EXISTS (SELECT FROM client c WHERE c.client_id = $2 AND c.revoked_at IS NULL)
"""


async def followed(
    connection: asyncpg.Connection, caller: Caller, id_: int
) -> asyncpg.Record | None:
    """Return a job again that the caller has read before; None once the caller may no more."""
    row: asyncpg.Record | None = await connection.fetchrow(_FOLLOWED, id_, caller.client_id)
    return row
