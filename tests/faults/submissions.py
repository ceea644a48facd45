"""kill -9 of the service while submissions are filled, submitted, returned, checked and approved.

Offices go on until each of their requests is answered. A judge looks all the time: whatever can be
seen is whole, and what was frozen, approved or filed goes with the state of its submission.
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
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import httpx
from running import DRILLS, Known, Serving, free_port, serving
from submission_calls import OLD, OLD_DAY, RULESET, SCOPES, SUBMISSIONS, TERRITORY, decision

from app.database import EVERYTHING, Database
from app.domain import clients, unit_lookup
from app.domain.evidence.chain import CHECKED
from app.settings import Settings
from faults.goals import Outcome, Stage
from faults.ledger import as_owner

KILLS: Final = (30 * DRILLS, 300)
_CONTROL: Final = 3  # kills by which the planted bug must have shown itself
_PROGRAM: Final = str(Path(__file__).with_name("deciding.py"))
_WALKERS: Final = 4
_PATIENCE: Final = 60.0  # seconds until what was asked must be answered
_OFTEN: Final = 0.05  # seconds between two looks of the judge
_LISTED, _FILED = "phutho.1.1.2.list", "phutho.1.2.3.documents"
_INDICATORS: Final = ("commune_website_exists", "digital_healthcare_services")
_MONTHS: Final = itertools.product(range(2010, 2025), range(1, 13))
# What becomes of a submission, and whose turn it is each time.
_WAY: Final = (
    ("submit", "commune"), ("return", "district"), ("reopen", "commune"), ("submit", "commune"),
    ("verify", "district"), ("appraise", "department"), ("approve", "province"),
)  # fmt: skip
_ROWS: Final = "".join(f"{number},Người Thứ {number},\n" for number in range(1, 2_501))
_CONTENT: Final = "".join(f"Mô hình {number},12\n" for number in range(5_000))
# One statement sees one moment; what is compared with what, `_faults` says.
_SEEN: Final = """
WITH contained AS (
  SELECT v.submission_id AS id, (x ->> 'value_id')::bigint AS value_id
    FROM evidence_version v JOIN evidence_submission s
      ON (s.id, s.version) = (v.submission_id, v.number),
         jsonb_array_elements(convert_from(v.content, 'UTF8')::jsonb -> 'values') x
), noted AS (
  SELECT (details::jsonb ->> 'submission')::bigint AS id, action, count(*) AS times
    FROM audit_entry WHERE action ~ '^(submission|evidence)[.]' GROUP BY 1, 2
), events AS (
  SELECT submission_id AS id, array_agg(action ORDER BY id) AS actions,
         array_agg(before ORDER BY id) AS before, array_agg(after ORDER BY id) AS after
    FROM evidence_event GROUP BY 1
)
SELECT s.id, s.state, s.version, coalesce(e.actions, '{}') AS actions,
       coalesce(e.before, '{}') AS before, coalesce(e.after, '{}') AS after,
       ARRAY(SELECT number FROM evidence_version WHERE submission_id = s.id ORDER BY 1) AS versions,
       ARRAY(SELECT value_id FROM contained c WHERE c.id = s.id ORDER BY 1) AS contained,
       ARRAY(SELECT value_id FROM current_value WHERE s.id = ANY (frozen_by) ORDER BY 1) AS frozen,
       ARRAY(SELECT v.value_id FROM contained c JOIN current_value v USING (value_id)
              WHERE c.id = s.id AND v.status = 'approved' ORDER BY 1) AS approved,
       ARRAY(SELECT v.value_id FROM contained c JOIN value_event v USING (value_id)
              WHERE c.id = s.id AND v.status = 'approved' ORDER BY 1) AS told_approved,
       (SELECT coalesce(sum(times), 0) FROM noted n
         WHERE n.id = s.id AND n.action LIKE 'submission.%') AS noted,
       (SELECT coalesce(sum(times), 0) FROM noted n
         WHERE n.id = s.id AND n.action = 'evidence.list-recorded') AS lists_noted,
       (SELECT coalesce(sum(times), 0) FROM noted n
         WHERE n.id = s.id AND n.action = 'evidence.file-recorded') AS files_noted,
       (SELECT count(*) FROM evidence_list l WHERE l.submission_id = s.id) AS lists,
       (SELECT count(*) FROM evidence_list l WHERE l.submission_id = s.id
           AND (SELECT count(*) FROM evidence_list_chunk c WHERE c.list_id = l.id)
               <> CASE WHEN l.ended_at IS NULL THEN (l.rows + 999) / 1000 ELSE 0 END) AS half_lists,
       (SELECT count(*) FROM evidence_file f WHERE f.submission_id = s.id) AS files,
       ARRAY(SELECT stored || ' ' || size FROM evidence_file f
              WHERE f.submission_id = s.id AND stored IS NOT NULL) AS stored
  FROM evidence_submission s LEFT JOIN events e USING (id)
