"""Counting reads: which grants opened what a caller is about to be answered, and how many rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.database import Database, DatabaseFailed
from app.domain.territory import EVALUATIONS, VALUES, Caller, reached
from app.rules.errors import Text

# $1 are the rows, $2 to $5 the caller's own territory, $6 the grants that the caller holds. What
# several grants open is counted under the first.
_COUNT: Final = """
WITH row AS (
  SELECT x.*, coalesce({own}, false) AS own FROM {table} x WHERE x.id = ANY($1::bigint[])
), counted AS (
  INSERT INTO data_grant_read (grant_id, client, request_id, resource, rows)
  SELECT opened.grant_id, $7, $8, '{resource}', count(*)
    FROM row CROSS JOIN LATERAL (
      SELECT g.id AS grant_id FROM data_grant g
       WHERE g.id = ANY($6::bigint[]) AND '{resource}' = ANY(g.resources)
         AND g.revoked_at IS NULL AND g.until > now()
         AND (g.{narrowed} IS NULL OR row.{by} = ANY(g.{narrowed}))
         AND (row.unit_id = ANY(g.units) OR row.district_id = ANY(g.districts)
              OR row.province_id = ANY(g.provinces))
       ORDER BY g.id LIMIT 1) opened
   WHERE NOT row.own GROUP BY opened.grant_id
  RETURNING rows
)
SELECT (SELECT count(*) FROM row WHERE own) + (SELECT coalesce(sum(rows), 0) FROM counted)
"""
_OWN: Final = reached("x", 2)
_STATEMENTS: Final = {
    VALUES: _COUNT.format(
        table="value", own=_OWN, resource=VALUES, narrowed="indicators", by="indicator"
    ),
    EVALUATIONS: _COUNT.format(
        table="evaluation", own=_OWN, resource=EVALUATIONS, narrowed="rulesets", by="ruleset"
    ),
}
_OVERTAKEN: Final = Text(
    "quyền được chia sẻ vừa kết thúc trong lúc đọc; hãy gọi lại",
    "a grant ended while it was read from; ask again",
)


async def count(database: Database, caller: Caller, resource: str, ids: Iterable[int]) -> None:
    """Put on record which grants opened rows of an answer, before it is sent.

    Raises DatabaseFailed where that fails, or where a grant ended since the rows were read: what
    is not counted is not answered. Whoever holds no grant of the resource pays nothing.
    """
    held = [one.id for one in caller.sight(resource).grants]
    read = sorted(set(ids))
    if not held or not read or caller.territory.nation:
        return
    async with database.writing() as connection:
        counted = await connection.fetchval(
            _STATEMENTS[resource],
            read,
            *caller.territory.arrays(),
            held,
            caller.client_id,
            caller.request_id,
        )
    if counted != len(read):
        raise DatabaseFailed("database-unavailable", _OVERTAKEN)
