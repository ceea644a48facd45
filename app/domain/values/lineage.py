"""What predecessors reported, summed for a unit: computed on reading, never moved or copied.

Only ratios can be summed, by numerators and denominators, and only over predecessors that were
taken whole: which share of a divided unit went where is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.unit_lookup import with_predecessors
from app.domain.values import ITS_VALUE, fact_of
from app.domain.values.listing import Wanted
from app.rules.facts import Fact, Ratio
from app.rules.figures import displayed_percent

PART: Final = "part"
PERCENT_ONLY: Final = "percent_only"
NO_VALUE: Final = "no_value"

_EDGES: Final = """
SELECT from_unit_id, to_unit_id, extent FROM lineage WHERE to_unit_id = ANY($1::int[])
 ORDER BY from_unit_id
"""
_UNITS: Final = """
SELECT DISTINCT ON (u.id) u.id, u.key AS unit, u.level, v.code, v.type, v.name
  FROM unit u JOIN unit_version v ON v.unit_id = u.id
 WHERE u.id = ANY($1::int[]) ORDER BY u.id, v.valid_from DESC NULLS LAST
"""


class Recorded(msgspec.Struct, frozen=True):
    """A value on record: its number and its fact."""

    id: int
    fact: Fact


class Sum(msgspec.Struct, frozen=True):
    """Numerators and denominators added up, from which values, and what is missing and why."""

    numerator: int = 0
    denominator: int = 0
    values: tuple[int, ...] = ()
    missing: tuple[tuple[int, str], ...] = ()

    def plus(self, other: Sum) -> Sum:
        """Return both together."""
        return Sum(
            self.numerator + other.numerator,
            self.denominator + other.denominator,
            self.values + other.values,
            self.missing + other.missing,
        )


Edges = Mapping[int, Sequence[tuple[int, str]]]


async def predecessors(connection: asyncpg.Connection, unit: int) -> tuple[int, ...]:
    """Return the unit and everything it descends from."""
    return tuple(await with_predecessors(connection, [unit]))


async def sums(connection: asyncpg.Connection, unit: int, wanted: Wanted) -> list[dict[str, Any]]:
    """Return for each ratio and period that predecessors reported the sum over all of them."""
    wanted = msgspec.structs.replace(wanted, under=None)
    ids = list(wanted.units or ())
    edges: dict[int, list[tuple[int, str]]] = {}
    for edge in await connection.fetch(_EDGES, ids):
        edges.setdefault(edge["to_unit_id"], []).append((edge["from_unit_id"], edge["extent"]))
    reported = await _ratios(connection, unit, wanted)
    found = [
        (indicator, period, added)
        for (indicator, period), by_unit in sorted(reported.items())
        if (added := added_up(unit, edges, by_unit)).values
    ]
    missing = {one for _, _, added in found for one, _ in added.missing}
    units = {
        row["id"]: {name: row[name] for name in ("unit", "code", "level", "type", "name")}
        for row in await connection.fetch(_UNITS, sorted(missing))
    }
    return [_shown(indicator, period, added, units) for indicator, period, added in found]


def added_up(unit: int, edges: Edges, reported: Mapping[int, Recorded]) -> Sum:
    """Return the sum over the direct predecessors of a unit; each may itself be such a sum."""
    total = Sum()
    for before, extent in edges.get(unit, ()):
        if extent != "whole":
            total = total.plus(Sum(missing=((before, PART),)))
        else:
            total = total.plus(_of(before, edges, reported))
    return total


def _of(unit: int, edges: Edges, reported: Mapping[int, Recorded]) -> Sum:
    own = reported.get(unit)
    if own is None:
        return (
            added_up(unit, edges, reported) if unit in edges else Sum(missing=((unit, NO_VALUE),))
        )
    if isinstance(own.fact, Ratio):
        return Sum(own.fact.numerator, own.fact.denominator, (own.id,))
    return Sum(missing=((unit, PERCENT_ONLY),))


async def _ratios(
    connection: asyncpg.Connection, unit: int, wanted: Wanted
) -> dict[tuple[str, str], dict[int, Recorded]]:
    where = wanted.conditions("c")
    where.add("c.status <> 'retracted' AND c.unit_id <> {}", unit)
    where.add("(v.numerator IS NOT NULL OR v.percent IS NOT NULL)")
    rows = await connection.fetch(
        f"SELECT v.* FROM current_value c {ITS_VALUE} WHERE {where}",
        *where.parameters,
    )
    found: dict[tuple[str, str], dict[int, Recorded]] = {}
    for row in rows:
        by_unit = found.setdefault((row["indicator"], row["period"]), {})
        by_unit[row["unit_id"]] = Recorded(row["id"], fact_of(row))
    return found


def _shown(
    indicator: str, period: str, added: Sum, units: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    percent = None
    if added.denominator:
        percent = displayed_percent(Fraction(100 * added.numerator, added.denominator))
    return {
        "computed": True,
        "indicator": indicator,
        "period": period,
        "value": {"numerator": added.numerator, "denominator": added.denominator},
        "percent": percent,
        "values": list(added.values),
        "complete": not added.missing,
        "missing": [{"unit": units[one], "reason": reason} for one, reason in added.missing],
    }
