"""Lists of units in Vietnamese order, page by page, and as points on a map."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.unit_lookup import COLUMNS, SOURCE, Found, found
from app.domain.vietnamese import search_key

# Which column of a version tells that it lies under a unit of this level.
_UNDER: Final = {
    "nation": "AND u.id <> {0}",
    "province": "AND v.province_id = {0} AND u.id <> {0}",
    "district": "AND v.district_id = {0} AND u.id <> {0}",
    "commune": "AND v.parent_id = {0}",
    "hamlet": "AND v.parent_id = {0}",
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
    given: list[Any] = [wanted.on]

    def mark(value: Any) -> str:
        given.append(value)
        return f"${len(given)}"

    conditions = []
    if wanted.level:
        conditions.append(f"AND u.level = {mark(wanted.level)}")
    if wanted.parent:
        conditions.append(f"AND v.parent_id = {mark(wanted.parent.id)}")
    if wanted.under:
        conditions.append(_UNDER[wanted.under.level].format(mark(wanted.under.id)))
    if wanted.q:
        conditions.append(f"AND strpos(v.search_key, {mark(search_key(wanted.q))}) > 0")
    if after:
        names = ", ".join(mark(part) for part in after)
        conditions.append(f"AND (v.sort_key, v.code, u.key) > ({names})")
    statement = (
        f"SELECT {COLUMNS} {more_columns} {SOURCE} {' '.join(conditions)} "
        f"ORDER BY v.sort_key, v.code, u.key"
    )
    if limit is not None:
        statement += f" LIMIT {mark(limit)}"
    rows = await connection.fetch(statement, *given)
    return [(found(row, wanted.on), row) for row in rows]


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
