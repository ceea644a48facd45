"""Sweeping: jobs whose worker died go back to the queue, and so do jobs that the queue forgot."""

from __future__ import annotations

from typing import Final

from procrastinate import App

from app.database import EVERYTHING, Database
from app.database.connections import QUEUE
from app.domain.jobs.queue import Pace, deferred

_LOCK: Final = "SELECT pg_try_advisory_xact_lock(7417)"
# A backup is restored, a queue is made anew: what is on record counts.
_FORGOTTEN: Final = f"""
SELECT {deferred("j.id")} FROM job j
 WHERE j.state IN ('queued', 'running')
   AND NOT EXISTS (SELECT FROM {QUEUE}.procrastinate_jobs q
                    WHERE q.status IN ('todo', 'doing')
                      AND q.args = jsonb_build_object('job', j.id))
"""


async def sweep(app: App, database: Database, pace: Pace) -> None:
    """Give back to the queue what dead workers hold, then what the queue knows nothing of."""
    stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=pace.stalled)
    for one in stalled:
        await app.job_manager.retry_job(one)
    async with database.acting_for(EVERYTHING).writing() as connection:
        if await connection.fetchval(_LOCK):
            await connection.execute(_FORGOTTEN)
