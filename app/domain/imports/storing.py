"""Imports on record: what was sent, the upload while it is still to be loaded, the report on it."""

from __future__ import annotations

import datetime
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from typing import IO, Any, Final

import asyncpg
import msgspec

from app.domain.conditions import Conditions
from app.domain.hindrances import of_files
from app.domain.imports import CHECKED, CHUNK, FAILED, Mode, OnConflict, State
from app.domain.newest import newest
from app.domain.recordings import OPERATOR
from app.domain.refusals import Absent, Complaint
from app.domain.territory import Caller, Place, reached
from app.rules.errors import Text


class Options(msgspec.Struct, frozen=True):
    """How a file is to be read, as far as its sender says so."""

    encoding: str | None = None
    locale: str | None = None
    sheet: str | None = None
    period: str | None = None
    on: datetime.date | None = None
    source: str | None = None
    measured_on: datetime.date | None = None


class Wanted(msgspec.Struct, frozen=True):
    """What is to be done with a file."""

    options: Options = Options()
    dry_run: bool = False
    mode: Mode = "all"
    on_conflict: OnConflict = "new_version"


class Upload(msgspec.Struct, frozen=True):
    """A file that was sent, open and without a name; `media` is what the sender declared, or None.

    What is open when a process is killed is gone with it: nothing is left behind.
    """

    file: IO[bytes]
    size: int
    sha256: str
    name: str | None = None
    media: str | None = None

    @classmethod
    def of(cls, file: BufferedReader, name: str | None = None) -> Upload:
        """Return an open file of this machine as one that was sent."""
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(file, os.fstat(file.fileno()).st_size, digest, name)


class Stored(msgspec.Struct, frozen=True):
    """An import as it is on record."""

    id: int
    state: State
    wanted: Wanted
    size: int
    sha256: str
    name: str | None
    media: str | None
    job_id: int | None
    report: Mapping[str, Any] | None
    headers: Sequence[tuple[str | None, Sequence[str]]]
    client: str
    place: Place
    created_at: datetime.datetime
    ended_at: datetime.datetime | None
    freed_at: datetime.datetime | None


# An import lies where its client lies; the operator's lies with the nation.
_ARRIVE: Final = """
INSERT INTO value_import (state, dry_run, mode, on_conflict, options, name, media, size, sha256,
                          client, unit_id, district_id, province_id)
SELECT 'pending', $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $1, w.*
  FROM (SELECT unit_id, district_id, province_id FROM client WHERE client_id = $1
         UNION ALL
        SELECT id, NULL, NULL FROM unit WHERE level = 'nation' AND $1 = $10) w
RETURNING id
"""
_KEEP: Final = "INSERT INTO value_import_chunk (import_id, number, content) VALUES ($1, $2, $3)"
_PIECE: Final = "SELECT content FROM value_import_chunk WHERE import_id = $1 AND number = $2"
_DROP: Final = "DELETE FROM value_import_chunk WHERE import_id = $1"
_WAIT: Final = """
UPDATE value_import SET state = 'pending', job_id = $2, dry_run = $3, mode = $4, on_conflict = $5
 WHERE id = $1
"""
_END: Final = """
UPDATE value_import SET state = $2::text, dry_run = $2::text = 'checked', report = $3::jsonb,
                        headers = $4::jsonb, ended_at = clock_timestamp()
 WHERE id = $1
"""
# An import that waits for a job that has ended without it is shown as failed.
_STATE: Final = f"""
CASE WHEN {{0}}.state = 'pending' AND EXISTS (
       SELECT FROM job j WHERE j.id = {{0}}.job_id AND j.state IN ('failed', 'cancelled'))
     THEN '{FAILED}' ELSE {{0}}.state END
"""
_SHOWN: Final = f"""
i.id, i.dry_run, i.mode, i.on_conflict, i.options, i.name, i.media, i.size, i.sha256, i.job_id,
i.client, i.unit_id, i.district_id, i.province_id, i.created_at, i.ended_at, i.freed_at,
{_STATE.format("i")} AS shown_state
"""
_GET: Final = f"SELECT {_SHOWN}, i.report, i.headers FROM value_import i WHERE {{}}"
_HOLD: Final = "SELECT FROM value_import WHERE id = $1 FOR UPDATE"
_LIST: Final = f"""
SELECT {_SHOWN}, i.report - '{{{{conflicts,warnings}}}}'::text[] AS report, NULL AS headers
  FROM ({{}}) found CROSS JOIN LATERAL (SELECT * FROM value_import WHERE id = found.id LIMIT 1) i
 ORDER BY i.id DESC
"""


