"""An import whose service or PostgreSQL is killed."""

from __future__ import annotations

from faults import imports
from faults.conftest import must_hold
from faults.goals import Stage


async def test_a_kill_halves_and_doubles_no_import(stage: Stage) -> None:
    """After kill -9 the job begins anew, and every value of the file is on record once."""
    must_hold(await imports.run(stage, full=False))
