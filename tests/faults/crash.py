"""kill -9 of the service, of PostgreSQL, of one backend, while callers write and try again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

import asyncpg
import httpx
from embedded_drills import living
from running import Known, Serving, free_port, serving

from app.cli.clients import make
from app.database import EVERYTHING, Database
from app.domain.clients import SCOPES
from app.embedded import DATABASE, OWNER, Embedded
from app.settings import Settings
from faults.careless import TABLE
from faults.goals import Outcome, Stage, prepared
from faults.ledger import (
    PATIENCE,
    Findings,
    Ledger,
    as_owner,
    communes_of,
    judge,
    keep_writing,
)
from faults.writes import Write, writes

Victim = Literal["service", "postgresql", "backend"]
# How often which part is killed; lines of a file that is imported meanwhile.
KILLS: Final[tuple[dict[Victim, int], ...]] = (
    {"service": 15, "postgresql": 10, "backend": 5},
    {"service": 150, "postgresql": 100, "backend": 50},
)
_LINES: Final = (200, 5_000)
_CONTROL: Final = 4  # kills by which a planted bug must have shown itself
_CALLERS: Final = 6
_TIMEOUT: Final = 20.0  # seconds until an answer that does not come is a hang


class Site(NamedTuple):
    """A data folder of its own whose PostgreSQL may be killed, and a caller known to it."""

    folder: Path
    embedded: Embedded
    known: Known
    source: Iterator[Write]
    port: int
    env: dict[str, str]

    def owner(self) -> dict[str, object]:
        """Return how its owner connects, wherever the server is now."""
        return {"host": self.embedded.ensure(), "user": OWNER, "database": DATABASE}


@contextlib.asynccontextmanager
async def site(stage: Stage, lines: int) -> AsyncIterator[Site]:
    """Yield a site; its PostgreSQL stays, whichever service is killed."""
    folder = stage.folder("crash") / "data"
    embedded = await asyncio.to_thread(Embedded, folder)
    try:
        await prepared(folder)
        async with Database(Settings(data_dir=folder)) as database:
            made = await make(database.acting_for(EVERYTHING), "Thử", "VN", list(SCOPES))
            connection = await as_owner(database.owner.parameters())
            source = writes(await communes_of(connection), lines)
            await connection.close()
        env = {"NTM_DATA_DIR": str(folder), "NTM_RATE_LIMIT": "0"}
        known = Known(made["client_id"], made["client_secret"])
        yield Site(folder, embedded, known, source, free_port(), env)
    finally:
        embedded.release()


class Drill:
    """Callers that write, whoever is killed meanwhile."""

    def __init__(
        self, found: Site, command: Sequence[str] | None = None, plant: Sequence[str] = ()
    ) -> None:
        self._site, self._command, self._plant = found, command, plant
        self._stack = contextlib.ExitStack()
        self._service: Serving | None = None
        self._writing = True
        self.ledger = Ledger()
        self.killed: Counter[Victim] = Counter()
        self.healed: list[float] = []

    async def start(self) -> None:
        """Start the service, at the port it always has."""
        context = serving(self._site.folder.parent, self._site.env, self._site.port, self._command)
        self._service = await asyncio.to_thread(self._stack.enter_context, context)

    async def run(self, victims: Sequence[Victim], dice: random.Random) -> Findings:
        """Let callers write, kill one victim after the other, compare what is left."""
        try:
            await self.start()
            async with self._caller() as http, self._writers(http):
                await self.ledger.serves()
                await self._prepare()
                for victim in victims:
                    await asyncio.sleep(dice.uniform(0.05, 0.35))
                    await self._kill(victim, dice)
            return await self.judge()
        finally:
            await asyncio.to_thread(self._stack.close)

    async def _prepare(self) -> None:
        """Plant a bug, if there is one to plant."""
        connection = await as_owner(self._site.owner())
        try:
            for statement in self._plant:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def judge(self) -> Findings:
        """Compare what callers were told with what is on record."""
        connection = await as_owner(self._site.owner())
        try:
            return await judge(connection, self.ledger)
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def _caller(self) -> AsyncIterator[httpx.AsyncClient]:
        assert self._service is not None
        headers = await asyncio.to_thread(self._service.bearer, self._site.known)
        limits = httpx.Limits(max_keepalive_connections=_CALLERS)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self._site.port}",
            headers=headers,
            timeout=_TIMEOUT,
            limits=limits,
        ) as http:
            yield http

    @contextlib.asynccontextmanager
    async def _writers(self, http: httpx.AsyncClient) -> AsyncIterator[None]:
        """Let callers write for the length of a block; what they began is carried out after it."""
        writing = [
            keep_writing(http, self._site.source, self.ledger, lambda: self._writing)
            for _ in range(_CALLERS)
        ]
        tasks = [asyncio.create_task(one) for one in writing]
        try:
            yield
            self._writing = False
            await asyncio.gather(*tasks)
        finally:
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _kill(self, victim: Victim, dice: random.Random) -> None:
        """Kill a victim, wait until it is back, and until somebody is served again."""
        self.killed[victim] += 1
        match victim:
            case "service":
                await self._kill_service()
            case "postgresql":
                await asyncio.to_thread(kill_postgresql, self._site.folder)
                await self._until_back()
            case "backend":
                await self._kill_backend(dice)
                await self._until_back()
        self.healed.append(await self.ledger.serves())

    async def _kill_service(self) -> None:
        assert self._service is not None
        self.ledger.kills += 1
        self.ledger.down = True
        self._service.process.kill()
        await asyncio.to_thread(self._service.process.wait)
        await self.start()
        self.ledger.down = False

    async def _kill_backend(self, dice: random.Random) -> None:
        connection = await as_owner(self._site.owner())
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'ntm'"
        )
        connection.terminate()
        if rows:
            with contextlib.suppress(ProcessLookupError):
                os.kill(dice.choice(rows)["pid"], signal.SIGKILL)

    async def _until_back(self) -> None:
        """Wait until PostgreSQL accepts connections again."""
        while True:
            try:
                parameters = await asyncio.to_thread(self._site.owner)
                connection = await as_owner(parameters)
                await connection.fetchval("SELECT 1")
                await connection.close()
                return
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.02)


def kill_postgresql(folder: Path) -> None:
    """Kill every process of a PostgreSQL at once, and wait until all are gone."""
    victims = {pid for pid, kind in living(folder).items() if kind == "postgres"}
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while victims & set(living(folder)):
        time.sleep(0.01)


# Commits that do not wait for the disk, and a log writer that takes its time: the service refuses
# to start so, therefore it is planted afterwards, and every connection made anew.
CARELESS_COMMITS: Final = (
    f"ALTER DATABASE {DATABASE} SET synchronous_commit = off",
    "ALTER SYSTEM SET wal_writer_delay = '10s'",
    "ALTER SYSTEM SET wal_writer_flush_after = '1GB'",
    "SELECT pg_reload_conf()",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ntm'",
)


async def _careless_commits(found: Site) -> Findings:
    """Plant commits that do not wait for the disk; return what callers then miss."""
    drill = Drill(found, plant=CARELESS_COMMITS)
    return await drill.run(["postgresql"] * _CONTROL, random.Random(1))


async def _careless_keys(found: Site) -> Findings:
    """Plant keys in transactions of their own; return what is then doubled."""
    connection = await as_owner(found.owner())
    await connection.execute(TABLE)
    await connection.close()
    program = str(Path(__file__).with_name("careless.py"))
    drill = Drill(found, command=(sys.executable, program))
    return await drill.run(["service"] * _CONTROL, random.Random(1))


async def run(stage: Stage, full: bool) -> Outcome:
    """Kill many times; then see that careless commits and careless keys are found out."""
    victims = [victim for victim, times in KILLS[full].items() for _ in range(times)]
    dice = random.Random(len(victims))
    dice.shuffle(victims)
    async with site(stage, _LINES[full]) as found:
        drill = Drill(found)
        findings = await drill.run(victims, dice)
        doubled = await _careless_keys(found)
        lost = await _careless_commits(found)
    hung = sum(seconds > PATIENCE for seconds in drill.healed)
    killed = ", ".join(f"{times} {victim}" for victim, times in drill.killed.items())
    return Outcome(
        f"{len(victims)} kills ({killed})",
        f"{findings.told()}, {hung} hung, {drill.ledger.broken} connections of a killed "
        f"service, served again after {max(drill.healed):.1f} s at most",
        findings.good and not hung,
        f"synchronous_commit=off: {lost.lost} lost; key in transactions of its own: "
        f"{doubled.doubled} doubled",
        lost.lost > 0 and doubled.doubled > 0,
    )
