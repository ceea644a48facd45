"""A register in memory for the reading process: what its parent finds out in the database."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable
from pathlib import Path

import msgspec

import app.domain.register
from app.domain.reading.frames import Place
from app.domain.vietnamese import name_key, split_type
from app.rules.period import read_period

_FILE = Path(app.domain.register.__file__).with_name("units.csv")
_LENGTHS = (2, 3, 5)


class Unit(msgspec.Struct, frozen=True):
    """A unit of the register as its file has it."""

    number: int
    key: str
    level: str
    code: str
    type: str
    name: str
    above: str
    since: str
    until: str

    def exists(self, day: str) -> bool:
        """Tell whether it exists on a day."""
        return self.since <= day and (not self.until or day < self.until)


@functools.cache
def _units() -> tuple[Unit, ...]:
    with _FILE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Unit(
                number, row["unit"], row["level"], row["code"], row["type"], row["name"],
                row["parent_unit"], row["valid_from"], row["valid_to"],
            )
            for number, row in enumerate(csv.DictReader(file), 1)
        )  # fmt: skip


@functools.cache
def _by_key() -> dict[str, Unit]:
    return {one.key: one for one in _units()}


@functools.cache
def _on(day: str) -> tuple[dict[str, Unit], dict[str, list[Unit]]]:
    codes: dict[str, Unit] = {}
    names: dict[str, list[Unit]] = {}
    for one in _units():
        if one.exists(day):
            codes[one.code] = codes[one.key] = one
            names.setdefault(_own(one.name), []).append(one)
    return codes, names


def _own(name: str) -> str:
    return name_key(split_type(name)[1])


def find(place: Place) -> Unit | str:
    """Return the unit of a place, or the code of what is wrong."""
    period = read_period(place.period)
    assert period is not None
    codes, names = _on(place.on or period.last.isoformat())
    if place.code:
        found = [codes[place.code]] if place.code in codes else list(_restored(place.code, codes))
        wrong = "ambiguous-code"
    else:
        found = list(_named(place, names.get(_own(place.name or ""), ())))
        wrong = "ambiguous-unit"
    if len(found) == 1:
        return found[0]
    return wrong if found else "unit-not-found"


def is_restored(place: Place) -> bool:
    """Tell whether the unit was found by giving its code back its zeros."""
    found = find(place)
    return isinstance(found, Unit) and place.code not in (None, found.code, found.key)


def _restored(code: str, codes: dict[str, Unit]) -> Iterable[Unit]:
    for length in _LENGTHS:
        if code.isdigit() and length > len(code) and code.zfill(length) in codes:
            yield codes[code.zfill(length)]


def _named(place: Place, units: Iterable[Unit]) -> Iterable[Unit]:
    types, _ = split_type(place.name or "")
    for one in units:
        above = [_own(up.name) for up in _path(one)]
        wanted = [_own(text) for text in (place.district, place.province) if text]
        if (not types or one.type in types) and all(name in above for name in wanted):
            yield one


def _path(unit: Unit) -> Iterable[Unit]:
    while unit.above in _by_key():
        unit = _by_key()[unit.above]
        yield unit
