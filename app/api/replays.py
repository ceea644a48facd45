"""Verdicts looked into: judged again, member by member, beside another one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.api.answers import answer, created
from app.api.deps import Data, Kept, Reader
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.numbers import RecordInPath
from app.api.paging import Cursor, Limit, links, page
from app.api.shapes import RequiredShape, Words
from app.api.strict import StrictRoute
from app.api.verdict_shapes import Gap, MemberCounts, Observed, VerdictSummary
from app.domain.evaluations import comparing, members, replaying
from app.domain.grants import counting
from app.domain.territory import EVALUATIONS
from app.rules.vocabulary import Outcome

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"], route_class=StrictRoute)


class DifferenceShape(BaseModel):
    """A place at which a verdict judged anew differs from the stored one."""

    pointer: str
    stored: Any
    now: Any


class Replayed(BaseModel):
    """Whether judging again gives the same; if not, where it differs."""

    same: bool
    differences: list[DifferenceShape] | None = None


class MemberValue(BaseModel):
    """A value that was read of a member."""

    indicator: str
    value: Any
    period: str | None
    source: str | None
    status: str | None
    value_id: int | None


class MemberUnit(BaseModel):
    """A member as it was called within the period."""

    unit: str | None
    code: str | None
    level: str
    type: str | None
    name: str | None


class MemberShape(BaseModel):
    """A member that a share counted: does what is asked hold of it, and what was read."""

    unit: MemberUnit
    outcome: str
    reasons: list[str]
    values: list[MemberValue]


class MemberPage(BaseModel):
    """One page of the members that a criterion counted."""

    criterion: str
    counts: MemberCounts
    items: list[MemberShape]
    next: str | None


class Cause(BaseModel):
    """Why a criterion differs."""

    cause: str
    text: str


class ComparedSide(BaseModel):
    """A criterion as one of the two verdicts has it."""

    outcome: str
    reasons: list[str]
    observed: Observed | None
    required: RequiredShape | None
    gap: Gap | None


class ComparedCriterion(BaseModel):
    """A criterion that differs between two verdicts; null where one of them does not have it."""

    criterion: str
    text: Words
    cite: str
    flipped: bool
    causes: list[Cause]
    a: ComparedSide | None
    b: ComparedSide | None


class Comparison(BaseModel):
    """Two verdicts and every criterion that differs."""

    a: VerdictSummary
    b: VerdictSummary
    same_outcome: bool
    differences: list[ComparedCriterion]


@router.post(
    "/{id:number}/replay",
    summary="Judge again and compare",
    response_model=Replayed,
    response_model_exclude_unset=True,
    responses=problem_responses(404, 409, 422),
)
async def replay(
    caller: Reader, kept: Kept, data: Data, language: InLanguage, id: RecordInPath
) -> Response:
    """Judge again from the stored inputs by the stored ruleset, and say where the result differs.

    Inputs that say something else than the values they were read from are named as well.
    """
    async with data.reading() as connection:
        found = await replaying.replay(connection, kept, caller.sight(EVALUATIONS), id)
    await counting.count(data, caller, EVALUATIONS, [id])
    body = {"same": False, "differences": found} if found else {"same": True}
    return created(body, language, status=200)


@router.get(
    "/{id:number}/members",
    summary="List the members that a criterion counted",
    response_model=MemberPage,
    responses=problem_responses(404, 409, 422),
)
async def list_members(
    request: Request,
    caller: Reader,
    kept: Kept,
    data: Data,
    language: InLanguage,
    id: RecordInPath,
    criterion: Annotated[str, Query(max_length=120, description="Id of a criterion.")],
    outcome: Annotated[Outcome | None, Query(description="Members with this outcome.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the members that a share counted, in Vietnamese order, with the values read of them."""
    filters = {"list": "members", "id": str(id), "criterion": criterion, "outcome": outcome}
    sight = caller.sight(EVALUATIONS)
    async with data.reading() as connection:
        found = await members.counted(connection, kept, sight, id, criterion)
        wanted = [
            (number, one)
            for number, one in enumerate(found.members)
            if outcome in (None, one.outcome)
        ]
        on_page, following = page(wanted, lambda one: f"{one[0]:09}", limit, cursor, filters)
        items = await members.shown(connection, found, [one for _, one in on_page])
    await counting.count(data, caller, EVALUATIONS, [id])
    body = {"criterion": criterion, "counts": found.counts, "items": items, "next": following}
    return answer(request, body, language, links(request, following))


@router.get(
    "/{id:number}/compare/{other:number}",
    summary="Compare two evaluations",
    response_model=Comparison,
    responses=problem_responses(404, 409, 422),
)
async def compare(
    request: Request,
    caller: Reader,
    kept: Kept,
    data: Data,
    language: InLanguage,
    id: RecordInPath,
    other: RecordInPath,
) -> Response:
    """Say which criteria of two verdicts differ, and why: value, threshold, branch, ruleset."""
    async with data.reading() as connection:
        ids, sight = (id, other), caller.sight(EVALUATIONS)
        body = await comparing.compared(connection, kept, sight, ids, language)
    await counting.count(data, caller, EVALUATIONS, ids)
    return answer(request, body, language)
