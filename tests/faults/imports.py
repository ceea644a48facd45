"""kill -9 of the service, of PostgreSQL, of one backend, while a file is imported.

The service is API and worker in one. A reader looks all the time whether it can see a part.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import httpx
from running import Serving, serving

from faults.crash import Site, Victim, kill_postgresql, site
from faults.goals import Outcome, Stage
from faults.ledger import as_owner

# How often which part is killed, and how many values a file has.
KILLS: Final[tuple[dict[Victim, int], ...]] = (
    {"service": 2, "postgresql": 1, "backend": 1},
    {"service": 25, "postgresql": 15, "backend": 10},
)
LINES: Final = (20_000, 100_000)
_PROGRAM: Final = str(Path(__file__).with_name("importing.py"))
_PATIENCE: Final = 120.0  # seconds until an import that could end must have ended
_OFTEN: Final = 0.02  # seconds between two looks of the reader
_TOGETHER: Final = 12  # periods of a file
_VALUES: Final = """
SELECT source, count(*) FROM ntm.value GROUP BY source
"""
_JUDGED: Final = """
SELECT (SELECT count(*) FROM ntm.value WHERE source = $1) AS values,
       (SELECT count(*) FROM ntm.current_value c JOIN ntm.value v ON v.id = c.value_id
         WHERE v.source = $1) AS current,
       (SELECT count(DISTINCT recording_id) FROM ntm.value WHERE source = $1) AS acts,
       (SELECT count(*) FROM ntm.value_event e JOIN ntm.value v ON v.id = e.value_id
         WHERE v.source = $1) AS events,
       (SELECT coalesce(sum((details::jsonb ->> 'values')::int), 0) FROM ntm.audit_entry
         WHERE action = 'values.imported' AND (details::jsonb ->> 'import')::bigint = $2) AS noted
"""


class Sent(NamedTuple):
    """A file on its way: the source of its values, the job that imports it."""

    mark: str
    job: int


@dataclasses.dataclass
class Findings:
    """What went wrong, each with what it was."""

    parts: list[str] = dataclasses.field(default_factory=list)
    wrong: list[str] = dataclasses.field(default_factory=list)
    imported: int = 0
    attempts: int = 0

    @property
    def good(self) -> bool:
        """Tell whether nothing went wrong."""
        return not self.parts and not self.wrong

    def told(self) -> str:
        """Return it in short."""
        return (
            f"{self.imported} files imported in {self.attempts} attempts, {len(self.parts)} parts "
            f"seen, {len(self.wrong)} wrong {self.wrong[:2]}"
        )


class Drill:
    """Files are imported one after the other while parts of the service are killed."""

    def __init__(self, found: Site, lines: int, *arguments: str) -> None:
        self._site, self._lines = found, lines
        self._command = (sys.executable, _PROGRAM, *arguments)
        self._stack = contextlib.ExitStack()
        self._service: Serving | None = None
        self._marks = (" ".join((*arguments, f"file {number}")) for number in itertools.count(1))
        self._files = _files(lines)
        self.findings = Findings()

    async def run(self, victims: Sequence[Victim], dice: random.Random) -> Findings:
        """Import at least one file, and go on as long as there is somebody to kill."""
        try:
            await self._start()
            async with self._watched():
                sent = await self._send()
                for victim in victims:
                    if await self._state(sent) in ("succeeded", "failed"):
                        await self._judge(sent)
                        sent = await self._send()
                    await self._until(sent, "running", "succeeded")
                    await asyncio.sleep(dice.uniform(0.05, 1.5))
                    await self._kill(victim)
                await self._until(sent, "succeeded", "failed")
                await self._judge(sent)
            return self.findings
        finally:
            await asyncio.to_thread(self._stack.close)

    async def _start(self) -> None:
        context = serving(self._site.folder.parent, self._site.env, self._site.port, self._command)
        self._service = await asyncio.to_thread(self._stack.enter_context, context)

    async def _send(self) -> Sent:
        """Send a file for a job; again until it is acknowledged, under one key."""
        assert self._service is not None
        mark = next(self._marks)
        content = next(self._files).replace("MARK", mark).encode()
        headers = {
            **await asyncio.to_thread(self._service.bearer, self._site.known),
            "prefer": "respond-async", "idempotency-key": mark.replace(" ", ""),
            "content-type": "text/csv",
        }  # fmt: skip
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._site.port}") as http:
            answer = await http.post("/v1/imports", content=content, headers=headers, timeout=30)
        assert answer.status_code == 202, answer.text[:500]
        return Sent(mark, answer.json()["id"])

    async def _fetch(self, statement: str, *values: Any) -> list[Any]:
        """Return what a statement answers, however often PostgreSQL is killed meanwhile."""
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await as_owner(await asyncio.to_thread(self._site.owner))
                try:
                    return list(await connection.fetch(statement, *values))
                finally:
                    connection.terminate()
            await asyncio.sleep(_OFTEN)

    async def _state(self, sent: Sent) -> str:
        (row,) = await self._fetch("SELECT state FROM ntm.job WHERE id = $1", sent.job)
        return str(row["state"])

    async def _until(self, sent: Sent, *states: str) -> None:
        async with asyncio.timeout(_PATIENCE):
            while await self._state(sent) not in states:  # noqa: ASYNC110 - it is elsewhere
                await asyncio.sleep(_OFTEN)

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Look all the time whether a part of a file can be seen."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            for row in await self._fetch(_VALUES):
                if row["count"] != self._lines:
                    self.findings.parts.append(f"{row['count']} of {row['source']}")
            await asyncio.sleep(_OFTEN)

    async def _kill(self, victim: Victim) -> None:
        assert self._service is not None
        if victim == "service":
            self._service.process.kill()
            await asyncio.to_thread(self._service.process.wait)
            await self._start()
        elif victim == "postgresql":
            await asyncio.to_thread(kill_postgresql, self._site.folder)
        else:
            for row in await self._fetch(_BUSIEST):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(row["pid"], signal.SIGKILL)

    async def _judge(self, sent: Sent) -> None:
        """Compare what is on record with the file."""
        (job,) = await self._fetch(
            "SELECT state, attempt, problem, (result ->> 'import')::bigint AS import"
            "  FROM ntm.job WHERE id = $1", sent.job,
        )  # fmt: skip
        self.findings.imported += 1
        self.findings.attempts += job["attempt"]
        if job["state"] != "succeeded":
            self.findings.wrong.append(f"{sent.mark}: {job['problem']}")
            return
        (row,) = await self._fetch(_JUDGED, sent.mark, job["import"])
        n = self._lines
        expected = {"values": n, "current": n, "acts": 1, "events": 0, "noted": n}
        if dict(row) != expected:
            self.findings.wrong.append(f"{sent.mark}: {dict(row)}")


# The backend that loads, if one does at this moment; else any of the service.
_BUSIEST: Final = """
SELECT pid FROM pg_stat_activity WHERE application_name = 'ntm'
 ORDER BY query LIKE '%fresh AS (%' AND xact_start IS NOT NULL DESC, pid LIMIT 1
