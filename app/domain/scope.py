"""Whom a document binds: units in scope follow the lineage of what the document names.

A provincial document binds the units of the province as it was. A unit is in scope when it, an
ancestor or a predecessor is named; where only some predecessors are, it is partly in scope.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg

from app.rules.document import Scope

OUT: Final = "out_of_scope"
PARTLY: Final = "partly_in_scope"

# A hamlet stands in the line of its commune: it has no lineage of its own.
_LINES: Final = """
WITH RECURSIVE named AS (
  SELECT v.unit_id AS id FROM unit_version v JOIN unit u ON u.id = v.unit_id
   WHERE u.level = 'province' AND v.code = ANY($2::text[])
     AND (v.valid_from IS NULL OR v.valid_from <= $3) AND (v.valid_to IS NULL OR v.valid_to > $3)
), line(id, after) AS (
  SELECT id, NULL::int FROM unnest($1::int[]) id
   UNION
  SELECT e.id, e.after FROM line
   CROSS JOIN LATERAL (
     SELECT l.from_unit_id, l.to_unit_id FROM lineage l WHERE l.to_unit_id = line.id
      UNION ALL
     SELECT v.parent_id, v.unit_id FROM unit_version v JOIN unit u ON u.id = v.unit_id
      WHERE v.unit_id = line.id AND u.level = 'hamlet'
   ) e(id, after)
)
SELECT line.id, line.after, EXISTS (
         SELECT FROM unit_version v
           JOIN named n ON n.id IN (v.unit_id, v.district_id, v.province_id)
          WHERE v.unit_id = line.id) AS named
  FROM line
"""


async def of(
    connection: asyncpg.Connection, scope: Scope, units: Sequence[int]
) -> dict[int, str | None]:
    """Return for each unit `out_of_scope`, `partly_in_scope`, or None where it is in scope."""
    if scope.country:
        return dict.fromkeys(units)
    rows = await connection.fetch(_LINES, units, list(scope.provinces), scope.on)
    named = {row["id"]: row["named"] for row in rows}
    before: dict[int, set[int]] = {}
    for row in rows:
        if row["after"] is not None:
            before.setdefault(row["after"], set()).add(row["id"])
    known: dict[int, str | None] = {}
    return {unit: _status(unit, named, before, known) for unit in units}


def _status(
    unit: int,
    named: Mapping[int, bool],
    before: Mapping[int, set[int]],
    known: dict[int, str | None],
) -> str | None:
    if unit not in known:
        found = {_status(one, named, before, known) for one in before.get(unit, ())}
        if named.get(unit) or found == {None}:
            known[unit] = None
        else:
            known[unit] = PARTLY if found & {None, PARTLY} else OUT
    return known[unit]
