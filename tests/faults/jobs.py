"""Workers and PostgreSQL are killed, or stand still: no job is lost, none is done twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg
from conftest import environment

from app.cli.clients import make
from app.database import EVERYTHING, Database
from app.domain import recognition
from app.domain.clients import SCOPES
from app.domain.jobs.beginning import begin
from app.domain.territory import Territories
from app.embedded import DATABASE, OWNER, Embedded
from app.settings import Settings
from faults.crash import kill_postgresql
from faults.drilled import AT_ONCE, PACE, TABLES
from faults.goals import Outcome, Stage, prepared
from faults.ledger import as_owner

_JOBS: Final = (400, 2_000)
_CONTROL: Final = 40  # jobs by which the planted bug must have shown itself
_WORKERS: Final = 3
_DEADLINE: Final = 120.0  # seconds until what is not done is called lost
_PROGRAM: Final = str(Path(__file__).with_name("drilled.py"))
_OPEN: Final = "SELECT count(*) FROM ntm.job WHERE state IN ('queued', 'running')"
_HELD: Final = """
SELECT count(*) FROM (
  SELECT job FROM drill.begun WHERE worker = $1 EXCEPT SELECT job FROM drill.done) held
"""
_FINDINGS: Final = """
SELECT count(*) FILTER (WHERE j.state <> 'succeeded' OR d.times IS NULL) AS lost,
       count(*) FILTER (WHERE d.times > 1) AS doubled,
       count(*) FILTER (WHERE j.attempt > 1) AS again
  FROM ntm.job j LEFT JOIN (SELECT job, count(*) AS times FROM drill.done GROUP BY job) d
    ON d.job = j.id
 WHERE j.kind = $1
