"""The slots of every ruleset with their forms, and what is wrong with the forms of a pack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from app.rules.errors import Fault, Text
from app.rules.forms import Form, FormFile, Need, Slot, SlotNeeds
from app.rules.names import placed
from app.rules.packs import Parsed, Place
from app.rules.ruleset import Criterion, Evidence, Ruleset

# A ruleset with the file that it stands in; forms and slots are those of the same pack.
Found = tuple[Parsed, Ruleset]
Slots = Mapping[str, Mapping[str, Slot]]


class _Told(msgspec.Struct, frozen=True):
    """What a pack says of its forms, by what its evidence calls them, and of its slots."""

    forms: Mapping[str, Form]
    needs: Mapping[str, SlotNeeds]


def slots_of(parsed: Sequence[Parsed], rulesets: Iterable[Found]) -> Slots:
    """Return the slots by ruleset and id, in the order of the document."""
    told = {one.pack.name: _told(parsed, one.pack.name) for one in parsed}
    return {
        ruleset.ruleset: {
            evidence.slot: _slot(criterion, evidence, told[one.pack.name])
            for _, criterion, evidence in _evidence(ruleset)
        }
        for one, ruleset in rulesets
    }


def slot_faults(parsed: Sequence[Parsed], rulesets: Sequence[Found]) -> Iterator[Fault]:
    """Yield what is wrong with forms and slots: given twice, unknown, or not going together."""
    for one, ruleset in rulesets:
        yield from _repeated_slots(one, ruleset)
    yield from _repeated(parsed)
    for one, place, needs in _all_needs(parsed):
        slots = [
            evidence
            for other, ruleset in rulesets
            if other.pack.name == one.pack.name
            for _, _, evidence in _evidence(ruleset)
            if evidence.slot == needs.slot
        ]
        if not slots:
            yield one.source.fault((*place, "slot"), "unknown-slot", _NO_SLOT)
        for evidence in slots[:1]:
            yield from _misfits(one, place, needs, evidence, _told(parsed, one.pack.name))


def _told(parsed: Iterable[Parsed], pack: str) -> _Told:
    mine = [one for one in parsed if one.pack.name == pack]
    return _Told(
        {form.called: form for _, _, form in _all_forms(mine)},
        {needs.slot: needs for _, _, needs in _all_needs(mine)},
    )


def _slot(criterion: Criterion, evidence: Evidence, told: _Told) -> Slot:
    form = told.forms.get(evidence.form or "")
    said = told.needs.get(evidence.slot)
    usual: tuple[Need, ...] = ("list",) if form else ("file",)
    return Slot(
        slot=evidence.slot,
        criterion=criterion.id,
        indicator=criterion.indicator,
        evidence=evidence,
        form=form,
        needs=said.needs if said else usual,
        in_parts=said.in_parts if said else None,
    )


def _evidence(ruleset: Ruleset) -> Iterator[tuple[Place, Criterion, Evidence]]:
    for place, criterion in placed(ruleset):
        for number, evidence in enumerate(criterion.evidence):
            yield (*place, "evidence", number), criterion, evidence


def _all_forms(parsed: Iterable[Parsed]) -> Iterator[tuple[Parsed, Place, Form]]:
    for one in parsed:
        if isinstance(one.model, FormFile):
            for number, form in enumerate(one.model.forms):
                yield one, ("forms", number), form


def _all_needs(parsed: Iterable[Parsed]) -> Iterator[tuple[Parsed, Place, SlotNeeds]]:
    for one in parsed:
        if isinstance(one.model, FormFile):
            for number, needs in enumerate(one.model.slots):
                yield one, ("slots", number), needs


def _repeated_slots(one: Parsed, ruleset: Ruleset) -> Iterator[Fault]:
    seen = set()
    for place, _, evidence in _evidence(ruleset):
        if evidence.slot in seen:
            yield one.source.fault((*place, "slot"), "duplicate-id", _TWICE)
        seen.add(evidence.slot)


def _repeated(parsed: Sequence[Parsed]) -> Iterator[Fault]:
    """Yield the forms and slots that are given twice: an id of a form by any pack."""
    seen: set[tuple[str, ...]] = set()
    for one, place, form in _all_forms(parsed):
        keys = {"form": ("form", form.form), "called": ("called", one.pack.name, form.called)}
        for name, key in keys.items():
            if key in seen:
                yield one.source.fault((*place, name), "duplicate-id", _TWICE)
            seen.add(key)
    for one, place, needs in _all_needs(parsed):
        key = ("slot", one.pack.name, needs.slot)
        if key in seen:
            yield one.source.fault((*place, "slot"), "duplicate-id", _TWICE)
        seen.add(key)


def _misfits(
    one: Parsed, place: Place, needs: SlotNeeds, evidence: Evidence, told: _Told
) -> Iterator[Fault]:
    """Yield what a slot cannot have: a list without a form, or parts that nobody signs."""
    if "list" in needs.needs and evidence.form not in told.forms:
        yield one.source.fault((*place, "needs"), "unknown-form", _NO_FORM)
    named = [confirmation.who for confirmation in evidence.confirmed_by]
    if needs.in_parts is not None and needs.in_parts not in named:
        shown = ", ".join(f"“{who}”" for who in named) or "-"
        message = Text(
            f"mục này không do bên đó xác nhận; những bên xác nhận: {shown}",
            f"the evidence is not confirmed by it; who confirms: {shown}",
        )
        yield one.source.fault((*place, "in_parts"), "unknown-signer", message)


_NO_SLOT: Final = Text(
    "không bộ quy tắc nào của gói có mục minh chứng (slot) này",
    "no ruleset of the pack has this slot",
)
_NO_FORM: Final = Text(
    "mục này cần danh sách nhưng biểu mẫu (form) của nó chưa được khai báo ở forms",
    "the slot needs a list, but the form of its evidence is not declared under forms",
)
_TWICE: Final = Text(
    "đã được khai báo; mỗi mã chỉ dùng một lần", "it is declared already; use it once"
)
