"""How verdicts came out: of each unit the latest verdict by a ruleset in a period, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.statistics import Asked, Cell, Group, leaves, numbered
from app.domain.statistics.rulesets import Scoped, by_entry, by_ruleset, in_scope
from app.domain.statistics.units import groups, under
from app.domain.territory import Sight
from app.rules.period import Period
from app.rules.registry import Entry, Registry
from app.rules.verdict import counted
from app.rules.vocabulary import OUTCOMES

# `all_items` is the first key of a stored verdict: sorted keys, no white space (ADR 0006). Its
# first bytes are enough, and do not fetch the rest of it.
ALL_ITEMS: Final = """
substring(encode(substring(e.verdict for 40), 'escape') from '^{"all_items":"([a-z_]+)"')
""".strip()
# Each unit's latest verdict is looked up by its key: unit, ruleset, period.
_LATEST: Final = f"""
WITH latest AS MATERIALIZED (
  SELECT w.number, e.*
    FROM unnest($1::int[], $2::int[]) w(number, unit_id) CROSS JOIN LATERAL (
      SELECT e.id, e.outcome, e.leaves, {ALL_ITEMS} AS all_items
        FROM evaluation e
       WHERE e.unit_id = w.unit_id AND e.ruleset = $3 AND e.period = $4
       ORDER BY e.id DESC LIMIT 1) e
)
SELECT number, NULL AS criterion, outcome, all_items, count(*) AS units, array_agg(id) AS ids
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
    known: dict[str, list[Group]] = {}
    found = []
    for entry, level in chosen:
        if level not in known:
            known[level] = await groups(connection, sight, wanted.asked, below, level)
        id_ = entry.ruleset.ruleset
        found += [Cell(f"{id_} {level} {one.order}", entry, level, one) for one in known[level]]
    return sorted(found, key=lambda cell: cell.key)


class Count(msgspec.Struct):
    """What was counted of one group."""

    outcomes: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    all_items: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    criteria: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)

    @property
    def evaluated(self) -> int:
        """Return the number of units that have a verdict."""
        return sum(self.outcomes.values())


async def count(
    connection: asyncpg.Connection, shown: Sequence[Cell], wanted: Wanted
) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the items of cells, and the numbers of the verdicts that were counted in them."""
    items: list[dict[str, Any]] = []
    read: list[int] = []
    known: Scoped = {}
    for entry, level, together in by_entry(shown):
        bound = await in_scope(connection, entry, together, known)
        counts, ids = await _counts(connection, entry, together, wanted)
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
) -> tuple[list[Count], list[int]]:
    ruleset = entry.ruleset.ruleset
    units = numbered(together, ruleset)
    statement = _LATEST
    given: list[Any] = [[number for number, _ in units], [unit.id for _, unit in units], ruleset]
    given.append(wanted.period.text)
    if wanted.criteria or wanted.criterion is not None:
        statement = _BY_CRITERION
        given.append(wanted.criterion)
    counts = [Count() for _ in together]
    read: list[int] = []
    for row in await connection.fetch(statement, *given):
        one_count = counts[row["number"]]
        if row["criterion"] is not None:
            of = one_count.criteria.setdefault(row["criterion"], {})
            of[row["outcome"]] = row["units"]
            continue
        read += row["ids"]
        _add(one_count.outcomes, row["outcome"], row["units"])
        if row["all_items"] is not None:
            _add(one_count.all_items, row["all_items"], row["units"])
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
