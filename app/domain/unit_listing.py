"""Lists of units in Vietnamese order, page by page, and as points on a map."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.conditions import Conditions
from app.domain.unit_lookup import COLUMNS, SOURCE, Found, found
from app.domain.vietnamese import search_key

# A version `v` of a unit `u` lies below a unit of this level, whose number is {0}.
BELOW: Final = {
    "nation": "u.id <> {0}",
    "province": "v.province_id = {0} AND u.id <> {0}",
    "district": "v.district_id = {0} AND u.id <> {0}",
    "commune": "v.parent_id = {0}",
    "hamlet": "v.parent_id = {0}",
}


class Wanted(msgspec.Struct, frozen=True):
    """Which units to list: all that fit everything that is given."""

    on: datetime.date
    level: str | None = None
    parent: Found | None = None
    under: Found | None = None
    q: str | None = None


async def page(
    connection: asyncpg.Connection,
    wanted: Wanted,
    limit: int | None = None,
    after: Sequence[str] | None = None,
    more_columns: str = "",
) -> list[tuple[Found, asyncpg.Record]]:
    """Return the units wanted, at most `limit`, beginning after a place in the order."""
    where = Conditions()
    where.mark(wanted.on)  # the day is the first parameter of SOURCE
    if wanted.level:
        where.add("u.level = {}", wanted.level)
    if wanted.parent:
        where.add("v.parent_id = {}", wanted.parent.id)
    if wanted.under:
        where.add(BELOW[wanted.under.level], wanted.under.id)
    if wanted.q:
        where.add("strpos(v.search_key, {}) > 0", search_key(wanted.q))
    if after:
        where.add("(v.sort_key, v.code, u.key) > ({}, {}, {})", *after)
    statement = (
        f"SELECT {COLUMNS} {more_columns} {SOURCE} AND {where} ORDER BY v.sort_key, v.code, u.key"
    )
    if limit is not None:
        statement += f" LIMIT {where.mark(limit)}"
    rows = await connection.fetch(statement, *where.parameters)
    if limit is None:  # there may be thousands: meanwhile others have their turn
        return await asyncio.to_thread(_shown, rows, wanted.on)
    return _shown(rows, wanted.on)


def _shown(rows: Sequence[asyncpg.Record], on: datetime.date) -> list[tuple[Found, asyncpg.Record]]:
    return [(found(row, on), row) for row in rows]


def place_in_order(unit: Found) -> list[str]:
    """Return where a unit stands in the order of lists."""
    return [unit.sort_key, str(unit.shown["code"]), unit.key]


def on_map(units: Sequence[Found]) -> dict[str, Any]:
    """Return units as GeoJSON points (RFC 7946: longitude first); no point is known: null."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": unit.key,
                "geometry": point
                and {"type": "Point", "coordinates": [point["lon"], point["lat"]]},
                "properties": {
                    name: value for name, value in unit.shown.items() if name != "point"
                },
            }
            for unit in units
            for point in [unit.shown["point"]]
        ],
    }