"""


class Ground(NamedTuple):
    """A database of its own for a service that is killed, and the offices known to it."""

    folder: Path
    env: Mapping[str, str]
    settings: Settings
    port: int
    known: Mapping[str, Known]


@contextlib.asynccontextmanager
async def ground(stage: Stage) -> AsyncIterator[Ground]:
    """Yield a ground with the offices of one commune, as they were until 2025-06-30."""
    env, known = await stage.clone("submissions") | {"NTM_RATE_LIMIT": "0"}, {}
    settings = stage.settings(env)
    async with Database(settings) as opened:
        database = opened.acting_for(EVERYTHING)
        for step, scopes in SCOPES.items():
            async with database.reading() as connection:
                code = OLD[TERRITORY.get(step, step)]
                unit = await unit_lookup.get(connection, code, OLD_DAY)
            async with database.transaction() as session:
                made, secret = await clients.add(session, f"Thử {step}", unit, list(scopes))
                known[step] = Known(made.client_id, secret)
    yield Ground(stage.folder("deciding"), env, settings, free_port(), known)


@dataclasses.dataclass
class Findings:
    """What went wrong, how many submissions were approved, how many requests had to be repeated."""

    wrong: list[str] = dataclasses.field(default_factory=list)
    approved: int = 0
    broken: int = 0
    looks: int = 0

    def told(self) -> str:
        """Return it in short."""
        return (
            f"{self.approved} submissions approved, {self.broken} requests cut and repeated, "
            f"{self.looks} looks, {len(self.wrong)} wrong {self.wrong[:3]}"
        )


class Drill:
    """Offices that work on submissions, whoever is killed meanwhile."""

    def __init__(self, found: Ground, *arguments: str) -> None:
        self._found, self._command = found, (sys.executable, _PROGRAM, str(OLD_DAY), *arguments)
        self._http: dict[str, httpx.AsyncClient] = {}
        self._working = True
        self.findings = Findings()

    async def run(self, kills: int, dice: random.Random) -> Findings:
        """Kill so many times; then let what was begun come to its end, and look once more."""
        async with contextlib.AsyncExitStack() as stack:
            service = await asyncio.to_thread(stack.enter_context, self._serving())
            for step, known in self._found.known.items():
                self._http[step] = await stack.enter_async_context(
                    httpx.AsyncClient(
                        base_url=f"http://127.0.0.1:{service.port}",
                        headers=await asyncio.to_thread(service.bearer, known),
                        timeout=20,
                    )
                )
            async with self._watched(), asyncio.TaskGroup() as walking:
                for _ in range(_WALKERS):
                    walking.create_task(self._walk_on())
                for _ in range(kills):
                    await asyncio.sleep(dice.uniform(0.02, 0.6))
                    await self._kill(service)
                self._working = False
            await self._look()
        return self.findings

    def _serving(self) -> contextlib.AbstractContextManager[Serving]:
        return serving(self._found.folder, self._found.env, self._found.port, self._command)

    async def _kill(self, service: Serving) -> None:
        """Kill the service, and wait for the one that follows it."""
        os.kill(_child_of(service.process.pid), signal.SIGKILL)
        end = time.monotonic() + _PATIENCE
        while not await asyncio.to_thread(service.is_ready):
            assert service.process.poll() is None, service.said()
            assert time.monotonic() < end, "nobody follows the service that was killed"
            await asyncio.sleep(0.02)

    # --- the offices ------------------------------------------------------------------------------

    async def _walk_on(self) -> None:
        while self._working:
            await self._walk("{}-{:02d}".format(*next(_MONTHS)))
            self.findings.approved += 1

    async def _walk(self, period: str) -> None:
        """Take a submission all the way."""
        values = [
            {"unit": OLD["commune"], "period": period, "indicator": one, "value": True,
             "source": f"Báo cáo {period}"}
            for one in _INDICATORS
        ]  # fmt: skip
        await self._ask("commune", "POST", "/v1/values", json={"values": values})
        body = {"unit": OLD["commune"], "ruleset": RULESET, "period": period}
        id_ = (await self._ask("commune", "POST", SUBMISSIONS, json=body))["id"]
        for turn, (action, step) in enumerate(_WAY):
            if action == "submit":
                await self._fill(id_, turn)
            version = (await self._ask(step, "GET", f"{SUBMISSIONS}/{id_}"))["version"]
            said = decision(action, step, OLD_DAY, version=version)
            await self._ask(step, "POST", f"{SUBMISSIONS}/{id_}/transitions", json=said)
        shown = await self._ask("commune", "GET", f"{SUBMISSIONS}/{id_}/slots/{_LISTED}/rows")
        done = await self._ask("commune", "GET", f"{SUBMISSIONS}/{id_}")
        actions = [one["action"] for one in done["history"]]
        if shown["rows"] != 2_500 or actions != [action for action, _ in _WAY]:
            self.findings.wrong.append(f"{id_}: {shown['rows']} rows, {actions}")

    async def _fill(self, id_: int, turn: int) -> None:
        slots, csv = f"{SUBMISSIONS}/{id_}/slots", {"content-type": "text/csv"}
        rows = "STT,Họ và Tên,Ghi chú\n" + _ROWS.replace("Thứ", f"Lần {turn} Thứ")
        await self._ask("commune", "PUT", f"{slots}/{_LISTED}/rows", content=rows, headers=csv)
        content = f"Nội dung,Lần {turn}\n{_CONTENT}"
        path = f"{slots}/{_FILED}/files/12.csv"
        await self._ask("commune", "PUT", path, content=content, headers=csv)

    async def _ask(self, step: str, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Ask until there is an answer; what was done already is not done again."""
        headers = more.pop("headers", {})
        if method == "POST":
            headers |= {"idempotency-key": uuid.uuid4().hex}
        async with asyncio.timeout(_PATIENCE):
            while True:
                try:
                    answer = await self._http[step].request(method, path, headers=headers, **more)
                except httpx.TransportError as error:
                    self.findings.broken += not isinstance(error, httpx.ConnectError)
                    await asyncio.sleep(0.02)
                    continue
                if answer.status_code == 503 or "idempotency-in-progress" in answer.text:
                    await asyncio.sleep(0.05)
                    continue
                assert answer.status_code in (200, 201), f"{method} {path}: {answer.text[:500]}"
                found: dict[str, Any] = answer.json()
                return found

    # --- the judge --------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Look all the time."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def _watch(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(_OFTEN)

    async def _look(self) -> None:
        """Compare everything that can be seen at this moment."""
        async with Database(self._found.settings) as database:
            parameters = database.owner.parameters()
        connection: asyncpg.Connection = await as_owner(parameters)
        try:
            rows = await connection.fetch(_SEEN)
        finally:
            await connection.close()
        self.findings.looks += 1
        for row in rows:
            for fault in _faults(row, self._found.settings.evidence):
                self.findings.wrong.append(f"{row['id']} {row['state']}: {fault}")


