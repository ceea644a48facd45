"""Fill a database with synthetic values of every commune of today, as imports would leave them.

Deterministic: the same number of values gives the same values. They are made by PostgreSQL itself,
without indexes, which are built afterwards: that is several times as fast as sending them. They
stand on the disk as a province a period after the other would have sent them.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from app.rules.period import Period, read_period
from app.rules.registry import Registry

SOURCE: Final = "Số liệu giả định - không có thật (bench.load)"
FIRST_YEAR: Final = 2026
_DAY: Final = datetime.date(FIRST_YEAR, 1, 1)
_PARTS: Final = (
    "", "-H1", "-H2", "-Q1", "-Q2", "-Q3", "-Q4", *(f"-{month:02}" for month in range(1, 13)),
)  # fmt: skip
TABLES: Final = ("value", "value_event", "current_value")
Told = Callable[[str, int, int], None]

# One period of every commune; $1 to $3 are the period, $4 the source, $5 what the acts of recording
# are counted from, $6 what the numbers are, $7 how many rows at most. Of 25 values of a commune one
# is never recorded. Every number follows from unit, indicator and period.
_VALUES: Final = """
WITH stored AS (
  INSERT INTO value (recording_id, unit_id, district_id, province_id, indicator, period,
                     period_first, period_last, truth, counted, numerator, denominator, percent,
                     codes, source)
  SELECT a.id, u.unit_id, u.district_id, u.province_id, i.code, $1, $2, $3,
         CASE WHEN i.kind = 'boolean' THEN h.n % 3 <> 0 END,
         CASE WHEN i.kind = 'count' THEN h.n % 40 END,
         CASE WHEN i.kind = 'ratio' AND h.n % 30 <> 0 THEN 10 * (h.n % 101) END,
         CASE WHEN i.kind = 'ratio' AND h.n % 30 <> 0 THEN 1000 END,
         CASE WHEN i.kind = 'ratio' AND h.n % 30 = 0 THEN (h.n % 100)::text || '.5' END,
         CASE WHEN i.kind = 'set' THEN i.members[1 : 1 + (h.n % 4)::int] END,
         $4
    FROM bench_unit u
    JOIN recording a ON a.position = $5::bigint + u.province_number
   CROSS JOIN bench_indicator i
   CROSS JOIN LATERAL (
     SELECT abs(hashint8(u.unit_id * 1000003::bigint + i.n * 1009 + $6)::bigint) AS n) h
   WHERE (u.unit_id * 31 + i.n * 17) % 25 <> 0
   ORDER BY u.province_number, u.unit_id, i.n
   LIMIT $7
  RETURNING *
)
INSERT INTO current_value (unit_id, district_id, province_id, indicator, period, period_first,
                           period_last, value_id, status)
SELECT unit_id, district_id, province_id, indicator, period, period_first, period_last, id,
       'reported'
  FROM stored
"""
_ACTS: Final = """
INSERT INTO recording (author, position)
SELECT 'bench', $1::bigint + number FROM generate_series(1, $2::int) number
"""
_UNITS: Final = """
CREATE UNLOGGED TABLE bench_unit AS
SELECT v.unit_id, v.district_id, v.province_id,
       dense_rank() OVER (ORDER BY v.province_id)::int AS province_number
  FROM unit_version v JOIN unit u ON u.id = v.unit_id AND u.level = 'commune'
 WHERE (v.valid_from IS NULL OR v.valid_from <= '{day}') AND (v.valid_to IS NULL
        OR v.valid_to > '{day}')
"""
_INDICATORS: Final = """
CREATE UNLOGGED TABLE bench_indicator (
  n int GENERATED ALWAYS AS IDENTITY, code text, kind text, members text[])
"""
_INDICATOR: Final = """
INSERT INTO bench_indicator (code, kind, members) VALUES ($1, $2, string_to_array($3, '|'))
"""
_CONSTRAINTS: Final = """
SELECT c.conrelid::regclass::text AS relation, c.conname AS name,
       pg_get_constraintdef(c.oid) AS made
  FROM pg_constraint c
 WHERE c.conrelid = ANY($1::regclass[]) AND c.contype IN ('p', 'u', 'f')
 ORDER BY c.contype <> 'f', c.conname
"""
_INDEXES: Final = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS made
  FROM pg_index i
 WHERE i.indrelid = ANY($1::regclass[])
   AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
"""
# Sorting what was filled, with more memory than the server gives to requests.
_BUILDING: Final = "SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 2"


def periods() -> Iterator[Period]:
    """Yield periods of every kind, year by year from the first in which no commune changed."""
    year = FIRST_YEAR
    while True:
        yield from (one for part in _PARTS if (one := read_period(f"{year}{part}")) is not None)
        year += 1


def indicators(registry: Registry) -> list[str]:
    """Return the codes of everything that is measured of communes."""
    return [
        code
        for code, one in registry.indicators.items()
        if "commune" in one.levels and one.validity is not None
    ]


async def fill(
    connection: asyncpg.Connection, registry: Registry, values: int, told: Told
) -> list[Period]:
    """Put so many values on record as a superuser; return the periods that they speak of.

    `told` hears what is being done, and how much of it is done out of how much.
    """
    provinces = await _prepare(connection, registry)
    used: list[Period] = []
    done = 0
    async with without_indexes(connection, told):
        for number, period in enumerate(periods()):
            if done >= values:
                break
            acts = number * provinces
            await connection.execute(_ACTS, acts, provinces)
            status = await connection.execute(
                _VALUES, period.text, period.first, period.last, SOURCE, acts, number * 7919,
                values - done,
            )  # fmt: skip
            done += int(status.split()[-1])
            used.append(period)
            told("values", done, values)
    await connection.execute("DROP TABLE bench_unit, bench_indicator")
    for table in TABLES:  # what the server does by itself after large imports
        await connection.execute(f"VACUUM ANALYZE {table}")
    return used


async def _prepare(connection: asyncpg.Connection, registry: Registry) -> int:
    """Note who is measured and what; return the number of provinces."""
    await connection.execute(_UNITS.format(day=_DAY))
    codes = indicators(registry)
    members = ["|".join(one.code for one in registry.indicators[code].members) for code in codes]
    kinds = [registry.indicators[code].kind for code in codes]
    await connection.execute(_INDICATORS)
    await connection.executemany(_INDICATOR, list(zip(codes, kinds, members, strict=True)))
    await connection.execute("ANALYZE bench_unit, bench_indicator")
    return int(await connection.fetchval("SELECT max(province_number) FROM bench_unit"))


@asynccontextmanager
async def without_indexes(connection: asyncpg.Connection, told: Told) -> AsyncIterator[None]:
    """Take the indexes of the tables of values away for a block, and build them afterwards."""
    constraints = await connection.fetch(_CONSTRAINTS, TABLES)
    indexes = await connection.fetch(_INDEXES, TABLES)
    for one in constraints:
        await connection.execute(f"ALTER TABLE {one['relation']} DROP CONSTRAINT {one['name']}")
    for one in indexes:
        await connection.execute(f"DROP INDEX {one['name']}")
    yield
    await connection.execute(_BUILDING)
    made = [one["made"] for one in indexes]
    made += [
        f"ALTER TABLE {one['relation']} ADD CONSTRAINT {one['name']} {one['made']}"
        for one in reversed(constraints)
    ]
    for number, statement in enumerate(made, 1):
        await connection.execute(statement)
        told("indexes", number, len(made))