async def arrive(
    connection: asyncpg.Connection, caller: Caller | None, upload: Upload, wanted: Wanted
) -> int:
    """Put an import on record that is still to be done; return its number."""
    found = await connection.fetchval(
        _ARRIVE,
        caller.client_id if caller else OPERATOR,
        wanted.dry_run,
        wanted.mode,
        wanted.on_conflict,
        _json(wanted.options),
        upload.name,
        upload.media,
        upload.size,
        upload.sha256,
        OPERATOR,
    )
    if found is None:
        raise LookupError("an import was begun for a client that is not on record")
    return int(found)


async def keep(connection: asyncpg.Connection, id_: int, upload: Upload) -> None:
    """Store an upload until it is loaded or refused; never more than a piece of it is in memory."""
    for number, start in enumerate(range(0, upload.size, CHUNK)):
        with of_files():
            piece = os.pread(upload.file.fileno(), CHUNK, start)
        await connection.execute(_KEEP, id_, number, piece)


@contextmanager
def spool() -> Iterator[IO[bytes]]:
    """Yield a file for an upload, without a name: it ends with the block, or with this process."""
    with ExitStack() as opened:
        with of_files():
            file = opened.enter_context(tempfile.TemporaryFile(prefix="ntm-upload-"))
        yield file


async def write_out(connection: asyncpg.Connection, stored: Stored, file: IO[bytes]) -> Upload:
    """Write the stored upload of an import into a file, piece by piece; return it."""
    number = 0
    while (piece := await connection.fetchval(_PIECE, stored.id, number)) is not None:
        with of_files():
            file.write(piece)
        number += 1
    with of_files():
        file.flush()
    return Upload(file, stored.size, stored.sha256, stored.name, stored.media)


async def wait_for(
    connection: asyncpg.Connection, id_: int, job_id: int | None, wanted: Wanted
) -> None:
    """Let an import wait until a job, or this transaction, has done it."""
    how = wanted.dry_run, wanted.mode, wanted.on_conflict
    await connection.execute(_WAIT, id_, job_id, *how)


async def end(
    connection: asyncpg.Connection,
    id_: int,
    state: State,
    report: Mapping[str, Any],
    headers: Sequence[tuple[str | None, Sequence[str]]],
) -> None:
    """Put the report on record; an upload that nobody may load any more is dropped."""
    await connection.execute(_END, id_, state, _json(report), _json(headers))
    if state != CHECKED:
        await connection.execute(_DROP, id_)


async def get(connection: asyncpg.Connection, caller: Caller | None, id_: int) -> Stored:
    """Return an import; raise Absent for one that is not there, or not for this caller.

    Without a caller it is the operator, who sees all of them.
    """
    where = _seen(caller)
    where.add("i.id = {}", id_)
    row = await connection.fetchrow(_GET.format(where), *where.parameters)
    if row is None:
        message = Text(
            f"không có lần nhập số {id_} của bạn; xem danh sách tại /v1/imports",
            f"there is no import {id_} of yours; see the list at /v1/imports",
        )
        raise Absent(Complaint("/id", "import-not-found", message))
    return _stored(row)


async def held(connection: asyncpg.Connection, caller: Caller, id_: int) -> Stored:
    """Return an import as `get` does; nobody else changes it until the transaction ends."""
    await connection.execute(_HOLD, id_)
    return await get(connection, caller, id_)


async def page(
    connection: asyncpg.Connection, caller: Caller, state: State | None, before: int, size: int
) -> list[Stored]:
    """Return imports of a state, or all, newest first; before a number unless that is 0.

    Their reports leave out what was found.
    """
    where = Conditions()
    if state is not None:
        where.add(f"{_STATE.format('x')} = {{}}", state)
    found = newest("value_import", where, caller.territory, size, before, caller.client_id)
    rows = await connection.fetch(_LIST.format(found), *where.parameters)
    return [_stored(row) for row in rows]


def _seen(caller: Caller | None) -> Conditions:
    """Return the condition that an import is the caller's, or lies in its territory."""
    found = Conditions()
    if caller is not None:
        for one in (*caller.territory.arrays(), caller.client_id):
            found.mark(one)
        found.add(f"(i.client = $5 OR {reached('i', 1)})")
    return found


def _stored(row: asyncpg.Record) -> Stored:
    options = msgspec.json.decode(row["options"], type=Options)
    return Stored(
        row["id"],
        row["shown_state"],
        Wanted(options, row["dry_run"], row["mode"], row["on_conflict"]),
        row["size"],
        row["sha256"],
        row["name"],
        row["media"],
        row["job_id"],
        None if row["report"] is None else msgspec.json.decode(row["report"]),
        () if row["headers"] is None else msgspec.json.decode(row["headers"]),
        row["client"],
        (row["unit_id"], row["district_id"], row["province_id"]),
        row["created_at"],
        row["ended_at"],
        row["freed_at"],
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
