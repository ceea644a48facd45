"""Recognising who calls: a client by its secret, and by the token that it got for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import asyncpg

from app.domain.clients import digest
from app.domain.territory import Caller, Territories

# A client that presents itself is visible to itself. Each statement first tells for whom it works,
# then reads: OFFSET 0 keeps the planner from reading before it is told.
_TOLD: Final = "WITH told AS MATERIALIZED (SELECT set_config('ntm.client', $1, true) AS client)"
# The digest is looked up, not compared: what a caller could learn from timing is a digest's
# neighbourhood, from which nobody finds a secret of 256 random bits.
_LOGIN: Final = f"""
{_TOLD}
SELECT found.* FROM told CROSS JOIN LATERAL (
  SELECT c.scopes FROM client c JOIN client_secret s ON s.client_id = c.id
   WHERE c.client_id = told.client AND c.revoked_at IS NULL
     AND s.digest = $2 AND s.retired_at IS NULL OFFSET 0) found
"""
_BY_ID: Final = f"""
{_TOLD}
SELECT found.* FROM told CROSS JOIN LATERAL (
  SELECT c.id, c.scopes, c.unit_id, u.level, r.revision,
         (SELECT array_agg(g.id ORDER BY g.id) FROM data_grant g
           WHERE (g.to_client = c.client_id OR g.to_unit_id = c.unit_id)
             AND g.revoked_at IS NULL AND g.until > now()) AS grants
    FROM client c JOIN unit u ON u.id = c.unit_id CROSS JOIN register r
   WHERE c.client_id = told.client AND c.revoked_at IS NULL OFFSET 0) found
"""


async def authenticate(
    connection: asyncpg.Connection, client_id: str, secret: str
) -> list[str] | None:
    """Return the scopes of the client whose secret this is, or None."""
    row = await connection.fetchrow(_LOGIN, client_id, digest(secret))
    return None if row is None else list(row["scopes"])


async def recognise(
    connection: asyncpg.Connection,
    known: Territories,
    client_id: str,
    scopes: Iterable[str],
) -> tuple[Caller, tuple[int, ...]] | None:
    """Return the caller that a token speaks for, as the record says at this moment, or None.

    Beside it the numbers of the grants that hold for it now.
    """
    row: Any = await connection.fetchrow(_BY_ID, client_id)
    if row is None:
        return None
    territory = await known.of(connection, row["unit_id"], row["level"], row["revision"])
    held = frozenset(scopes) & frozenset(row["scopes"])
    caller = Caller(
        row["id"], client_id, held, territory, unit_id=row["unit_id"], level=row["level"]
    )
    return caller, tuple(row["grants"] or ())
