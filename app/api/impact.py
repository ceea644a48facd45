"""Impact: which units would come out differently under other thresholds or another ruleset."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import asyncpg
from fastapi import APIRouter, Response

from app.api.answers import json_bytes, manners
from app.api.deps import LateWriter, Reader, Rules
from app.api.errors import problem_responses
from app.api.impact_shapes import ImpactIn, ImpactShape
from app.api.job_shapes import JobShape, accepted
from app.api.language import InLanguage
from app.api.problems import refusal
from app.api.strict import StrictRoute
from app.api.work import IdempotencyKey
from app.discovery.yaml_source import read_yaml
from app.domain.clock import today
from app.domain.evaluation_runs.covering import above
from app.domain.impact import MOST_AT_ONCE, conducting
from app.domain.impact.changes import changed
from app.domain.impact.weighing import Question, concerned, weighed
from app.domain.jobs import listing, shown
from app.domain.previews import unknown_ruleset
from app.domain.refusals import Complaint
from app.domain.territory import Caller
from app.rules.candidates import candidate
from app.rules.errors import Fault, RulesetFaults, Text
from app.rules.evaluate import Compiled
from app.rules.facts import printable
from app.rules.registry import Entry, Registry

router = APIRouter(prefix="/v1/impact", tags=["evaluations"], route_class=StrictRoute)

_FILE: Final = "ruleset_file"
_LONGEST: Final = 500  # characters of what is said of one fault
_JOB: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": JobShape, "description": "More than 1,000 units: the job's result has it"}
}


@router.post(
    "",
    summary="See what a changed ruleset would change",
    response_model=ImpactShape,
    responses=_JOB | problem_responses(400, 404, 409, 413, 415, 422),
)
async def weigh(
    caller: Reader,
    rules: Rules,
    begin: LateWriter,
    language: InLanguage,
    body: ImpactIn,
    _: IdempotencyKey = None,
) -> Response:
    """Judge the units of one's territory by a ruleset as it is and as it would be.

    Nothing is stored. Up to 1,000 units are answered at once; more become a job, whose result is
    the same answer.
    """
    before, after = await _rulesets(rules, body)
    connection = await begin()  # a candidate is checked without one: that may take its time
    question = await _question(connection, caller, body, before, after)
    found = await concerned(connection, question)
    if len(found.units) > MOST_AT_ONCE:
        job = await conducting.begin(connection, caller, question, found)
        return accepted(shown(await listing.get(connection, caller, job)), language)
    answer = await weighed(connection, question, found)
    headers = manners(language) | {"cache-control": "no-store"}
    return Response(json_bytes(answer), 200, headers, "application/json")


async def _question(
    connection: asyncpg.Connection,
    caller: Caller,
    body: ImpactIn,
    before: Compiled,
    after: Compiled,
) -> Question:
    under = await above(connection, caller.territory, str(body.under), body.period, body.on)
    as_of = body.as_of or min(today(), body.period.last)
    return Question(before, after, under, body.period, as_of)


async def _rulesets(rules: Registry, body: ImpactIn) -> tuple[Compiled, Compiled]:
    """Return the ruleset as it is and the candidate; whoever else asks something goes on."""
    if body.ruleset_file is not None:
        after = await asyncio.to_thread(_read, rules, body.ruleset_file)
        against = body.against or after.ruleset.ruleset
        return _installed(rules, against, "/against").compiled, after
    entry = _installed(rules, str(body.ruleset), "/ruleset")
    changes = [one.change() for one in body.changes or ()]
    return entry.compiled, await asyncio.to_thread(changed, entry, changes)


def _installed(rules: Registry, id_: str, pointer: str) -> Entry:
    entry = rules.entries.get(id_)
    if entry is None:
        raise refusal([Complaint(pointer, "unknown-ruleset", unknown_ruleset(rules, id_))])
    return entry


def _read(rules: Registry, text: str) -> Compiled:
    """Return the candidate; every fault of its file is a complaint."""
    try:
        return candidate(rules, read_yaml(_FILE, text.encode()))
    except RulesetFaults as error:
        found = [Complaint(f"/{_FILE}", "invalid-ruleset", _told(one)) for one in error.faults]
        raise refusal(found) from error


def _told(fault: Fault) -> Text:
    where = f"{fault.place}: " if fault.place else ""
    line = ("", "") if fault.line is None else (f"dòng {fault.line}: ", f"line {fault.line}: ")
    vi, en = (
        printable(f"{begun}{where}{said} [{fault.code}]", _LONGEST)
        for begun, said in zip(line, (fault.message.vi, fault.message.en), strict=True)
    )
    return Text(vi, en)
