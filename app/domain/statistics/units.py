"""The units that statistics count: those of a level in a territory, as far as the caller sees."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain import territory, unit_lookup, unit_periods
from app.domain.conditions import Conditions
from app.domain.refusals import Complaint, Refused
from app.domain.statistics import Asked, By, Group, Unit
from app.domain.territory import Place, Sight, Territory
from app.domain.unit_lookup import is_key
from app.domain.unit_periods import EVER, Entity, Meant
from app.rules import vocabulary
from app.rules.errors import Text

LEVELS: Final = tuple(vocabulary.LEVELS)  # from above
_UNITS: Final = """
SELECT v.unit_id, v.district_id, v.province_id, v.parent_id, v.valid_from, v.valid_to
  FROM unit_version v JOIN unit u ON u.id = v.unit_id
 WHERE u.level = $1 AND (v.valid_from IS NULL OR v.valid_from <= $3)
   AND (v.valid_to IS NULL OR v.valid_to > $2) AND {}
 ORDER BY v.unit_id, v.valid_from NULLS FIRST
"""
# Each as it was called on the day $2.
_ABOVE: Final = """
SELECT u.id, n.sort_key, u.key AS unit, n.code, u.level, n.type, n.name
  FROM unit u CROSS JOIN LATERAL (
    SELECT * FROM unit_version v
     WHERE v.unit_id = u.id AND (v.valid_from IS NULL OR v.valid_from <= $2)
     ORDER BY v.valid_from DESC NULLS LAST LIMIT 1) n
 WHERE u.id = ANY($1::int[])
"""
_SHOWN: Final = ("unit", "code", "level", "type", "name")


class Under(msgspec.Struct, frozen=True):
    """The territory asked for, and the unit it is the territory of; None: all that is seen."""

    territory: Territory | None = None
    shown: dict[str, Any] | None = None


def check_grouping(by: str, level: str) -> None:
    """Raise Refused unless units of a level can be counted by units of the level `by`."""
    if by != "none" and LEVELS.index(by) > LEVELS.index(level):
        message = Text(
            f"không thể gộp đơn vị cấp {level} theo cấp {by}; hãy chọn by là cấp trên hoặc cùng "
            "cấp, hoặc none",
            f"units of level {level} cannot be counted by {by}; choose a level above them, their "
            "own, or none",
        )
        raise Refused([Complaint("/by", "wrong-level", message)])


async def under(connection: asyncpg.Connection, sight: Sight, asked: Asked) -> Under:
    """Return the territory asked for; raise Absent unless it is known and something is visible.

    A code is read in the period, or on the day `on` where that is given: so the units of an older
    period can be asked for that lie in a territory of today. A key means its unit whenever it was.
    """
    if asked.under is None:
        return Under()
    if is_key(asked.under):
        ever = Meant(asked.under, EVER)
        found: Entity | unit_lookup.Found = await unit_periods.get(connection, ever, "/under")
    elif asked.on is None and asked.period is not None:
        meant = Meant(asked.under, asked.period)
        found = await unit_periods.get(connection, meant, "/under")
    else:
        day = asked.on or asked.today
        found = await unit_lookup.get(connection, asked.under, day, "/under")
    sight.require(found, "/under")
    reached = await territory.resolve(connection, found.id, found.level)
    shown = found.shown() if isinstance(found, Entity) else found.shown
    return Under(reached, {name: shown[name] for name in _SHOWN})


async def groups(
    connection: asyncpg.Connection, sight: Sight, asked: Asked, below: Under, level: str
) -> list[Group]:
    """Return the units of a level that lie in a territory at any time asked for, in groups.

    Units without a unit above of the level asked for stand in a group that shows none: there are
    no districts since 2025-07-01.
    """
    where = Conditions()
    for value in (level, asked.first, asked.last):
        where.mark(value)
    where.within(below.territory, "v")
    rows = await connection.fetch(_UNITS.format(where), *where.parameters)
    # Of the nation there are thousands: meanwhile others have their turn.
    together = await asyncio.to_thread(_together, rows, sight, asked.by, level)
    if asked.by == "none":
        return [Group("", below.shown, tuple(together.get(None, ())))]
    ids = [id_ for id_ in together if id_ is not None]
    above = await connection.fetch(_ABOVE, ids, asked.last)
    return await asyncio.to_thread(_in_order, together, above)


def _together(
    rows: Sequence[asyncpg.Record], sight: Sight, by: By, level: str
) -> dict[int | None, list[Unit]]:
    """Return the units of which something is seen, by the unit above them."""
    together: dict[int | None, list[Unit]] = {}
    opened = sight.opened()
    for row in rows:
        place = (row["unit_id"], row["district_id"], row["province_id"])
        names = None if sight.own.holds(place) else _named(opened, place)
        if names is None or names:
            unit = Unit(row["unit_id"], _since(row), _until(row), names)
            together.setdefault(_above(row, by, level), []).append(unit)
    return together


def _in_order(
    together: Mapping[int | None, Sequence[Unit]], above: Sequence[asyncpg.Record]
) -> list[Group]:
    """Return groups in the order of lists of units, as a text: a shorter name comes first."""
    found = [
        Group(
            f"{row['sort_key'].replace(' ', '!')} {row['code']} {row['unit']}",
            {name: row[name] for name in _SHOWN},
            tuple(together[row["id"]]),
        )
        for row in above
    ]
    if None in together:
        found.append(Group("", None, tuple(together[None])))
    return sorted(found, key=lambda one: one.order)


def _named(
    opened: Mapping[frozenset[str] | None, Territory], place: Place
) -> frozenset[str] | None:
    """Return the rulesets or indicators that grants open at a place; None: all of them."""
    found: frozenset[str] = frozenset()
    for named, where in opened.items():
        if where.holds(place):
            if named is None:
                return None
            found |= named
    return found


def _above(row: asyncpg.Record, by: str, level: str) -> int | None:
    if by == "none":
        return None
    if by == level:
        return int(row["unit_id"])
    column = {"province": "province_id", "district": "district_id", "commune": "parent_id"}[by]
    above: int | None = row[column]
    return above


def _since(row: asyncpg.Record) -> datetime.date:
    return row["valid_from"] or datetime.date.min


def _until(row: asyncpg.Record) -> datetime.date:
    return row["valid_to"] or datetime.date.max
