"""Reading values: the current ones page by page, changes in order, one with its history."""

from __future__ import annotations

import datetime
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.conditions import Conditions
from app.domain.recordings import OPERATOR
from app.domain.territory import Territory
from app.domain.values import SHOWN_COLUMNS, SHOWN_JOINS, shown
from app.domain.values.recording import absent


class Wanted(msgspec.Struct, frozen=True):
    """Which values: those that fit everything that is given, within what the caller may see."""

    visible: Territory
    units: tuple[int, ...] | None = None
    under: Territory | None = None
    indicator: str | None = None
    period: str | None = None
    status: str | None = None

    def conditions(self, row: str) -> Conditions:
        """Return the conditions on rows that have the columns of a value."""
        found = Conditions()
        found.within(self.visible, row)
        found.within(self.under, row)
        if self.units is not None:
            found.add(row + ".unit_id = ANY({}::int[])", list(self.units))
        if self.indicator is not None:
            found.add(row + ".indicator = {}", self.indicator)
        if self.period is not None:
            found.add(row + ".period = {}", self.period)
        return found


_STATUS: Final = """
coalesce((SELECT e.status FROM value_event e WHERE e.value_id = v.id ORDER BY e.id DESC LIMIT 1),
         CASE WHEN EXISTS (SELECT FROM current_value c WHERE c.unit_id = v.unit_id
                              AND c.indicator = v.indicator AND c.period = v.period
                              AND c.value_id = v.id)
              THEN 'reported' ELSE 'superseded' END)
"""


async def page(
    connection: asyncpg.Connection, wanted: Wanted, limit: int, after: list[str] | None
) -> list[tuple[list[str], dict[str, Any]]]:
    """Return current values with their place in the order: unit, indicator, period."""
    where = wanted.conditions("c")
    if wanted.status is None:
        where.add("c.status <> 'retracted'")
    else:
        where.add("c.status = {}", wanted.status)
    if after:
        unit, indicator, period = after
        where.add("(c.unit_id, c.indicator, c.period) > ({}, {}, {})", int(unit), indicator, period)
    rows = await connection.fetch(
        f"SELECT {SHOWN_COLUMNS}, c.status FROM current_value c JOIN value v ON v.id = c.value_id"
        f" {SHOWN_JOINS} WHERE {where}"
        f" ORDER BY c.unit_id, c.indicator, c.period LIMIT {where.mark(limit)}",
        *where.parameters,
    )
    return [
        ([str(row["unit_id"]), row["indicator"], row["period"]], shown(row, row["status"]))
        for row in rows
    ]


async def changes(
    connection: asyncpg.Connection,
    wanted: Wanted,
    since: datetime.datetime,
    limit: int,
    after: tuple[int, int],
) -> list[tuple[list[str], dict[str, Any]]]:
    """Return values in the order of their last change, each once, with its place in that order.

    A value changes when it is recorded, followed, or given a status. `after` is the place of the
    last one seen: the position of the act of recording that changed it, and its number.
    """
    where = wanted.conditions("v")
    where.add("r.recorded_at >= {}", since)
    where.add("r.position >= {} AND (r.position > {} OR v.id > {})", after[0], *after)
    if wanted.status is not None:
        where.add(f"{_STATUS} = {{}}", wanted.status)
    size = where.mark(limit)
    statement = _CHANGES.format(where=where, size=size)
    rows = await connection.fetch(statement, *where.parameters)
    return [([str(row["position"]), str(row["id"])], shown(row, row["status"])) for row in rows]


# A value is followed at the first position of a value of the same key with a later number; where
# that one was committed first, the value was never current and changes once, by its own recording.
_FOLLOWED: Final = """
CROSS JOIN LATERAL (
  SELECT min(coalesce(fr.position, 9223372036854775807)) AS position
    FROM value f JOIN recording fr ON fr.id = f.recording_id
   WHERE f.unit_id = v.unit_id AND f.indicator = v.indicator AND f.period = v.period
     AND f.id > v.id
) followed
"""
# Three ways in which a value comes to change; of each value only the last one is listed. What is
# not numbered yet is left for a later page.
_CHANGES: Final = f"""
WITH change AS (
  (SELECT r.position, v.id FROM recording r JOIN value v ON v.recording_id = r.id {_FOLLOWED}
    WHERE {{where}} AND (followed.position IS NULL OR followed.position < r.position)
      AND NOT EXISTS (SELECT FROM value_event e WHERE e.value_id = v.id)
    ORDER BY r.position, v.id LIMIT {{size}})
   UNION ALL
  (SELECT DISTINCT r.position, v.id
     FROM recording r JOIN value g ON g.recording_id = r.id
     JOIN value v ON v.unit_id = g.unit_id AND v.indicator = g.indicator AND v.period = g.period
      AND v.id < g.id
     JOIN recording own ON own.id = v.recording_id {_FOLLOWED}
    WHERE {{where}} AND followed.position = r.position AND own.position < r.position
      AND NOT EXISTS (SELECT FROM value_event e WHERE e.value_id = v.id)
    ORDER BY r.position, v.id LIMIT {{size}})
   UNION ALL
  (SELECT r.position, v.id
     FROM recording r JOIN value_event e ON e.recording_id = r.id JOIN value v ON v.id = e.value_id
    WHERE {{where}}
      AND NOT EXISTS (SELECT FROM value_event l WHERE l.value_id = v.id AND l.id > e.id)
    ORDER BY r.position, v.id LIMIT {{size}})
)
SELECT change.position, {SHOWN_COLUMNS}, {_STATUS} AS status
  FROM change JOIN value v ON v.id = change.id {SHOWN_JOINS}
 ORDER BY change.position, v.id LIMIT {{size}}
"""


async def get(
    connection: asyncpg.Connection, visible: Territory, id_: int
) -> tuple[asyncpg.Record, dict[str, Any]]:
    """Return a value, as a row and as it is shown; raise Absent."""
    where = Conditions()
    where.within(visible, "v")
    where.add("v.id = {}", id_)
    row = await connection.fetchrow(
        f"SELECT {SHOWN_COLUMNS}, {_STATUS} AS status FROM value v {SHOWN_JOINS} WHERE {where}",
        *where.parameters,
    )
    if row is None:
        raise absent(id_)
    return row, shown(row, row["status"])


class Event(msgspec.Struct, frozen=True):
    """What happened to a value after it was recorded."""

    status: str
    reason: str
    at: datetime.datetime
    by: str


_HISTORY: Final = f"""
SELECT {SHOWN_COLUMNS}, {_STATUS} AS status,
       (SELECT json_agg(json_build_object('status', e.status, 'reason', e.reason, 'at',
                 a.recorded_at, 'by', coalesce(b.client_id, '{OPERATOR}')) ORDER BY e.id)::text
          FROM value_event e JOIN recording a ON a.id = e.recording_id
          LEFT JOIN client b ON b.id = a.recorded_by
         WHERE e.value_id = v.id) AS events
  FROM value v {SHOWN_JOINS}
 WHERE v.unit_id = $1 AND v.indicator = $2 AND v.period = $3 AND v.id > $4
 ORDER BY v.id LIMIT $5
"""


async def history(
    connection: asyncpg.Connection, value: asyncpg.Record, limit: int, after: int
) -> list[dict[str, Any]]:
    """Return every value of the same unit, indicator and period, oldest first, with its events."""
    rows = await connection.fetch(
        _HISTORY, value["unit_id"], value["indicator"], value["period"], after, limit
    )
    return [
        shown(row, row["status"])
        | {"events": msgspec.json.decode(row["events"] or "[]", type=list[Event])}
        for row in rows
    ]
