"""Decisions on submissions as they are handed in: on whose decision, by which document, and why."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Final

import msgspec

from app.domain.evidence import chain, slots
from app.domain.evidence.chain import Action
from app.domain.evidence.editing import Held
from app.domain.refusals import Complaint, Refused, pointer
from app.domain.territory import Official
from app.rules.errors import Text
from app.rules.registry import Registry


class Document(msgspec.Struct, frozen=True):
    """The document by which an office acts: number, symbol, day, who signed it."""

    number: str
    symbol: str
    date: datetime.date
    signer: str


class Item(msgspec.Struct, frozen=True):
    """What is wrong with a slot, where a submission is returned or refused."""

    slot: str
    reason: str


class Decision(msgspec.Struct, frozen=True):
    """What is to be done with a submission, on whose decision, by which document, and why."""

    action: Action
    document: Document
    official: Official
    reason: str | None = None
    items: Sequence[Item] = ()


def check(registry: Registry, held: Held, decision: Decision, day: datetime.date) -> None:
    """Raise Refused with what is wrong with a decision by itself."""
    complaints = []
    known = registry.slots.get(held.ruleset, {})
    if decision.document.date > day:
        complaints.append(Complaint("/document/date", "future-day", _FUTURE))
    named = [one.slot for one in decision.items]
    for number, one in enumerate(decision.items):
        if one.slot in named[:number]:
            where = pointer("items", number, "slot")
            complaints.append(Complaint(where, "duplicate-item", _TWICE))
        if one.slot not in known:
            where = pointer("items", number, "slot")
            complaints.append(Complaint(where, "unknown-slot", slots.unknown(held.ruleset)))
    if decision.action in chain.REASONED:
        if decision.reason is None:
            complaints.append(Complaint("/reason", "missing-field", _WHY))
        if known and not decision.items:
            complaints.append(Complaint("/items", "missing-field", _WHICH))
    if complaints:
        raise Refused(complaints)


_FUTURE: Final = Text(
    "ngày văn bản ở tương lai; hãy ghi ngày đã ký văn bản",
    "the day of the document is to come; give the day on which it was signed",
)
_WHY: Final = Text(
    "trả lại hoặc từ chối phải có lý do; hãy ghi reason", "return and refusal need a reason"
)
_TWICE: Final = Text(
    "mục minh chứng này được nêu hai lần; hãy gộp lý do vào một mục",
    "the slot is named twice; put its reasons into one item",
)
_WHICH: Final = Text(
    "hãy nêu lý do cho từng mục minh chứng: items [{slot, reason}]",
    "say for each slot concerned what is wrong: items [{slot, reason}]",
)
