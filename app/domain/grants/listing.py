"""Reading grants: one, and lists, as both sides see them, with what was read under each."""

from __future__ import annotations

import datetime
from typing import Any, Final, Literal

import asyncpg
import msgspec

from app.domain.conditions import Conditions
from app.domain.refusals import Absent, Complaint
from app.domain.territory import Caller, reached
from app.rules.errors import Text

Direction = Literal["given", "received"]
State = Literal["active", "ended", "revoked"]

# $1 to $4 are the caller's territory, $5 is the caller, $6 is today.
_GIVEN: Final = reached("g", 1)
_RECEIVED: Final = """
(g.to_client = $5 OR g.to_unit_id = (SELECT c.unit_id FROM client c WHERE c.client_id = $5))
"""
_STATE: Final = """
CASE WHEN g.revoked_at IS NOT NULL THEN 'revoked' WHEN g.until <= now() THEN 'ended'
     ELSE 'active' END
"""


def _named(row: str, id_: str) -> str:
    """Return the SQL that joins a unit as it is called today, or was called last."""
    return f"""
  LEFT JOIN LATERAL (
    SELECT json_build_object('unit', u.key, 'code', w.code, 'level', u.level, 'name', w.name)::text
           AS unit
      FROM unit u JOIN unit_version w ON w.unit_id = u.id
     WHERE u.id = {id_} AND (w.valid_from IS NULL OR w.valid_from <= $6)
     ORDER BY w.valid_from DESC NULLS LAST LIMIT 1) {row} ON true
"""


_SELECT: Final = f"""
SELECT g.*, {_STATE} AS state, {_GIVEN} AS given, {_RECEIVED} AS received,
       f.unit AS from_unit, t.unit AS to_unit, n.count AS reads, n.rows AS read_rows, n.last_at
  FROM data_grant g {_named("f", "g.unit_id")} {_named("t", "g.to_unit_id")}
 CROSS JOIN LATERAL (
    SELECT count(*) AS count, coalesce(sum(r.rows), 0)::bigint AS rows, max(r.at) AS last_at
      FROM data_grant_read r WHERE r.grant_id = g.id) n
"""


class Wanted(msgspec.Struct, frozen=True):
    """Which grants: those that fit everything that is given, of those that the caller may see."""

    direction: Direction | None = None
    state: State | None = None
    resource: str | None = None


def _seen(caller: Caller, today: datetime.date, direction: Direction | None) -> Conditions:
    """Return the condition that the caller is of one of the sides of a grant."""
    found = Conditions()
    for one in (*caller.territory.arrays(), caller.client_id, today):
        found.mark(one)
    sides = {"given": _GIVEN, "received": _RECEIVED}
    found.add(sides.get(str(direction), f"({_GIVEN} OR {_RECEIVED})"))
    return found


async def page(
    connection: asyncpg.Connection,
    caller: Caller,
    wanted: Wanted,
    today: datetime.date,
    limit: int,
    after: int,
) -> list[asyncpg.Record]:
    """Return grants, the newest first, that are older than number `after`."""
    where = _seen(caller, today, wanted.direction)
    if wanted.state is not None:
        where.add(f"{_STATE} = {{}}", wanted.state)
    if wanted.resource is not None:
        where.add("{} = ANY(g.resources)", wanted.resource)
    if after:
        where.add("g.id < {}", after)
    return list(
        await connection.fetch(
            f"{_SELECT} WHERE {where} ORDER BY g.id DESC LIMIT {limit:d}", *where.parameters
        )
    )


async def get(
    connection: asyncpg.Connection, caller: Caller, id_: int, today: datetime.date
) -> asyncpg.Record:
    """Return a grant that the caller's side gave or received; raise Absent."""
    where = _seen(caller, today, None)
    where.add("g.id = {}", id_)
    row = await connection.fetchrow(f"{_SELECT} WHERE {where}", *where.parameters)
    if row is None:
        message = Text(
            f"không có lần chia sẻ số {id_} mà bạn cho hoặc nhận; xem danh sách tại /v1/grants",
            f"there is no grant {id_} that you gave or received; see the list at /v1/grants",
        )
        raise Absent(Complaint("/id", "grant-not-found", message))
    return row


def shown(row: asyncpg.Record) -> dict[str, Any]:
    """Return a grant as it is shown; its end is shown as it was given."""
    return {
        "id": row["id"],
        "version": version(row),
        "from_territory": msgspec.json.decode(row["from_unit"]),
        "to_client": row["to_client"],
        "to_territory": row["to_unit"] and msgspec.json.decode(row["to_unit"]),
        "resources": row["resources"],
        "rulesets": row["rulesets"],
        "indicators": row["indicators"],
        "purpose": row["purpose"],
        "until": row["until_day"] or row["until"],
        "state": row["state"],
        "granted_at": row["granted_at"],
        "granted_by": row["granted_by"],
        "revoked_at": row["revoked_at"],
        "revoked_by": row["revoked_by"],
        "reason": row["revoked_because"],
        "reads": {"count": row["reads"], "rows": row["read_rows"], "last_at": row["last_at"]},
    }


def version(row: asyncpg.Record) -> str:
    """Return the version of a grant: it changes once, when the grant is revoked."""
    return "1" if row["revoked_at"] is None else "2"
