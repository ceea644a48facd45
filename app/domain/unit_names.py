"""Which unit does somebody mean? By code, or by a name spelled in any of the usual ways.

Tones and vowels count first; a name typed without diacritics is found when only one unit fits.
Who asks for a unit that has ended by the day learns what it has become.
"""

from __future__ import annotations

import collections
import datetime
from collections.abc import Iterable, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.unit_lookup import COLUMNS, SOURCE, Found, by_ids, found
from app.domain.vietnamese import loose_key, name_key, split_type

MOST_CANDIDATES: Final = 50


class Asked(msgspec.Struct, frozen=True):
    """A unit as somebody wrote it down: code, or name with province and district; and the day."""

    on: datetime.date
    code: str | None = None
    name: str | None = None
    province: str | None = None
    district: str | None = None

    def name_keys(self) -> frozenset[str]:
        """Return the keys under which the name may stand, with and without its first words."""
        if self.name is None:
            return frozenset()
        return frozenset({name_key(self.name), name_key(split_type(self.name)[1])} - {""})


class Named(msgspec.Struct, frozen=True):
    """A unit with the keys of its name: exact, and without tones and diacritics."""

    unit: Found
    key: str
    loose: str

    @classmethod
    def of(cls, unit: Found) -> Named:
        """Return the unit with its keys."""
        key = _own_key(str(unit.shown["name"]))
        return cls(unit, key, loose_key(key))

    def has_code(self, text: str) -> bool:
        """Tell whether this is the unit's code or key."""
        return text in (self.unit.shown["code"], self.unit.key)


class Existing:
    """The units of a day that a request can mean, by code and by name."""

    def __init__(self, units: Iterable[Found]) -> None:
        self._by_code: dict[str, list[Named]] = collections.defaultdict(list)
        self._by_name: dict[str, list[Named]] = collections.defaultdict(list)
        for one in map(Named.of, units):
            self._by_code[one.unit.shown["code"]].append(one)
            self._by_code[one.unit.key].append(one)
            self._by_name[one.loose].append(one)

    def fitting(self, asked: Asked) -> list[Named]:
        """Return whatever has the code or a name like the one asked for, in Vietnamese order."""
        found = {one.unit.id: one for one in self._by_code.get(asked.code or "", ())}
        for key in asked.name_keys():
            found |= {one.unit.id: one for one in self._by_name.get(loose_key(key), ())}
        return sorted(found.values(), key=lambda one: (one.unit.sort_key, one.unit.key))


class Resolved(msgspec.Struct, frozen=True):
    """The one unit meant, or None with candidates; and what it has become, if it has ended."""

    unit: Found | None
    candidates: Sequence[Found] = ()
    successors: Sequence[Found] = ()

    def shown(self) -> dict[str, Any]:
        """Return it as it is answered."""
        return {
            "unit": self.unit.shown if self.unit else None,
            "candidates": [one.shown for one in self.candidates[:MOST_CANDIDATES]],
            "successors": [one.shown for one in self.successors],
        }


_WANTED: Final = """
(v.code = ANY($2::varchar[]) OR u.key = ANY($2::varchar[]) OR v.loose_key = ANY($3::varchar[]))
"""
_OF_DAY: Final = f"SELECT {COLUMNS} {SOURCE} AND {_WANTED}"
# Units with one of these codes or names that had ended by the day, and their last day.
_ENDED: Final = f"""
SELECT u.id, max(v.valid_to) - 1 AS last_day FROM unit_version v JOIN unit u ON u.id = v.unit_id
 WHERE {_WANTED}
 GROUP BY u.id HAVING bool_and(v.valid_to <= $1)
"""
_BECAME: Final = """
WITH RECURSIVE next(origin, id) AS (
  SELECT one, one FROM unnest($1::int[]) one
   UNION SELECT n.origin, l.to_unit_id FROM lineage l JOIN next n ON l.from_unit_id = n.id
          WHERE l.effective_on <= $2)
SELECT origin, id FROM next WHERE origin <> id
"""


async def resolve(connection: asyncpg.Connection, asked: Sequence[Asked]) -> list[Resolved]:
    """Return for each unit asked for what is found, in a few statements for each day."""
    answers: dict[int, Resolved] = {}
    for day in sorted({one.on for one in asked}):
        of_day = {place: one for place, one in enumerate(asked) if one.on == day}
        codes, names = _wanted(of_day.values())
        rows = await connection.fetch(_OF_DAY, day, codes, names)
        existing = Existing(found(row, day) for row in rows)
        unknown = {}
        for place, one in of_day.items():
            answers[place], fits = _choose(one, existing)
            if not fits:
                unknown[place] = one
        for place, successors in (await _became(connection, unknown, day)).items():
            answers[place] = Resolved(None, answers[place].candidates, successors)
    return [answers[place] for place in range(len(asked))]


