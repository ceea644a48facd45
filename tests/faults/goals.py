"""What a drill is: what it stands on, what it tells, and the list of all of them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple, cast

import asyncpg
from conftest import HASTY, urls
from running import settings_of

from app.database import OWNER, Database
from app.domain.preparing import prepare
from app.embedded import Embedded
from app.settings import Settings

_NUMBERS: Final = itertools.count(1)


class Outcome(NamedTuple):
    """How a drill ended: its size, what came out, and whether the planted bug was caught."""

    size: str
    result: str
    good: bool
    control: str
    caught: bool


class Stage:
    """What drills stand on: a PostgreSQL whose database `ntm` is prepared, and a folder."""

    def __init__(self, cluster: Embedded, folder: Path) -> None:
        self.cluster = cluster
        self._folder = folder

    def folder(self, name: str) -> Path:
        """Make a folder of a drill's own."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._folder))

    async def clone(self, name: str, *, hasty: bool = False) -> dict[str, str]:
        """Make a prepared database of a drill's own; return the settings by which it is used.

        In a hasty one commits do not wait for the disk: no command starts on it.
        """
        chosen = f"{name}_{os.getpid()}_{next(_NUMBERS)}"
        connection = await asyncpg.connect(
            host=self.cluster.socket_folder, user=OWNER, database="postgres"
        )
        try:
            await connection.execute(f'CREATE DATABASE "{chosen}" TEMPLATE "ntm"')
            if hasty:
                await connection.execute(HASTY.format(chosen))
        finally:
            await connection.close()
        return urls(self.cluster, chosen) | {"NTM_DATA_DIR": str(self.folder(name))}

    def settings(self, env: dict[str, str], **more: object) -> Settings:
        """Return the settings that environment variables mean, with some changed."""
        return settings_of(env, Path(env["NTM_DATA_DIR"]), **more)


async def prepared(folder: Path) -> None:
    """Make a data folder whose embedded database is at the head and has the register."""
    async with Database(Settings(data_dir=folder)) as database:
        await prepare(database, lambda *_: None)


@contextlib.asynccontextmanager
async def stage_in(folder: Path) -> AsyncIterator[Stage]:
    """Yield a stage with a PostgreSQL of its own in a folder."""
    embedded = await asyncio.to_thread(Embedded, folder / "cluster")
    try:
        await prepared(folder / "cluster")
        yield Stage(embedded, folder)
    finally:
        embedded.release()


class Goal(NamedTuple):
    """A drill by its name; `run` takes the stage and whether to run in full size."""

    name: str
    title: str
    run: Callable[[Stage, bool], Awaitable[Outcome]]


def _goal(name: str, title: str) -> Goal:
    """Return a goal whose module is imported when it runs."""

    async def run(stage: Stage, full: bool) -> Outcome:
        module = importlib.import_module(f"faults.{name}")
        return await cast(Callable[[Stage, bool], Awaitable[Outcome]], module.run)(stage, full)

    return Goal(name, title, run)


GOALS: Final = (
    _goal("fuzz", "Hostile input is refused, never a crash, nothing stored"),
    _goal("crash", "kill -9 loses, doubles and halves nothing"),
    _goal("jobs", "Jobs of workers that die are done, and done once"),
    _goal("imports", "kill -9 halves and doubles no import"),
    _goal("submissions", "kill -9 halves no transition of a submission and no upload"),
    _goal("ambiguous_commit", "A connection cut around COMMIT loses and doubles nothing"),
    _goal("isolation", "Nobody sees what is not theirs"),
    _goal("pool_hygiene", "No context and no transaction is left on a connection"),
    _goal("load", "Overload is refused at once, what is admitted stays quick"),
    _goal("audit", "Every tampering with the audit log is found"),
    _goal("statement_faults", "A failing statement leaves nothing half done"),
    _goal("job_faults", "A job whose statement fails is done wholly and once, or not at all"),
    _goal("frozen", "A frozen database is given up in time, hung-up callers leave nothing"),
)
