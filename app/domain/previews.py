"""Previews: raw facts of a unit in, a judgement out; every complaint at once, nothing stored.

The same path serves the preview over HTTP and `ntm evaluate --facts`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.domain.refusals import Complaint, Refused, no_indicator, pointer
from app.rules.errors import FactError, Text
from app.rules.evaluate import Compiled
from app.rules.facts import Given, Recorded, printable, read_fact
from app.rules.period import Period
from app.rules.registry import Entry, Registry
from app.rules.verdict import Designation, Inputs, Judgement, Member
from app.rules.vocabulary import TYPES


class Described(msgspec.Struct, frozen=True):
    """A unit as the caller describes it, not (yet) as the register knows it."""

    level: str
    code: str | None = None
    type: str | None = None
    name: str | None = None
    attributes: Mapping[str, bool] = {}
    designations: Sequence[Designation] = ()

    def shown(self) -> dict[str, Any]:
        """Return the unit as it is repeated in the verdict."""
        return {
            "level": self.level,
            "code": self.code,
            "type": self.type,
            "name": self.name,
            "attributes": dict(self.attributes),
            "designations": [
                {
                    "model": one.model,
                    "decision": one.decision,
                    "date": one.date.isoformat() if one.date else None,
                }
                for one in self.designations
            ],
        }


class Subject(msgspec.Struct, frozen=True):
    """A unit, its raw facts and those of its members, on a day.

    `recorded` are facts already read and chosen for the period, with their provenance; `scope`
    is what the register says of a unit that has a code (`app.domain.scope`), `complaints` what it
    has against the unit.
    """

    unit: Described
    as_of: datetime.date
    facts: Mapping[str, Any]
    members: Sequence[tuple[Described, Mapping[str, Any]]] | None = None
    recorded: Mapping[str, Recorded] = {}
    period: Period | None = None
    scope: str | None = None
    complaints: Sequence[Complaint] = ()


def judge(registry: Registry, ruleset: str, subject: Subject) -> tuple[Compiled, Judgement]:
    """Judge a subject by a ruleset; raise Refused with every complaint about what was given."""
    complaints = list(subject.complaints)
    entry = known_ruleset(registry, ruleset, complaints)
    if entry is not None:
        check_level(entry.compiled, subject.unit.level, "/unit/level", complaints)
    if not complaints:  # a unit of another level is complaint enough
        _check_type(subject.unit, ("unit",), complaints)
    _check_attributes(registry, subject.unit, complaints)
    facts = _facts(registry, subject.facts, ("facts",), complaints)
    members = None
    if subject.members is not None:
        _check_members([unit for unit, _ in subject.members], complaints)
        members = tuple(
            Member(
                _facts(registry, raw, ("members", place, "facts"), complaints),
                unit.level,
                unit.type,
            )
            for place, (unit, raw) in enumerate(subject.members)
        )
    if complaints or entry is None:
        raise Refused(complaints)
    inputs = Inputs(
        as_of=subject.as_of,
        level=subject.unit.level,
        attributes=dict(subject.unit.attributes),
        designations=tuple(subject.unit.designations),
        facts={**facts, **subject.recorded},
        members=members,
        period=subject.period.text if subject.period else None,
        period_end=subject.period.last if subject.period else None,
        scope=subject.scope,
    )
    return entry.compiled, entry.compiled.evaluate(inputs)


def unknown_ruleset(registry: Registry, id_: str) -> Text:
    """Say that there is no such ruleset, and which there are."""
    shown, known = printable(id_), ", ".join(registry.entries)
    return Text(
        f"không có bộ quy tắc “{shown}”; các bộ đang có: {known}",
        f"there is no ruleset “{shown}”; known are: {known}",
    )


def unknown_attribute(registry: Registry, name: str) -> Text | None:
    """Say that there is no such area class, and which there are; None when there is."""
    known = [code for code, one in registry.indicators.items() if one.kind == "attribute"]
    if name in known:
        return None
    return Text(
        f"không có phân loại địa bàn “{printable(name)}”; các mã: {', '.join(known)}",
        f"there is no area class “{printable(name)}”; known are: {', '.join(known)}",
    )


def known_ruleset(registry: Registry, id_: str, complaints: list[Complaint]) -> Entry | None:
    """Return the ruleset, or None with a complaint that says which there are."""
    entry = registry.entries.get(id_)
    if entry is None:
        message = unknown_ruleset(registry, id_)
        complaints.append(Complaint("/ruleset", "unknown-ruleset", message))
    return entry


def check_level(compiled: Compiled, level: str, pointer: str, complaints: list[Complaint]) -> None:
    """Complain about a unit of a level that the ruleset is not for."""
    levels = (compiled.ruleset.level, *compiled.ruleset.also_levels)
    if level not in levels:
        id_, wanted = compiled.ruleset.ruleset, ", ".join(levels)
        message = Text(
            f"{id_} dành cho đơn vị cấp {wanted}, không phải {level}",
            f"{id_} is for units of level {wanted}, not {level}",
        )
        complaints.append(Complaint(pointer, "wrong-level", message))


def _check_type(unit: Described, place: tuple[str | int, ...], complaints: list[Complaint]) -> None:
    known = TYPES[unit.level]
    if unit.type is not None and unit.type not in known:
        names = ", ".join(known) or "-"
        message = Text(
            f"“{unit.type}” không phải loại đơn vị cấp {unit.level}; các loại: {names}",
            f"“{unit.type}” is no type of unit at level {unit.level}; its types: {names}",
        )
        complaints.append(Complaint(pointer(*place, "type"), "wrong-value", message))


def _check_members(members: Sequence[Described], complaints: list[Complaint]) -> None:
    """Complain about types that do not fit, and about a unit that is listed twice."""
    seen: dict[tuple[str, str], int] = {}
    for place, unit in enumerate(members):
        _check_type(unit, ("members", place, "unit"), complaints)
        if unit.code is None:
            continue
        first = seen.setdefault((unit.level, unit.code), place)
        if first != place:
            message = Text(
                f"đơn vị {unit.code} đã có ở members/{first}; chỉ ghi một lần",
                f"unit {unit.code} is given at members/{first} already; give it once",
            )
            where = pointer("members", place, "unit", "code")
            complaints.append(Complaint(where, "duplicate-member", message))


def _check_attributes(registry: Registry, unit: Described, complaints: list[Complaint]) -> None:
    for name in unit.attributes:
        if (message := unknown_attribute(registry, name)) is not None:
            where = pointer("unit", "attributes", name)
            complaints.append(Complaint(where, "unknown-attribute", message))


def _facts(
    registry: Registry,
    raw: Mapping[str, Any],
    place: tuple[str | int, ...],
    complaints: list[Complaint],
) -> dict[str, Given]:
    facts: dict[str, Given] = {}
    for code, value in raw.items():
        where = pointer(*place, code)
        indicator = registry.indicators.get(code)
        if indicator is None:
            complaints.append(Complaint(where, "unknown-indicator", no_indicator(code)))
            continue
        try:
            facts[code] = read_fact(indicator, value)
        except FactError as error:
            complaints.append(Complaint(where + error.pointer, error.code, error.message))
    return facts
