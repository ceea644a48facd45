"""Values of a file, compared with what is on record and loaded, thousands at a time.

The statements do to a frame of cells what `values.recording` does to the values of a request; they
answer with counts and the places of cells, never with a row for each value.
"""

from __future__ import annotations

import datetime
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import asyncpg
import msgspec

from app.database import DatabaseFailed
from app.domain import audit
from app.domain.audit import Act
from app.domain.imports import OnConflict
from app.domain.reading.frames import Cells
from app.domain.recordings import OPERATOR
from app.domain.territory import Caller, place
from app.domain.unit_periods import Entity, Unclear
from app.domain.values import freezing
from app.rules.errors import Text
from app.rules.period import Period

_NOTED: Final = 2_000  # units whose part in an import one statement puts into the audit


class Target(msgspec.Struct, frozen=True):
    """Whose values cells are: a unit, in a period."""

    unit: Entity
    period: Period


class Compared(msgspec.Struct, frozen=True):
    """What becomes of a frame of cells; `left` are those that differ from what is on record.

    Those are only listed where they are left alone; `held` are those that nothing may follow now,
    for a submission of evidence contains them. Numbers are places in the frame.
    """

    created: int
    superseded: int
    unchanged: int
    left: Sequence[int]
    held: Sequence[int]


# $1 tells whether what is on record is followed by what differs from it. `known` tells that there
# is something on record, if only something retracted; `same` that it counts and says the same.
_COMPARED: Final = """
WITH given AS (
  SELECT w.* FROM unnest($2::int[], $3::int[], $4::int[], $5::text[], $6::text[], $7::date[],
                         $8::date[], $9::bool[], $10::bigint[], $11::bigint[], $12::bigint[],
                         $13::text[], $14::text[], $15::text[], $16::date[], $17::text[])
       WITH ORDINALITY w(unit_id, district_id, province_id, indicator, period, period_first,
                         period_last, truth, counted, numerator, denominator, percent, codes,
                         source, measured_on, note, number)
), compared AS MATERIALIZED (
  SELECT g.*, on_record.known, on_record.same, on_record.frozen AND NOT on_record.same AS held
    FROM given g LEFT JOIN LATERAL (
      SELECT true AS known, CASE WHEN c.status <> 'retracted' THEN
             (v.truth, v.counted, v.numerator, v.denominator, v.percent, v.source, v.measured_on,
              v.note) IS NOT DISTINCT FROM
             (g.truth, g.counted, g.numerator, g.denominator, g.percent, g.source, g.measured_on,
              g.note)
             AND v.codes::text[] IS NOT DISTINCT FROM string_to_array(g.codes, '|') END AS same,
             cardinality(c.frozen_by) > 0 AS frozen
        FROM (SELECT * FROM current_value o
               WHERE (o.unit_id, o.indicator, o.period) = (g.unit_id, g.indicator, g.period)
               LIMIT 1) c
       CROSS JOIN LATERAL (SELECT * FROM value WHERE id = c.value_id LIMIT 1) v
       LIMIT 1) on_record ON true
)
"""
_COUNTED: Final = """
(SELECT count(*) FROM compared WHERE same) AS unchanged,
(SELECT array_agg(number::int - 1 ORDER BY number) FROM compared WHERE NOT same AND NOT $1) AS left,
(SELECT array_agg(number::int - 1 ORDER BY number) FROM compared WHERE held AND $1) AS held
"""
# What differs from what is on record and follows it: unless it is frozen while it is checked.
_FOLLOWING: Final = "NOT same AND $1 AND NOT held"
_COMPARE: Final = f"""
{_COMPARED}
SELECT (SELECT count(*) FROM compared WHERE same IS NULL OR {_FOLLOWING}) AS created,
       (SELECT count(*) FROM compared WHERE {_FOLLOWING}) AS superseded, {_COUNTED}
"""
_STORE: Final = """
  INSERT INTO value (recording_id, unit_id, district_id, province_id, indicator, period,
                     period_first, period_last, truth, counted, numerator, denominator, percent,
                     codes, source, measured_on, note)
  SELECT $18, unit_id, district_id, province_id, indicator, period, period_first, period_last,
         truth, counted, numerator, denominator, percent, string_to_array(codes, '|'),
         source, measured_on, note
    FROM compared WHERE {}
   ORDER BY unit_id, indicator, period
  RETURNING id, unit_id, district_id, province_id, indicator, period, period_first, period_last
"""
_CURRENT: Final = """
  INSERT INTO current_value AS c (unit_id, district_id, province_id, indicator, period,
                                  period_first, period_last, value_id, status)
  SELECT unit_id, district_id, province_id, indicator, period, period_first, period_last, id,
         'reported'
    FROM {} ORDER BY id
"""
# As in `values.recording`: rows of the current values are locked in one order within a frame, and
# of two writers of one value the one with the later number stays current. What nobody has recorded
# before is stored without looking again (a sixth of the time): who was faster makes it fail.
_LOAD: Final = f"""
{_COMPARED}
, fresh AS ({_STORE.format("known IS NULL")}),
made AS ({_CURRENT.format("fresh")}),
later AS ({_STORE.format(f"known AND (same IS NULL OR {_FOLLOWING})")}),
changed AS (
  {_CURRENT.format("later")}
  ON CONFLICT (unit_id, indicator, period) DO UPDATE
     SET value_id = EXCLUDED.value_id, status = EXCLUDED.status,
         followed_id = CASE WHEN c.status <> 'retracted' THEN c.value_id END,
         district_id = EXCLUDED.district_id, province_id = EXCLUDED.province_id
   WHERE c.value_id < EXCLUDED.value_id
  RETURNING followed_id, unit_id, district_id, province_id
), followed AS (
  INSERT INTO value_event (recording_id, value_id, status, unit_id, district_id, province_id)
  SELECT $18, followed_id, 'superseded', unit_id, district_id, province_id
    FROM changed WHERE followed_id IS NOT NULL
)
SELECT (SELECT count(*) FROM fresh) + (SELECT count(*) FROM later) AS created,
       (SELECT count(*) FROM later) - (SELECT count(*) FROM changed) AS overtaken,
       (SELECT count(*) FROM changed WHERE followed_id IS NOT NULL) AS superseded, {_COUNTED},
       (SELECT array_agg(unit_id) FROM fresh) || (SELECT array_agg(unit_id) FROM later) AS units
"""
_RACED: Final = Text(
    "có máy khách khác vừa ghi cùng số liệu; hãy thử lại sau ít giây",
    "another client recorded the same values in this moment; try again in a few seconds",
)
_BEGIN: Final = "INSERT INTO recording (author) VALUES ($1) RETURNING id"


