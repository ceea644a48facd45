"""Hostile input (goal G1): every value in every field of every operation is refused or right."""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import AsyncIterator, Iterable

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from hostile import OPERATIONS, Operation
from unchanged import fingerprint

from app.api.strict import StrictRequest
from faults.accepted import READ_AGAIN, accepted, leaves
from faults.described import by_description
from faults.file_shots import KEPT, columns, files, right_files, told_of
from faults.generated import made
from faults.goals import Outcome, Stage
from faults.hostile_values import FEW, SQL
from faults.judging import Judge, overhearing
from faults.shots import (
    body_shots,
    every_parameter,
    hint_shots,
    mass_assignment,
    mass_assignments,
    shots,
)
from faults.targets import (
    EVERY,
    SENDING,
    Range,
    Shot,
    fire,
    good_content,
    made_ready,
    range_on,
    routes,
)
from faults.transport import over_the_wire

# Operations that take the same body once only.
_FRESH = {"POST /v1/communes/{code}/hamlets", "POST /v1/communes/{code}/designations",
          "POST /v1/evidence-submissions", "POST /v1/evidence-submissions/decisions"}  # fmt: skip
# For what is right in evidence much has to be made each time: of that every eighth is tried.
_DEAR = 8
_LITERAL = {one.name for one in SQL}
_CONCERN_WRITING = ("header:idempotency-key", "header:if-match", "header:prefer")
_GOOD = Shot("", "the good request", "")


def is_accepted(route: Operation, shot: Shot) -> bool:
    """Tell whether a shot is listed as right; headers that are hints may always be ignored."""
    return accepted(route.name, shot.field, shot.value)


@contextlib.asynccontextmanager
async def nothing_stored(
    arena: Range, judge: Judge, route: Operation, *besides: str
) -> AsyncIterator[None]:
    """Complain unless after the block every table is as it was before it, besides some."""
    before = await fingerprint(arena.database)
    yield
    after = await fingerprint(arena.database)
    changed = {table for table, found in after.items() if before[table] != found} - set(besides)
    if changed:
        judge.complain(route, _GOOD._replace(value="what was refused"), f"stored in {changed}")


async def attack(arena: Range, judge: Judge, route: Operation) -> None:
    """Fire the whole corpus at one operation: what is refused first, then what is taken."""
    ready = await made_ready(arena, route)
    fired = list(shots(arena, ready))
    await refuse(arena, judge, ready, (shot for shot in fired if not is_accepted(route, shot)))
    if route.name in SENDING:
        await send(arena, judge, ready)
    await good(arena, judge, route)
    right = [shot for shot in fired if is_accepted(route, shot)]
    for shot in right[:: _DEAR if route.of_commune else arena.turns]:
        await take(arena, judge, route, shot)


async def refuse(arena: Range, judge: Judge, ready: Operation, fired: Iterable[Shot]) -> None:
    """Fire what must be refused, the columns of every table as keys included."""
    besides = KEPT if ready.name in SENDING else ()
    async with nothing_stored(arena, judge, ready, *besides):
        for shot in fired:
            judge.judge(ready, shot, await fire(arena, ready, shot), accepted=False)
        shot, named = every_parameter(arena, ready)
        if missing := set(named) - await _named(arena, judge, ready, shot):
            judge.complain(ready, shot, f"not refused by name: {sorted(missing)}")
        for shot, named in mass_assignments(arena, ready):
            missing = set(named) - await _named(arena, judge, ready, shot)
            for pointer in sorted(missing):  # a fact that is no ratio names the first key only
                single = mass_assignment(ready, shot, pointer)
                if pointer not in await _named(arena, judge, ready, single):
                    judge.complain(ready, single, "not refused by name")


