"""The chain of approval against a model: no path that the model does not know, whoever plays."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as playing
from own_database import own
from submission_model import Disagreement, World, play

from app.api.preconditions import Stated
from app.domain.evidence import chain, duties
from app.domain.values import freezing
from app.rules.registry import Registry
from app.settings import Settings

settings, database, service = own("machine")
MACHINES, STEPS, PARTS = 1_000, 30, 4
_QUIET = playing(
    deadline=None,
    stateful_step_count=STEPS,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


@pytest.fixture(scope="module")
def world(settings: Settings, registry: Registry) -> Iterator[World]:
    """A system whose clock is in our hand, with a client for each player."""
    found = World(settings, registry)
    yield found
    found.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_no_path_but_those_of_the_model(world: World, part: int) -> None:
    """Whoever does whatever in any order: system and model answer the same, step by step."""
    play(world, playing(_QUIET, max_examples=MACHINES // PARTS))


def _any_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug: the scope is enough, whatever the level of the office."""
    monkeypatch.setattr(
        chain, "stands_at", lambda caller, step: chain.STEPS[step].scope in caller.scopes
    )


def _lost_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug: nobody looks which state is meant."""
    monkeypatch.setattr(Stated, "check", lambda *_, **__: None)


def _one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug: an office acts at as many steps as it likes."""
    monkeypatch.setattr(duties, "elsewhere", lambda *_: None)


def _never_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug: values stay frozen when a submission comes back."""

    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(freezing, "release", nothing)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


@pytest.mark.parametrize("plant", [_any_level, _lost_update, _one_for_all, _never_let_go])
def test_planted_bugs_are_found(
    world: World, plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machines can fail: each planted bug is found, as a difference and not as a crash."""
    plant(monkeypatch)
    once = playing(_QUIET, max_examples=MACHINES, phases=[Phase.generate])
    with pytest.raises((Disagreement, BaseExceptionGroup)) as caught:
        play(world, once)
    found = list(_leaves(caught.value))
    assert [one for one in found if isinstance(one, Disagreement) and not one.crashed], found
