"""Values for export: every value that fits the filters of a list, in the same order.

The first columns are those that files of values are read by, so that what was exported can be
handed in again; what follows says more about a value and is not read.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.exports import Column, Row, instant
from app.domain.values import listing
from app.domain.values.listing import Wanted
from app.rules.facts import Fact, Percent, Ratio
from app.rules.period import Period, read_period

COLUMNS: Final = (
    Column("unit", "Mã đơn vị"),
    Column("on", "Tại ngày"),
    Column("period", "Kỳ"),
    Column("indicator", "Chỉ số"),
    Column("value", "Giá trị"),
    Column("numerator", "Tử số"),
    Column("denominator", "Mẫu số"),
    Column("source", "Nguồn"),
    Column("measured_on", "Ngày đo"),
    Column("note", "Ghi chú"),
    Column("unit_name", "Tên đơn vị"),
    Column("level", "Cấp"),
    Column("province", "Tỉnh"),
    Column("district", "Huyện"),
    Column("status", "Trạng thái"),
    Column("recorded_at", "Thời điểm ghi"),
    Column("by", "Máy khách"),
    Column("id", "Số hiệu"),
)
PAGE: Final = 250  # a part: a slow reader takes some seconds for it
_AT_ONCE: Final = 1_000  # values that a statement reads
_FIRST, _MOST = 16, 1_024  # units that it looks through

Shown = Mapping[str, Any]  # a value as lists show it
Placed = tuple[int, Shown]  # with the number of its unit

_UNITS: Final = "SELECT id FROM unit ORDER BY id"


async def pages(
    connection: asyncpg.Connection, wanted: Wanted
) -> AsyncGenerator[list[Placed], None]:
    """Yield the values wanted, at most 250 at a time, by unit, indicator and period.

    It goes from unit to unit: a statement looks at the values of a few units and no others,
    however many there are on record, so that none takes long and none sorts everything. As many
    units as have about a thousand values between them.
    """
    units = await _units(connection, wanted)
    first, size = 0, _FIRST
    while first < len(units):
        some, found = msgspec.structs.replace(wanted, units=units[first : first + size]), 0
        async with aclosing(_of_few(connection, some)) as pages_of_few:
            async for page in pages_of_few:
                found += len(page)
                for start in range(0, len(page), PAGE):
                    yield page[start : start + PAGE]
        first += size
        size = max(1, min(_MOST, size * _AT_ONCE // max(found, _AT_ONCE // 4)))


async def _of_few(
    connection: asyncpg.Connection, wanted: Wanted
) -> AsyncGenerator[list[Placed], None]:
    after = None
    while found := await listing.page(connection, wanted, _AT_ONCE, after):
        yield [(int(place[0]), shown) for place, shown in found]
        after = found[-1][0]


async def _units(connection: asyncpg.Connection, wanted: Wanted) -> tuple[int, ...]:
    """Return the units whose values may be wanted, in the order of the list."""
    if wanted.units is not None:
        return tuple(sorted(wanted.units))
    return tuple(row["id"] for row in await connection.fetch(_UNITS))


async def count(connection: asyncpg.Connection, wanted: Wanted, most: int) -> int:
    """Return how many values are wanted, and no more than one above `most`."""
    units, found = await _units(connection, wanted), 0
    for first in range(0, len(units), _MOST):
        some = msgspec.structs.replace(wanted, units=units[first : first + _MOST])
        found += await listing.count(connection, some, most + 1 - found)
        if found > most:
            break
    return found


# Where a unit stood at the end of a period, or at its own end: by $1 the unit, $2 the first and $3
# the last day of the period. `day` is needed only where the code may mean another unit as well.
_STOOD: Final = """
SELECT w.unit_id, w.first, w.last, p.name AS province, d.name AS district,
       CASE WHEN (n.valid_from IS NULL OR n.valid_from <= w.first)
             AND (n.valid_to IS NULL OR n.valid_to > w.last) THEN NULL
            ELSE least(w.last, n.valid_to - 1) END AS day
  FROM unnest($1::int[], $2::date[], $3::date[]) w(unit_id, first, last)
 CROSS JOIN LATERAL (
    SELECT * FROM unit_version v
     WHERE v.unit_id = w.unit_id AND (v.valid_from IS NULL OR v.valid_from <= w.last)
     ORDER BY v.valid_from DESC NULLS LAST LIMIT 1) n
  LEFT JOIN LATERAL (
    SELECT v.name FROM unit_version v
     WHERE v.unit_id = n.province_id AND v.unit_id <> w.unit_id
       AND (v.valid_from IS NULL OR v.valid_from <= w.last)
     ORDER BY v.valid_from DESC NULLS LAST LIMIT 1) p ON true
  LEFT JOIN LATERAL (
    SELECT v.name FROM unit_version v
     WHERE v.unit_id = n.district_id AND v.unit_id <> w.unit_id
       AND (v.valid_from IS NULL OR v.valid_from <= w.last)
     ORDER BY v.valid_from DESC NULLS LAST LIMIT 1) d ON true
"""


async def rows(connection: asyncpg.Connection, page: Sequence[Placed]) -> list[Row]:
    """Return values as rows of a table."""
    periods = {text: _period(text) for text in {shown["period"] for _, shown in page}}
    met = {(unit, periods[shown["period"]]) for unit, shown in page}
    asked = [(unit, period.first, period.last) for unit, period in sorted(met)]
    stood = await connection.fetch(_STOOD, *map(list, zip(*asked, strict=True)))
    known = {(row["unit_id"], row["first"], row["last"]): row for row in stood}
    found = []
    for unit, shown in page:
        period = periods[shown["period"]]
        found.append(_row(shown, known[unit, period.first, period.last]))
    return found


def _row(shown: Shown, stood: asyncpg.Record) -> Row:
    unit = shown["unit"]
    value, numerator, denominator = _cells(shown["value"])
    return (
        unit["code"], _text(stood["day"]), shown["period"], shown["indicator"],
        value, numerator, denominator,
        shown["source"], _text(shown["measured_on"]), shown["note"],
        unit["name"], unit["level"], stood["province"], stood["district"],
        shown["status"], instant(shown["recorded_at"]), shown["by"], shown["id"],
    )  # fmt: skip


def _cells(fact: Fact) -> tuple[str | int | None, int | None, int | None]:
    """Return value, numerator and denominator as files of values are read."""
    if isinstance(fact, Ratio):
        return None, fact.numerator, fact.denominator
    if isinstance(fact, bool):
        return str(fact).lower(), None, None
    if isinstance(fact, Percent):
        return f"{fact.percent}%", None, None  # 0.85 alone would be read as a fraction
    return (fact if isinstance(fact, int) else "|".join(fact) or "[]"), None, None


def _text(day: datetime.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _period(text: str) -> Period:
    found = read_period(text)
    if found is None:
        raise ValueError("a period that nobody could have recorded")
    return found


def numbers(page: Iterable[Placed]) -> list[int]:
    """Return the numbers of values, to count what grants opened."""
    return [shown["id"] for _, shown in page]
