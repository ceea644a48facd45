"""Merging a list of units into the register: one COPY, then only what differs is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.hamlets import follow_communes

Progress = Callable[[str, int, int], None]


class Loaded(msgspec.Struct, frozen=True):
    """What a loading changed: new units, versions and edges added and removed."""

    units: int
    versions_added: int
    versions_removed: int
    edges_added: int
    edges_removed: int


UNCHANGED: Final = Loaded(0, 0, 0, 0, 0)
_COLUMNS: Final = """unit_id, code, type, name, sort_key, loose_key, search_key, parent_id,
district_id, province_id, valid_from, valid_to, legal_basis, latitude, longitude, area_km2"""
_IN_VERSION: Final = ", ".join(f"v.{one.strip()}" for one in _COLUMNS.split(","))
_INCOMING: Final = (
    """
CREATE TEMP TABLE incoming (
  key varchar, code varchar COLLATE "C", type varchar, name varchar,
  sort_key varchar COLLATE "C", loose_key varchar COLLATE "C", search_key varchar COLLATE "C",
  parent varchar, district varchar, province varchar,
  valid_from date, valid_to date, legal_basis varchar,
  latitude numeric(9, 6), longitude numeric(9, 6), area_km2 numeric(12, 4)) ON COMMIT DROP
""",
    """
CREATE TEMP TABLE incoming_edge (
  from_unit varchar, to_unit varchar, effective_on date, extent varchar, source varchar)
  ON COMMIT DROP
""",
)
_NEW_UNITS: Final = """
INSERT INTO unit (key, level)
SELECT DISTINCT key, CASE key WHEN 'VN' THEN 'nation' ELSE split_part(key, '-', 1) END
  FROM incoming ON CONFLICT (key) DO NOTHING
"""
_RESOLVE: Final = """
CREATE TEMP TABLE resolved ON COMMIT DROP AS
SELECT u.id AS unit_id, i.code, i.type, i.name, i.sort_key, i.loose_key, i.search_key,
       parent.id AS parent_id, district.id AS district_id, province.id AS province_id,
       i.valid_from, i.valid_to, i.legal_basis, i.latitude, i.longitude, i.area_km2
  FROM incoming i
  JOIN unit u ON u.key = i.key
  LEFT JOIN unit parent ON parent.key = i.parent
  LEFT JOIN unit district ON district.key = i.district
  LEFT JOIN unit province ON province.key = i.province
"""
_OLD_VERSIONS: Final = f"""
DELETE FROM unit_version v USING unit u
 WHERE u.id = v.unit_id AND u.level <> 'hamlet'
   AND NOT EXISTS (SELECT FROM resolved r
                    WHERE r.unit_id = v.unit_id AND ROW({_IN_VERSION}) IS NOT DISTINCT FROM r.*)
"""
_NEW_VERSIONS: Final = f"""
INSERT INTO unit_version ({_COLUMNS})
SELECT r.* FROM resolved r
 WHERE NOT EXISTS (SELECT FROM unit_version v
                    WHERE v.unit_id = r.unit_id AND v.valid_from IS NOT DISTINCT FROM r.valid_from)
"""
_OLD_EDGES: Final = """
DELETE FROM lineage l USING unit a, unit b
 WHERE a.id = l.from_unit_id AND b.id = l.to_unit_id
   AND NOT EXISTS (SELECT FROM incoming_edge i
                    WHERE (i.from_unit, i.to_unit, i.effective_on, i.extent, i.source)
                        = (a.key, b.key, l.effective_on, l.extent, l.source))
"""
_NEW_EDGES: Final = """
INSERT INTO lineage (from_unit_id, to_unit_id, effective_on, extent, source)
SELECT a.id, b.id, i.effective_on, i.extent, i.source
  FROM incoming_edge i JOIN unit a ON a.key = i.from_unit JOIN unit b ON b.key = i.to_unit
    ON CONFLICT DO NOTHING
"""


async def merge(
    connection: asyncpg.Connection,
    versions: Sequence[tuple[Any, ...]],
    edges: Sequence[tuple[Any, ...]],
    progress: Progress,
) -> Loaded:
    """Make the register hold these versions and edges; hamlets follow their communes."""

    async def count(statement: str) -> int:
        status = await connection.execute(statement)
        return int(status.rpartition(" ")[2])

    for statement in _INCOMING:
        await connection.execute(statement)
    await connection.copy_records_to_table("incoming", records=versions, schema_name="pg_temp")
    await connection.copy_records_to_table("incoming_edge", records=edges, schema_name="pg_temp")
    progress("merging", 1, 4)
    units = await count(_NEW_UNITS)
    await connection.execute(_RESOLVE)
    await connection.execute("ANALYZE resolved")
    progress("merging", 2, 4)
    removed, added = await count(_OLD_VERSIONS), await count(_NEW_VERSIONS)
    if removed or added:
        await follow_communes(connection)
    progress("merging", 3, 4)
    edges_removed, edges_added = await count(_OLD_EDGES), await count(_NEW_EDGES)
    await connection.execute("ANALYZE unit, unit_version, lineage")
    progress("merging", 4, 4)
    return Loaded(units, added, removed, edges_added, edges_removed)
