"""Submissions of evidence whose service is killed."""

from __future__ import annotations

from faults import submissions
from faults.conftest import must_hold
from faults.goals import Stage


async def test_a_kill_halves_no_transition_and_no_upload(stage: Stage) -> None:
    """After kill -9 state, events, versions, freezing, audit, lists and files still agree."""
    must_hold(await submissions.run(stage, full=False))
