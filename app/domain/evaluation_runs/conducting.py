"""Conducting an evaluation run: its job, which puts all verdicts on record at once, or none.

Everything is read in one transaction that sees one state of the record, and written in another
one that is committed at the end: no half run is ever seen, and a run that was cut short begins
anew. What is kept in memory is a slice of the units and the counts.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain import audit
from app.domain.audit import Act
from app.domain.evaluation_runs.covering import Covered, covered, known
from app.domain.evaluation_runs.tallying import Tally
from app.domain.evaluations import conduct, on_record
from app.domain.evaluations.conduct import Conducted
from app.domain.evaluations.on_record import MinStatus
from app.domain.jobs.running import Running
from app.domain.previews import known_ruleset
from app.domain.refusals import Complaint, Refused
from app.domain.ruleset_snapshots import keep
from app.domain.territory import place
from app.domain.unit_periods import Entity
from app.rules.evaluate import Compiled
from app.rules.period import Period, read_period
from app.rules.registry import Entry

TOGETHER: Final = 50  # units that are read, judged and stored by the same statements
_PAUSE: Final = 10  # units that are judged before others have their turn
_RUN: Final = """
SELECT r.id, r.ruleset, r.period, r.as_of, r.day, r.min_status, u.key
  FROM evaluation_run r JOIN unit u ON u.id = r.unit_id WHERE r.job_id = $1
"""
_END: Final = """
UPDATE evaluation_run
   SET digest = $2, units = $3, out_of_scope = $4, outcomes = $5::jsonb, all_items = $6::jsonb,
       criteria = $7::jsonb, nearest = $8::jsonb, ended_at = clock_timestamp()
 WHERE id = $1
"""


class Asked(msgspec.Struct, frozen=True):
    """A run as it was asked for, and the ruleset as it is now."""

    id: int
    entry: Entry
    period: Period
    as_of: datetime.date
    under: Entity
    min_status: MinStatus | None


async def run(running: Running) -> None:
    """Judge every unit of a run from one state of the record and put the verdicts on record.

    Raises Refused where the ruleset or its units are gone since the run was asked for.
    """
    async with running.database.reading(one_state=True) as reader:
        asked = await _asked(reader, running)
        found = await covered(reader, asked.entry.compiled, asked.under, asked.period)
        await _keep(running, asked.entry, len(found.units))
        async with running.database.writing() as writer:
            tally = await _judge(running, reader, writer, asked, found)
            await _end(writer, asked, found, tally)
            told = {"run": asked.id, "evaluations": tally.units}
            act = Act("evaluation-run.conducted", place(asked.under), told)
            await audit.note(writer, running.caller, [act])
            await running.finish(writer, {"run": asked.id, "evaluations": tally.units})


async def _asked(connection: asyncpg.Connection, running: Running) -> Asked:
    row = await connection.fetchrow(_RUN, running.id)
    if row is None:
        raise LookupError("a job of an evaluation run without its run")
    complaints: list[Complaint] = []
    entry = known_ruleset(running.registry, row["ruleset"], complaints)
    period = read_period(row["period"])
    if entry is None or period is None:
        raise Refused(complaints)
    under = await known(connection, row["key"], period, row["day"])
    return Asked(row["id"], entry, period, row["as_of"], under, row["min_status"])


async def _keep(running: Running, entry: Entry, total: int) -> None:
    """Store the ruleset before anything else: nobody who evaluates waits for the end of the run."""
    async with running.database.writing() as connection:
        await keep(connection, entry)
    await running.tell(0, total)


async def _judge(
    running: Running,
    reader: asyncpg.Connection,
    writer: asyncpg.Connection,
    asked: Asked,
    found: Covered,
) -> Tally:
    tally = Tally(asked.entry.compiled)
    for units in _slices(found.units):
        conducted = await judged(
            reader, asked.entry.compiled, units, asked.period, asked.as_of, asked.min_status
        )
        kept = await conduct.store(
            writer, running.caller, asked.entry, conducted, kept=True, run=asked.id
        )
        for one in kept:
            tally.add(one)
        await running.tell(tally.units, len(found.units))
    return tally


async def judged(
    connection: asyncpg.Connection,
    compiled: Compiled,
    units: Sequence[Entity],
    period: Period,
    as_of: datetime.date,
    min_status: MinStatus | None = None,
) -> list[Conducted]:
    """Judge units from what is on record; others have their turn in between."""
    record = await on_record.load(connection, [compiled], units, period, as_of, min_status)
    evidence = await conduct.evidence(connection, compiled, units, period)
    found = []
    for number, unit in enumerate(units, 1):
        found.append(conduct.judged(record, compiled, unit, as_of, evidence))
        if number % _PAUSE == 0:
            await asyncio.sleep(0)
    return found


def _slices(units: Sequence[Entity]) -> Iterator[Sequence[Entity]]:
    for first in range(0, len(units), TOGETHER):
        yield units[first : first + TOGETHER]


async def _end(connection: asyncpg.Connection, asked: Asked, found: Covered, tally: Tally) -> None:
    await connection.execute(
        _END,
        asked.id,
        asked.entry.compiled.digest,
        tally.units,
        found.out_of_scope,
        *map(_json, (tally.outcomes(), tally.all_items(), tally.criteria(), tally.nearest())),
    )


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
