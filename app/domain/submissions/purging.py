"""Retention: names and files of ended submissions are deleted once they are kept no longer.

No document says how long they are kept; the operator's settings do, and unset they are kept for
ever. Each submission has a transaction of its own, and doing it again finishes what was cut off.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

import asyncpg
import msgspec

from app.database import Database
from app.domain import audit
from app.domain.audit import Act
from app.domain.evidence import chain, editing, names, removing
from app.domain.evidence.keys import Keys
from app.domain.evidence.store import Store
from app.domain.recordings import OPERATOR
from app.domain.register import Progress
from app.domain.territory import EVERYWHERE, Caller

# An upload takes less than a day: what no file names by then is nobody's.
_ABANDONED: Final = datetime.timedelta(days=1)
_TOGETHER: Final = 500
_OPERATOR: Final = Caller(0, OPERATOR, frozenset(), EVERYWHERE)


class Kept(msgspec.Struct, frozen=True):
    """For how many days after its end names and files of a submission are kept; None: for ever."""

    names: int | None
    files: int | None


class Due(msgspec.Struct, frozen=True):
    """A submission that ended long enough ago, and how much of it is to go.

    `count` are rows with names, or files; `size` the bytes of files: of names, of those that may
    show them.
    """

    submission: int
    unit: str
    name: str
    period: str
    state: str
    since: datetime.datetime
    count: int
    size: int


class Plan(msgspec.Struct, frozen=True):
    """What is to go: names, files, and the contents in the store that no file names.

    `strange`: not one content there is named, so that it is the store of another database; then
    those that no file names here stay.
    """

    names: Sequence[Due]
    files: Sequence[Due]
    unnamed: Sequence[str]
    strange: bool


_DUE: Final = """
SELECT s.id AS submission, u.key AS unit, s.period, s.state, s.changed_at AS since, {counted},
       (SELECT w.name FROM unit_version w
         WHERE w.unit_id = s.unit_id AND (w.valid_from IS NULL OR w.valid_from <= s.unit_on)
         ORDER BY w.valid_from DESC NULLS LAST LIMIT 1) AS name
  FROM evidence_submission s JOIN unit u ON u.id = s.unit_id
  CROSS JOIN LATERAL ({left}) c
 WHERE s.state IN ({ended}) AND s.changed_at < $1 AND s.{gone} IS NULL AND c.all_of_them > 0
 ORDER BY s.changed_at, s.id
"""
# A list that was followed has no rows any more, but its key is there.
_NAMES: Final = _DUE.format(
    counted="c.count::int, c.size::bigint",
    left="""
    SELECT l.count, f.size, l.all_of_them + f.all_of_them AS all_of_them
      FROM (SELECT coalesce(sum(rows) FILTER (WHERE ended_at IS NULL), 0) AS count,
                   count(*) AS all_of_them
              FROM evidence_list WHERE submission_id = s.id) l,
           (SELECT coalesce(sum(size), 0) AS size, count(*) AS all_of_them
              FROM evidence_file WHERE submission_id = s.id AND personal AND stored IS NOT NULL) f
    """,
    gone="names_deleted_at",
    ended=chain.SQL_ENDED,
)
_FILES: Final = _DUE.format(
    counted="c.all_of_them::int AS count, c.size::bigint",
    left="""
    SELECT coalesce(sum(f.size), 0) AS size, count(*) AS all_of_them
      FROM evidence_file f WHERE f.submission_id = s.id AND f.stored IS NOT NULL""",
    gone="files_deleted_at",
    ended=chain.SQL_ENDED,
)
_NATION: Final = "SELECT id FROM unit WHERE level = 'nation'"


_ONE_NAMED: Final = "SELECT EXISTS (SELECT FROM evidence_file WHERE stored = ANY ($1::text[]))"


async def plan(
    connection: asyncpg.Connection, store: Store, kept: Kept, now: datetime.datetime
) -> Plan:
    """Return what is to go; raise Hindered where the store cannot be looked into."""
    unnamed = await removing.orphans(connection, store, now - _ABANDONED)
    return Plan(
        await _due(connection, _NAMES, kept.names, now),
        await _due(connection, _FILES, kept.files, now),
        unnamed,
        bool(unnamed) and await _is_strange(connection, store),
    )


async def carry_out(
    database: Database, keys: Keys, store: Store, kept: Kept, wanted: Plan, told: Progress
) -> None:
    """Delete what is to go, submission by submission; raise Hindered where it cannot be."""
    for done, one in enumerate(wanted.names, 1):
        async with database.writing() as connection:
            held = await editing.hold(connection, _OPERATOR, one.submission)
            why = _why(kept.names)
            await names.delete(connection, keys, store, None, held, why, "evidence.names-purged")
        told("names", done, len(wanted.names))
    for done, one in enumerate(wanted.files, 1):
        async with database.writing() as connection:
            await _delete_files(connection, store, one, _why(kept.files))
        told("files", done, len(wanted.files))
    unnamed = () if wanted.strange else wanted.unnamed
    for first in range(0, len(unnamed), _TOGETHER):
        async with database.writing() as connection:
            await _delete_unnamed(connection, store, unnamed[first : first + _TOGETHER])


async def _due(
    connection: asyncpg.Connection, statement: str, days: int | None, now: datetime.datetime
) -> list[Due]:
    if days is None:
        return []
    before = now - datetime.timedelta(days=days)
    return [Due(**row) for row in await connection.fetch(statement, before)]


async def _is_strange(connection: asyncpg.Connection, store: Store) -> bool:
    """Tell whether nothing that lies in the store is named by a file."""
    async with aclosing(store.all()) as parts:
        async for some in parts:
            if await connection.fetchval(_ONE_NAMED, [one.id for one in some]):
                return False
    return True


async def _delete_files(connection: asyncpg.Connection, store: Store, one: Due, why: str) -> None:
    held = await editing.hold(connection, _OPERATOR, one.submission)
    gone = await removing.delete_contents(connection, store, held.id)
    if gone:
        told = {"submission": held.id, "files": gone}
        await audit.note(connection, None, [Act("evidence.files-purged", held.place, told, why)])


async def _delete_unnamed(connection: asyncpg.Connection, store: Store, ids: Sequence[str]) -> None:
    nowhere = (await connection.fetchval(_NATION), None, None)
    told = {"contents": len(ids)}
    act = Act("evidence.contents-purged", nowhere, told, "không tệp nào dùng nội dung này")
    await audit.note(connection, None, [act])
    await store.delete(ids)


def _why(days: int | None) -> str:
    return f"hết thời hạn lưu {days} ngày"
