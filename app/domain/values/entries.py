"""Values as they are handed in: checked against the catalogue, placed in the register.

One path for JSON, one value, and files: every complaint names the value by its place in what was
sent and the field that is wrong.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.refusals import Complaint, no_indicator, no_period, pointer
from app.domain.territory import Territory, outside
from app.domain.unit_periods import Entity, Meant, Unclear, resolve
from app.rules.errors import FactError, Text
from app.rules.facts import Fact, check_sound, read_fact
from app.rules.indicators import Indicator
from app.rules.period import Period, read_period
from app.rules.registry import Registry

LONGEST_SOURCE: Final = 500
LONGEST_NOTE: Final = 2_000


def has_only_text(text: str) -> bool:
    """Tell whether text has nothing but what can be seen, in one line or several."""
    return all(char.isprintable() or char in "\n\r\t" for char in text)


class Entry(msgspec.Struct, frozen=True):
    """A value as handed in, checked by itself; `number` is its place among those sent with it."""

    number: int
    meant: Meant
    indicator: Indicator
    fact: Fact
    source: str
    measured_on: datetime.date | None = None
    note: str | None = None

    @property
    def period(self) -> Period:
        """Return the period it speaks of."""
        return self.meant.period


class Placed(msgspec.Struct, frozen=True):
    """An entry and the unit it belongs to."""

    entry: Entry
    unit: Entity

    @property
    def key(self) -> tuple[int, str, str]:
        """Return what names the value: unit, indicator, period."""
        return self.unit.id, self.entry.indicator.code, self.entry.period.text


class EntryComplaint(msgspec.Struct, frozen=True):
    """What is wrong with a value: which one, which field (and where within it), why."""

    number: int
    field: str
    code: str
    message: Text
    within: str = ""


class Read:
    """Values that were sent, as far as they can be read, and what is wrong with the others.

    `meant` names the unit of every value whose period can be read: one fault hides no other.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.meant: dict[int, Meant] = {}
        self.complaints: list[EntryComplaint] = []

    def add(self, catalogue: Mapping[str, Indicator], number: int, raw: Mapping[str, Any]) -> None:
        """Read one value; what is wrong with it goes to the complaints."""
        period, indicator = read_period(raw["period"]), catalogue.get(raw["indicator"])
        if period is None:
            self.complain(number, "period", "invalid-period", no_period(raw["period"]))
        else:
            self.meant[number] = Meant(raw["unit"], period, raw.get("on"))
        if indicator is None:
            self.complain(number, "indicator", "unknown-indicator", no_indicator(raw["indicator"]))
            return
        try:
            fact = read_fact(indicator, raw["value"])
            check_sound(indicator, fact)
        except FactError as error:
            field = "indicator" if error.code == "not-a-fact" else "value"
            self.complain(number, field, error.code, error.message, error.pointer)
            return
        if period is not None:
            given = (raw["source"], raw.get("measured_on"), raw.get("note"))
            self.entries.append(Entry(number, self.meant[number], indicator, fact, *given))

    def complain(self, number: int, field: str, code: str, message: Text, within: str = "") -> None:
        """Say what is wrong with a value."""
        self.complaints.append(EntryComplaint(number, field, code, message, within))


def repeats_number(first: int) -> Text:
    """Say which value one repeats, by its number in the list."""
    return Text(
        f"trùng với mục {first} (cùng đơn vị, kỳ, chỉ số); chỉ giữ một mục",
        f"repeats number {first} (same unit, period, indicator); keep one",
    )


async def place(
    connection: asyncpg.Connection,
    territory: Territory,
    registry: Registry,
    read: Read,
    repeated: Callable[[int], Text] = repeats_number,
) -> list[Placed]:
    """Return the entries with their units; what is wrong with others goes to the complaints."""
    found = await resolve(connection, read.meant.values())
    for number, meant in read.meant.items():
        unit = found[meant]
        if isinstance(unit, Unclear):
            read.complain(number, unit.field, unit.code, unit.message)
        elif not territory.reaches(unit):
            read.complain(number, "unit", "outside-territory", outside(unit))
    first: dict[tuple[int, str, str], Placed] = {}
    for entry in read.entries:
        unit = found[entry.meant]
        if isinstance(unit, Entity) and territory.reaches(unit):
            one = Placed(entry, unit)
            earlier = first.setdefault(one.key, one)
            if earlier is not one:
                message = repeated(earlier.entry.number)
                read.complain(entry.number, "indicator", "duplicate-value", message)
            _check_level(one, registry, read)
    read.complaints.sort(key=lambda one: one.number)
    return list(first.values())


def as_complaints(
    found: Iterable[EntryComplaint], *parts: str | int, numbered: bool = True
) -> list[Complaint]:
    """Return complaints with JSON pointers; `parts` lead to the list, or to the one value."""
    return [
        Complaint(
            pointer(*parts, *([one.number] if numbered else []), one.field) + one.within,
            one.code,
            one.message,
        )
        for one in found
    ]


def _check_level(one: Placed, registry: Registry, read: Read) -> None:
    """Complain about a unit of a level at which nobody measures the indicator."""
    indicator, unit = one.entry.indicator, one.unit
    if unit.level in registry.levels_recorded(indicator.code):
        return
    code, wanted = indicator.code, ", ".join(indicator.levels)
    message = Text(
        f"{code} là chỉ số của cấp {wanted}; {unit.named} thuộc cấp {unit.level}",
        f"{code} is measured at level {wanted}; {unit.named} is of level {unit.level}",
    )
    read.complain(one.entry.number, "indicator", "wrong-level", message)