"""


class Findings(NamedTuple):
    """What became of the jobs of a kind: never done, done twice, taken up more than once."""

    lost: int
    doubled: int
    again: int


class Ground:
    """A PostgreSQL of its own that may be killed, worker processes, and a client with jobs."""

    def __init__(self, folder: Path, embedded: Embedded) -> None:
        self.folder, self._embedded = folder, embedded
        self._workers: list[subprocess.Popen[bytes]] = []

    async def prepare(self) -> None:
        """Make the tables in which jobs leave their traces."""
        await prepared(self.folder)
        async with self.owner() as connection:
            for statement in TABLES:
                await connection.execute(statement)

    @contextlib.asynccontextmanager
    async def owner(self) -> AsyncIterator[asyncpg.Connection]:
        """Yield a connection of the owner, wherever the server is now."""
        host = await asyncio.to_thread(self._embedded.ensure)
        connection = await as_owner({"host": host, "user": OWNER, "database": DATABASE})
        try:
            yield connection
        finally:
            connection.terminate()

    async def begin(self, kind: str, count: int) -> None:
        """Begin jobs, all in one request's transaction."""
        async with Database(Settings(data_dir=self.folder)) as database:
            everything = database.acting_for(EVERYTHING)
            made = await make(everything, "Thử", "VN", list(SCOPES))
            async with database.asking() as connection:
                found = await recognition.recognise(
                    connection, Territories(), made["client_id"], SCOPES
                )
            assert found is not None
            caller, _ = found
            async with database.acting_for(caller.context()).writing() as connection:
                for _ in range(count):
                    await begin(connection, caller, kind, {})

    def start(self) -> subprocess.Popen[bytes]:
        """Start a worker process."""
        started = subprocess.Popen(
            [sys.executable, _PROGRAM],
            env=environment({"NTM_DATA_DIR": str(self.folder)}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._workers.append(started)
        return started

    @contextlib.contextmanager
    def workers(self, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
        """Let workers work for the length of a block; nothing of them lives on."""
        try:
            yield [self.start() for _ in range(count)]
        finally:
            for one in self._workers:
                one.kill()
                one.wait()
            self._workers.clear()

    async def kill_holding(self, victim: subprocess.Popen[bytes], least: int) -> None:
        """Kill a worker with signal 9 at a moment when it holds so many jobs."""
        await self.halt_holding(victim, least)
        victim.kill()
        victim.wait()

    async def halt_holding(self, victim: subprocess.Popen[bytes], least: int) -> None:
        """Let a worker stand still at a moment when it holds so many jobs."""

        async def holds() -> bool:
            async with self.owner() as connection:
                return bool(await connection.fetchval(_HELD, victim.pid) >= least)

        async def caught() -> bool:
            if not await holds():
                return False
            os.kill(victim.pid, signal.SIGSTOP)
            if await holds():
                return True
            os.kill(victim.pid, signal.SIGCONT)  # it has ended some meanwhile
            return False

        assert await _until(caught), "the worker never held so many"

    async def done(self) -> bool:
        """Tell whether no job is open."""
        async with self.owner() as connection:
            return bool(await connection.fetchval(_OPEN) == 0)

    async def findings(self, kind: str) -> Findings:
        """Return what became of the jobs of a kind."""
        async with self.owner() as connection:
            row = await connection.fetchrow(_FINDINGS, kind)
        assert row is not None
        return Findings(*row)


async def _until(holds: Callable[[], Awaitable[bool]]) -> bool:
    """Wait until something holds; tell whether it ever did."""
    end = time.monotonic() + _DEADLINE
    while time.monotonic() < end:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if await holds():
                return True
        await asyncio.sleep(0.05)
    return False


@contextlib.asynccontextmanager
async def ground(stage: Stage) -> AsyncIterator[Ground]:
    """Yield a ground; its PostgreSQL stays, whichever worker is killed."""
    folder = stage.folder("jobs") / "data"
    embedded = await asyncio.to_thread(Embedded, folder)
    try:
        found = Ground(folder, embedded)
        await found.prepare()
        yield found
    finally:
        embedded.release()


async def _kill(found: Ground, count: int) -> tuple[Findings, int]:
    """Kill one worker that holds ten jobs, halt another one, kill PostgreSQL; judge."""
    await found.begin("fenced", count)
    with found.workers(_WORKERS) as (first, second, _):
        await found.kill_holding(first, AT_ONCE)
        found.start()
        await found.halt_holding(second, 1)
        await asyncio.sleep(PACE.stalled + 2 * PACE.sweep)  # others take over what it holds
        os.kill(second.pid, signal.SIGCONT)
        await asyncio.to_thread(kill_postgresql, found.folder)
        await _until(found.done)
        ended = [one.poll() for one in found._workers if one is not first]
    return await found.findings("fenced"), sum(code is not None for code in ended)


async def _without_fence(found: Ground) -> Findings:
    """Kill a worker whose jobs leave their traces before they tell that they have ended."""
    await found.begin("careless", _CONTROL)
    with found.workers(2) as (first, _):

        async def traced() -> bool:
            async with found.owner() as connection:
                statement = "SELECT count(*) FROM drill.done WHERE worker = $1"
                return bool(await connection.fetchval(statement, first.pid))

        await _until(traced)
        first.kill()
        first.wait()
        await _until(found.done)
    return await found.findings("careless")


async def run(stage: Stage, full: bool) -> Outcome:
    """Kill and halt workers while jobs wait; then see that a missing fence is found out."""
    count = _JOBS[full]
    async with ground(stage) as found:
        findings, ended = await _kill(found, count)
        careless = await _without_fence(found)
    return Outcome(
        f"{count} jobs, {_WORKERS} workers with {AT_ONCE} at once, one killed holding {AT_ONCE}, "
        "one halted until it was replaced, PostgreSQL killed",
        f"{findings.lost} lost, {findings.doubled} done twice, {findings.again} taken up again, "
        f"{ended} workers ended by themselves",
        findings.lost == findings.doubled == ended == 0 and findings.again >= AT_ONCE,
        f"no fence: {careless.doubled} of {_CONTROL} done twice",
        careless.doubled > 0,
    )
