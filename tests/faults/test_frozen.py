"""A database that does not answer, and callers that hang up."""

from __future__ import annotations

from faults import frozen
from faults.conftest import must_hold
from faults.goals import Stage


async def test_a_frozen_database_is_given_up_in_time(stage: Stage) -> None:
    """Frozen, locked or gone, the database costs callers a 503 in time, and nothing stays open."""
    must_hold(await frozen.run(stage, full=False))