async def send(arena: Range, judge: Judge, ready: Operation) -> None:
    """Send hostile files: each is refused and tells of every line, no value comes on record."""
    async with nothing_stored(arena, judge, ready, *KEPT):
        for file in files(arena, ready):
            answer = await fire(arena, ready, file.shot)
            judge.judge(ready, file.shot, answer, accepted=False)
            for row in sorted(set(file.hostile) - told_of(answer)[0]):
                judge.complain(ready, file.shot._replace(value=file.hostile[row]), "is not refused")
        shot, names = columns(arena, ready)
        answer = await fire(arena, ready, shot)
        judge.judge(ready, shot, answer, accepted=False)
        if missing := set(names) - told_of(answer)[1]:
            judge.complain(ready, shot, f"not refused by name: {sorted(missing)}")
    for shot, right in right_files(ready):
        answer = await fire(arena, ready, shot)
        judge.judge(ready, shot, answer, accepted=True)
        for value in right:
            await _read_again(arena, judge, ready, shot._replace(text=value.text), answer.json())


async def _named(arena: Range, judge: Judge, ready: Operation, shot: Shot) -> set[str]:
    answer = await fire(arena, ready, shot)
    judge.judge(ready, shot, answer, accepted=False)
    return {one["pointer"] for one in answer.json().get("errors", ())}


async def good(arena: Range, judge: Judge, route: Operation) -> None:
    """Send the good request: what was refused before was refused for what was hostile in it."""
    ready = await made_ready(arena, route)
    shot = _GOOD._replace(url=ready.url(), content=good_content(ready))
    answer = await fire(arena, ready, shot)
    judge.judge(ready, shot, answer, accepted=True)
    assert answer.request.url.path == ready.path


async def take(arena: Range, judge: Judge, route: Operation, listed: Shot) -> None:
    """Fire what is listed as right; what it says is there, word for word, when read again."""
    ready = await made_ready(arena, route)
    shot = listed
    if (
        ready.path != route.path or ready.name in _FRESH
    ):  # made anew for every request, as what it stands on was used up
        shot = next(one for one in shots(arena, ready) if one[:2] == listed[:2])
    if ready.name in SENDING:  # a process for each would take long, a job waits for ever
        shot = shot._replace(headers=(("prefer", b"respond-async"),))
    answer = await fire(arena, ready, shot)
    judge.judge(ready, shot, answer, accepted=True)
    if answer.status_code >= 300:
        return
    if ready.name == "POST /v1/grants":  # one client may have a hundred that hold, no more
        await arena.admin.post(f"/v1/grants/{answer.json()['id']}/revoke")
    if (ready.template, shot.field) == ("/v1/units", "query:q"):
        names = [one["name"] for one in answer.json()["items"]]
        if shot.value in _LITERAL and any(shot.text not in name for name in names):
            judge.complain(ready, shot, f"found what does not have these characters: {names[:9]}")
    elif shot.text.strip() and (shot.field.startswith(("body:", "csv:")) or shot.headers):
        await _read_again(arena, judge, ready, shot, answer.json())
    if answer.status_code == 202:  # else whoever works on a job next works on all of these
        await arena.admin.post(f"/v1/jobs/{answer.json()['id']}/cancel")


async def _read_again(
    arena: Range, judge: Judge, ready: Operation, shot: Shot, told: object
) -> None:
    # Half a character is none: its bytes are read as U+FFFD.
    read = shot.text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    text = unicodedata.normalize("NFC", read)
    if not text.strip() or shot.field in ("body:/version", "csv:value"):  # no text that is kept
        return
    if shot.field.startswith("body:/acting_official/"):
        if ready.method == "PUT":  # it says what is on record: nothing was done for anybody
            return
        url = "/v1/audit?limit=5"
    elif ready.name in READ_AGAIN:
        url = READ_AGAIN[ready.name](told, ready.path)
    else:
        url = "/v1/audit?limit=5" if shot.field == "body:/reason" else ""
    if not url:
        return
    found = (await arena.admin.get(url)).json()
    if not {text, " ".join(text.split())} & set(leaves(found)):
        judge.complain(ready, shot, f"was taken and is not read again at {url}")


