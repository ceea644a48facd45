"""Finding units: by code and day, by filters in Vietnamese order, along the lineage.

These reads are hot and plain: one statement each, over the driver itself. `bench/` says what that
gains. Every statement text is a constant; values travel as parameters.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.refusals import Absent, Complaint
from app.domain.units import KEY_PATTERN, KNOWN_FROM, NATION, VIETNAM
from app.rules.errors import Text
from app.rules.facts import printable


class Found(msgspec.Struct, frozen=True):
    """A version of a unit with its ancestors, as found for a day."""

    id: int
    district_id: int | None
    province_id: int | None
    sort_key: str
    shown: dict[str, Any]

    @property
    def key(self) -> str:
        """Return the key of the entity."""
        return str(self.shown["unit"])

    @property
    def level(self) -> str:
        """Return its level."""
        return str(self.shown["level"])

    @property
    def named(self) -> str:
        """Return name and code, for messages: “Tỉnh Vĩnh Long (86)”."""
        return f"{self.shown['name']} ({self.shown['code']})"


# $1 is the day. Ancestors are shown as they are called on that day.
_COVERS: Final = """
({0}.valid_from IS NULL OR {0}.valid_from <= $1) AND ({0}.valid_to IS NULL OR {0}.valid_to > $1)
"""
COLUMNS: Final = """
u.id, u.key, u.level, v.code, v.type, v.name, v.sort_key, v.valid_from, v.valid_to, v.legal_basis,
v.latitude, v.longitude, v.area_km2, v.parent_id, v.district_id, v.province_id,
pu.key AS province_key, p.code AS province_code, p.name AS province_name,
du.key AS district_key, d.code AS district_code, d.name AS district_name,
cu.key AS commune_key, c.code AS commune_code, c.name AS commune_name,
(SELECT json_object_agg(i.scheme, i.value ORDER BY i.scheme)::text
   FROM unit_identifier i WHERE i.unit_id = u.id) AS identifiers
"""
SOURCE: Final = f"""
  FROM unit_version v
  JOIN unit u ON u.id = v.unit_id
  LEFT JOIN unit pu ON pu.id = v.province_id AND v.province_id <> v.unit_id
  LEFT JOIN unit_version p ON p.unit_id = pu.id AND {_COVERS.format("p")}
  LEFT JOIN unit du ON du.id = v.district_id AND v.district_id <> v.unit_id
  LEFT JOIN unit_version d ON d.unit_id = du.id AND {_COVERS.format("d")}
  LEFT JOIN unit cu ON cu.id = v.parent_id AND cu.level = 'commune'
  LEFT JOIN unit_version c ON c.unit_id = cu.id AND {_COVERS.format("c")}
 WHERE {_COVERS.format("v")}
"""
_VIETNAM: Final = {"unit": NATION, "code": NATION, "level": "nation", "name": VIETNAM}


def found(row: asyncpg.Record, day: datetime.date) -> Found:
    """Return a row of COLUMNS as the register shows it."""
    path = [
        {
            "unit": row[f"{level}_key"],
            "code": row[f"{level}_code"],
            "level": level,
            "name": row[f"{level}_name"],
        }
        for level in ("province", "district", "commune")
        if row[f"{level}_key"] is not None
    ]
    nation = [] if row["level"] == "nation" else [_VIETNAM]
    latitude, longitude, area = row["latitude"], row["longitude"], row["area_km2"]
    shown = {
        "unit": row["key"],
        "code": row["code"],
        "level": row["level"],
        "type": row["type"],
        "name": row["name"],
        "parent": (path or nation or [None])[-1],
        "path": path,
        "valid_from": row["valid_from"],
        "valid_to": row["valid_to"],
        "exact": day >= KNOWN_FROM,
        "known_from": KNOWN_FROM,
        "legal_basis": row["legal_basis"],
        "point": None
        if latitude is None
        else {"lat": float(latitude), "lon": float(longitude)},  # a place on a map, not a figure
        "area_km2": None if area is None else _at_least_two_decimals(area),
        "identifiers": msgspec.json.decode(row["identifiers"]) if row["identifiers"] else {},
    }
    return Found(row["id"], row["district_id"], row["province_id"], row["sort_key"], shown)


def _at_least_two_decimals(area: Decimal) -> str:
    return str(max(area.normalize(), area.quantize(Decimal("0.01")), key=_decimals))


def _decimals(number: Decimal) -> int:
    return -int(number.as_tuple().exponent)


async def get(
    connection: asyncpg.Connection, place: str, on: datetime.date, pointer: str = "/code"
) -> Found:
    """Return the unit with this code (or key) on a day.

    Raises Absent, which names the successors of a unit that had ended by then.
    """
    return found(await get_row(connection, place, on, pointer), on)


async def get_row(
    connection: asyncpg.Connection,
    place: str,
    on: datetime.date,
    pointer: str = "/code",
    more_columns: str = "",
) -> asyncpg.Record:
    """Return the row of a unit with more columns than COLUMNS; raises as `get` does."""
    which = "u.key" if is_key(place) else "v.code"
    statement = f"SELECT {COLUMNS} {more_columns} {SOURCE} AND {which} = $2"
    row = await connection.fetchrow(statement, on, place)
    if row is None:
        message = await why_absent(connection, place, on)
        raise Absent(Complaint(pointer, "unit-not-found", message))
    return row


async def by_ids(
    connection: asyncpg.Connection, ids: Sequence[int], on: datetime.date
) -> list[Found]:
    """Return the units with these ids that exist on a day, in Vietnamese order."""
    return [found(row, on) for row in await rows_by_ids(connection, ids, on)]


async def rows_by_ids(
    connection: asyncpg.Connection,
    ids: Sequence[int],
    on: datetime.date,
    more_columns: str = "",
) -> list[asyncpg.Record]:
    """Return the rows of units with more columns than COLUMNS, as `by_ids` finds them."""
    statement = (
        f"SELECT {COLUMNS} {more_columns} {SOURCE} AND u.id = ANY($2::int[]) "
        "ORDER BY v.sort_key, v.code"
    )
    return list(await connection.fetch(statement, on, ids))


def is_key(place: str) -> bool:
    """Tell whether a place is the key of an entity, not a code."""
    return re.fullmatch(KEY_PATTERN, place) is not None


_WAS: Final = """
SELECT u.id, v.code, v.name, v.valid_from, v.valid_to
  FROM unit_version v JOIN unit u ON u.id = v.unit_id
 WHERE v.code = $1 OR u.key = $1
 ORDER BY v.valid_to NULLS LAST, v.valid_from
