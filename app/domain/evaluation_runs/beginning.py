"""Beginning an evaluation run: checked, put on record with its job, in one transaction."""

from __future__ import annotations

import datetime
from typing import Final

import asyncpg
import msgspec

from app.domain import audit
from app.domain.audit import Act
from app.domain.evaluation_runs import KIND
from app.domain.evaluation_runs.covering import above, covered
from app.domain.evaluations.on_record import MinStatus
from app.domain.jobs.beginning import begin as begin_job
from app.domain.previews import known_ruleset
from app.domain.refusals import Complaint, Refused
from app.domain.territory import Caller, place
from app.rules.period import Period
from app.rules.registry import Registry


class Wish(msgspec.Struct, frozen=True):
    """What a run is to judge: all units of the ruleset's levels under a unit, in a period."""

    ruleset: str
    under: str
    period: Period
    as_of: datetime.date
    on: datetime.date | None = None
    min_status: MinStatus | None = None


_PUT: Final = """
INSERT INTO evaluation_run (job_id, unit_id, district_id, province_id, ruleset, period, as_of, day,
                            client, min_status)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id
"""


async def begin(
    connection: asyncpg.Connection, registry: Registry, caller: Caller, wish: Wish
) -> int:
    """Put a run on record and begin its job; return the number of the job.

    Raises Absent for a unit that is not known or lies outside the caller's territory, Refused for
    a ruleset that is not known or has no units there.
    """
    complaints: list[Complaint] = []
    entry = known_ruleset(registry, wish.ruleset, complaints)
    if entry is None:
        raise Refused(complaints)
    under = await above(connection, caller.territory, wish.under, wish.period, wish.on)
    found = await covered(connection, entry.compiled, under, wish.period)
    job = await begin_job(connection, caller, KIND, {}, total=len(found.units))
    number = await connection.fetchval(
        _PUT, job, *place(under), wish.ruleset, wish.period.text, wish.as_of, under.day,
        caller.client_id, wish.min_status,
    )  # fmt: skip
    told = {"run": number, "ruleset": wish.ruleset, "period": wish.period.text}
    await audit.note(connection, caller, [Act("evaluation-run.begun", place(under), told)])
    return job
