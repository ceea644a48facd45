"""How verdicts came out: of each unit the latest verdict by a ruleset in a period, counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.statistics import Asked, Cell, Group, leaves, numbered, slices
from app.domain.statistics.rulesets import Scoped, by_entry, by_ruleset, in_scope
from app.domain.statistics.units import groups, under
from app.domain.territory import Sight
from app.rules.period import Period
from app.rules.registry import Entry, Registry
from app.rules.verdict import counted
from app.rules.vocabulary import OUTCOMES

# Each unit's latest verdict is looked up by its key: unit, ruleset, period.
_LATEST: Final = """
WITH latest AS MATERIALIZED (
  SELECT w.number, e.*
    FROM unnest($1::int[], $2::int[]) w(number, unit_id) CROSS JOIN LATERAL (
      SELECT e.id, e.outcome, e.all_items, e.leaves FROM evaluation e
       WHERE e.unit_id = w.unit_id AND e.ruleset = $3 AND e.period = $4
       ORDER BY e.id DESC LIMIT 1) e
)
SELECT number, NULL AS criterion, outcome, all_items, count(*) AS units, {ids} AS ids
  FROM latest GROUP BY number, outcome, all_items
"""
_BY_CRITERION: Final = f"""
{_LATEST} UNION ALL
SELECT number, l.key, l.value, NULL, count(*), NULL
  FROM latest CROSS JOIN LATERAL jsonb_each_text(leaves) l
 WHERE $5::text IS NULL OR l.key = $5
 GROUP BY number, l.key, l.value
"""


class Wanted(msgspec.Struct, frozen=True):
    """Which verdicts are counted: by one ruleset or by all, at one level or at all of theirs.

    `criteria` asks for the outcomes of criteria, too; `criterion` for that of one of them.
    """

    asked: Asked
    period: Period
    ruleset: str | None = None
    level: str | None = None
    criteria: bool = False
    criterion: str | None = None


async def cells(
    connection: asyncpg.Connection, registry: Registry, sight: Sight, wanted: Wanted
) -> list[Cell]:
    """Return everything that is to be counted, in order; raise Refused or Absent."""
    chosen = by_ruleset(registry, wanted.ruleset, wanted.level, wanted.asked.by, wanted.criterion)
    below = await under(connection, sight, wanted.asked)
    known = {
        level: await groups(connection, sight, wanted.asked, below, level)
        for level in dict.fromkeys(level for _, level in chosen)
    }
    return await asyncio.to_thread(_in_order, chosen, known)


def _in_order(
    chosen: Sequence[tuple[Entry, str]], known: Mapping[str, Sequence[Group]]
) -> list[Cell]:
    found = [
        Cell(f"{entry.ruleset.ruleset} {level} {one.order}", entry, level, one)
        for entry, level in chosen
        for one in known[level]
    ]
    return sorted(found, key=lambda cell: cell.key)


class Count(msgspec.Struct):
    """What was counted of one group."""

    outcomes: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    all_items: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    criteria: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)

    def add(self, row: asyncpg.Record) -> None:
        """Add what a statement counted: verdicts, or the outcomes of one criterion in them."""
        if row["criterion"] is not None:
            _add(self.criteria.setdefault(row["criterion"], {}), row["outcome"], row["units"])
            return
        _add(self.outcomes, row["outcome"], row["units"])
        if row["all_items"] is not None:
            _add(self.all_items, row["all_items"], row["units"])

    @property
    def evaluated(self) -> int:
        """Return the number of units that have a verdict."""
        return sum(self.outcomes.values())


async def count(
    connection: asyncpg.Connection, sight: Sight, shown: Sequence[Cell], wanted: Wanted
) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the items of cells, and the numbers of the verdicts that grants opened."""
    items: list[dict[str, Any]] = []
    read: list[int] = []
    known: Scoped = {}
    for entry, level, together in by_entry(shown):
        bound = await in_scope(connection, entry, together, known)
        counts, ids = await _counts(connection, entry, together, wanted, opened=bool(sight.grants))
        read += ids
        for group, one in zip(together, counts, strict=True):
            seen = [unit.id for unit in group.units if unit.opens(entry.ruleset.ruleset)]
            items.append(
                {
                    "ruleset": entry.ruleset.ruleset,
                    "level": level,
                    "period": wanted.period.text,
                    "unit": group.shown,
                    "units": len(seen),
                    "in_scope": sum(id_ in bound for id_ in seen),
                    "evaluated": one.evaluated,
                    "outcomes": one.outcomes,
                    "all_items": one.all_items if entry.ruleset.overall == "none" else None,
                    "criteria": _criteria(entry, one.criteria, wanted),
                }
            )
    return items, read


async def _counts(
    connection: asyncpg.Connection,
    entry: Entry,
    together: Sequence[Group],
    wanted: Wanted,
    *,
    opened: bool,
) -> tuple[list[Count], list[int]]:
    """Return what was counted of groups; `opened` asks for the numbers of the verdicts, too."""
    ruleset = entry.ruleset.ruleset
    given: list[Any] = [ruleset, wanted.period.text]
    statement = _LATEST
    if wanted.criteria or wanted.criterion is not None:
        statement = _BY_CRITERION
        given.append(wanted.criterion)
    statement = statement.format(ids="array_agg(id)" if opened else "NULL::bigint[]")
    counts = [Count() for _ in together]
    read: list[int] = []
    for some in slices(numbered(together, ruleset)):
        where = [number for number, _ in some], [unit.id for _, unit in some]
        for row in await connection.fetch(statement, *where, *given):
            counts[row["number"]].add(row)
            read += row["ids"] or ()
    return counts, read


def _add(counts: dict[str, int], outcome: str, units: int) -> None:
    counts[outcome] = counts.get(outcome, 0) + units


def _criteria(
    entry: Entry, found: Mapping[str, Mapping[str, int]], wanted: Wanted
) -> list[dict[str, Any]] | None:
    """Return the outcomes of criteria in the order of the document, then those of older versions.

    A criterion that no verdict knows is there, too; None where no criteria were asked for.
    """
    if not wanted.criteria and wanted.criterion is None:
        return None
    known = [id_ for id_, _ in leaves(entry) if wanted.criterion in (None, id_)]
    older = sorted(found.keys() - set(known))
    return [{"id": id_} | counted([]) | dict(found.get(id_, {})) for id_ in (*known, *older)]
