"""Jobs whose workers die."""

from __future__ import annotations

from faults import jobs
from faults.conftest import must_hold
from faults.goals import Stage


async def test_jobs_whose_workers_die_are_done_once(stage: Stage) -> None:
    """After kill -9 of workers and of PostgreSQL every job is done, and none of them twice."""
    must_hold(await jobs.run(stage, full=False))
