"""Connections cut around COMMIT."""

from __future__ import annotations

from faults import ambiguous_commit
from faults.conftest import must_hold
from faults.goals import Stage


async def test_a_cut_around_commit_loses_and_doubles_nothing(stage: Stage) -> None:
    """Whatever is cut, callers see 2xx or 503, and every acknowledged write is there once."""
    must_hold(await ambiguous_commit.run(stage, full=False))
