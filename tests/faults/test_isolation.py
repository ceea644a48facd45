"""Who may see and do what, in the size of the test suite."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hostile import OPERATIONS

from faults.goals import Stage
from faults.isolation import (
    REACHED,
    RELATIONS,
    matrix,
    storm,
    with_lasting_context,
    without_policy,
)
from faults.isolation_evidence import fill
from faults.isolation_laws import Judge
from faults.isolation_oracles import oracles
from faults.isolation_probes import OPEN, PROBES
from faults.isolation_spots import reaches
from faults.isolation_world import World, world_on

SHARES = 8  # that workers can run side by side; with those of the matrix over 50,000 attempts
EACH = 4_000
ALONE = (2, 5)  # these shares are against row security alone


@pytest.fixture(scope="session")
async def world(stage: Stage) -> AsyncIterator[World]:
    """A service with units of every relation, full of canaries."""
    async with world_on(stage) as opened:
        await fill(opened)
        yield opened


def must_hold(judge: Judge) -> None:
    """Fail unless every law held, and something was attempted."""
    assert not judge.laws, "\n".join([str(dict(judge.laws)), *judge.broken[:20]])
    assert judge.attempts


async def test_every_operation_is_probed_or_open(world: World) -> None:
    """An operation is asked for what belongs to a unit, or it is written why it need not be."""
    described = {
        f"{method.upper()} {path}"
        for path, operations in world.app.openapi()["paths"].items()
        for method in operations
    }
    assert not set(OPEN) & set(PROBES)
    assert set(OPEN) | set(PROBES) == described
    assert described == {one.name for one in OPERATIONS}


@pytest.mark.parametrize("relation", RELATIONS)
def test_the_register_says_what_a_relation_means(relation: str) -> None:
    """Only one's own, what lies below and what it came from is one's territory."""
    pairs = RELATIONS[relation]
    assert [reaches(*pair) for pair in pairs] == [relation in REACHED] * len(pairs)


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "row security alone"])
@pytest.mark.parametrize("relation", RELATIONS)
async def test_every_operation_by_every_scope(world: World, relation: str, checked: bool) -> None:
    """What is allowed succeeds, what is not is not there; lists are exact, nothing leaks."""
    must_hold(await matrix(world, relation, checked=checked))


@pytest.mark.parametrize("share", range(SHARES))
async def test_attempts_by_the_thousand(world: World, share: int) -> None:
    """Whatever is tried at random, nothing foreign comes back and nothing is stored."""
    must_hold(await storm(world, EACH, share, checked=share not in ALONE))


async def test_unique_keys_and_filters_tell_nothing(world: World) -> None:
    """What others hold is answered like what nobody does."""
    assert await oracles(world) == []


async def test_the_drill_catches_a_policy_that_is_gone(world: World) -> None:
    """Without the policy of values their rows and canaries are seen, once the checks are off."""
    judge = await without_policy(world)
    assert judge.laws["a foreign row"]
    assert judge.laws["a foreign canary"]


async def test_the_drill_catches_a_context_that_stays(world: World) -> None:
    """A context set for a connection, not for a transaction, is found on connections of nobody."""
    assert (await with_lasting_context(world)).laws["a connection remembers"]
