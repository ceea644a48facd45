"""Which values are there: of the indicators that a ruleset reads, unit by unit, counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from app.domain.statistics import Asked, Cell, slices
from app.domain.statistics.rulesets import by_entry, by_ruleset, in_scope
from app.domain.statistics.spans import within
from app.domain.statistics.tallies import Expected, Tally
from app.domain.statistics.units import groups, under
from app.domain.territory import Sight
from app.rules.period import Period
from app.rules.registry import Registry

# $1 to $3 are units: group, number, which indicators may be seen; $4 and $5 indicators and whether
# older values count; $6 and $7 the first and last of the texts of the periods within the one asked
# for, $8 and $9 its first and last day, $10 the last text of its year. The order of periods as
# texts is that of years: so the key finds what lies within, and what is older.
_LETTERS: Final = """
SELECT w.number, w.sees, found.letters, {ids} AS ids
  FROM unnest($1::int[], $2::int[], $3::int[]) w(number, unit_id, sees)
 CROSS JOIN LATERAL (
   SELECT coalesce(string_agg(coalesce(inside.letter, older.letter, '0'), '' ORDER BY i.n), '')
            AS letters,
          array_agg(coalesce(inside.value_id, older.value_id)) AS ids
     FROM unnest($4::text[], $5::bool[]) WITH ORDINALITY i(code, standing, n)
     LEFT JOIN LATERAL (
       SELECT '2' AS letter, c.value_id FROM current_value c
        WHERE c.unit_id = w.unit_id AND c.indicator = i.code
          AND c.period >= $6 AND c.period <= $7 AND c.period_first >= $8 AND c.period_last <= $9
          AND c.status <> 'retracted' LIMIT 1) inside ON true
     LEFT JOIN LATERAL (
       SELECT CASE WHEN i.standing THEN '2' ELSE '1' END AS letter, c.value_id
         FROM current_value c
        WHERE inside.letter IS NULL AND c.unit_id = w.unit_id AND c.indicator = i.code
          AND c.period < $10 AND c.period_last < $8
          AND c.status <> 'retracted' LIMIT 1) older ON true) found
"""


class Wanted(msgspec.Struct, frozen=True):
    """Which values are counted: those that a ruleset reads of units of a level."""

    asked: Asked
    period: Period
    ruleset: str
    level: str | None = None
    details: bool = True


async def cells(
    connection: asyncpg.Connection, registry: Registry, sight: Sight, wanted: Wanted
) -> list[Cell]:
    """Return everything that is to be counted, in order; raise Refused or Absent."""
    chosen = by_ruleset(registry, wanted.ruleset, wanted.level, wanted.asked.by, None)
    below = await under(connection, sight, wanted.asked)
    return [
        Cell(f"{level} {group.order}", entry, level, group)
        for entry, level in sorted(chosen, key=lambda one: one[1])
        for group in await groups(connection, sight, wanted.asked, below, level)
    ]


async def count(
    connection: asyncpg.Connection,
    registry: Registry,
    sight: Sight,
    shown: Sequence[Cell],
    wanted: Wanted,
) -> tuple[list[Tally], list[int]]:
    """Return what was counted in each cell, and the numbers of the values that grants opened."""
    found: list[Tally] = []
    read: list[int] = []
    for entry, level, together in by_entry(shown):
        bound = await in_scope(connection, entry, together)
        expected = Expected(entry, level, registry, details=wanted.details)
        tallies = [Tally(expected, one, bound) for one in together]
        sees: dict[frozenset[str] | None, int] = {}
        units = [
            (number, unit.id, sees.setdefault(unit.names, len(sees)))
            for number, one in enumerate(together)
            for unit in one.units
            if unit.id in bound
        ]
        alike: dict[tuple[int, int], list[str]] = {}
        counted = bool(sight.grants)
        for row in await _letters(connection, units, expected, wanted.period, counted=counted):
            alike.setdefault((row["number"], row["sees"]), []).append(row["letters"])
            read += [id_ for id_ in row["ids"] or () if id_ is not None]
        names = list(sees)
        for (number, seen), letters in alike.items():
            tallies[number].add(letters, names[seen])
        found += tallies
    return found, read


async def _letters(
    connection: asyncpg.Connection,
    units: Sequence[tuple[int, int, int]],
    expected: Expected,
    period: Period,
    *,
    counted: bool,
) -> list[asyncpg.Record]:
    """Return the letters of units; `counted` asks for the numbers of the values, too."""
    texts = sorted(one.text for one in within(period))
    given = [
        [one.code for one in expected.indicators],
        [one.validity == "standing" for one in expected.indicators],
        texts[0],
        texts[-1],
        period.first,
        period.last,
        period.text[:4] + "~",
    ]
    statement = _LETTERS.format(ids="found.ids" if counted else "NULL::bigint[]")
    found: list[asyncpg.Record] = []
    for some in slices(units):
        columns = ([unit[part] for unit in some] for part in range(3))
        found += await connection.fetch(statement, *columns, *given)
    return found
