"""Statements that fail, one after the other."""

from __future__ import annotations

from faults import job_faults, statement_faults
from faults.conftest import must_hold
from faults.goals import Stage


async def test_a_failing_statement_leaves_nothing_half_done(stage: Stage) -> None:
    """Whichever statement fails, the answer is 500 or 503 and no table has changed."""
    must_hold(await statement_faults.run(stage, full=False))


async def test_a_job_whose_statement_fails_is_done_once(stage: Stage) -> None:
    """Whichever statement fails, nothing is half done, and the next attempt does all of it once."""
    must_hold(await job_faults.run(stage, full=False))
