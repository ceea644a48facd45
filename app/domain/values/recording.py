"""Putting values on record: the act, the values, which one is current, and what it follows."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain import audit
from app.domain.audit import Act
from app.domain.recordings import OPERATOR
from app.domain.refusals import Absent, Complaint, Conflict
from app.domain.territory import Caller, Place, place
from app.domain.values import (
    FACT_COLUMNS,
    ITS_VALUE,
    REPORTED,
    RETRACTED,
    columns_of,
    fact_of,
    freezing,
    version,
)
from app.domain.values.entries import Placed
from app.rules.errors import Text

Key = tuple[int, str, str]
Progress = Callable[[str, int, int], None]
_TOGETHER: Final = 2_000  # values that one statement writes


class Stored(msgspec.Struct, frozen=True):
    """A value that was just put on record."""

    id: int
    placed: Placed
    recorded_at: datetime.datetime
    by: str

    def shown(self) -> dict[str, Any]:
        """Return it as `values.shown` shows a value that is read."""
        entry, unit = self.placed.entry, self.placed.unit
        return {
            "id": self.id,
            "unit": unit.shown(),
            "period": entry.period.text,
            "indicator": entry.indicator.code,
            "value": entry.fact,
            "source": entry.source,
            "measured_on": entry.measured_on,
            "note": entry.note,
            "version": version(self.id, REPORTED),
            "status": REPORTED,
            "recorded_at": self.recorded_at,
            "by": self.by,
        }


# Rows of the current values are locked in one order, whoever writes them: no two writers wait for
# each other. Of two writers of one value, the one with the later number stays current. What it
# follows is read from the row of the key, which is held: so it is the last one that was committed.
_RECORD: Final = """
WITH act AS (
  INSERT INTO recording (author) VALUES ($1) RETURNING id, recorded_at
), stored AS (
  INSERT INTO value (recording_id, unit_id, district_id, province_id, indicator, period,
                     period_first, period_last, truth, counted, numerator, denominator, percent,
                     codes, source, measured_on, note)
  SELECT act.id, w.unit_id, w.district_id, w.province_id, w.indicator, w.period,
         w.period_first, w.period_last, w.truth, w.counted, w.numerator, w.denominator, w.percent,
         CASE WHEN w.codes IS NOT NULL THEN string_to_array(w.codes, '|') END,
         w.source, w.measured_on, w.note
    FROM act, unnest($2::int[], $3::int[], $4::int[], $5::text[], $6::text[], $7::date[],
                     $8::date[], $9::bool[], $10::bigint[], $11::bigint[], $12::bigint[],
                     $13::text[], $14::text[], $15::text[], $16::date[], $17::text[])
         WITH ORDINALITY w(unit_id, district_id, province_id, indicator, period, period_first,
                           period_last, truth, counted, numerator, denominator, percent, codes,
                           source, measured_on, note, number)
   ORDER BY w.number
  RETURNING *
), current AS (
  INSERT INTO current_value AS c (unit_id, district_id, province_id, indicator, period,
                                  period_first, period_last, value_id, status)
  SELECT unit_id, district_id, province_id, indicator, period, period_first, period_last, id,
         'reported'
    FROM stored ORDER BY unit_id, indicator, period
  ON CONFLICT (unit_id, indicator, period) DO UPDATE
     SET value_id = EXCLUDED.value_id, status = EXCLUDED.status,
         followed_id = CASE WHEN c.status <> 'retracted' THEN c.value_id END,
         district_id = EXCLUDED.district_id, province_id = EXCLUDED.province_id
   WHERE c.value_id < EXCLUDED.value_id
  RETURNING value_id, followed_id
), followed AS (
  INSERT INTO value_event (recording_id, value_id, status, unit_id, district_id, province_id)
  SELECT act.id, w.value_id, 'superseded', w.unit_id, w.district_id, w.province_id
    FROM act, (
      SELECT CASE WHEN c.value_id IS NULL THEN s.id ELSE c.followed_id END AS value_id,
             s.unit_id, s.district_id, s.province_id
        FROM stored s LEFT JOIN current c ON c.value_id = s.id
    ) w
   WHERE w.value_id IS NOT NULL
)
SELECT stored.id, stored.unit_id, stored.indicator, stored.period, act.recorded_at
  FROM stored, act
"""


async def record(
    connection: asyncpg.Connection, caller: Caller | None, placed: Sequence[Placed]
) -> list[Stored]:
    """Put values on record as one act; without a caller it is the operator's."""
    if not placed:
        return []
    by = caller.client_id if caller else OPERATOR
    with freezing.respected():
        rows = await connection.fetch(_RECORD, by, *_columns(placed))
    stored = {(row["unit_id"], row["indicator"], row["period"]): row for row in rows}
    await audit.note(connection, caller, _acts(placed, stored))
    return [
        Stored(stored[one.key]["id"], one, stored[one.key]["recorded_at"], by) for one in placed
    ]


def _acts(placed: Sequence[Placed], stored: Mapping[Key, asyncpg.Record]) -> list[Act]:
    """Return what was done, unit by unit: which values were recorded."""
    values: dict[Place, list[int]] = {}
    for one in placed:
        values.setdefault(place(one.unit), []).append(stored[one.key]["id"])
    return [Act("values.recorded", where, {"values": ids}) for where, ids in values.items()]


