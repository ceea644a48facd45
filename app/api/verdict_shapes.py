"""Verdicts as they are shown."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from app.api.shapes import DocumentShape, EvidenceShape, RequiredShape, TrueOrFalse, Words

Texts = Annotated[TrueOrFalse, Query(description="false leaves texts, cites and evidence out.")]


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
    value_id: int | None = Field(description="Number of the value on record.")
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


class EvidenceMissing(BaseModel):
    """What was missing: of which part, by whom."""

    code: str
    part: str | None
    who: str | None


class EvidenceSigned(BaseModel):
    """How many parts were signed, of how many."""

    signed: int
    of: int


class EvidenceConfirmed(BaseModel):
    """Who confirms, by what it is demanded, how many parts were signed."""

    who: str
    required_by: str
    parts: EvidenceSigned
    outdated: int


class EvidenceOfCriterion(EvidenceShape):
    """Evidence that the document demands, and what of it was there when it was judged.

    null: nobody looked, as in a preview.
    """

    required: bool
    complete: bool | None
    missing: list[EvidenceMissing]
    confirmations: list[EvidenceConfirmed]


class AttachedShape(BaseModel):
    """The submission that was attached, in its state then.

    `other_values`: indicators of which another value was judged than the one it contained.
    """

    id: int
    version: int
    state: str
    other_values: list[str]


class FollowedShape(BaseModel):
    """A value that counts no more: what became of it."""

    indicator: str
    unit: str
    period: str
    value_id: int
    status: str
    followed_by: int | None
    at: datetime.datetime


EvidenceComplete = Annotated[
    bool | None,
    Field(
        description="Whether all evidence that the document demands was there and confirmed; "
        "null: it demands none, or nobody looked. It never changes the outcome."
    ),
]


class CriterionVerdict(BaseModel):
    """The outcome of one criterion; clause fields are absent with `texts=false`."""

    id: str
    text: Words | None = None
    cite: str | None = None
    reading: Any = Field(default=None, description="As in the ruleset, with outcomes.")
    notes: list[str] | None = None
    cells: list[Any] | None = None
    evidence: list[EvidenceOfCriterion] | None = None
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
    evidence_complete: EvidenceComplete
    evidence_submission: AttachedShape | None
    criteria: list[CriterionVerdict]
    unused_facts: list[str]
    inputs_digest: str
    semantics: int


class StoredVerdict(Verdict):
    """A verdict on record; nothing of it ever changes."""

    id: int
    created_at: datetime.datetime
    by: str = Field(description="The client that asked for it; ntm: the operator.")
    software: str = Field(description="What judged it.")
    run: int | None = Field(description="The evaluation run that it belongs to.")
    min_status: str | None = Field(description="The least status of the values that counted.")
    followed_values: list[FollowedShape] | None = Field(
        description="Values it rests on that were followed or retracted since."
    )


class VerdictSummary(BaseModel):
    """A verdict on record without its criteria."""

    id: int
    created_at: datetime.datetime
    by: str
    software: str
    run: int | None
    min_status: str | None
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
    evidence_complete: EvidenceComplete
    evidence_submission: AttachedShape | None
    inputs_digest: str
    semantics: int


class DamagedVerdict(BaseModel):
    """A verdict that cannot be read any more, and why."""

    id: int
    code: str
    message: str


class VerdictPage(BaseModel):
    """One page of verdicts."""

    items: list[VerdictSummary]
    next: str | None
    damaged: list[DamagedVerdict]


class VerdictList(BaseModel):
    """Verdicts that were put on record together."""

    items: list[StoredVerdict]
