"""Submissions of evidence (hồ sơ minh chứng): opened, listed, decided on, compared.

The chain is our extension: 3445/BNN-VPĐP 4.1 prescribes it for proposals of pilot models only,
Phú Thọ knows a self-assessment; the route without a district is our assumption.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response

from app.api.answers import answer, created
from app.api.deps import Data, Reader, Rules, Submitter, Today, Writer
from app.api.errors import problem_responses
from app.api.evaluation_filters import check_ruleset
from app.api.evidence_chain_shapes import ChainShape, VersionDifference
from app.api.evidence_decisions import decide
from app.api.evidence_shapes import (
    ILLEGAL,
    DecidedList,
    DecisionIn,
    DecisionsIn,
    PartsIn,
    SubmissionIn,
    SubmissionPage,
    SubmissionShape,
)
from app.api.language import InLanguage
from app.api.moments import PeriodInQuery
from app.api.numbers import Number, RecordInPath
from app.api.paging import LONG, Cursor, Limit, cut, links, read_number
from app.api.preconditions import Meant
from app.api.strict import StrictRoute
from app.api.unit_shapes import On, Under, UnitInQuery
from app.api.work import IdempotencyKey
from app.domain.evidence import State, editing, parts
from app.domain.evidence.chain import CHAIN
from app.domain.evidence.parts import Part
from app.domain.filters import Narrowing, narrow
from app.domain.submissions import contents, diffing, opening, reading, transitions
from app.domain.submissions.opening import Wish
from app.domain.submissions.reading import Wanted
from app.domain.territory import Sight

router = APIRouter(prefix="/v1/evidence-submissions", tags=["evidence"], route_class=StrictRoute)
VersionNumber = Annotated[Number, Query(description="Number of a submitted version.")]
_AT: Final = "/v1/evidence-submissions/{}"


@router.post(
    "",
    summary="Open a submission of evidence",
    status_code=201,
    response_model=SubmissionShape,
    responses=problem_responses(400, 404, 409, 413, 415, 422),
)
async def open_submission(
    caller: Submitter,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    day: Today,
    body: SubmissionIn,
    _: IdempotencyKey = None,
) -> Response:
    """Open a draft for a commune, a ruleset and a period; its office fills and submits it.

    The submission contains the values on record of the commune and the evidence in its slots.
    """
    given = None if body.parts is None else [Part(one.code, one.name) for one in body.parts]
    wish = Wish(body.unit, body.on, body.ruleset, body.period, given)
    held = await opening.open_(connection, rules, body.by(caller), wish, day)
    shown = await reading.whole(connection, caller, held, day)
    return created(shown, language, _AT.format(held.id))


@router.get(
    "",
    summary="List submissions of evidence",
    response_model=SubmissionPage,
    responses=problem_responses(404, 422),
)
async def list_submissions(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    day: Today,
    unit: UnitInQuery = None,
    under: Under = None,
    on: On = None,
    ruleset: Annotated[str | None, Query(max_length=120, description="Id of a ruleset.")] = None,
    period: PeriodInQuery = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    awaiting: Annotated[
        Literal["me"] | None, Query(description="me: those that it is the caller's turn to act on.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List submissions of one's territory, the newest first; `awaiting=me` is the work list."""
    said = period.text if period else None
    filters = {
        "list": "submissions", "unit": unit, "under": under, "on": str(on), "ruleset": ruleset,
        "period": said, "state": state, "awaiting": awaiting,
    }  # fmt: skip
    before = read_number(cursor, filters, LONG)
    async with data.reading() as connection:
        await check_ruleset(connection, rules, ruleset)
        narrowing = Narrowing(day, unit, under, on, period)
        narrowed = await narrow(connection, Sight(caller.territory), narrowing)
        wanted = Wanted(narrowed.units, narrowed.under, ruleset, said, state, awaiting is not None)
        found = await reading.page(connection, caller, wanted, day, limit + 1, before)
    items, following = cut(found, lambda one: [str(one["id"])], limit, filters)
    body = {"items": items, "next": following}
    return answer(request, body, language, links(request, following))


