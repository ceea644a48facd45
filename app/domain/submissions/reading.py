"""Reading submissions: one with its history, lists, and what awaits the caller."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.conditions import Conditions
from app.domain.evidence import chain, parts
from app.domain.evidence.editing import Held
from app.domain.submissions import transitions
from app.domain.territory import Caller, Sight, Territory

_COLUMNS: Final = """
s.id, s.ruleset, s.digest, s.period, s.state, s.revision, s.version, s.route, s.submitted_on,
s.client, s.created_at, s.changed_at, s.names_deleted_at, s.files_deleted_at,
u.key AS unit_key, u.level AS unit_level, n.code AS unit_code, n.type AS unit_type,
n.name AS unit_name
"""
_SOURCE: Final = """
  FROM evidence_submission s
  JOIN unit u ON u.id = s.unit_id
  CROSS JOIN LATERAL (
    SELECT w.code, w.type, w.name FROM unit_version w
     WHERE w.unit_id = s.unit_id AND (w.valid_from IS NULL OR w.valid_from <= s.unit_on)
     ORDER BY w.valid_from DESC NULLS LAST LIMIT 1) n
"""
_HISTORY: Final = """
SELECT action, before, after, step, route, version, client, official_id, official_office,
       official_position, document, reason, items, day, at
  FROM evidence_event WHERE submission_id = $1 ORDER BY id
"""
_NOT_ELSEWHERE: Final = """
NOT EXISTS (SELECT FROM evidence_event e
             WHERE e.submission_id = s.id AND e.client = {client} AND e.step <> {step})
AND NOT EXISTS (SELECT FROM evidence_finding f
                 WHERE f.submission_id = s.id AND f.client = {client} AND f.step <> {step})
"""


class Wanted(msgspec.Struct, frozen=True):
    """Which submissions: those that fit everything that is given, within the caller's territory."""

    units: tuple[int, ...] | None = None
    under: Territory | None = None
    ruleset: str | None = None
    period: str | None = None
    state: str | None = None
    awaiting: bool = False

    def conditions(self, caller: Caller, day: datetime.date) -> Conditions:
        """Return the conditions on submissions `s`."""
        found = Conditions()
        found.seen(Sight(caller.territory), "s")
        found.within(self.under, "s")
        if self.units is not None:
            found.add("s.unit_id = ANY({}::int[])", list(self.units))
        for name in ("ruleset", "period", "state"):
            if (value := getattr(self, name)) is not None:
                found.add(f"s.{name} = {{}}", value)
        if self.awaiting:
            _await(found, caller, day)
        return found


async def page(
    connection: asyncpg.Connection,
    caller: Caller,
    wanted: Wanted,
    day: datetime.date,
    limit: int,
    before: int,
) -> list[dict[str, Any]]:
    """Return submissions without their history, the newest first, older than number `before`."""
    where = wanted.conditions(caller, day)
    if before:
        where.add("s.id < {}", before)
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} {_SOURCE} WHERE {where} ORDER BY s.id DESC LIMIT {limit:d}",
        *where.parameters,
    )
    return [_shown(row) for row in rows]


async def whole(
    connection: asyncpg.Connection, caller: Caller, held: Held, day: datetime.date
) -> dict[str, Any]:
    """Return a submission with its parts, its history and what the caller may do with it."""
    (row,) = await connection.fetch(f"SELECT {_COLUMNS} {_SOURCE} WHERE s.id = $1", held.id)
    history = await connection.fetch(_HISTORY, held.id)
    return _shown(row) | {
        "parts": [
            {"code": one.code, "name": one.name} for one in await parts.of(connection, held.id)
        ],
        "may": await transitions.may(connection, caller, held, day),
        "history": [_event(one) for one in history],
    }


def _await(found: Conditions, caller: Caller, day: datetime.date) -> None:
    """Add the condition that it is the caller's turn: to fill, to check, or to decide."""
    turns: dict[tuple[str, str | None, str], None] = {}
    for one in chain.CHAIN.transitions:
        if one.is_due(day) and one.action != "withdraw" and chain.stands_at(caller, one.step):
            turns[one.before, one.route, one.step] = None
    marks = [_turn(found, caller, *one) for one in turns]
    found.add(f"({' OR '.join(marks)})" if marks else "false")


def _turn(found: Conditions, caller: Caller, state: str, route: str | None, step: str) -> str:
    on_route = "" if route is None else f" AND s.route = {found.mark(route)}"
    apart = _NOT_ELSEWHERE.format(client=found.mark(caller.client_id), step=found.mark(step))
    return f"(s.state = {found.mark(state)}{on_route} AND {apart})"


def _shown(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "id": row["id"],
        "unit": {
            name: row[f"unit_{column}"]
            for name, column in (
                ("unit", "key"), ("code", "code"), ("level", "level"), ("type", "type"),
                ("name", "name"),
            )
        },
        "ruleset": row["ruleset"],
        "digest": row["digest"],
        "period": row["period"],
        "state": row["state"],
        "version": str(row["revision"]),
        "submitted_versions": row["version"],
        "route": row["route"],
        "submitted_on": row["submitted_on"],
        "created_at": row["created_at"],
        "changed_at": row["changed_at"],
        "by": row["client"],
        "names_deleted_at": row["names_deleted_at"],
        "files_deleted_at": row["files_deleted_at"],
    }  # fmt: skip


def _event(row: asyncpg.Record) -> dict[str, Any]:
    same: Sequence[str] = ("action", "before", "after", "step", "route", "version", "reason",
                           "day", "at")  # fmt: skip
    return {name: row[name] for name in same} | {
        "by": row["client"],
        "official": {name: row[f"official_{name}"] for name in ("id", "office", "position")},
        "document": row["document"] and msgspec.json.decode(row["document"]),
        "items": msgspec.json.decode(row["items"]),
    }