"""


def _files(lines: int) -> Iterator[str]:
    """Yield files of so many values; no two speak of the same values."""
    for year in itertools.count(1950):
        yield _content(lines, year)


def _content(lines: int, year: int) -> str:
    """Return a file: so many values of communes of 2024, in the months of a year."""
    from conftest import shipped  # noqa: PLC0415 - read once

    counts = [one.code for one in shipped().indicators.values()
              if one.kind == "count" and "commune" in one.levels]  # fmt: skip
    keys = itertools.product(_communes(), range(1, _TOGETHER + 1), counts)
    rows = (
        f"{code},{year}-{month:02d},{indicator},{number % 90},MARK"
        for number, (code, month, indicator) in enumerate(itertools.islice(keys, lines))
    )
    return "\n".join(["unit,period,indicator,value,source", *rows]) + "\n"


def _communes() -> Iterator[str]:
    """Yield codes of communes as they were until 2025."""
    import csv  # noqa: PLC0415

    import app.domain.register as register  # noqa: PLC0415

    with Path(register.__file__).with_name("units.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["level"] == "commune" and row["valid_to"] == "2025-07-01":
                yield row["code"]


async def run(stage: Stage, full: bool) -> Outcome:
    """Kill many times while files are imported; then see that a careless import is found out."""
    victims = [victim for victim, times in KILLS[full].items() for _ in range(times)]
    dice = random.Random(len(victims))
    dice.shuffle(victims)
    async with site(stage, 1) as found:
        findings = await Drill(found, LINES[full]).run(victims, dice)
        careless = await Drill(found, LINES[0], "careless").run([], dice)
    killed = ", ".join(f"{times} {victim}" for victim, times in KILLS[full].items())
    return Outcome(
        f"{len(victims)} kills ({killed}), files of {LINES[full]:,} values",
        findings.told(),
        findings.good,
        f"a transaction a frame: {len(careless.parts)} parts seen",
        bool(careless.parts),
    )
