"""Every statement of every operation that stores something fails once: nothing is half done.

Statements are broken on their way to PostgreSQL, so that each of them is met, whoever sends it:
the look-up of the caller, the beginning, the change, the audit, the kept answer, the commit.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import asyncpg
import httpx
import pytest
import unchanged
from conftest import calling, problem, shipped
from evidence_operations import NO_SUBMISSION, Making, acting, office
from hostile import OPERATIONS, Operation, fresh_decision

from app.cli.clients import make
from app.database import EVERYTHING, Database
from app.domain import audit
from app.domain.audit import Act
from app.domain.clients import SCOPES
from app.domain.territory import Caller
from app.main import create_app
from app.settings import Settings
from faults.goals import Outcome, Stage
from faults.ledger import as_owner
from faults.proxy import Fault, Proxy, Statement, proxy

How = Literal["fail", "cut before"]
HOWS: Final[tuple[How, ...]] = ("fail", "cut before")
# Operations that are no GET and store nothing; the drill sees to it that they do not.
STORING_NOTHING: Final = {
    "POST /v1/oauth/token",
    "POST /v1/evaluations/preview",
    "POST /v1/evaluations/{id}/replay",
    "POST /v1/impact",
    "POST /v1/units/resolve",
}
# Reads that store something: that they were made.
STORING_READS: Final = {"GET /v1/evidence-submissions/{id}/slots/{slot}/names"}
# What can be left to a job: then it is the job that is stored.
_LEFT_TO_JOBS: Final = ("POST /v1/imports", "POST /v1/imports/{id}/commit")
_DECIDING: Final = "POST /v1/evidence-submissions/{id}/transitions"
_ASYNC: Final = {"prefer": "respond-async"}
_AS_IT_IS: Final[Mapping[str, str]] = {}
_AFTERWARDS: Final = ("/v1/units/25", "/v1/clients")  # over either pool
_MOST: Final = 60  # statements that a single request may take
_PLANTED: Final = "POST /v1/values"


class Broken(NamedTuple):
    """What one operation was found to do when its statements failed."""

    name: str
    faults: int
    wrong: list[str]


class Breaker:
    """Breaks the statement with one number, and counts; those that only prepare one, if asked."""

    def __init__(self, *, thorough: bool) -> None:
        self._thorough = thorough
        self.number, self.passed, self.how = 0, 0, HOWS[0]

    def choose(self, statement: Statement) -> Fault:
        """Break the statement whose turn it is."""
        self.passed += statement.executes or self._thorough
        return self.how if self.passed == self.number else None

    @property
    def broke(self) -> bool:
        """Tell whether its turn came."""
        return 0 < self.number <= self.passed

    @contextlib.contextmanager
    def breaking(self, number: int, how: How) -> Iterator[None]:
        """Break a statement of what is asked within a block."""
        self.number, self.passed, self.how = number, 0, how
        try:
            yield
        finally:
            self.number = 0


class Approval(Operation):
    """An operation that approves: it ends the freezing of values, and they are approved."""

    async def ready(self, admin: httpx.AsyncClient) -> Operation:
        """Return it for a submission that awaits its approval."""
        id_ = await Making(admin, await office(admin)).appraised()
        path = self.path.replace(str(NO_SUBMISSION), str(id_))
        by = await office(admin, "approve")
        return self._replace(path=path, body=acting("approve"), sent_by=by)


class Ground(NamedTuple):
    """A service whose statements can be broken, and the same one without."""

    database: Database
    led: Database  # through the proxy
    watcher: asyncpg.Connection[asyncpg.Record]
    breaker: Breaker
    broken: httpx.AsyncClient
    admin: httpx.AsyncClient
    settings: Settings

    async def digest(self) -> dict[str, tuple[int, str]]:
        """Return rows and a digest of every table."""
        return await unchanged.digest(self.watcher)


@contextlib.asynccontextmanager
async def ground(stage: Stage, *, thorough: bool) -> AsyncIterator[Ground]:
    """Run both on a database of their own, for a caller of the whole nation."""
    env, breaker = await stage.clone("statements", hasty=True), Breaker(thorough=thorough)
    settings = stage.settings(env, rate_limit=0)
    async with contextlib.AsyncExitStack() as stack:
        opened = await stack.enter_async_context(Database(settings))
        straight = opened.acting_for(EVERYTHING)
        made = await make(straight, "Thử", "VN", list(SCOPES))
        way: Proxy = await stack.enter_async_context(proxy(stage.cluster.socket_folder))
        way.choose = breaker.choose
        through = stage.settings(way.through(env), rate_limit=0)
        led = await stack.enter_async_context(Database(through))
        callers = []
        for one, database in ((through, led), (settings, opened)):
            app = create_app(one, shipped(), database)
            token = app.state.tokens.issue(made["client_id"], list(SCOPES))
            callers.append(await stack.enter_async_context(calling(app, token=token)))
        watcher = await as_owner(straight.owner.parameters())
        stack.push_async_callback(watcher.close)
        yield Ground(straight, led, watcher, breaker, callers[0], callers[1], settings)


def storing(document: dict[str, Any]) -> tuple[list[Operation], list[str]]:
    """Return the operations that store something, and those nobody has said how to ask for."""
    described = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
        if method != "get" or f"GET {path}" in STORING_READS
    }
    known = {one.name: one for one in OPERATIONS}
    missing = [f"tests/hostile.py has no request for {name}" for name in described - set(known)]
    missing += [f"{name} is not described" for name in STORING_NOTHING - described]
    storing_ = sorted(described & set(known) - STORING_NOTHING)
    return [known[name] for name in storing_], sorted(missing)


async def stores_nothing(found: Ground) -> list[str]:
    """Return which operations store something although they are said not to."""
    wrong = []
    for one in OPERATIONS:
        if one.name in STORING_NOTHING:
            ready = await one.ready(found.admin)
            before = await found.digest()
            answer = await ready.call(found.admin)
            if answer.status_code != one.status or await found.digest() != before:
                wrong.append(f"{one.name} stores something or fails: {answer.status_code}")
    return wrong


async def broken(
    found: Ground, operation: Operation, hows: Sequence[How], more: Mapping[str, str] = _AS_IT_IS
) -> Broken:
    """Break statement after statement of an operation, by turns in these ways, until its end.

    `more` are headers that it is asked with.
    """
    wrong: list[str] = []
    ready = _new(await operation.ready(found.admin))
    await found.broken.get("/v1/clients")  # what is asked once, by the first of all connections
    before = await found.digest()
    for number in range(1, _MOST):
        how = hows[number % len(hows)]
        headers = {"idempotency-key": uuid.uuid4().hex, "if-match": "*", **more}
        await found.led.disconnect()  # what connections remember would change the numbers
        with found.breaker.breaking(number, how):
            answer = await ready.call(found.broken, headers=headers)
            broke = found.breaker.broke
        after = await found.digest()
        if not broke:
            if answer.status_code != ready.status or after == before:
                said = answer.text[:150]
                wrong.append(f"{operation.name} without a fault: {answer.status_code} {said}")
            return Broken(operation.name, number - 1, wrong)
        wrong += _wrong(f"{operation.name}, statement {number}, {how}", answer, before, after)
        for path in _AFTERWARDS:
            following = await found.broken.get(path)
            if following.status_code != 200:
                said = f"{following.status_code} of {path}"
                wrong.append(f"after {operation.name}, statement {number}, {how}: {said}")
        before = after
    wrong.append(f"{operation.name} has no end")
    return Broken(operation.name, _MOST, wrong)


def _new(operation: Operation) -> Operation:
    """Return a request that says something new: one that repeats what is there stores nothing."""
    if operation.method != "PUT" or operation.of_commune:  # what it is of was made for it alone
        return operation
    said = "source" if "source" in operation.body else "value"
    return operation._replace(body={**operation.body, said: fresh_decision()})


def _wrong(
    where: str, answer: httpx.Response, before: dict[str, Any], after: dict[str, Any]
) -> Iterator[str]:
    """Yield what is wrong about the answer to a request with a fault, and what it left behind."""
    if answer.status_code not in (500, 503):
        yield f"{where}: {answer.status_code}"
    else:
        try:
            problem(answer)
        except AssertionError as error:
            yield f"{where}: no problem document: {error}"[:300]
    if changed := [name for name in after if after[name] != before.get(name)]:
        yield f"{where}: left in {', '.join(changed)}"


@contextlib.contextmanager
def planted(found: Ground) -> Iterator[None]:
    """Put what is done into the audit in a transaction of its own, for the length of a block."""
    kept = audit.note

    async def outside(
        _: asyncpg.Connection[asyncpg.Record], caller: Caller | None, acts: Sequence[Act]
    ) -> None:
        async with found.database.writing() as another:
            await kept(another, caller, acts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "note", outside)
        yield


async def control(found: Ground) -> list[str]:
    """Plant an audit outside the transaction; return what the drill sees."""
    (operation,) = (one for one in OPERATIONS if one.name == _PLANTED)
    with planted(found):
        return (await broken(found, operation, HOWS[:1])).wrong


async def run(stage: Stage, full: bool) -> Outcome:
    """Break every statement in both ways; then see that an audit of its own is found out."""
    async with ground(stage, thorough=full) as found:
        operations, wrong = storing((await found.admin.get("/openapi.json")).json())
        wrong += await stores_nothing(found)
        # In full size each statement is broken in both ways, else in one or the other.
        turns = [HOWS[:1], HOWS[1:]] if full else [HOWS]
        results = [await broken(found, one, hows) for one in operations for hows in turns]
        results += [
            await broken(found, Approval(*one), hows)
            for one in operations
            for hows in turns
            if one.name == _DECIDING
        ]
        results += [
            await broken(found, one._replace(status=202), hows, _ASYNC)
            for one in operations
            for hows in turns
            if one.name in _LEFT_TO_JOBS
        ]
        wrong += [line for one in results for line in one.wrong]
        wrong += [f"{one.name} has no statement" for one in results if not one.faults]
        seen = await control(found)
    faults = sum(one.faults for one in results)
    return Outcome(
        f"{len(operations)} operations, {faults} faults",
        f"{len(wrong)} wrong: {'; '.join(wrong[:8])}" if wrong else "0 half effects",
        not wrong and faults > 0,
        f"audit outside the transaction: {len(seen)} effects found",
        any("audit" in line for line in seen),
    )
