"""Reading the audit: entries page by page, the newest first, and one."""

from __future__ import annotations

import datetime
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.conditions import Conditions
from app.domain.refusals import Absent, Complaint
from app.domain.territory import Territory
from app.rules.errors import Text


class Wanted(msgspec.Struct, frozen=True):
    """Which entries: those that fit everything that is given, within a caller's territory."""

    visible: Territory
    unit: int | None = None
    under: Territory | None = None
    client: str | None = None
    action: str | None = None
    since: datetime.datetime | None = None

    def conditions(self) -> Conditions:
        """Return the conditions on entries."""
        found = Conditions()
        found.within(self.visible, "a")
        found.within(self.under, "a")
        for column, value in (("unit_id", self.unit), ("client", self.client),
                              ("action", self.action)):  # fmt: skip
            if value is not None:
                found.add(f"a.{column} = {{}}", value)
        if self.since is not None:
            found.add("a.at >= {}", self.since)
        return found


# The unit is called as it was when the entry was made; one that had ended, as it was last.
_SHOWN: Final = """
SELECT a.*, s.position, s.hash, u.key AS unit_key, u.level AS unit_level, n.code AS unit_code,
       n.name AS unit_name
  FROM audit_entry a
  LEFT JOIN audit_seal s ON s.audit_id = a.id
  LEFT JOIN unit u ON u.id = a.unit_id
  LEFT JOIN LATERAL (
    SELECT w.code, w.name FROM unit_version w WHERE w.unit_id = a.unit_id
     ORDER BY w.valid_from > a.at::date NULLS FIRST, w.valid_from DESC NULLS LAST LIMIT 1) n ON true
"""


async def page(
    connection: asyncpg.Connection, wanted: Wanted, limit: int, after: int
) -> list[dict[str, Any]]:
    """Return entries, the newest first, that are older than number `after`."""
    where = wanted.conditions()
    if after:
        where.add("a.id < {}", after)
    rows = await connection.fetch(
        f"{_SHOWN} WHERE {where} ORDER BY a.id DESC LIMIT {limit:d}", *where.parameters
    )
    return [_shown(row) for row in rows]


async def get(connection: asyncpg.Connection, visible: Territory, id_: int) -> dict[str, Any]:
    """Return an entry; raise Absent."""
    where = Wanted(visible).conditions()
    where.add("a.id = {}", id_)
    row = await connection.fetchrow(f"{_SHOWN} WHERE {where}", *where.parameters)
    if row is None:
        message = Text(
            f"không có mục kiểm toán số {id_} trong địa bàn của bạn; xem danh sách tại /v1/audit",
            f"there is no audit entry {id_} in your territory; they are listed in /v1/audit",
        )
        raise Absent(Complaint("/id", "audit-entry-not-found", message))
    return _shown(row)


def _shown(row: asyncpg.Record) -> dict[str, Any]:
    unit = official = sealed = None
    if row["unit_id"] is not None:
        unit = {name: row[f"unit_{name}"] for name in ("code", "level", "name")}
        unit = {"unit": row["unit_key"]} | unit
    if row["official_id"] is not None:
        official = {name: row[f"official_{name}"] for name in ("id", "office", "position")}
    if row["position"] is not None:
        sealed = {"position": row["position"], "hash": row["hash"].hex()}
    return {
        "id": row["id"],
        "at": row["at"],
        "client": row["client"],
        "acting_official": official,
        "action": row["action"],
        "unit": unit,
        "request_id": row["request_id"],
        "reason": row["reason"],
        "details": msgspec.json.decode(row["details"]),
        "sealed": sealed,
    }
