"""Conducting an import: the file is read, its units are found, its values compared and loaded.

All that an import writes is written in one transaction: values, what they follow, the audit, the
report, the end of its job. Whatever is killed meanwhile, nothing of it is on record or all of it.
"""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from app.database import DatabaseFailed
from app.domain import audit
from app.domain.audit import Act
from app.domain.imports import rejecting, storing
from app.domain.imports.ahead import read_ahead
from app.domain.imports.ordering import Task, Tell
from app.domain.imports.storing import Stored
from app.domain.imports.taking import BEGIN, Taking
from app.domain.jobs.running import Running
from app.domain.reading.causes import Unreadable
from app.domain.reading.limited import reading
from app.domain.territory import Caller

_ATTEMPTS: Final = 3
_PATIENCE: Final = 5.0  # seconds that a job waits for others of its provinces before it gives way


async def conduct(connection: asyncpg.Connection, task: Task, tell: Tell) -> Stored:
    """Do an import within the transaction of a connection; return it with its report.

    Raises TooMuch, Hindered, and DatabaseFailed where it gave way to another transaction.
    """
    await connection.execute(BEGIN)
    work = Taking(connection, task, tell)
    try:
        async with (
            reading(task.upload.file, task.order(), blames=task.blames) as read,
            read_ahead(read.frames(), connection) as frames,
        ):
            async for frame in frames:
                await work.take(read, frame)
    except Unreadable as error:  # here, where no process can be limited
        for fault in error.faults:
            work.fault(fault)
    state = await work.end()
    if not await work.note():
        await note(connection, task.caller, task.id, f"import.{state}")
    headers = await rejecting.keep(connection, task, work.found, work.tables)
    await storing.end(connection, task.id, state, work.report(), headers)
    return await storing.get(connection, task.caller, task.id)


async def note(
    connection: asyncpg.Connection, caller: Caller | None, id_: int, action: str
) -> None:
    """Put into the audit what was done with an import as a whole; it lies where its client lies."""
    stored = await storing.get(connection, caller, id_)
    told = {"import": id_, "sha256": stored.sha256}
    await audit.note(connection, caller, [Act(action, stored.place, told)])


async def run(running: Running) -> None:
    """Do an import as a job, from its stored upload; whatever stops it, it begins anew."""
    id_ = int(running.arguments["import"])
    with storing.spool() as file:
        async with running.database.reading() as connection:
            stored = await storing.get(connection, running.caller, id_)
            upload = await storing.write_out(connection, stored, file)
        task = Task(
            id_, upload, stored.wanted, running.caller, running.registry, patience=_PATIENCE,
            again=bool(running.arguments["again"]), blames=running.failed_before,
        )  # fmt: skip
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with running.database.writing() as connection:
                    done = await conduct(connection, task, running.tell)
                    await running.finish(connection, _result(done), _rows(done))
                return
            except DatabaseFailed as error:
                if not error.gave_way or attempt == _ATTEMPTS:
                    raise


def _rows(done: Stored) -> int | None:
    """Return how many rows there were; of a file that was not read to its end nobody knows."""
    report = done.report or {}
    return None if report.get("fault") else report.get("rows")


def _result(done: Stored) -> dict[str, Any]:
    """Return what the job says at its end."""
    report = done.report or {}
    return {"import": done.id, "state": done.state, "counts": report.get("counts")}
