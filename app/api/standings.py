"""Standings: where a commune stands by every ruleset, and what would help most."""

from __future__ import annotations

import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.api.answers import answer
from app.api.deps import Data, Reader, Rules
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.moments import PeriodWanted
from app.api.shapes import RequiredShape, Words
from app.api.strict import StrictRoute
from app.api.unit_shapes import CommuneInPath, On
from app.api.verdict_shapes import Applicability, Counts, Gap, Observed
from app.domain import standings, unit_periods
from app.domain.clock import today
from app.domain.unit_periods import Meant

router = APIRouter(prefix="/v1/communes", tags=["evaluations"], route_class=StrictRoute)


class RulesetInShort(BaseModel):
    """A ruleset."""

    id: str
    version: str
    digest: str
    title: Words


class GapShape(BaseModel):
    """A criterion that is not met, and how much more is needed where that is a number."""

    criterion: str
    text: Words
    cite: str
    indicator: str | None
    observed: Observed | None
    required: RequiredShape | None
    gap: Gap | None


class MissingShape(BaseModel):
    """A criterion that is open for want of values."""

    criterion: str
    indicators: list[str]
    text: Words
    cite: str
    reasons: list[str]
    observed: Observed | None
    required: RequiredShape | None


class StepShape(BaseModel):
    """What would follow if one indicator had its best value and everything else stayed."""

    indicator: str
    name: str
    newly_met: list[str]
    newly_failed: list[str]
    outcome: str
    all_items: str | None


class RulesetStanding(BaseModel):
    """How a ruleset would come out now; steps by what they would change, the most first."""

    ruleset: RulesetInShort
    applicability: Applicability
    outcome: str
    basis: str
    all_items: str | None
    reasons: list[str]
    counts: Counts
    gaps: list[GapShape]
    missing: list[MissingShape]
    steps: list[StepShape]


class Whole(BaseModel):
    """The outcome of a ruleset."""

    outcome: str
    all_items: str | None


class RulesetChange(BaseModel):
    """What a step would change in one ruleset."""

    id: str
    before: Whole
    after: Whole
    newly_met: list[str]


class BiggestStep(BaseModel):
    """The one value that would change most, over all rulesets."""

    indicator: str
    name: str
    newly_met: int
    rulesets: list[RulesetChange]


class StandingShape(BaseModel):
    """Where a commune stands in a period; nothing is stored."""

    unit: dict[str, Any]
    period: str
    as_of: datetime.date
    rulesets: list[RulesetStanding]
    out_of_scope: list[str]
    biggest_step: BiggestStep | None


@router.get(
    "/{code}/standing",
    summary="Read where a commune stands",
    response_model=StandingShape,
    responses=problem_responses(404, 422),
)
async def read_standing(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    code: CommuneInPath,
    period: PeriodWanted,
    on: On = None,
) -> Response:
    """Read every ruleset in scope with its outcome, gaps, what is missing, and what would help."""
    async with data.reading() as connection:
        unit = await unit_periods.get(connection, Meant(code, period, on), "/code")
        caller.territory.require(unit)
        as_of = min(today(), period.last)
        body = await standings.of(connection, rules, unit, period, as_of, language)
    return answer(request, body, language)