def _child_of(process: int) -> int:
    """Return the one process that a process has begun and that still lives."""
    (child,) = Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split()
    return int(child)


def _faults(row: asyncpg.Record, folder: Path) -> Iterator[str]:
    """Yield what is half done in a submission."""
    actions, contained = row["actions"], row["contained"]
    if row["state"] != (row["after"][-1] if actions else "draft"):
        yield f"events {actions}"
    if row["before"] != ["draft", *row["after"]][: len(actions)]:
        yield f"events of other states {row['before']}"
    submitted = actions.count("submit")
    if row["version"] != submitted or row["versions"] != list(range(1, submitted + 1)):
        yield f"versions {row['versions']}, submitted {submitted} times"
    if submitted and len(contained) < len(_INDICATORS):
        yield f"contains {contained}"
    if row["frozen"] != (contained if row["state"] in CHECKED else []):
        yield f"frozen {row['frozen']} of {contained}"
    approved = contained if row["state"] == "approved" else []
    if (row["approved"], row["told_approved"]) != (approved, approved):
        yield f"approved {row['approved']}, told {row['told_approved']} of {contained}"
    if row["noted"] != 1 + len(actions):
        yield f"{row['noted']} entries in the audit for {actions}"
    if row["half_lists"] or row["lists"] != row["lists_noted"]:
        yield f"{row['half_lists']} halves of {row['lists']} lists, {row['lists_noted']} noted"
    if row["files"] != row["files_noted"]:
        yield f"{row['files']} files, {row['files_noted']} noted"
    for one in row["stored"]:
        id_, size = one.split()
        path = folder / id_[:2] / id_
        if not path.exists() or path.stat().st_size != int(size):
            yield f"a file without its content {id_}"


async def run(stage: Stage, full: bool) -> Outcome:
    """Kill many times; then see that events in transactions of their own are found out."""
    kills = KILLS[full]
    async with ground(stage) as found:
        findings = await Drill(found).run(kills, random.Random(kills))
    async with ground(stage) as found:
        careless = await Drill(found, "careless").run(_CONTROL, random.Random(1))
    return Outcome(
        f"{kills} kills, {_WALKERS} submissions at a time",
        findings.told(),
        not findings.wrong and findings.approved > 0 and findings.broken > 0,
        f"events in transactions of their own: {len(careless.wrong)} half transitions seen",
        any("events" in one for one in careless.wrong),
    )
