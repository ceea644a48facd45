"""Slots and confirmations, as they are handed in and shown."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from app.api.evidence_shapes import ActingDocument, Code, DocumentIn
from app.api.officials import Change
from app.api.shapes import Day, Line, Strict, Words
from app.domain.evidence import Step
from app.domain.evidence.confirmations import Signature
from app.domain.evidence.findings import Kind
from app.rules.forms import Slot

Need = Literal["list", "finding", "file"]
RequiredBy = Literal["text", "form", "both"]


class SignatureIn(Strict):
    """Somebody has signed a list: one part of it, or the whole."""

    who: Line
    part: Code | None = None
    signed_on: Day
    document: DocumentIn | None = None

    def signature(self) -> Signature:
        """Return it in the words of the domain."""
        told = self.document
        document = None if told is None else told.model_dump(mode="json")
        return Signature(self.who, self.part or "", self.signed_on, document)


class ConfirmationsIn(Change):
    """All signatures under the list of a slot."""

    confirmations: list[SignatureIn] = Field(max_length=2_000)


class Parts(BaseModel):
    """How many parts are there, or signed, of how many."""

    received: int
    of: int


class SignedParts(BaseModel):
    """How many parts are signed, of how many."""

    signed: int
    of: int


class SlotConfirmation(BaseModel):
    """Who confirms, by what it is demanded, how many parts are signed.

    `outdated` counts signatures under lists that have changed since.
    """

    who: str
    required_by: RequiredBy
    parts: SignedParts
    outdated: int


class SlotMissing(BaseModel):
    """What a slot still lacks: of which part, by whom."""

    code: str
    part: str | None
    who: str | None


class SlotFile(BaseModel):
    """A file of the commune."""

    name: str
    sha256: str
    size: int
    media: str


class SlotFinding(BaseModel):
    """A check in short."""

    id: int
    kind: Kind
    found_on: datetime.date
    holds: bool
    step: Step


class SlotShape(BaseModel):
    """A slot: what the document demands, what is there, what is still missing.

    `present`: all kinds of evidence it needs are there; `complete`: and everybody has confirmed.
    `list_total` counts the rows of a list, `stated_total` is what the list says itself,
    `claimed_numerator` that of the indicator's value, `population` how those whom the list names
    differ from those whom the indicator counts: none of them becomes another.
    """

    slot: str
    criterion: str
    indicator: str | None
    form: str | None
    text: str
    required: bool
    needs: list[Need]
    present: bool
    complete: bool
    missing: list[SlotMissing]
    list_total: int | None
    stated_total: int | None
    claimed_numerator: int | None
    population: Words | None
    parts: Parts | None
    repeated: int | None
    contradictions: list[str]
    confirmations: list[SlotConfirmation]
    verification: Words | None
    files: list[SlotFile]
    findings: list[SlotFinding]
    sha256: str | None


class ListOfPart(BaseModel):
    """The list of a part, or the whole list.

    `repeated` counts rows that repeat a name of this list, `repeated_before` names that stand in
    the list of a part before it.
    """

    part: str | None
    rows: int
    stated_total: int | None
    repeated: int
    repeated_before: int
    digest: str
    at: datetime.datetime


class SignatureShape(BaseModel):
    """A signature under a list."""

    who: str
    part: str | None
    signed_on: datetime.date
    document: ActingDocument | None


class WholeSlotShape(SlotShape):
    """A slot with its lists part by part, and its signatures."""

    lists: list[ListOfPart]
    signatures: list[SignatureShape]


class SlotPage(BaseModel):
    """The slots of a submission, in the order of the document."""

    items: list[SlotShape]
    next: str | None


def shown_slot(slot: Slot, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a slot with what the document says of it."""
    evidence = slot.evidence
    kept = {name: value for name, value in state.items() if name != "list"}
    return (
        kept
        | _list(slot, state["list"])
        | {
            "indicator": slot.indicator,
            "text": evidence.text,
            "required": True,
            "missing": [
                {"code": one["code"], "part": one.get("part"), "who": one.get("who")}
                for one in state["missing"]
            ],
            "confirmations": [
                {
                    "who": one["who"],
                    "required_by": one["required_by"],
                    "parts": {"signed": one["signed"], "of": one["of"]},
                    "outdated": one["outdated"],
                }
                for one in state["confirmations"]
            ],
            "verification": evidence.verification and evidence.verification.model_dump(),
        }
    )


_COUNTED: Final = ("list_total", "stated_total", "claimed_numerator", "repeated", "contradictions")


def _list(slot: Slot, state: Mapping[str, Any] | None) -> dict[str, Any]:
    if state is None:
        return dict.fromkeys((*_COUNTED, "population", "parts")) | {"contradictions": []}
    population = slot.form and slot.form.population
    return {name: state[name] for name in _COUNTED} | {
        "population": population.model_dump() if population else None,
        "parts": {"received": state["received"], "of": state["of"]},
    }
