"""The shape of a pack's data: rulesets, criteria and the words a jurist writes them with.

`openapi/ruleset.schema.json` is generated from it; `docs/rulesets.md` explains it with a
complete example. A criterion quotes the law word for word and says apart what we read into it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from app.rules.cases import Case
from app.rules.check_data import CheckWith
from app.rules.document import Document, Exemption, InForce, Scope
from app.rules.errors import Misfit
from app.rules.indicators import Bilingual, Code, Condition, Identifier, Indicator, Model, Words
from app.rules.vocabulary import Basis, Level, Operator


def _exact(value: object) -> object:
    return Decimal(value) if type(value) is int else value


Exact = Annotated[
    Decimal,
    BeforeValidator(_exact),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "number"}),
]


class Alternative(Model):
    """Another way to read the clause, with the condition it would be."""

    text: Bilingual
    condition: Condition


class Reading(Model):
    """What we read into the text; it travels with every verdict."""

    vi: Words
    en: Words
    alternatives: tuple[Alternative, ...] = Field(default=(), strict=False)


class Confirmation(Model):
    """Who confirms a piece of evidence, and whether the text or the form demands it."""

    who: Words
    required_by: Literal["text", "form", "both"]


class Evidence(Model):
    """What the document wants to see for a criterion."""

    slot: Identifier
    form: Words | None = None
    text: Words
    confirmed_by: tuple[Confirmation, ...] = Field(default=(), strict=False)
    verification: Bilingual | None = None


class Branch(Model):
    """One branch of a conditional threshold; the last one has no `when_any`."""

    when_any: tuple[Code, ...] = Field(default=(), strict=False)
    text: Words
    value: Exact


class Required(Model):
    """The threshold: the operator as read, its value, and the words as written."""

    operator: Operator
    operator_as_written: Words | None = None
    value: Exact | None = None
    branches: tuple[Branch, ...] = Field(default=(), strict=False)
    unit: Literal["percent", "count"]
    as_written: Words
    force: Literal["must", "strive"] = "must"
    due: datetime.date | None = None

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.value is None) != bool(self.branches):
            raise Misfit("hãy ghi value hoặc branches", "give either value or branches")
        if self.branches and (
            len(self.branches) != 2 or not self.branches[0].when_any or self.branches[1].when_any
        ):
            raise Misfit(
                "cần hai nhánh: nhánh đầu có when_any, nhánh sau không có",
                "two branches: the first with when_any, the second without",
            )
        return self


class EveryReading(Model):
    """One reading of several; the criterion is decided only when all of them agree."""

    text: Bilingual
    condition: Condition


class Cell(Model):
    """One cell of a table row, kept apart as printed."""

    column: Words
    text: Words


class Criterion(Model):
    """One clause: a group of criteria, a test of an indicator, or a report-only item."""

    id: Identifier
    text: Bilingual
    section: Words = Field(description="Where in the document: section, clause, bullet.")
    also_cites: tuple[Words, ...] = Field(default=(), strict=False)
    reading: Reading | None = None
    notes: tuple[Bilingual, ...] = Field(default=(), strict=False)
    cells: tuple[Cell, ...] = Field(default=(), strict=False)
    evidence: tuple[Evidence, ...] = Field(default=(), strict=False)

    combine: Literal["all", "any"] | None = None
    criteria: tuple[Criterion, ...] = Field(default=(), strict=False)

    indicator: Code | None = None
    sum: tuple[Code, ...] = Field(default=(), strict=False)
    every_reading: tuple[EveryReading, ...] = Field(default=(), strict=False)
    contains: Identifier | None = None
    required: Required | None = None
    check: Code | None = None
    check_with: CheckWith | None = None
    no_criterion: bool = False

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = [bool(self.criteria), bool(self.indicator), bool(self.sum)]
        if sum((*forms, bool(self.every_reading))) != 1:
            raise Misfit(
                "hãy dùng đúng một trong criteria, indicator, sum, every_reading",
                "give exactly one of criteria, indicator, sum, every_reading",
            )
        if not self.criteria and self.combine:
            raise Misfit("combine đi cùng criteria", "combine goes with criteria")
        if self.criteria and (self.required or self.check or self.no_criterion):
            raise Misfit("nhóm không có phép thử riêng", "a group has no test of its own")
        if self.sum and (self.required is None or self.required.unit != "count"):
            raise Misfit("sum cần có required với unit: count", "sum needs required of unit count")
        if self.no_criterion and (self.required or self.check):
            raise Misfit(
                "no_criterion và phép thử loại trừ nhau",
                "no_criterion and a test exclude each other",
            )
        if self.check and (not self.indicator or self.required):
            raise Misfit(
                "check cần có indicator và thay cho required (dùng check_with)",
                "check needs an indicator and stands instead of required (use check_with)",
            )
        if self.check_with is not None and not self.check:
            raise Misfit("check_with đi cùng check", "check_with goes with check")
        if self.contains and (not self.indicator or self.required or self.check):
            raise Misfit(
                "contains chỉ đi cùng một indicator kiểu set, không có phép thử khác",
                "contains goes with a set indicator and no other test",
            )
        return self

    @model_validator(mode="after")
    def _sound_group(self) -> Self:
        if self.criteria and not self.combine and any(one.has_test() for one in self.criteria):
            raise Misfit(
                "nhóm có phép thử phải nói cách kết hợp: combine: all hoặc any",
                "a group with tests must say how they combine: combine: all or any",
            )
        return self

    @model_validator(mode="after")
    def _sound_readings(self) -> Self:
        if self.every_reading and self.reading and self.reading.alternatives:
            raise Misfit(
                "every_reading và reading.alternatives loại trừ nhau",
                "every_reading and reading.alternatives exclude each other",
            )
        asked = {value for one in self.every_reading for value in one.condition.thresholds()}
        if self.every_reading and self.required and asked != {self.required.value}:
            raise Misfit(
                "required.value phải trùng với at_least của mọi cách hiểu",
                "required.value must be the at_least of every reading",
            )
        return self

    def has_test(self) -> bool:
        """Tell whether this criterion, or any below it, can be met."""
        if self.criteria:
            return any(one.has_test() for one in self.criteria)
        return not self.no_criterion

    def walk(self) -> Iterator[Criterion]:
        """Yield this criterion and all below it, in the order of the document."""
        yield self
        for child in self.criteria:
            yield from child.walk()


class Statement(Model):
    """The sentence that opens the list of criteria and says how they combine, if it does."""

    text: Bilingual
    section: Words
    reading: Reading | None = None
    notes: tuple[Bilingual, ...] = Field(default=(), strict=False)


class Ruleset(Model):
    """One list of criteria of one document, for one level of unit."""

    ruleset: Identifier
    version: Words
    level: Level
    also_levels: tuple[Level, ...] = Field(default=(), strict=False)
    title: Bilingual
    document: Document
    in_force: InForce
    scope: Scope
    overall: Basis
    statement: Statement | None = None
    exemption: Exemption | None = None
    criteria: tuple[Criterion, ...] = Field(strict=False, min_length=1)
    indicators: tuple[Indicator, ...] = Field(default=(), strict=False, exclude=True)
    cases: tuple[Case, ...] = Field(default=(), strict=False, exclude=True)

    def walk(self) -> Iterator[Criterion]:
        """Yield every criterion, groups included, in the order of the document."""
        for criterion in self.criteria:
            yield from criterion.walk()


class IndicatorFile(Model):
    """A file of indicators that rulesets share."""

    indicators: tuple[Indicator, ...] = Field(strict=False, min_length=1)


class CaseFile(Model):
    """The worked cases of a pack."""

    cases: tuple[Case, ...] = Field(strict=False, min_length=1)