def _wanted(asked: Iterable[Asked]) -> tuple[list[str], list[str]]:
    """Return the codes and the loose keys of the names that are asked for."""
    asked = list(asked)
    names = {loose_key(key) for one in asked for key in one.name_keys()}
    return sorted({one.code for one in asked if one.code}), sorted(names)


def _choose(asked: Asked, existing: Existing) -> tuple[Resolved, bool]:
    """Decide which unit of the day is meant, and whether any fits all that was asked for.

    More than one, and such as contradict something, are candidates.
    """
    fitting = existing.fitting(asked)
    if asked.code is not None:
        for one in fitting:
            if one.has_code(asked.code) and _agrees(asked, one, exactly=False):
                return Resolved(one.unit), True
        return Resolved(None, [one.unit for one in fitting]), False
    # What is typed without any diacritics may mean any name that it looks like.
    plain = asked.name is not None and asked.name.isascii()
    for exactly in (False,) if plain else (True, False):
        named = [one for one in fitting if _agrees(asked, one, exactly=exactly)]
        chosen = [one.unit for one in named if _of_type(asked, one)]
        if len(chosen) == 1:
            return Resolved(chosen[0]), True
        if named:
            return Resolved(None, chosen or [one.unit for one in named]), bool(chosen)
    return Resolved(None, [one.unit for one in fitting]), False


async def _became(
    connection: asyncpg.Connection, asked: dict[int, Asked], day: datetime.date
) -> dict[int, list[Found]]:
    """Return what the ended units have become that were asked for, by place in the request."""
    codes, names = _wanted(asked.values())
    if not codes and not names:
        return {}
    ended = await _as_they_were(connection, await connection.fetch(_ENDED, day, codes, names))
    edges = await connection.fetch(_BECAME, [unit.id for unit in ended], day)
    now = {unit.id: unit for unit in await by_ids(connection, [one["id"] for one in edges], day)}
    targets: dict[int, set[int]] = collections.defaultdict(set)
    for edge in edges:
        targets[edge["origin"]].add(edge["id"])
    past = Existing(ended)
    became: dict[int, list[Found]] = {}
    for place, one in asked.items():
        meant = _meant(one, past.fitting(one))
        ids = {target for id_ in meant for target in targets[id_]}
        if successors := [now[id_] for id_ in now if id_ in ids]:
            became[place] = successors
    return became


async def _as_they_were(
    connection: asyncpg.Connection, ended: Sequence[asyncpg.Record]
) -> list[Found]:
    by_day: dict[datetime.date, list[int]] = collections.defaultdict(list)
    for row in ended:
        by_day[row["last_day"]].append(row["id"])
    return [unit for day, ids in by_day.items() for unit in await by_ids(connection, ids, day)]


def _meant(asked: Asked, past: Sequence[Named]) -> list[int]:
    """Return the ids of the ended units that fit what was asked for; an exact name comes first."""
    for exactly in (True, False):
        fitting = [
            was.unit.id
            for was in past
            if (asked.code is None or was.has_code(asked.code))
            and _agrees(asked, was, exactly=exactly)
            and _of_type(asked, was)
        ]
        if fitting:
            return fitting
    return []


def _agrees(asked: Asked, one: Named, *, exactly: bool) -> bool:
    """Tell whether name, province and district, as far as given, are the unit's."""
    keys = asked.name_keys()
    same = one.key in keys if exactly else one.loose in {loose_key(key) for key in keys}
    return (asked.name is None or same) and _lies(asked, one.unit)


def _of_type(asked: Asked, one: Named) -> bool:
    """Tell whether the unit is of the type written before its name, if one is written."""
    types, rest = split_type(asked.name or "")
    if not types or loose_key(name_key(rest)) != one.loose:
        return True  # what looks like a type is the beginning of the name
    return one.unit.shown["type"] in types


def _lies(asked: Asked, unit: Found) -> bool:
    """Tell whether the unit lies in the province and district asked for, by code or name."""
    above = {one["level"]: one for one in unit.shown["path"]}
    wanted = {"province": asked.province, "district": asked.district}
    return all(
        text is None or (level in above and _is(above[level], text))
        for level, text in wanted.items()
    )


def _is(unit: dict[str, Any], text: str) -> bool:
    if text in (unit["code"], unit["unit"]):
        return True
    own = loose_key(_own_key(unit["name"]))
    return own in {loose_key(name_key(text)), loose_key(_own_key(text))}


def _own_key(name: str) -> str:
    return name_key(split_type(name)[1])
