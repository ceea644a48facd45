"""Hostile input in the size of the test suite: refused, never a crash, nothing stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from hostile import Operation

from faults.fuzz import attack, control, generate, hint
from faults.goals import Stage
from faults.judging import Judge, overhearing
from faults.targets import EVERY, Range, range_on, routes
from faults.transport import over_the_wire

each = pytest.mark.parametrize("route", EVERY, ids=lambda route: route.name)
GENERATED = 45  # for each operation; with the corpus and schemathesis about 50,000 together


@pytest.fixture(scope="session")
async def arena(stage: Stage) -> AsyncIterator[Range]:
    """A service with a database of its own, and a client that may do anything."""
    async with range_on(stage) as opened:
        yield opened


@pytest.fixture
def judge(arena: Range) -> Iterator[Judge]:
    """A judge whose every complaint fails the test, as does an exception in the log."""
    made = Judge(arena)
    with overhearing() as heard:
        yield made
    assert not made.breaches, "\n".join([f"{made.breaches} of {made.sent}", *made.broken[:30]])
    assert not heard.traces, heard.traces[:5]


async def test_every_route_and_method_is_under_fire(arena: Range) -> None:
    """What is fired at is exactly what the service answers: a new operation fails here."""
    assert routes(arena.service) == {(route.method, route.template) for route in EVERY}


@each
async def test_a_hostile_value_is_refused_or_right_wherever_it_stands(
    arena: Range, judge: Judge, route: Operation
) -> None:
    """Every value in every field is refused without a trace, or listed and read back as sent."""
    await attack(arena, judge, route)
    statuses = {status for (_, status) in judge.answers}
    assert route.status in statuses
    assert statuses & {400, 404, 415, 422}, "nothing was refused"


@each
async def test_headers_full_of_nonsense_are_answered_or_refused(
    arena: Range, judge: Judge, route: Operation
) -> None:
    """No header makes an operation answer what its description does not name."""
    await hint(arena, judge, route)


@each
async def test_several_hostile_values_at_once_are_refused(
    arena: Range, judge: Judge, route: Operation
) -> None:
    """A request of several mutations, one of them never right, is refused without a trace."""
    await generate(arena, judge, route, GENERATED, rounds=1)


async def test_what_is_no_request_is_refused_on_the_wire(stage: Stage) -> None:
    """Broken transport is answered below 500 or hung up on; the next caller is served."""
    complaints = await over_the_wire(stage)
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("name", ["plain refusals", "plain JSON"])
async def test_the_drill_catches_a_service_that_reads_as_the_framework_does(
    stage: Stage, name: str
) -> None:
    """The framework's own 422 handler, or its own reading of JSON, breaks the laws."""
    found = await control(stage, name)
    assert found.breaches, "the planted bug was not seen"
