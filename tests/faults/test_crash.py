"""A service or a PostgreSQL that is killed."""

from __future__ import annotations

from faults import crash
from faults.conftest import must_hold
from faults.goals import Stage


async def test_a_kill_loses_doubles_and_halves_nothing(stage: Stage) -> None:
    """After kill -9 what was acknowledged is there once, whole and audited; service goes on."""
    must_hold(await crash.run(stage, full=False))
