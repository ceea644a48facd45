"""Every statement of a job fails once: it is done wholly and once, at this attempt or the next.

Jobs are conducted without the queue, whose workers are killed in a drill of its own. Nothing of a
job is on record before its end, which is why every trace it leaves is there once, or not at all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from conftest import shipped
from hostile import FILE, RUN, fresh_decision

from app.database import Database
from app.domain.job_kinds import KINDS
from app.domain.jobs.conducting import Conductor
from faults.goals import Outcome, Stage
from faults.statement_faults import HOWS, Broken, Ground, How, ground, planted

_MOST: Final = 80  # statements that a job of one row may take
_STATE: Final = "SELECT state FROM job WHERE id = $1"
# Of the one value in the file: whether the import says so, the value, what is current, the audit.
_IMPORTED: Final = """
SELECT (i.state = 'committed')::int AS committed,
       (SELECT count(*) FROM value v WHERE v.source = i.name) AS values,
       (SELECT count(*) FROM current_value c JOIN value v ON v.id = c.value_id
         WHERE v.source = i.name) AS current,
       (SELECT coalesce(sum((details::jsonb ->> 'values')::int), 0) FROM audit_entry
         WHERE action = 'values.imported' AND (details::jsonb ->> 'import')::bigint = i.id) AS noted
  FROM value_import i WHERE i.job_id = $1
"""
_JUDGED: Final = """
SELECT (r.ended_at IS NOT NULL)::int AS ended,
       (SELECT count(*) FROM evaluation e WHERE e.run_id = r.id) AS verdicts,
       (SELECT count(*) FROM audit_entry WHERE action = 'evaluation-run.conducted'
           AND (details::jsonb ->> 'run')::bigint = r.id) AS noted
  FROM evaluation_run r WHERE r.job_id = $1
"""


class Kind(NamedTuple):
    """A kind of job: how one is begun, and the SQL of the traces it leaves, each of them once."""

    name: str
    begin: Callable[[Ground], Awaitable[int]]
    traces: str


async def _send(found: Ground) -> int:
    """Send a file of one value for a job; its source is the name of the file."""
    mark = fresh_decision()
    answer = await found.admin.post(
        f"/v1/imports?name={mark}",
        content=FILE.replace("Báo cáo 13/BC-UBND", mark).encode(),
        headers={"content-type": "text/csv", "prefer": "respond-async"},
    )
    return int(answer.json()["id"])


async def _ask(found: Ground) -> int:
    """Ask for a run that judges one commune."""
    return int((await found.admin.post("/v1/evaluation-runs", json=RUN)).json()["id"])


JOBS: Final = (Kind("import", _send, _IMPORTED), Kind("evaluation run", _ask, _JUDGED))


async def broken(found: Ground, kind: Kind, hows: Sequence[How]) -> Broken:
    """Break statement after statement of a job, by turns in these ways, until its end."""
    wrong: list[str] = []
    for number in range(1, _MOST):
        how, job = hows[number % len(hows)], await kind.begin(found)
        await found.led.disconnect()  # what connections remember would change the numbers
        with found.breaker.breaking(number, how):
            await _attempt(found, found.led, job)
            broke = found.breaker.broke
        where = f"{kind.name}, statement {number}, {how}" if broke else f"{kind.name} as it is"
        wrong += await _wrong(found, kind, job, where, may_fail=broke and how == "fail")
        if not broke:
            return Broken(kind.name, number - 1, wrong)
    return Broken(kind.name, _MOST, [*wrong, f"{kind.name} has no end"])


async def _attempt(found: Ground, database: Database, job: int) -> None:
    """Conduct a job once; whatever it raises, the queue would hand it over again."""
    conductor = Conductor(database, shipped(), found.settings, KINDS)
    with contextlib.suppress(Exception):
        await conductor.conduct(job)


async def _wrong(found: Ground, kind: Kind, job: int, where: str, *, may_fail: bool) -> list[str]:
    """Return what is wrong after an attempt; what is still to be done is done by another one.

    A statement that fails is no failure that passes: the job says that it failed.
    """
    state, traces = await _left(found, kind, job)
    wrong = []
    if state in ("queued", "running"):
        if any(traces.values()):
            wrong.append(f"{where}: {state}, and {traces}")
        await _attempt(found, found.database, job)
        state, traces = await _left(found, kind, job)
    expected = 0 if state == "failed" and may_fail else 1
    if (state != "succeeded" and expected) or set(traces.values()) != {expected}:
        wrong.append(f"{where}: {state}, and {traces}")
    return wrong


async def _left(found: Ground, kind: Kind, job: int) -> tuple[str, dict[str, int]]:
    row = await found.watcher.fetchrow(kind.traces, job)
    assert row is not None
    return str(await found.watcher.fetchval(_STATE, job)), dict(row)


async def _control(found: Ground) -> list[str]:
    """Plant an audit outside the transaction; return what the drill sees of a run."""
    with planted(found):
        return (await broken(found, JOBS[1], HOWS[:1])).wrong


async def run(stage: Stage, full: bool) -> Outcome:
    """Break every statement of every job; then see that an audit of its own is found out."""
    async with ground(stage, thorough=full) as found:
        turns = [HOWS[:1], HOWS[1:]] if full else [HOWS]
        results = [await broken(found, one, hows) for one in JOBS for hows in turns]
        seen = await _control(found)
    wrong = [line for one in results for line in one.wrong]
    faults = sum(one.faults for one in results)
    return Outcome(
        f"{len(JOBS)} kinds of jobs, {faults} faults",
        f"{len(wrong)} wrong: {'; '.join(wrong[:8])}" if wrong else "0 half effects",
        not wrong and all(one.faults for one in results),
        f"audit outside the transaction: {len(seen)} effects found",
        bool(seen),
    )
