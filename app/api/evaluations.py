"""Evaluations over HTTP: the preview judges facts sent along and stores nothing."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from app.api.answers import json_bytes, manners
from app.api.deps import Reader, Rules
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.shapes import (
    Day,
    DocumentShape,
    Fact,
    RequiredShape,
    Strict,
    Words,
    today,
    yes_or_no,
)
from app.api.strict import StrictRoute
from app.api.unit_shapes import UnitType
from app.domain.evaluations import Described, Subject, judge
from app.domain.units import CODE_PATTERN
from app.rules.explain import explain
from app.rules.verdict import Designation
from app.rules.vocabulary import Level

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"], route_class=StrictRoute)

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
UnitCode = Annotated[str, StringConstraints(pattern=CODE_PATTERN)]


class DesignationIn(Strict):
    """The unit was chosen for a pilot; only decisions 969 and 1824/QĐ-BNN-VPĐP exempt."""

    model: Literal["smart", "ecom"]
    decision: Name
    date: Day | None = None


class MemberUnit(Strict):
    """A unit below the one evaluated; a commune without a type is a xã."""

    level: Level
    type: UnitType | None = None
    code: UnitCode | None = None
    name: Name | None = None


class UnitIn(MemberUnit):
    """The unit evaluated, as the caller describes it."""

    attributes: dict[str, bool] = Field(default_factory=dict)
    designations: list[DesignationIn] = Field(default_factory=list, max_length=20)


class MemberIn(Strict):
    """A member with its facts."""

    unit: MemberUnit
    facts: dict[str, Fact] = Field(default_factory=dict)


class SubjectIn(Strict):
    """A unit, a day and what is known of the unit; `as_of` defaults to today."""

    as_of: Day | None = None
    unit: UnitIn
    facts: dict[str, Fact] = Field(default_factory=dict)
    members: list[MemberIn] | None = Field(default=None, max_length=20_000)

    def subject(self) -> Subject:
        """Return the subject in the words of the domain."""
        return Subject(
            unit=described(self.unit),
            as_of=self.as_of or today(),
            facts=self.facts,
            members=None
            if self.members is None
            else [(described(member.unit), member.facts) for member in self.members],
        )


class PreviewIn(SubjectIn):
    """A subject, and the ruleset to judge it by."""

    ruleset: str


class RulesetRef(BaseModel):
    """The ruleset of a verdict."""

    id: str
    version: str
    digest: str
    title: Words
    document: DocumentShape


class Applicability(BaseModel):
    """Whether the document speaks of this unit on this day."""

    status: str
    reason: str | None


class MemberCounts(BaseModel):
    """Members whose value is known, of those true, and unknown."""

    known: int
    true: int
    unknown: int


class Observed(BaseModel):
    """What the outcome rests on: a value, or a ratio with its exact counts."""

    value: Any = None
    numerator: int | None = None
    denominator: int | None = None
    percent: str | None = None
    counts_known: bool | None = None
    interval: list[str] | None = None
    parts: list[dict[str, Any]] | None = None
    period: str | None
    source: str | None
    status: str | None
    members: MemberCounts | None = None
    stated: dict[str, Any] | None = Field(
        default=None, description="A share given directly where the members' values decided."
    )
    conflict: bool | None = None


class Gap(BaseModel):
    """How many more persons, households or records are needed, and of what."""

    more: int
    of: str


class CoverageShape(BaseModel):
    """A report without a threshold: items, of those reported, of those present."""

    items: int
    reported: int
    present: int


class CriterionVerdict(BaseModel):
    """The outcome of one criterion; clause fields are absent with `texts=false`."""

    id: str
    text: Words | None = None
    cite: str | None = None
    reading: Any = Field(default=None, description="As in the ruleset, with outcomes.")
    notes: list[str] | None = None
    cells: list[Any] | None = None
    evidence: list[Any] | None = None
    outcome: str
    reasons: list[str]
    indicator: str | None
    indicators: list[str]
    observed: Observed | None
    required: RequiredShape | None
    gap: Gap | None
    coverage: CoverageShape | None
    combine: str | None
    criteria: list[CriterionVerdict]


class Counts(BaseModel):
    """Leaf criteria by outcome."""

    met: int
    not_met: int
    undetermined: int
    not_applicable: int
    no_criterion: int


class Verdict(BaseModel):
    """A structured, cited, explained verdict. It evaluates; it never recognises."""

    ruleset: RulesetRef
    unit: dict[str, Any]
    period: str | None
    as_of: datetime.date
    applicability: Applicability
    outcome: str
    basis: str
    all_items: str | None
    reasons: list[str]
    counts: Counts
    coverage: CoverageShape | None
    criteria: list[CriterionVerdict]
    unused_facts: list[str]
    inputs_digest: str
    semantics: int


@router.post(
    "/preview",
    summary="Judge facts without storing anything",
    response_model=Verdict,
    responses=problem_responses(400, 413, 415, 422),
)
async def preview(
    _: Reader,
    rules: Rules,
    language: InLanguage,
    body: PreviewIn,
    texts: Annotated[
        bool,
        BeforeValidator(yes_or_no),
        Query(description="false leaves texts, cites and evidence out."),
    ] = True,
) -> Response:
    """Judge the facts in the body by one ruleset and explain the verdict."""
    subject = body.subject()
    compiled, judgement = judge(rules, body.ruleset, subject)
    verdict = explain(compiled, judgement, subject.unit.shown(), language, texts)
    headers = manners(language) | {"cache-control": "no-store"}
    return Response(json_bytes(verdict), 200, headers, "application/json")


def described(unit: MemberUnit) -> Described:
    """Return the unit in the words of the domain."""
    attributes, designations = {}, []
    if isinstance(unit, UnitIn):
        attributes = unit.attributes
        designations = [Designation(one.date, one.decision, one.model) for one in unit.designations]
    return Described(unit.level, unit.code, unit.type, unit.name, attributes, designations)
