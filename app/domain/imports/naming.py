"""Units that a file names without a code, and names that contradict the code beside them."""

from __future__ import annotations

import bisect
import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import asyncpg
import msgspec

from app.domain import unit_names
from app.domain.reading.frames import Place
from app.domain.territory import Territory
from app.domain.unit_lookup import Found
from app.domain.unit_names import Asked, Resolved
from app.domain.unit_periods import Entity, Unclear
from app.domain.vietnamese import loose_key, name_key, split_type
from app.rules.errors import Text
from app.rules.facts import printable
from app.rules.period import read_period

_TOGETHER: Final = 200  # names looked up at once: each takes a while, others work meanwhile
_MOST_NAMED: Final = 5  # candidates that a sample names


class Doubtful(Unclear, frozen=True):
    """Why a code or name means no one unit: what it may mean stands in `sample`.

    The message speaks of none of them, so that all rows of one cause have one text.
    """

    sample: str


async def keys(
    connection: asyncpg.Connection, territory: Territory, places: Mapping[int, Place]
) -> dict[int, str | Unclear]:
    """Return for every place the key of the one unit that its name means, or why there is none.

    A unit may have changed its name within the period: it is looked for as it is called on the
    last day and on the first.
    """
    if not places:
        return {}
    changes = [row["day"] for row in await connection.fetch(_CHANGES)]
    places = {n: _with_level(place) for n, place in places.items()}
    asked = {n: found for n, place in places.items() if (found := _asked(place, changes))}
    distinct = list(dict.fromkeys(one for days in asked.values() for one in days))
    answers: dict[Asked, Resolved] = {}
    for first in range(0, len(distinct), _TOGETHER):
        part = distinct[first : first + _TOGETHER]
        answers |= zip(part, await unit_names.resolve(connection, part), strict=True)
    return {
        n: _key(territory, places[n], [(one, answers[one]) for one in days])
        for n, days in asked.items()
    }


def _with_level(place: Place) -> Place:
    """Return a place with its level; what is named by its province or district alone is that."""
    if place.name or not (place.district or place.province):
        return place
    return msgspec.structs.replace(place, level="district" if place.district else "province")


def _asked(place: Place, changes: Sequence[datetime.date]) -> list[Asked]:
    """Return what to look for, on days by which any other day between two changes can be told."""
    name = place.name or place.district or place.province
    district = place.district if place.name else None
    province = place.province if place.name or place.district else None
    period = read_period(place.period)
    if name is None or period is None:
        return []
    days = [datetime.date.fromisoformat(place.on)] if place.on else [period.last, period.first]
    told = {changes[max(bisect.bisect_right(changes, day) - 1, 0)]: None for day in days}
    return [Asked(day, None, name, province, district) for day in told]


def _key(
    territory: Territory, place: Place, answers: Sequence[tuple[Asked, Resolved]]
) -> str | Unclear:
    fitting = [_fitting(place, asked, answer) for asked, answer in answers]
    chosen = {one.key for of_day in fitting if (one := _one(territory, of_day)) is not None}
    if len(chosen) == 1:
        return chosen.pop()
    shown = printable(answers[0][0].name or "")
    if several := {one.key: one for of_day in fitting for one in of_day}:
        sample = f"{shown} → {_named(several.values())}"
        return Doubtful("unit", "ambiguous-unit", _SEVERAL, sample)
    similar = {
        one.key: one for _, answer in answers for one in (*answer.candidates, *answer.successors)
    }
    sample = f"{shown} ≈ {_named(similar.values())}" if similar else shown
    return Doubtful("unit", "unit-not-found", _NONE, sample)


def _fitting(place: Place, asked: Asked, answer: Resolved) -> list[Found]:
    """Return the units of a day that fit everything that is said of a place."""
    types, _ = split_type(asked.name or "")
    found = answer.candidates if answer.unit is None else [answer.unit]
    return [
        one
        for one in found
        if place.level in (None, one.level)
        and (one is answer.unit or not types or one.shown["type"] in types)
        and _lies(one, "province", asked.province)
        and _lies(one, "district", asked.district)
    ]


def _one(territory: Territory, fitting: Sequence[Found]) -> Found | None:
    """Return the one unit that fits; of several the one in the territory."""
    reached = [one for one in fitting if territory.reaches(one)] if len(fitting) > 1 else fitting
    return reached[0] if len(reached) == 1 else None


