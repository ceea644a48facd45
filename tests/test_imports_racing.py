"""Imports beside other writers: nobody's value is lost, and what was promised is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import httpx
import pytest
from import_calls import counted, row, send, table, worked_off
from job_calls import QUEUE, change, entries, row_of
from own_database import own
from value_calls import COUNT, TRUTH, history, listed
from working import work_off

from app.database import Database, DatabaseFailed
from app.domain.hindrances import Hindered
from app.domain.imports import OnConflict, conducting, turns
from app.domain.imports.loading import Loader, Target
from app.domain.reading.frames import Cells
from app.domain.unit_periods import Meant, get
from app.rules.period import read_period
from app.rules.registry import Registry
from app.settings import Settings

settings, database, service = own("imports_racing")
CODES = (COUNT,)
BLOCKED = """
SELECT count(*) FROM pg_stat_activity
 WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


def cells(*counts: int, source: str = "một") -> Cells:
    """Return cells of one count each, for the targets one after the other."""
    size = len(counts)
    nothing: list[Any] = [None] * size
    return Cells(
        list(range(size)), [0] * size, list(range(size)), [0] * size, nothing, list(counts),
        nothing, nothing, nothing, nothing, [source] * size, nothing, nothing,
    )  # fmt: skip


async def targets(database: Database, period: str, *codes: str) -> list[Target]:
    """Return units in a period."""
    meant = read_period(period)
    assert meant is not None
    async with database.reading() as connection:
        return [Target(await get(connection, Meant(code, meant)), meant) for code in codes]


def loader(
    connection: asyncpg.Connection, found: Sequence[Target], on_conflict: OnConflict
) -> Loader:
    """Return what loads counts for these units, as the operator."""
    return Loader(connection, None, CODES, found, on_conflict)


async def until_blocked(database: Database) -> None:
    """Wait until a statement waits for another transaction.

    Each look is a transaction of its own: within one, whoever connects later is never seen.
    """
    blocked = 0
    while not blocked:
        await asyncio.sleep(0.01)
        async with database.reading() as connection:
            blocked = await connection.fetchval(BLOCKED)


@pytest.mark.parametrize("on_conflict", ["new_version", "skip", "fail"])
@pytest.mark.parametrize("retracted", [False, True])
async def test_who_was_faster_with_the_same_value_makes_an_import_begin_anew(
    database: Database, on_conflict: OnConflict, retracted: bool
) -> None:
    """What was not there when it was compared, and is there when it is locked, is not followed."""
    period = f"20{[16, 18][retracted]}-0{['new_version', 'skip', 'fail'].index(on_conflict) + 1}"
    found = await targets(database, period, "07894", "07897")
    if retracted:
        await _retracted(database, found)
    async with database.writing() as first:
        await loader(first, found, "new_version").load(cells(1, 2))
        slow = asyncio.create_task(_load(database, found, on_conflict))
        await until_blocked(database)
    (failure,) = await asyncio.gather(slow, return_exceptions=True)
    if retracted and on_conflict == "new_version":
        assert failure is None, "following is what was asked for, and there was a row to lock"
    else:
        assert isinstance(failure, DatabaseFailed), failure
        assert failure.gave_way
    async with database.writing() as again:
        compared = await loader(again, found, on_conflict).load(cells(1, 2))
    assert (compared.created, compared.unchanged) == (0, 2)


async def _load(database: Database, found: Sequence[Target], on_conflict: OnConflict) -> None:
    async with database.writing() as connection:
        await loader(connection, found, on_conflict).load(cells(1, 2, source="một"))


async def _retracted(database: Database, found: Sequence[Target]) -> None:
    async with database.writing() as connection:
        await loader(connection, found, "new_version").load(cells(8, 9))
        await connection.execute(
            "UPDATE current_value SET status = 'retracted' WHERE unit_id = ANY($1::int[])"
            " AND period = $2",
            [one.unit.id for one in found], found[0].period.text,
        )  # fmt: skip


async def test_imports_of_one_province_take_turns(database: Database) -> None:
    """The second one waits for the first, and gives way after its patience, to be tried again."""
    async with database.writing() as first, database.writing() as second:
        await turns.wait_for(first, {25, 26}, 0)
        await turns.wait_for(second, {27}, 0)
        with pytest.raises(Hindered) as hindered:
            await turns.wait_for(second, {26}, 0.1)
        assert (hindered.value.code, hindered.value.passes) == ("province-busy", True)
    async with database.writing() as third:
        await turns.wait_for(third, {25, 26, 27}, 0)


async def test_an_import_whose_province_is_busy_becomes_a_job_that_waits(
    client: httpx.AsyncClient,
    settings: Settings,
    database: Database,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither a request nor a worker waits for long; what passes by itself counts as no failure."""
    monkeypatch.setattr(conducting, "_PATIENCE", 0.0)
    async with database.writing() as first:
        (found,) = await targets(database, "2024", "07903")
        await turns.wait_for(first, {found.unit.province_id or 0}, 0)
        answer = await send(client, table(row("07903", COUNT, 7)))
        assert answer.status_code == 202, answer.text
        await work_off(settings, database, registry)
    id_ = answer.json()["id"]
    left = await row_of(database, id_)
    assert (left["state"], left["attempt"], left["deaths"]) == ("running", 1, 0)
    (entry,) = await entries(database, id_)
    assert entry["scheduled_at"] is not None
    await change(database, f"UPDATE {QUEUE} SET scheduled_at = NULL")
    report = await worked_off(client, answer, settings, database, registry)
    assert counted(report) == {"created": 1}


async def test_several_imports_at_once_follow_each_other(
    client: httpx.AsyncClient, settings: Settings, database: Database, registry: Registry
) -> None:
    """Of five files with the same values, sent at once, each is loaded: one after the other.

    A request does not wait for its turn: what cannot be loaded at once becomes a job.
    """
    files = [table(row("07900", COUNT, number), row("07900", TRUTH, "x")) for number in range(5)]
    answers = await asyncio.gather(*(send(client, one) for one in files))
    reports = [one.json() for one in answers if one.status_code == 201]
    later = [one for one in answers if one.status_code == 202]
    assert len(reports) + len(later) == 5
    reports += [await worked_off(client, one, settings, database, registry) for one in later]
    told = sorted((counted(one) for one in reports), key=lambda one: one.get("superseded", 0))
    follows = {"created": 1, "superseded": 1, "unchanged": 1}
    assert told == [{"created": 2}, *[follows] * 4]
    (current,) = (one for one in await listed(client, unit="07900", period="2024")
                  if one["indicator"] == COUNT)  # fmt: skip
    versions = await history(client, current["id"])
    assert sorted(one["value"] for one in versions) == [0, 1, 2, 3, 4]
    assert [one["status"] for one in versions] == ["superseded"] * 4 + ["reported"]
