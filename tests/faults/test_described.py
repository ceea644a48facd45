"""Schemathesis against our own description, in the size of the test suite."""

from __future__ import annotations

from hostile import OPERATIONS

from faults.described import by_description, summary
from faults.goals import Stage


async def test_answers_are_what_the_description_says_whatever_it_lets_be_asked(
    stage: Stage,
) -> None:
    """Every check holds for every operation, but those that the contract contradicts."""
    found = await by_description(stage, full=False)
    assert not found.failures, summary(found)
    assert found.reached >= {route.name for route in OPERATIONS}
