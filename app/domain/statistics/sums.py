"""What an indicator adds up to, period by period.

In each period the value that an evaluation would use counts (`app.rules.period.choose`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg

from app.domain.statistics import Group, Unit, numbered, slices
from app.domain.statistics.series import Point, Wanted, located, points
from app.domain.territory import Sight
from app.rules.indicators import Indicator
from app.rules.period import Period

# $1 to $4 are units: group, number, first day, the day after the last; $5 the indicator, $6 and $7
# where the texts of its periods lie, $8 to $10 the periods asked for: text, first and last day. The
# values of a unit are found by their key in one go; of those that count in a period the best stays.
_CHOSEN: Final = """
WITH chosen AS MATERIALIZED (
  SELECT DISTINCT ON (w.number, w.unit_id, p.n) w.number, p.n, c.value_id
    FROM unnest($1::int[], $2::int[], $3::date[], $4::date[]) w(number, unit_id, since, until)
   CROSS JOIN LATERAL (
     SELECT * FROM current_value c
      WHERE c.unit_id = w.unit_id AND c.indicator = $5 AND c.period >= $6 AND c.period <= $7
        AND c.status <> 'retracted' OFFSET 0) c
   CROSS JOIN LATERAL {periods} p
   WHERE p.day >= w.since AND p.day < w.until
   ORDER BY w.number, w.unit_id, p.n, {rank}
), known AS (
  SELECT chosen.number, chosen.n, v.*
    FROM chosen CROSS JOIN LATERAL (
      SELECT v.id, v.truth, v.counted, v.numerator, v.denominator, v.percent, v.codes
        FROM value v WHERE v.id = chosen.value_id LIMIT 1) v
)
"""
# A value lies within one period asked for at most: the last one that does not begin after it. Of a
# standing indicator older values count as well, in every later period.
_WITHIN: Final = """(
     SELECT n, ($8::text[])[n] AS text, ($10::date[])[n] AS day
       FROM width_bucket(c.period_first, $9::date[]) n
      WHERE n > 0 AND c.period_last <= ($10::date[])[n])"""
_STANDING: Final = """(
     SELECT n, text, first, day
       FROM unnest($8::text[], $9::date[], $10::date[]) WITH ORDINALITY a(text, first, day, n)
      WHERE c.period_last < first OR c.period_first >= first AND c.period_last <= day)"""
# See `app.rules.period.choose`.
_RANK: Final = "c.period <> p.text, c.period_last DESC, c.period_first"
_SUMS: Final = """
SELECT number, n, NULL AS code, count(*) AS known, count(*) FILTER (WHERE truth) AS true,
       sum(counted) AS counted, sum(numerator) AS numerator, sum(denominator) AS denominator,
       count(percent) AS without_counts, {ids} AS ids
  FROM known GROUP BY number, n
"""
_CODES: Final = """
 UNION ALL
SELECT number, n, m.code, count(*), NULL, NULL, NULL, NULL, NULL, NULL
  FROM known CROSS JOIN LATERAL unnest(codes) m(code) GROUP BY number, n, m.code
"""


async def sums(
    connection: asyncpg.Connection,
    sight: Sight,
    shown: Sequence[Group],
    wanted: Wanted,
    indicator: Indicator,
) -> tuple[list[list[Point]], list[int]]:
    """Return the points of groups, and the numbers of the values that grants opened."""
    units = numbered(shown, indicator.code)
    found = [points(group, indicator.code, wanted) for group in shown]
    for point in (point for of in found for point in of):
        point.update(_nothing_known(indicator))
    read: list[int] = []
    counted = bool(sight.grants)
    for row in await _known(connection, units, indicator, wanted.periods, counted=counted):
        point = found[row["number"]][row["n"] - 1]
        if row["code"] is not None:
            codes = point["codes"]
            codes[row["code"]] = codes.get(row["code"], 0) + row["known"]
            continue
        read += row["ids"] or ()
        for name in ("known", "true", "counted", "numerator", "denominator", "without_counts"):
            if name in point and row[name] is not None:
                point[name] += int(row[name])
    return found, read


async def _known(
    connection: asyncpg.Connection,
    units: Sequence[tuple[int, Unit]],
    indicator: Indicator,
    periods: list[Period],
    *,
    counted: bool,
) -> list[asyncpg.Record]:
    """Return the sums of units; `counted` asks for the numbers of the values, too."""
    standing = indicator.validity == "standing"
    statement = (
        _CHOSEN.format(periods=_STANDING, rank=f"c.period_last < p.first, {_RANK}")
        if standing
        else _CHOSEN.format(periods=_WITHIN, rank=_RANK)
    )
    statement += _SUMS.format(ids="array_agg(id)" if counted else "NULL::bigint[]")
    if indicator.kind == "set":
        statement += _CODES
    since, until = "" if standing else periods[0].text[:4], periods[-1].text[:4] + "~"
    asked = [[getattr(one, name) for one in periods] for name in ("text", "first", "last")]
    found: list[asyncpg.Record] = []
    for some in slices(units):
        where = located(some)
        found += await connection.fetch(statement, *where, indicator.code, since, until, *asked)
    return found


def _nothing_known(indicator: Indicator) -> Point:
    """Return what is counted of an indicator of a kind, where no value is known."""
    found: Point = {"known": 0}
    if indicator.kind == "boolean":
        found["true"] = 0
    elif indicator.kind == "count":
        found["counted"] = 0
    elif indicator.kind == "set":
        found["codes"] = {one.code: 0 for one in indicator.members}
    else:
        found |= {"numerator": 0, "denominator": 0, "without_counts": 0}
    return found
