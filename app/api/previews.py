"""Previews: facts sent along are judged, nothing is stored."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints

from app.api.answers import json_bytes, manners
from app.api.deps import Data, Reader, Rules
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.shapes import Day, Fact, Strict
from app.api.strict import StrictRoute
from app.api.unit_shapes import UnitType
from app.api.verdict_shapes import Texts, Verdict
from app.database import Database
from app.domain import scope, unit_lookup
from app.domain.clock import today
from app.domain.previews import Described, Subject, judge
from app.domain.refusals import Complaint
from app.domain.unit_lookup import Found
from app.domain.units import CODE_PATTERN
from app.rules.errors import Text
from app.rules.explain import explain
from app.rules.registry import Registry
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


@router.post(
    "/preview",
    summary="Judge facts without storing anything",
    response_model=Verdict,
    responses=problem_responses(400, 404, 413, 415, 422),
)
async def preview(
    _: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    body: PreviewIn,
    texts: Texts = True,
) -> Response:
    """Judge the facts in the body by one ruleset and explain the verdict."""
    subject = body.subject()
    if subject.unit.code is not None:
        subject = await _placed(data, rules, body.ruleset, subject)
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


async def _placed(data: Database, rules: Registry, ruleset: str, subject: Subject) -> Subject:
    """Return the subject with what the register says of its code: is it in the document's scope."""
    entry, code = rules.entries.get(ruleset), subject.unit.code
    if entry is None or code is None:
        return subject
    async with data.reading() as connection:
        # A hamlet need not be in the register: it lies where its commune lies.
        place = code.partition("-")[0]
        unit = await unit_lookup.get(connection, place, subject.as_of, "/unit/code")
        found = await scope.of(connection, entry.ruleset.scope, [unit.id])
    wrong = []
    if place == code and unit.level != subject.unit.level:
        wrong.append(Complaint("/unit/code", "wrong-level", _of_level(unit)))
    return msgspec.structs.replace(subject, scope=found[unit.id], complaints=wrong)


def _of_level(unit: Found) -> Text:
    return Text(
        f"{unit.named} thuộc cấp {unit.level}; hãy sửa level hoặc code",
        f"{unit.named} is of level {unit.level}; mend level or code",
    )
