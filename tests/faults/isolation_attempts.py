"""What is attempted at a unit: a request, what it is of, and what of the same kind never was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from faults.direct import Asked
from faults.isolation_spots import SPOTS
from faults.isolation_world import World

NEVER: Final = 999_999_999
NEVER_CLIENT: Final = "ntm-fffffffffffffff0"
OWN: Final = "W"  # the kind of what only the own territory may do or see


class Attempt(NamedTuple):
    """A request for what belongs to a unit, of which kind that is, and its twin.

    The twin asks for what never existed: whoever may not see the one must not tell it from the
    other; `<kind:number>` in its path is left to whoever sees that kind. `right` are the statuses
    of a request that is allowed. `whole` is a list of everything that the caller sees. What only
    its `maker` may change is refused to others who see it.
    """

    asked: Asked
    kind: str = OWN
    twin: Asked | None = None
    right: tuple[int, ...] = (200, 201, 202, 204)
    whole: bool = False
    maker: str = ""


Probe = Callable[[World, str, bool], Awaitable[list[Attempt]]]


def single(template: str, kinds: tuple[str, ...], method: str = "GET", query: str = "") -> Probe:
    """Return how one row is asked for by its number, for every kind of row."""

    async def probe(world: World, name: str, fresh: bool) -> list[Attempt]:
        ids = world.rows[name].ids
        return [
            Attempt(
                Asked(method, template.format(ids[kind]), query),
                kind,
                Asked(method, template.format(NEVER), query),
            )
            for kind in kinds
            if kind in ids
        ]

    return probe


def listed(path: str, whole: str, *queries: str) -> Probe:
    """Return how a list is asked for, whole and by unit; who sees nothing there sees none."""

    async def probe(world: World, name: str, fresh: bool) -> list[Attempt]:
        key = SPOTS[name].key
        asked = [Asked("GET", path, query.format(key)) for query in (whole, *queries)]
        return [Attempt(one, "", whole=number == 0) for number, one in enumerate(asked)]

    return probe


def acted(build: Callable[[World, str, bool], Awaitable[list[Attempt]]], levels: str = "") -> Probe:
    """Return how a change is asked for, at the units at which there is such a thing."""

    async def probe(world: World, name: str, fresh: bool) -> list[Attempt]:
        spot = SPOTS[name]
        if (levels == "commune" and spot.level != "commune") or (
            levels == "today" and (not spot.now or spot.level == "hamlet")
        ):
            return []
        return await build(world, name, fresh)

    return probe
