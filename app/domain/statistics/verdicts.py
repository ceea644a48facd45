"""How verdicts came out, period by period: of each unit the latest one of each period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from app.domain.statistics import Group, numbered, slices
from app.domain.statistics.rulesets import in_scope
from app.domain.statistics.series import Point, Wanted, located, points
from app.domain.territory import Sight
from app.rules.registry import Entry
from app.rules.vocabulary import OUTCOMES

_VERDICTS: Final = """
SELECT w.number, p.n, {outcome} AS outcome, count(*) AS units, {ids} AS ids
  FROM unnest($1::int[], $2::int[], $3::date[], $4::date[]) w(number, unit_id, since, until)
  JOIN unnest($6::text[], $7::int[], $8::date[]) p(text, n, day)
    ON p.day >= w.since AND p.day < w.until
 CROSS JOIN LATERAL (
   SELECT e.id, e.outcome, e.leaves FROM evaluation e
    WHERE e.unit_id = w.unit_id AND e.ruleset = $5 AND e.period = p.text
    ORDER BY e.id DESC LIMIT 1) e
 GROUP BY w.number, p.n, {outcome}
"""


async def verdicts(
    connection: asyncpg.Connection,
    sight: Sight,
    shown: Sequence[Group],
    wanted: Wanted,
    entry: Entry,
) -> tuple[list[list[Point]], list[int]]:
    """Return the points of groups, and the numbers of the verdicts that grants opened."""
    bound = await in_scope(connection, entry, shown)
    found = [points(group, entry.ruleset.ruleset, wanted, bound) for group in shown]
    for point in (point for of in found for point in of):
        point.update(evaluated=0, outcomes=dict.fromkeys(OUTCOMES, 0))
    given: list[Any] = [
        entry.ruleset.ruleset,
        [one.text for one in wanted.periods],
        list(range(len(wanted.periods))),
        [one.last for one in wanted.periods],
    ]
    outcome = "e.outcome"
    if wanted.criterion is not None:
        outcome = "e.leaves ->> $9::text"
        given.append(wanted.criterion)
    ids = "array_agg(e.id)" if sight.grants else "NULL::bigint[]"
    statement = _VERDICTS.format(outcome=outcome, ids=ids)
    read: list[int] = []
    for some in slices(numbered(shown, entry.ruleset.ruleset)):
        for row in await connection.fetch(statement, *located(some), *given):
            read += row["ids"] or ()
            if row["outcome"] is not None:  # an older ruleset may not have had the criterion
                _add(found[row["number"]][row["n"]], row["outcome"], row["units"])
    return found, read


def _add(point: Point, outcome: str, units: int) -> None:
    point["evaluated"] += units
    point["outcomes"][outcome] = point["outcomes"].get(outcome, 0) + units