@router.get(
    "/chain",
    summary="Read the chain of approval",
    response_model=ChainShape,
    responses=problem_responses(422),
)
async def read_chain(request: Request, _: Reader, language: InLanguage) -> Response:
    """Read steps, routes and transitions as dated data, and what each is to the documents.

    Our extension: 3445 4.1 prescribes verification, appraisal and approval for proposals of pilot
    models only; return, refusal and withdrawal are in no document; the route without a district
    (from 2025-07-01) is our assumption.
    """
    return answer(request, CHAIN.model_dump(mode="json"), language)


@router.get(
    "/{id:number}",
    summary="Read a submission of evidence",
    response_model=SubmissionShape,
    responses=problem_responses(404, 422),
)
async def read_submission(
    request: Request,
    caller: Reader,
    data: Data,
    language: InLanguage,
    day: Today,
    id: RecordInPath,
) -> Response:
    """Read a submission of one's territory: its state, its history, what the caller may do."""
    async with data.reading() as connection:
        held = await editing.find(connection, caller, id)
        shown = await reading.whole(connection, caller, held, day)
    return answer(request, shown, language)


@router.put(
    "/{id:number}/parts",
    summary="State the parts of the commune",
    response_model=SubmissionShape,
    responses=problem_responses(400, 404, 409, 412, 413, 415, 422),
)
async def state_parts(
    caller: Submitter,
    connection: Writer,
    language: InLanguage,
    day: Today,
    id: RecordInPath,
    meant: Meant,
    body: PartsIn,
) -> Response:
    """State all khu dân cư (thôn, ấp) whose lists and signatures come apart; while it is a draft.

    A part that has a list or a signature stays until these are removed.
    """
    held = await editing.for_filling(connection, caller, id)
    meant.check(str(held.revision), None)
    wanted = [Part(one.code, one.name) for one in body.parts]
    await parts.replace(connection, body.by(caller), held, wanted)
    held = await editing.find(connection, caller, id)
    return created(await reading.whole(connection, caller, held, day), language, status=200)


@router.post(
    "/{id:number}/transitions",
    summary="Act on a submission of evidence",
    response_model=SubmissionShape,
    responses=problem_responses(400, 404, 412, 413, 415, 422, 428) | ILLEGAL,
)
async def act_on_submission(
    caller: Reader,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    day: Today,
    id: RecordInPath,
    meant: Meant,
    body: DecisionIn,
    _: IdempotencyKey = None,
) -> Response:
    """Submit, verify, appraise, approve, return, refuse, withdraw or reopen a submission.

    It says which state it means, by `If-Match` or `version`. An action that does not lead on from
    there is refused (409) with those that do (`may`). No office and no official acts at two steps.
    Return, refusal and withdrawal are our extension, the route without a district our assumption
    (`GET …/chain` says what each is to the documents).
    """
    held = await editing.hold(connection, caller, id)
    meant.check(str(held.revision), body.version, required=True)
    await transitions.act(connection, rules, caller, held, body.decision(), day)
    held = await editing.find(connection, caller, id)
    return created(await reading.whole(connection, caller, held, day), language, status=200)


@router.post(
    "/decisions",
    summary="Act on several submissions of evidence",
    response_model=DecidedList,
    responses=problem_responses(400, 409, 413, 415, 422),
)
async def act_on_submissions(
    request: Request,
    caller: Reader,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    day: Today,
    body: DecisionsIn,
    _: IdempotencyKey = None,
) -> Response:
    """Act on up to 100 submissions; each decision is made or refused by itself.

    The answer has one item for each: its `status` is what the decision alone would have got.
    """
    await editing.hold_all(connection, [one.id for one in body.decisions])
    items: list[dict[str, Any]] = [
        await decide(request, caller, rules, connection, day, one) for one in body.decisions
    ]
    return created({"items": items}, language, status=200)


@router.get(
    "/{id:number}/diff",
    summary="Compare two submitted versions",
    response_model=VersionDifference,
    responses=problem_responses(404, 422),
)
async def compare_versions(
    request: Request,
    caller: Reader,
    data: Data,
    language: InLanguage,
    id: RecordInPath,
    from_: Annotated[VersionNumber, Query(alias="from")],
    to: VersionNumber,
) -> Response:
    """Compare what a submission contained when it was submitted for the nth and the mth time."""
    async with data.reading() as connection:
        held = await editing.find(connection, caller, id)
        before = await contents.version(connection, held, from_, "from")
        after = await contents.version(connection, held, to, "to")
    return answer(request, {"from": from_, "to": to, **diffing.between(before, after)}, language)
