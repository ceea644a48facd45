"""Jobs in a backup: what waited, or was under way, goes on where the backup is restored."""

from __future__ import annotations

from pathlib import Path

import httpx
from conftest import Member, Ntm, clone, shipped
from job_calls import begun, caller_of, change, entries, row_of
from running import in_database, settings_of
from working import work_off

from app.cli.clients import make
from app.database import Database, schema
from app.domain.clients import SCOPES
from app.domain.jobs import conducting
from app.domain.jobs.running import Running
from app.embedded import Embedded


async def _filled(database: Database) -> tuple[int, int]:
    """Begin two jobs, one of which is under way; return their numbers."""
    made = await make(database, "Thử", "VN", list(SCOPES))
    async with httpx.AsyncClient() as http:
        member = Member(made["client_id"], made["client_secret"], http)
        caller = await caller_of(database, member)
    waiting, under_way = [await begun(database, caller) for _ in range(2)]
    await change(database, conducting._CLAIM, under_way, -1)
    return waiting, under_way


def test_jobs_of_a_backup_are_done_where_it_is_restored(
    cluster: Embedded, worker_id: str, ntm: Ntm, tmp_path: Path
) -> None:
    """A restored database has its queue, and a queue that can be used: nothing waits for ever."""
    here, there = [
        clone(cluster, f"{name}_{worker_id}", template) | {"NTM_DATA_DIR": str(tmp_path)}
        for name, template in (("jobs_here", "ntm"), ("jobs_there", "template0"))
    ]
    waiting, under_way = in_database(settings_of(here, tmp_path), _filled)
    file = tmp_path / "whole.dump"
    assert ntm("db", "backup", file, env=here).code == 0
    ran = ntm("db", "restore", file, env=there)
    assert ran.code == 0, ran.said
    settings = settings_of(there, tmp_path)
    done: list[int] = []

    async def work(running: Running) -> None:
        done.append(running.id)

    async def finished(database: Database) -> None:
        for id_ in (waiting, under_way):
            assert len(await entries(database, id_)) == 1
        await work_off(settings, database, shipped(), {"test": work})
        states = [(await row_of(database, id_))["state"] for id_ in (waiting, under_way)]
        assert states == ["succeeded", "succeeded"]

    in_database(settings, finished)
    assert sorted(done) == sorted((waiting, under_way))
    in_database(settings, schema.check_service)
    assert in_database(settings, schema.drift) is None