async def hint(arena: Range, judge: Judge, route: Operation) -> None:
    """Send requests with headers that are hints full of nonsense: answered or refused.

    What writes is sent with a parameter that is none, except where the header concerns writing or
    says whether a job is wanted.
    """
    ready = await made_ready(arena, route)
    for one in hint_shots(arena, ready):
        url, content = one.url, one.content
        if route.method != "GET":
            if one.field in _CONCERN_WRITING:
                ready = await made_ready(arena, route)
                url, content = ready.url(), good_content(ready)
            else:
                url = ready.url("offset=-1")
        shot = one._replace(url=url, content=content)
        judge.judge(ready, shot, await fire(arena, ready, shot), accepted=None)


async def generate(arena: Range, judge: Judge, route: Operation, size: int, *, rounds: int) -> None:
    """Fire requests of several mutations at once; all of them must be refused."""
    ready = await made_ready(arena, route)
    for number in range(rounds):
        async with nothing_stored(arena, judge, ready):
            for shot in made(arena, ready, size, number):
                judge.judge(ready, shot, await fire(arena, ready, shot), accepted=False)
    await good(arena, judge, route)


# --- the planted bugs -----------------------------------------------------------------------------


async def control(stage: Stage, name: str) -> Judge:
    """Fire a small part of the corpus at a service that reads as the framework does."""
    with pytest.MonkeyPatch.context() as patch:
        if name == "plain JSON":
            patch.setattr(StrictRequest, "json", Request.json)
        async with range_on(stage, _plain if name == "plain refusals" else _as_it_is) as arena:
            judge = Judge(arena)
            (route,) = (one for one in OPERATIONS if one.name == "POST /v1/values")
            ready = await made_ready(arena, route)
            # The framework never comes back from 1e1000000: it is left out, a drill must end.
            few = {one.name for one in FEW} - {"1e1000000"} | _WHOLES
            for shot in body_shots(arena, ready):
                if shot.value in few and not is_accepted(route, shot):
                    judge.judge(ready, shot, await fire(arena, ready, shot), accepted=False)
    return judge


def _plain(app: FastAPI) -> FastAPI:
    """Restore the framework's own answer to what is not valid."""

    async def plain(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return await request_validation_exception_handler(request, error)

    app.add_exception_handler(RequestValidationError, plain)
    return app


def _as_it_is(app: FastAPI) -> FastAPI:
    return app


_WHOLES = {"utf-16", "byte order mark before", "first key twice", "only NaN"}
CONTROLS = ("plain refusals", "plain JSON")
_FULL = 200_000


async def run(stage: Stage, full: bool) -> Outcome:
    """Fire everything at every operation; then plant bugs and see whether they are found."""
    async with range_on(stage, full=full) as arena:
        judge = Judge(arena)
        missed = routes(arena.service) ^ {(route.method, route.template) for route in EVERY}
        with overhearing() as heard:
            await _everything(arena, judge, full=full)
    wire = await over_the_wire(stage)
    described = await by_description(stage, full=full)
    caught = [(await control(stage, name)).breaches for name in CONTROLS]
    reached = len({name for name, _ in judge.answers})
    told = [*judge.broken[:3], *heard.traces[:3], *wire[:3], *list(described.failures)[:3]]
    told += [f"{method} {path} is not fired at" for method, path in sorted(missed)]
    return Outcome(
        size=f"{judge.sent + described.sent} requests, {reached} of {len(EVERY)} operations",
        result=" | ".join([f"{judge.breaches} laws broken, {len(heard.traces)} traces", *told]),
        good=not judge.breaches and not told,
        control=f"{' and '.join(CONTROLS)}: {caught} laws broken",
        caught=all(caught),
    )


async def _everything(arena: Range, judge: Judge, *, full: bool) -> None:
    """Fire the corpus, then generated requests until there are enough of them."""
    for route in EVERY:
        await attack(arena, judge, route)
        await hint(arena, judge, route)
    size = 500 if full else 45
    left = (_FULL - judge.sent) // len(EVERY) if full else size
    for route in EVERY:
        await generate(arena, judge, route, size, rounds=1 + left // size if full else 1)