async def record_in_parts(
    connection: asyncpg.Connection,
    caller: Caller | None,
    placed: Sequence[Placed],
    progress: Progress,
) -> None:
    """Put any number of values on record, one act a part, in the transaction of the connection."""
    total = len(placed)
    for first in range(0, total, _TOGETHER):
        await record(connection, caller, placed[first : first + _TOGETHER])
        progress("recording", min(first + _TOGETHER, total), total)


def _columns(placed: Sequence[Placed]) -> list[list[Any]]:
    """Return one list per column; a list of codes travels as text (arrays cannot be ragged)."""
    facts = [columns_of(one.entry.fact) for one in placed]
    columns = {name: [fact[name] for fact in facts] for name in FACT_COLUMNS}
    columns["codes"] = [None if one is None else "|".join(one) for one in columns["codes"]]
    return [
        [one.unit.id for one in placed],
        [one.unit.district_id for one in placed],
        [one.unit.province_id for one in placed],
        [one.entry.indicator.code for one in placed],
        [one.entry.period.text for one in placed],
        [one.entry.period.first for one in placed],
        [one.entry.period.last for one in placed],
        *columns.values(),
        [one.entry.source for one in placed],
        [one.entry.measured_on for one in placed],
        [one.entry.note for one in placed],
    ]


_QUEUE: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7415))"
_HOLD: Final = """
SELECT FROM current_value WHERE unit_id = $1 AND indicator = $2 AND period = $3 FOR UPDATE
"""
_FOLLOWED: Final = """
SELECT followed_id IS NOT NULL FROM current_value
 WHERE unit_id = $1 AND indicator = $2 AND period = $3
"""


async def hold(connection: asyncpg.Connection, placed: Placed) -> None:
    """Let nobody else follow or retract what an entry would follow, until the transaction ends.

    The next statement sees what whoever held it before has committed. Where there is nothing
    yet, those who hold it for the first value come one after the other.
    """
    await connection.execute(_QUEUE, " ".join(map(str, placed.key)))
    await connection.execute(_HOLD, *placed.key)


async def has_followed(connection: asyncpg.Connection, placed: Placed) -> bool:
    """Tell whether an entry just recorded follows another one: somebody was faster."""
    return bool(await connection.fetchval(_FOLLOWED, *placed.key))


_CURRENT: Final = f"""
SELECT c.status, v.*
  FROM unnest($1::int[], $2::text[], $3::text[]) w(unit_id, indicator, period)
 CROSS JOIN LATERAL (
   SELECT * FROM current_value o
    WHERE (o.unit_id, o.indicator, o.period) = (w.unit_id, w.indicator, w.period) LIMIT 1) c
 {ITS_VALUE}
"""


async def current(
    connection: asyncpg.Connection, placed: Sequence[Placed]
) -> dict[Key, asyncpg.Record]:
    """Return the values that entries would follow, by what names them."""
    keys = [one.key for one in placed]
    rows = await connection.fetch(_CURRENT, *([key[part] for key in keys] for part in range(3)))
    return {(row["unit_id"], row["indicator"], row["period"]): row for row in rows}


def is_live(row: asyncpg.Record) -> bool:
    """Tell whether the current value counts, or was retracted."""
    return bool(row["status"] != RETRACTED)


def says_the_same(placed: Placed, row: asyncpg.Record) -> bool:
    """Tell whether an entry repeats the value on record, in everything it says."""
    entry = placed.entry
    return is_live(row) and (
        entry.fact, type(entry.fact), entry.source, entry.measured_on, entry.note
    ) == (
        fact_of(row), type(fact_of(row)), row["source"], row["measured_on"], row["note"]
    )  # fmt: skip


_RETRACT: Final = """
WITH gone AS (
  UPDATE current_value SET status = 'retracted'
   WHERE unit_id = $1 AND indicator = $2 AND period = $3 AND value_id = $4 AND status <> 'retracted'
  RETURNING value_id, unit_id, district_id, province_id
), act AS (
  INSERT INTO recording (author) SELECT $5 FROM gone RETURNING id
)
INSERT INTO value_event (recording_id, value_id, status, reason, unit_id, district_id, province_id)
SELECT act.id, value_id, 'retracted', $6, unit_id, district_id, province_id FROM gone, act
RETURNING id
"""


async def retract(
    connection: asyncpg.Connection, caller: Caller, value: asyncpg.Record, reason: str
) -> None:
    """Retract the current value; raise Conflict where it was followed or retracted already."""
    given = [value[name] for name in ("unit_id", "indicator", "period", "id")]
    with freezing.respected():
        done = await connection.fetchval(_RETRACT, *given, caller.client_id, reason)
    if done is None:
        message = Text(
            "số liệu này đã được thay hoặc đã được rút; xem lịch sử tại "
            f"/v1/values/{value['id']}/history",
            "this value was followed or retracted already; see its history at "
            f"/v1/values/{value['id']}/history",
        )
        raise Conflict(Complaint("/id", "not-current", message))
    where = (value["unit_id"], value["district_id"], value["province_id"])
    await audit.note(
        connection, caller, [Act("value.retracted", where, {"value": value["id"]}, reason)]
    )


def absent(id_: int) -> Absent:
    """Say that there is no such value, or none for this caller: the two look the same."""
    message = Text(
        f"không có số liệu số {id_} trong địa bàn của bạn",
        f"there is no value {id_} in your territory",
    )
    return Absent(Complaint("/id", "value-not-found", message))
