"""Overload in the size of the test suite: what must hold on any machine, however slow."""

from __future__ import annotations

from faults.goals import Stage
from faults.load import drill


async def test_what_is_too_much_is_refused_and_the_rest_is_served(stage: Stage) -> None:
    """At three times capacity all is served or told to come again; without a limit all queue."""
    drilled = await drill(stage, full=False)
    limited = drilled.limited
    assert not limited.held, limited.told()
    assert limited.load.good
    assert limited.load.shed, "nothing was refused at three times the capacity"
    assert drilled.grows, "the drill does not see that nobody is refused"
