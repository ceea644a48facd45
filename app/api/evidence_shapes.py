"""Submissions of evidence, as they are handed in and shown."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Final

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from app.api.errors import MEDIA_TYPE, REF, ProblemDocument
from app.api.moments import PeriodIn
from app.api.officials import Change, OfficialIn
from app.api.preconditions import Version
from app.api.run_shapes import UnitInShort
from app.api.shapes import Day, Line, Strict, one_line
from app.api.unit_shapes import Place
from app.domain.evidence import State, Step
from app.domain.evidence.chain import Action, Route
from app.domain.submissions.decisions import Decision, Document, Item
from app.domain.territory import Official

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
Reason = Annotated[
    str, BeforeValidator(one_line), StringConstraints(min_length=3, max_length=2_000, strict=True)
]
SlotInPath = Annotated[str, Path(max_length=120, description="Id of a slot of the ruleset.")]
SlotName = Annotated[str, StringConstraints(min_length=1, max_length=120)]


class PartIn(Strict):
    """A part of the commune (khu dân cư, thôn, ấp): its code within the commune, its name."""

    code: Code
    name: Line


class PartsIn(Change):
    """All parts of the commune whose lists and signatures come apart."""

    parts: list[PartIn] = Field(max_length=500)


class SubmissionIn(Change):
    """What a submission of evidence is for; without parts the register's hamlets are taken."""

    unit: Place
    on: Day | None = None
    ruleset: str = Field(max_length=120)
    period: PeriodIn
    parts: list[PartIn] | None = Field(default=None, max_length=500)


class DocumentIn(Strict):
    """The document by which an office acts."""

    number: Line
    symbol: Line
    date: Day
    signer: Line


class ItemIn(Strict):
    """What is wrong with a slot."""

    slot: SlotName
    reason: Reason


class DecisionIn(Strict):
    """What an office does with a submission, on whose decision, by which document, and why.

    Return and refusal need a reason, and items for the slots concerned. Our extension: 3445 4.1
    prescribes verification, appraisal and approval for proposals of pilot models only.
    """

    action: Action
    document: DocumentIn
    acting_official: OfficialIn
    reason: Reason | None = None
    items: list[ItemIn] = Field(default=[], max_length=200)
    version: Version = None

    def decision(self) -> Decision:
        """Return it in the words of the domain."""
        document, by = self.document, self.acting_official
        return Decision(
            self.action,
            Document(document.number, document.symbol, document.date, document.signer),
            Official(by.id, by.office, by.position),
            self.reason,
            [Item(one.slot, one.reason) for one in self.items],
        )


class OneDecisionIn(DecisionIn):
    """A decision on one of several submissions; it says which state it means."""

    id: int = Field(ge=1, le=10**15 - 1)
    version: str = Field(max_length=100)


class DecisionsIn(Strict):
    """Decisions on several submissions; each is made or refused by itself."""

    decisions: list[OneDecisionIn] = Field(min_length=1, max_length=100)


class ActingDocument(BaseModel):
    """The document by which an office acted."""

    number: str
    symbol: str
    date: datetime.date
    signer: str


class OfficialShape(BaseModel):
    """On whose decision an office acted: no name."""

    id: str
    office: str
    position: str


class ItemShape(BaseModel):
    """What was wrong with a slot."""

    slot: str
    reason: str


class TransitionDone(BaseModel):
    """A transition of a submission."""

    action: Action
    before: State | None
    after: State
    step: Step
    route: Route | None
    version: int
    reason: str | None
    day: datetime.date
    at: datetime.datetime
    by: str
    official: OfficialShape
    document: ActingDocument | None
    items: list[ItemShape]


class SubmissionInList(BaseModel):
    """A submission of evidence, as lists show it.

    `version` is meant by changes; `submitted_versions` counts how often it was submitted. `digest`
    is that of the ruleset by which it was opened, and then of that by which it was submitted last.
    """

    id: int
    unit: UnitInShort
    ruleset: str
    digest: str
    period: str
    state: State
    version: str
    submitted_versions: int
    route: Route | None
    submitted_on: datetime.date | None
    created_at: datetime.datetime
    changed_at: datetime.datetime
    by: str
    names_deleted_at: datetime.datetime | None
    files_deleted_at: datetime.datetime | None


class PartShape(BaseModel):
    """A part of the commune."""

    code: str
    name: str


class SubmissionShape(SubmissionInList):
    """A submission of evidence with its history; `may` is what the caller may do with it now."""

    parts: list[PartShape]
    may: list[Action]
    history: list[TransitionDone]


class SubmissionPage(BaseModel):
    """One page of submissions."""

    items: list[SubmissionInList]
    next: str | None


class IllegalTransition(ProblemDocument):
    """A refusal in this state: `may` is what the caller may do instead."""

    may: list[Action] | None = None


_illegal = IllegalTransition.model_json_schema(ref_template=REF)
_illegal.pop("$defs", None)
# What OpenAPI says of 409: it contradicts what is on record, or where the submission stands.
ILLEGAL: Final[dict[int | str, dict[str, Any]]] = {
    409: {
        "description": "It does not lead on from this state: `may` is what does; or it contradicts "
        "what is on record",
        "content": {MEDIA_TYPE: {"schema": _illegal}},
    }
}


class DecidedShape(BaseModel):
    """What became of one decision: the submission after it, or the problem."""

    id: int
    status: int
    submission: SubmissionShape | None
    problem: dict[str, Any] | None


class DecidedList(BaseModel):
    """What became of each decision, in the order in which they were sent."""

    items: list[DecidedShape]