class Loader:
    """Loads frames of cells in the transaction of a connection, as one act of recording.

    `codes` are those of the indicators, `targets` the units that cells are of.
    """

    def __init__(
        self,
        connection: asyncpg.Connection,
        caller: Caller | None,
        codes: Sequence[str],
        targets: Sequence[Target | Unclear],
        on_conflict: OnConflict,
    ) -> None:
        """Prepare; without a caller it is the operator who loads.

        `targets` may grow meanwhile; no cell is of one that is unclear.
        """
        self._connection, self._caller = connection, caller
        self._codes, self._targets = codes, targets
        self._follow = on_conflict == "new_version"
        self._recording: int | None = None
        self._loaded: Counter[int] = Counter()

    async def compare(self, cells: Cells) -> Compared:
        """Say what would become of cells; nothing is written."""
        return _compared(await self._asked(_COMPARE, cells))

    async def load(self, cells: Cells) -> Compared:
        """Put cells on record, except those that are there already or are to be left alone.

        Raises DatabaseFailed, to be tried again, when somebody recorded one of them in this
        moment.
        """
        if self._recording is None:
            by = self._caller.client_id if self._caller else OPERATOR
            self._recording = await self._connection.fetchval(_BEGIN, by)
        try:
            row = await self._asked(_LOAD, cells, self._recording)
        except asyncpg.UniqueViolationError as error:
            raise DatabaseFailed("query-timeout", _RACED, gave_way=True) from error
        except asyncpg.PostgresError as error:
            if error.sqlstate != freezing.FROZEN:
                raise
            raise DatabaseFailed("query-timeout", _RACED, gave_way=True) from error
        if row["overtaken"] or (row["superseded"] and not self._follow):
            raise DatabaseFailed("query-timeout", _RACED, gave_way=True)
        self._loaded.update(row["units"] or ())
        return _compared(row)

    async def note(self, import_id: int) -> int:
        """Put into the audit, unit by unit, what was loaded; return of how many units it was."""
        units = {
            one.unit.id: one.unit
            for one in self._targets
            if isinstance(one, Target) and one.unit.id in self._loaded
        }
        acts = [
            Act("values.imported", place(unit), {"import": import_id, "values": self._loaded[id_]})
            for id_, unit in units.items()
        ]
        for first in range(0, len(acts), _NOTED):
            await audit.note(self._connection, self._caller, acts[first : first + _NOTED])
        return len(acts)

    def forget(self) -> None:
        """Forget what was loaded: it was taken back."""
        self._recording = None
        self._loaded.clear()

    async def _asked(self, statement: str, cells: Cells, *more: Any) -> asyncpg.Record:
        (row,) = await self._connection.fetch(
            statement, self._follow, *_columns(cells, self._codes, self._targets), *more
        )
        return row


def _compared(row: asyncpg.Record | Mapping[str, Any]) -> Compared:
    counted = row["created"], row["superseded"], row["unchanged"]
    return Compared(*counted, row["left"] or (), row["held"] or ())


def _columns(
    cells: Cells, codes: Sequence[str], targets: Sequence[Target | Unclear]
) -> list[Sequence[Any]]:
    """Return one list per column; a list of codes travels as text (arrays cannot be ragged)."""
    meant = cast("list[Target]", [targets[number] for number in cells.place])
    units = [one.unit for one in meant]
    periods = [one.period for one in meant]
    return [
        [one.id for one in units],
        [one.district_id for one in units],
        [one.province_id for one in units],
        [codes[number] for number in cells.indicator],
        [one.text for one in periods],
        [one.first for one in periods],
        [one.last for one in periods],
        cells.truth,
        cells.counted,
        cells.numerator,
        cells.denominator,
        cells.percent,
        cells.codes,
        cells.source,
        [one and _day(one) for one in cells.measured_on],
        cells.note,
    ]


@functools.lru_cache(maxsize=4_096)
def _day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)
