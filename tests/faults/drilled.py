"""A worker process of the drill of jobs: `python drilled.py`, with the settings of `ntm worker`.

It knows two kinds, which leave a trace in a table of the drill's own. One writes its trace in the
transaction in which it ends. The other is the planted bug: its trace is committed by itself, and
its end is told later.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from typing import Final, cast

from app.database import Database
from app.domain.jobs.queue import Pace
from app.domain.jobs.running import Kind, Running
from app.domain.jobs.worker import Worker
from app.rules.registry import Registry
from app.settings import Settings

TABLES: Final = (
    "CREATE SCHEMA drill",
    "CREATE TABLE drill.begun (job bigint, worker int)",
    "CREATE TABLE drill.done (job bigint, worker int)",
    "GRANT USAGE ON SCHEMA drill TO ntm_service",
    "GRANT INSERT ON drill.begun, drill.done TO ntm_service",
)
AT_ONCE: Final = 10
PACE: Final = Pace(poll=0.2, heartbeat=0.4, stalled=2, sweep=0.4, grace=1)
_LASTS: Final = 0.4  # seconds: long enough for a worker to hold as many as it may
_BEGUN: Final = "INSERT INTO drill.begun VALUES ($1, $2)"
_DONE: Final = "INSERT INTO drill.done VALUES ($1, $2)"


async def _begin(running: Running) -> None:
    async with running.database.writing() as connection:
        await connection.execute(_BEGUN, running.id, os.getpid())
    await asyncio.sleep(_LASTS)


async def fenced(running: Running) -> None:
    """Leave a trace and end, in one transaction."""
    await _begin(running)
    async with running.database.writing() as connection:
        await connection.execute(_DONE, running.id, os.getpid())
        await running.finish(connection, {"worker": os.getpid()})


async def careless(running: Running) -> None:
    """Leave a trace, then end."""
    await _begin(running)
    async with running.database.writing() as connection:
        await connection.execute(_DONE, running.id, os.getpid())
    await asyncio.sleep(3 * _LASTS)
    async with running.database.writing() as connection:
        await running.finish(connection, {"worker": os.getpid()})


KINDS: Final[Mapping[str, Kind]] = {"fenced": fenced, "careless": careless}


async def main() -> None:
    """Work until told to stop."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    settings = Settings()
    no_rules = cast(Registry, None)  # neither kind judges anything
    async with Database(settings, patient=True) as database:
        worker = Worker(database, no_rules, settings, KINDS, at_once=AT_ONCE, pace=PACE)
        async with worker.running():
            await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main())
