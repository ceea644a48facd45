"""Nobody sees what is not theirs: every operation at every unit, by callers of every relation.

First with the application's checks and row security, then with the checks switched off: row
security alone must hold. Then attempts by the thousand, with whatever one caller can learn of
another: ids, cursors, ETags, keys of requests.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
from sqlalchemy import Select, select, text

from app.database import Context
from app.domain import clients, designations
from app.domain.clients import SCOPES
from app.domain.conditions import Conditions
from app.domain.evaluation_runs import reading as runs
from app.domain.imports import storing as imports
from app.domain.jobs import listing as jobs
from app.domain.newest import newest
from app.domain.statistics import units
from app.domain.territory import Caller, Row, Sight, Territory
from faults.goals import Outcome, Stage
from faults.isolation_attempts import Attempt
from faults.isolation_bulk import KEEPING, KEPT, READING
from faults.isolation_evidence import NOTED, fill
from faults.isolation_laws import Judge, allowed
from faults.isolation_oracles import oracles
from faults.isolation_probes import DEAR, PROBES
from faults.isolation_spots import NATION
from faults.isolation_storm import Storm
from faults.isolation_world import World, world_on

SIZES: Final = (50_000, 500_000)
_ALONE: Final = 0.3  # of the attempts are made against row security alone
_CONTROL: Final = 400
# Who calls and of which unit: by what the one is to the other, and whether it is their own.
RELATIONS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "own": (("A", "A"), ("P", "P"), ("D", "D"), ("T", "T")),
    "child": (("P", "A"), ("P", "H"), ("A", "H"), ("D", "O"), ("V", "R"), ("T", "U")),
    "predecessor": (("A", "O"), ("P", "Q"), ("P", "D"), ("V", "T"), ("V", "U")),
    "nation": ((NATION, "A"), (NATION, "T"), (NATION, "W")),
    "parent": (("A", "P"), ("O", "D"), ("O", "Q"), ("R", "V")),
    "sibling": (("A", "B"), ("B", "A"), ("O", "N")),
    "successor": (("O", "A"), ("T", "V"), ("D", "A"), ("D", "P")),
    "other province": (("A", "R"), ("P", "V"), ("V", "A"), ("P", "W"), ("T", "O"), ("W", "B")),
    "granted": (("all", "A"), ("all", "O"), ("all", "H"), ("all", "B"), ("R", "B"), ("R", "A")),
    "granted in part": (("values", "A"), ("values", "O"), ("narrowed", "A"), ("narrowed", "O")),
    "grant ended": (("ended", "A"), ("ended", "O"), ("revoked", "A"), ("revoked", "O")),
}
REACHED: Final = ("own", "child", "predecessor", "nation")


class Narrowing(Conditions):
    """Conditions of statistics, which keep to the unit asked for while the checks are off.

    Otherwise each would be made of the whole country.
    """

    within = Conditions.within


_EVERYWHERE: Final = Territory(True, frozenset(), frozenset(), frozenset())


def newest_of_all(
    table: str, where: Conditions, _: Territory, limit: int, before: int, __: str | None = None
) -> str:
    """Look for the newest rows as if they all were the caller's."""
    return newest(table, where, _EVERYWHERE, limit, before)


@contextlib.contextmanager
def without_checks() -> Iterator[None]:
    """Switch off what the application itself checks; row security is left alone."""

    def everything(_: Caller, rows: type[Row]) -> Select[Row]:
        return select(rows)

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((Conditions, "within"), (Conditions, "seen"),
                            (Territory, "require"), (Sight, "require")):  # fmt: skip
            patch.setattr(owner, name, lambda *_: None)
        for name in ("reaches", "holds"):
            patch.setattr(Territory, name, lambda *_: True)
        for module in (jobs, imports):
            patch.setattr(module, "_seen", lambda _: Conditions())
        for module in (jobs, imports, runs):
            patch.setattr(module, "newest", newest_of_all)
        patch.setattr(units, "Conditions", Narrowing)
        for module in (clients, designations):
            patch.setattr(module, "visible_to", everything)
        yield


@contextlib.contextmanager
def mode(*, checked: bool) -> Iterator[None]:
    """Run a block with the application's checks, or without them."""
    with contextlib.nullcontext() if checked else without_checks():
        yield


# --- the matrix ----------------------------------------------------------------------------------


async def matrix(world: World, relation: str, *, checked: bool) -> Judge:
    """Attempt every operation for the pairs of a relation, and for one of them by every scope."""
    judge = Judge(world, checked=checked)
    await judge.count()
    pairs, later = RELATIONS[relation], []
    with mode(checked=checked), judge.listening():
        async with judge.unchanged():
            for caller, name in pairs:
                for operation in (one for one in PROBES if one not in KEEPING):
                    later += await _try(world, judge, operation, caller, name)
                await judge.look_for_nobody()
        async with judge.unchanged(*KEPT):
            for caller, name in pairs:
                for operation in KEEPING:
                    later += await _try(world, judge, operation, caller, name)
        for operation, caller, name in later:
            for number in range(len(await PROBES[operation](world, name, False))):
                await _succeed(world, judge, operation, caller, name, number)
    return judge