"""


async def why_absent(connection: asyncpg.Connection, place: str, on: datetime.date) -> Text:
    """Say why there is no such unit on a day, and which there is instead."""
    versions = await connection.fetch(_WAS, place)
    ended = [one for one in versions if one["valid_to"] is not None and one["valid_to"] <= on]
    if ended:
        return await _ended(connection, ended[-1], on)
    if versions:
        first = versions[0]
        named, since = f"{first['name']} ({first['code']})", first["valid_from"]
        return Text(
            f"{named} chỉ có từ {since}; hãy chọn ngày khác (on) hoặc hỏi đơn vị tiền thân",
            f"{named} exists since {since} only; choose another day (on) or ask its predecessors",
        )
    shown = printable(place)
    return Text(
        f"không có đơn vị hành chính mã “{shown}”; tìm tại /v1/units?q=",
        f"there is no administrative unit with code “{shown}”; search with /v1/units?q=",
    )


async def _ended(
    connection: asyncpg.Connection, version: asyncpg.Record, on: datetime.date
) -> Text:
    now = await successors_on(connection, [version["id"]], on)
    named, day = f"{version['name']} ({version['code']})", version["valid_to"]
    if not now:
        return Text(
            f"{named} đã hết hiệu lực từ {day} và không có đơn vị kế tiếp cùng cấp; "
            "hãy chọn ngày trước đó (on) hoặc hỏi theo tỉnh, xã",
            f"{named} ended on {day} and has no successor of its level; "
            "choose an earlier day (on) or ask by province or commune",
        )
    names = ", ".join(one.named for one in now)
    return Text(
        f"{named} đã hết hiệu lực từ {day}; kế tiếp là: {names}; để hỏi về đơn vị cũ, hãy chọn "
        "ngày (on) hoặc kỳ trước đó",
        f"{named} ended on {day}; its successors are: {names}; to ask for the former unit choose "
        "an earlier day (on) or period",
    )


_SUCCESSORS: Final = """
WITH RECURSIVE next(id) AS (
  SELECT unnest($1::int[])
   UNION SELECT l.to_unit_id FROM lineage l JOIN next n ON l.from_unit_id = n.id
          WHERE l.effective_on <= $2)
SELECT id FROM next WHERE id <> ALL($1::int[])
"""
_PREDECESSORS: Final = """
WITH RECURSIVE before(id) AS (
  SELECT unnest($1::int[])
   UNION SELECT l.from_unit_id FROM lineage l JOIN before b ON l.to_unit_id = b.id)
SELECT id FROM before
"""
_EDGES: Final = """
SELECT l.from_unit_id, l.to_unit_id, l.effective_on, l.extent FROM lineage l
 WHERE l.from_unit_id = $1 OR l.to_unit_id = $1
"""


async def successors_on(
    connection: asyncpg.Connection, ids: Sequence[int], on: datetime.date
) -> list[Found]:
    """Return the units of a day that the given ones have become, over any number of steps."""
    rows = await connection.fetch(_SUCCESSORS, ids, on)
    return await by_ids(connection, [row["id"] for row in rows], on)


async def with_predecessors(connection: asyncpg.Connection, ids: Sequence[int]) -> list[int]:
    """Return the ids and those of everything they descend from, in order."""
    return sorted(row["id"] for row in await connection.fetch(_PREDECESSORS, ids))


async def lineage(connection: asyncpg.Connection, unit: Found) -> dict[str, list[dict[str, Any]]]:
    """Return the direct predecessors and successors of a unit.

    A predecessor is shown as it was on its last day, a successor as it was on its first.
    """
    edges = await connection.fetch(_EDGES, unit.id)
    came = [edge for edge in edges if edge["to_unit_id"] == unit.id]
    went = [edge for edge in edges if edge["from_unit_id"] == unit.id]
    return {
        "predecessors": await _ends(connection, came, "from_unit_id", datetime.timedelta(days=1)),
        "successors": await _ends(connection, went, "to_unit_id", datetime.timedelta()),
    }


async def _ends(
    connection: asyncpg.Connection,
    edges: Sequence[asyncpg.Record],
    end: str,
    before: datetime.timedelta,
) -> list[dict[str, Any]]:
    ends = []
    for day in sorted({edge["effective_on"] for edge in edges}):
        of_day = {edge[end]: edge for edge in edges if edge["effective_on"] == day}
        for one in await by_ids(connection, list(of_day), day - before):
            extent = of_day[one.id]["extent"]
            ends.append({"unit": one.shown, "extent": extent, "effective_date": day})
    return ends
