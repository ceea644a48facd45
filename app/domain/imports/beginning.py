"""Beginning an import: at once, where a request may wait for it, or as a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import msgspec

from app.database import Database
from app.domain import jobs
from app.domain.hindrances import Hindered
from app.domain.imports import CHECKED, KIND, Mode, OnConflict, conducting, storing
from app.domain.imports.conducting import conduct
from app.domain.imports.ordering import MOST_AT_ONCE, Task, Tell, TooMuch
from app.domain.imports.storing import Stored, Upload, Wanted
from app.domain.imports.taking import TAKE_BACK
from app.domain.jobs import beginning, listing
from app.domain.refusals import Complaint, Conflict, Forbidden
from app.domain.territory import Caller
from app.rules.errors import Text
from app.rules.registry import Registry

# A request waits for no other import of its provinces: a job does.
_PATIENCE: Final = 0.0
_FOR_A_JOB: Final = (TooMuch, Hindered)


class Begun(msgspec.Struct, frozen=True):
    """An import that was done, or that the job shown does."""

    stored: Stored
    job: Mapping[str, Any] | None = None


async def begin(
    connection: asyncpg.Connection,
    caller: Caller,
    registry: Registry,
    upload: Upload,
    wanted: Wanted,
    *,
    at_once: bool,
) -> Begun:
    """Put an import on record and do it, or let a job do it where a request cannot do it now."""
    id_ = await storing.arrive(connection, caller, upload, wanted)
    if at_once:
        task = Task(id_, upload, wanted, caller, registry, MOST_AT_ONCE, _PATIENCE)
        try:
            return Begun(await _done(connection, task, _silently))
        except _FOR_A_JOB:
            await connection.execute(TAKE_BACK)
    await storing.keep(connection, id_, upload)
    return await _as_job(connection, caller, id_, wanted)


async def commit(
    connection: asyncpg.Connection,
    caller: Caller,
    registry: Registry,
    id_: int,
    most: int,
    mode: Mode | None = None,
    on_conflict: OnConflict | None = None,
) -> Begun:
    """Load what a dry run checked; a file of more than `most` bytes by a job.

    `mode` and `on_conflict` take the place of what the dry run was asked for. What is refused stays
    checked: it can be committed otherwise. Raises Absent, Forbidden for an import of another
    client, Conflict for one that is not checked.
    """
    stored = await storing.held(connection, caller, id_)
    if stored.client != caller.client_id:
        raise Forbidden(Complaint("/id", "not-your-import", _NOT_YOURS))
    if stored.state != CHECKED:
        raise Conflict(Complaint("/id", "import-not-checked", _not_checked(stored)))
    if stored.freed_at is not None:
        raise Conflict(Complaint("/id", "import-freed", _FREED))
    asked = stored.wanted
    wanted = Wanted(asked.options, False, mode or asked.mode, on_conflict or asked.on_conflict)
    await storing.wait_for(connection, id_, None, wanted)
    if stored.size <= most:
        with storing.spool() as file:
            upload = await storing.write_out(connection, stored, file)
            task = Task(id_, upload, wanted, caller, registry, MOST_AT_ONCE, _PATIENCE, again=True)
            try:
                return Begun(await conduct(connection, task, _silently))
            except _FOR_A_JOB:
                await connection.execute(TAKE_BACK)
    return await _as_job(connection, caller, id_, wanted, again=True)


async def locally(
    database: Database, registry: Registry, upload: Upload, wanted: Wanted, tell: Tell
) -> Stored:
    """Import a file as the operator, in the database of this machine; return its report."""
    async with database.writing() as connection:
        id_ = await storing.arrive(connection, None, upload, wanted)
        return await _done(connection, Task(id_, upload, wanted, None, registry), tell)


async def _done(connection: asyncpg.Connection, task: Task, tell: Tell) -> Stored:
    """Do an import; the file of one that may be committed later is kept."""
    stored = await conduct(connection, task, tell)
    if stored.state == CHECKED and task.caller is not None:  # the operator has the file
        await storing.keep(connection, task.id, task.upload)
    return stored


async def _as_job(
    connection: asyncpg.Connection,
    caller: Caller,
    id_: int,
    wanted: Wanted,
    *,
    again: bool = False,
) -> Begun:
    job = await beginning.begin(connection, caller, KIND, {"import": id_, "again": again})
    await storing.wait_for(connection, id_, job, wanted)
    await conducting.note(connection, caller, id_, "import.received")
    shown = jobs.shown(await listing.get(connection, caller, job))
    return Begun(await storing.get(connection, caller, id_), shown)


async def _silently(*_: object) -> None:
    """Tell nobody: the caller waits for the answer."""


def _not_checked(stored: Stored) -> Text:
    return Text(
        f"lần nhập {stored.id} ở trạng thái {stored.state}; chỉ lần kiểm tra (dry_run=true) ở "
        "trạng thái checked mới nạp được; hãy gửi lại tệp",
        f"the import {stored.id} is {stored.state}; only a dry run that is checked can be "
        "committed; send the file again",
    )


_FREED: Final = Text(
    "tệp của lần nhập này đã hết hạn lưu; hãy gửi lại tệp",
    "the file of this import is kept no longer; send the file again",
)
_NOT_YOURS: Final = Text(
    "lần nhập này do máy khách khác gửi; chỉ máy khách đó mới nạp được",
    "another client sent this import; only that client can commit it",
)