async def _try(
    world: World, judge: Judge, operation: str, caller: str, name: str
) -> list[tuple[str, str, str]]:
    """Attempt what changes nothing; return what is left to be changed."""
    attempts = await PROBES[operation](world, name, False)
    fair = [one for one in attempts if judge.is_fair(caller, name, one)]
    by_scope, left = bool(fair) and judge.wants_scopes(operation), False
    for attempt in fair:
        changes = _changes(operation, caller, name, attempt)
        if by_scope:
            await _by_scope(world, judge, operation, caller, name, attempt, changes=changes)
        if changes:
            left = True
        else:
            await judge.judge(operation, caller, name, attempt)
    return [(operation, caller, name)] if left else []


async def _by_scope(
    world: World,
    judge: Judge,
    operation: str,
    caller: str,
    name: str,
    attempt: Attempt,
    *,
    changes: bool,
) -> None:
    """Attempt something without a token, and by every scope alone that changes nothing by that."""
    bare = await world.ask("", attempt.asked)
    if bare.status != 401:
        judge.complain("no token", operation, bare.status)
    judge.attempts += 1
    for scope in SCOPES:
        if not ((changes or operation in DEAR) and judge.suffices(operation, scope)):
            await judge.judge(operation, caller, name, attempt, scope)


async def _succeed(
    world: World, judge: Judge, operation: str, caller: str, name: str, number: int
) -> None:
    """Make one change that is allowed, at what was made for it."""
    attempt = (await PROBES[operation](world, name, True))[number]
    if allowed(caller, name, attempt):
        await judge.judge(operation, caller, name, attempt)


def _changes(operation: str, caller: str, name: str, attempt: Attempt) -> bool:
    """Tell whether an attempt succeeds and changes something by that."""
    only_reads = (operation.startswith("GET") and operation not in NOTED) or operation in READING
    by_another = attempt.maker not in ("", caller)
    return not only_reads and not by_another and allowed(caller, name, attempt)


async def storm(world: World, size: int, seed: int, *, checked: bool) -> Judge:
    """Let a storm of so many attempts blow; return what was judged."""
    judge = Judge(world, checked=checked)
    with mode(checked=checked), judge.listening():
        await Storm(world, judge, random.Random(seed), size).blow()
    return judge


# --- what must be caught -------------------------------------------------------------------------

_DROP: Final = "DROP POLICY may_select ON value"
_OPEN: Final = "CREATE POLICY may_select ON value FOR SELECT USING (true)"


@contextlib.asynccontextmanager
async def unprotected(world: World) -> AsyncIterator[None]:
    """Drop the policy by which values are read, as if somebody had replaced it by one for all."""
    async with world.database.as_owner() as connection:
        find = "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polname = 'may_select' "
        was = await connection.scalar(text(f"{find} AND polrelid = 'value'::regclass"))
        await connection.execute(text(_DROP))
        await connection.execute(text(_OPEN))
    try:
        yield
    finally:
        async with world.database.as_owner() as connection:
            await connection.execute(text(_DROP))
            again = f"CREATE POLICY may_select ON value FOR SELECT USING ({was})"
            await connection.exec_driver_sql(again)


async def without_policy(world: World) -> Judge:
    """Run a small storm against a database in which the policy of values is gone."""
    async with unprotected(world):
        return await storm(world, _CONTROL, 7, checked=False)


async def with_lasting_context(world: World) -> Judge:
    """Run a small storm while contexts are set for connections, not for transactions."""
    told = Context.told
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Context, "told", lambda self: told(self).replace(", true)", ", false)"))
            return await storm(world, _CONTROL, 8, checked=True)
    finally:
        await world.database.disconnect()  # with all that these connections remember


async def run(stage: Stage, full: bool) -> Outcome:
    """Run the matrix and the storm, with the checks and without; then both planted bugs."""
    size, judges = SIZES[full], []
    async with world_on(stage) as world:
        await fill(world)
        for checked in (True, False):
            share = size * (1 - _ALONE if checked else _ALONE)
            judges += [await matrix(world, one, checked=checked) for one in RELATIONS]
            judges.append(await storm(world, int(share), 1 + checked, checked=checked))
        taken = await oracles(world)
        dropped, lasting = await without_policy(world), await with_lasting_context(world)
    attempts = sum(one.attempts for one in judges)
    broken = [*taken, *(line for one in judges for line in one.broken)]
    rows = dropped.laws["a foreign row"] + dropped.laws["a foreign canary"]
    memories = lasting.laws["a connection remembers"]
    return Outcome(
        f"{attempts} attempts",
        f"{len(broken)} broken: {broken[:3]}" if broken else "0 rows, 0 canaries, 0 other answers",
        not broken,
        f"no policy: {rows} rows and canaries; is_local=false: {memories} stale contexts",
        rows > 0 and memories > 0,
    )
