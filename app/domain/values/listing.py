"""Reading values: the current ones page by page, changes in order, one with its history."""

from __future__ import annotations

import datetime
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.conditions import Conditions
from app.domain.territory import Sight, Territory
from app.domain.values import SHOWN_COLUMNS, SHOWN_JOINS, SUPERSEDED, shown
from app.domain.values.recording import absent


class Wanted(msgspec.Struct, frozen=True):
    """Which values: those that fit everything that is given, within what the caller may see."""

    visible: Sight
    units: tuple[int, ...] | None = None
    under: Territory | None = None
    indicator: str | None = None
    period: str | None = None
    status: str | None = None

    def conditions(self, row: str) -> Conditions:
        """Return the conditions on rows that have the columns of a value."""
        found = Conditions()
        found.seen(self.visible, row)
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
         'reported')
"""


async def page(
    connection: asyncpg.Connection, wanted: Wanted, limit: int, after: list[str] | None
) -> list[tuple[list[str], dict[str, Any]]]:
    """Return values with their place in the order: unit, indicator, period, number.

    The current ones; those of one status, if it is given.
    """
    where, row, source, place = _chosen(wanted)
    order = f"{row}.unit_id, {row}.indicator, {row}.period, {place}"
    if after:
        unit, indicator, period, number = after
        where.add(
            f"({order}) > ({{}}, {{}}, {{}}, {{}})", int(unit), indicator, period, int(number)
        )
    # The limit is written out: a plan for any limit would sort everything before the first row.
    rows = await connection.fetch(
        _PAGE.format(source=source, where=where, order=order, size=f"{limit:d}"), *where.parameters
    )
    return [
        (
            [str(row["unit_id"]), row["indicator"], row["period"], str(row["id"])],
            shown(row, row["status"]),
        )
        for row in rows
    ]


async def count(connection: asyncpg.Connection, wanted: Wanted, most: int) -> int:
    """Return how many values are wanted, and no more than `most`."""
    where, _, source, _ = _chosen(wanted)
    statement = f"SELECT count(*) FROM (SELECT {source} WHERE {where} LIMIT {most:d}) found"
    return int(await connection.fetchval(statement, *where.parameters))


def _chosen(wanted: Wanted) -> tuple[Conditions, str, str, str]:
    """Return the conditions on a page, the row that they speak of, its source and its number."""
    followed = wanted.status == SUPERSEDED
    where = wanted.conditions("v" if followed else "c")
    if followed:
        where.add("e.status = 'superseded'")
        return where, "v", _FOLLOWED, "v.id"
    if wanted.status is None:
        where.add("c.status <> 'retracted'")
    else:
        where.add("c.status = {}", wanted.status)
    return where, "c", _CURRENT, "c.value_id"


_CURRENT: Final = "c.value_id AS id, c.status FROM current_value c"
_FOLLOWED: Final = "v.id, e.status FROM value_event e JOIN value v ON v.id = e.value_id"
# The page is found first, then each of its rows is looked up by its number, as by ITS_VALUE.
_PAGE: Final = f"""
WITH page AS MATERIALIZED (SELECT {{source}} WHERE {{where}} ORDER BY {{order}} LIMIT {{size}})
SELECT one.*, page.status
  FROM page CROSS JOIN LATERAL (
    SELECT {SHOWN_COLUMNS}
      FROM (SELECT * FROM value WHERE id = page.id LIMIT 1) v {SHOWN_JOINS} LIMIT 1) one
 ORDER BY one.unit_id, one.indicator, one.period, one.id
"""


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
    position = where.mark(after[0])
    acts = f"r.recorded_at >= {where.mark(since)} AND r.position >= {position}"
    seen = f"CASE WHEN r.position > {position} THEN 0 ELSE {where.mark(after[1])}::bigint END"
    if wanted.status is not None:
        where.add(f"{_STATUS} = {{}}", wanted.status)
    # The limit is written out: a plan for any limit would sort everything before the first row.
    statement = _CHANGES.format(acts=acts, seen=seen, where=where, size=f"{limit:d}")
    rows = await connection.fetch(statement, *where.parameters)
    return [([str(row["position"]), str(row["id"])], shown(row, row["status"])) for row in rows]


# A value changes by its own recording and by its events; of each value only the last change is
# listed. What is not numbered yet is left for a later page. Act by act, each read from where the
# page before ended: one act may be an import of a million values. The bounds of an act are written
# so that only the index in that order can serve, whatever the planner believes.
_CHANGES: Final = f"""
WITH change AS (
  (SELECT r.position, found.id FROM recording r CROSS JOIN LATERAL (
     SELECT v.id FROM value v
      WHERE (v.recording_id, v.id) > (r.id, {{seen}}) AND v.recording_id <= r.id AND {{where}}
        AND (SELECT e.id FROM value_event e WHERE e.value_id = v.id LIMIT 1) IS NULL
      ORDER BY v.recording_id, v.id LIMIT {{size}}) found
    WHERE {{acts}} ORDER BY r.position, found.id LIMIT {{size}})
   UNION ALL
  (SELECT r.position, found.id FROM recording r CROSS JOIN LATERAL (
     SELECT v.id FROM value_event e CROSS JOIN LATERAL (
       SELECT * FROM value WHERE id = e.value_id LIMIT 1) v
      WHERE (e.recording_id, e.value_id) > (r.id, {{seen}}) AND e.recording_id <= r.id AND {{where}}
        AND (SELECT l.id FROM value_event l WHERE l.value_id = v.id AND l.id > e.id LIMIT 1) IS NULL
      ORDER BY e.recording_id, e.value_id LIMIT {{size}}) found
    WHERE {{acts}} ORDER BY r.position, found.id LIMIT {{size}})
)
SELECT change.position, one.*
  FROM change CROSS JOIN LATERAL (
    SELECT {SHOWN_COLUMNS}, {_STATUS} AS status
      FROM (SELECT * FROM value WHERE id = change.id LIMIT 1) v {SHOWN_JOINS} LIMIT 1) one
 ORDER BY change.position, one.id LIMIT {{size}}
"""


async def get(
    connection: asyncpg.Connection, visible: Sight, id_: int
) -> tuple[asyncpg.Record, dict[str, Any]]:
    """Return a value, as a row and as it is shown; raise Absent."""
    where = Conditions()
    where.seen(visible, "v")
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
    reason: str | None
    at: datetime.datetime
    by: str


_HISTORY: Final = f"""
SELECT {SHOWN_COLUMNS}, {_STATUS} AS status,
       (SELECT json_agg(json_build_object('status', e.status, 'reason', e.reason, 'at',
                 a.recorded_at, 'by', a.author) ORDER BY e.id)::text
          FROM value_event e JOIN recording a ON a.id = e.recording_id
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