def _lies(unit: Found, level: str, text: str | None) -> bool:
    """Tell whether a unit lies in the province or district of this code or name."""
    above = [one for one in unit.shown["path"] if one["level"] == level]
    return text is None or any(
        _keys(text) & {one["unit"], one["code"], loose_key(name_key(split_type(one["name"])[1]))}
        for one in above
    )


def _named(units: Collection[Found]) -> str:
    """Return units for a message, with what they lie in; not more than a few."""
    named = ", ".join(_within(one) for one in list(units)[:_MOST_NAMED])
    return named + "…" * (len(units) > _MOST_NAMED)


def _within(unit: Found) -> str:
    above = ", ".join(one["name"] for one in reversed(unit.shown["path"]))
    return f"{unit.named}, {above}" if above else unit.named


_SEVERAL: Final = Text(
    "tên này chỉ nhiều đơn vị; hãy ghi mã, hoặc thêm cột huyện, tỉnh",
    "the name means several units; write the code, or add columns for district and province",
)
_NONE: Final = Text(
    "không có đơn vị tên này trong kỳ đó; hãy ghi mã đơn vị",
    "there is no unit of this name in that period; write the unit's code",
)


# The days on which anything in the register changed, in order, and one before all of them.
_CHANGES: Final = """
SELECT '1900-01-01'::date AS day UNION SELECT valid_from FROM unit_version WHERE valid_from NOTNULL
 UNION SELECT valid_to FROM unit_version WHERE valid_to NOTNULL ORDER BY day
"""
_CALLED: Final = """
SELECT v.unit_id, u.key, v.code, v.loose_key FROM unit_version v JOIN unit u ON u.id = v.unit_id
 WHERE v.unit_id = ANY($1::int[])
"""


async def contradictions(
    connection: asyncpg.Connection,
    places: Sequence[Place],
    found: Mapping[int, Entity | Unclear],
) -> dict[int, Unclear]:
    """Return the places whose code is of one unit and whose name, district or province of another.

    A unit may be called as at any time; a spreadsheet does not follow every change of a name.
    """
    doubly = {
        n: one
        for n, one in found.items()
        if isinstance(one, Entity) and places[n].code
        and (places[n].name or places[n].district or places[n].province or places[n].level)
    }  # fmt: skip
    called = await _called(connection, doubly.values())
    wrong: dict[int, Unclear] = {}
    for n, unit in doubly.items():
        place = places[n]
        if place.level not in (None, unit.level):
            wrong[n] = Doubtful("unit", "unit-mismatch", _MISMATCH, f"{unit.named} ≠ {place.level}")
        for text, id_ in (
            (place.name, unit.id), (place.district, unit.district_id),
            (place.province, unit.province_id),
        ):  # fmt: skip
            if text and not _keys(text) & called.get(id_ or 0, frozenset()):
                sample = f"{unit.named} ≠ {printable(text)}"
                wrong[n] = Doubtful("unit", "unit-mismatch", _MISMATCH, sample)
                break
    return wrong


async def _called(
    connection: asyncpg.Connection, units: Iterable[Entity]
) -> dict[int, frozenset[str]]:
    """Return the codes, the key, and the keys of all names of units and of what they lie in."""
    ids = {id_ for one in units for id_ in (one.id, one.district_id, one.province_id) if id_}
    known: dict[int, set[str]] = {id_: set() for id_ in ids}
    for row in await connection.fetch(_CALLED, list(ids)):
        known[row["unit_id"]] |= {row["key"], row["code"], row["loose_key"]}
    return {id_: frozenset(names) for id_, names in known.items()}


def _keys(text: str) -> set[str]:
    """Return what a name or code may be called in the register; a code may lack its zeros."""
    key, rest = name_key(text), name_key(split_type(text)[1])
    padded = {text.zfill(length) for length in (2, 3, 5)} if text.isascii() else {text}
    return {text, loose_key(key), loose_key(rest), *padded}


_MISMATCH: Final = Text(
    "mã không khớp với tên hoặc cấp ghi bên cạnh; hãy sửa mã, tên hoặc cấp",
    "the code does not go with the name or the level beside it; mend the code, name or level",
)
