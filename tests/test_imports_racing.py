"""Imports beside other writers: nobody's value is lost, and what was promised is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import httpx
import pytest
from import_calls import counted, imported, row, table
from own_database import own
from value_calls import COUNT, TRUTH, history, listed

from app.database import Database, DatabaseFailed
from app.domain.imports import OnConflict, turns
from app.domain.imports.loading import Loader, Target
from app.domain.reading.frames import Cells
from app.domain.unit_periods import Meant, get
from app.rules.period import read_period

settings, database, service = own("imports_racing")
CODES = (COUNT,)
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1"


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
    """Wait until a statement waits for another transaction."""
    async with database.reading() as connection:
        name = await connection.fetchval("SELECT current_database()")
        while not await connection.fetchval(BLOCKED, name):  # noqa: ASYNC110 - it is elsewhere
            await asyncio.sleep(0.01)


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
    """The second one waits for the first, and gives up after its patience, to be tried again."""
    async with database.writing() as first, database.writing() as second:
        await turns.wait_for(first, {25, 26}, 0)
        await turns.wait_for(second, {27}, 0)
        with pytest.raises(DatabaseFailed) as failed:
            await turns.wait_for(second, {26}, 0.1)
        assert failed.value.code == "query-timeout"
    async with database.writing() as third:
        await turns.wait_for(third, {25, 26, 27}, 0)


async def test_several_imports_at_once_follow_each_other(client: httpx.AsyncClient) -> None:
    """Of five files with the same values, sent at once, each is loaded: one after the other."""
    files = [table(row("07900", COUNT, number), row("07900", TRUTH, "x")) for number in range(5)]
    reports = await asyncio.gather(*(imported(client, one) for one in files))
    told = sorted((counted(one) for one in reports), key=lambda one: one.get("superseded", 0))
    follows = {"created": 1, "superseded": 1, "unchanged": 1}
    assert told == [{"created": 2}, *[follows] * 4]
    (current,) = (one for one in await listed(client, unit="07900", period="2024")
                  if one["indicator"] == COUNT)  # fmt: skip
    versions = await history(client, current["id"])
    assert sorted(one["value"] for one in versions) == [0, 1, 2, 3, 4]
    assert [one["status"] for one in versions] == ["superseded"] * 4 + ["reported"]
