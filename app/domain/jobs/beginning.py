"""Beginning a job, in the transaction of the request that asks for it: both, or neither."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.jobs.queue import deferred
from app.domain.territory import Caller

# The job lies where its client lies: who administers there can see it.
_BEGIN: Final = f"""
WITH begun AS (
  INSERT INTO job (kind, arguments, total, client, scopes, official_id, official_office,
                   official_position, request_id, unit_id, district_id, province_id)
  SELECT $1, $2::jsonb, $3, c.client_id, $5, $6, $7, $8, $9, c.unit_id, c.district_id,
         c.province_id
    FROM client c WHERE c.client_id = $4
  RETURNING id
)
SELECT id, {deferred("id")} FROM begun
"""


async def begin(
    connection: asyncpg.Connection,
    caller: Caller,
    kind: str,
    arguments: Mapping[str, Any],
    total: int | None = None,
) -> int:
    """Put a job on record and into the queue; return its number.

    `arguments` are JSON: numbers, text, lists. `total` is how much there is to do, where that is
    known already. Nothing happens unless the transaction is committed.
    """
    official = caller.official
    found = await connection.fetchval(
        _BEGIN,
        kind,
        msgspec.json.encode(arguments).decode(),
        total,
        caller.client_id,
        sorted(caller.scopes),
        official and official.id,
        official and official.office,
        official and official.position,
        caller.request_id,
    )
    if found is None:
        raise LookupError("a job was begun for a client that is not on record")
    return int(found)
