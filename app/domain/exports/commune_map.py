"""Communes on a map with what is on record of them in a period: values, and the latest verdicts.

Everything is explicit: a commune of which nothing can be seen says so, as does one without a
verdict, and one of which no document speaks.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain import scope
from app.domain.conditions import Conditions
from app.domain.evaluations import reading
from app.domain.refusals import Conflict
from app.domain.territory import EVALUATIONS, VALUES, Caller, Lying, Sight
from app.domain.unit_lookup import Found
from app.domain.values import ITS_VALUE, fact_of
from app.rules.applicability import compile_applicability
from app.rules.evaluate import Compiled
from app.rules.indicators import Indicator
from app.rules.period import Period
from app.rules.registry import Registry
from app.rules.stored import read_head
from app.rules.verdict import Inputs, counted

OUTSIDE: Final = "outside_territory"
NO_EVALUATION: Final = "no_evaluation"
NOT_THERE: Final = frozenset({scope.OUT, "before_issue", "after_period"})
_AT_ONCE: Final = 200  # communes of which a statement reads
_LEVEL: Final = "commune"
_NOTHING_ON_RECORD: Final = {"id": None, "as_of": None, "outcome": None, "all_items": None,
                             "counts": None}  # fmt: skip


class Asked(msgspec.Struct, frozen=True):
    """What a map is to tell besides the register: of which period, by which rulesets.

    `named` are indicators asked for by name, of which a missing value is told as well; `alone`
    tells that one ruleset was asked for by name. `today` is the day it is.
    """

    period: Period
    today: datetime.date
    rulesets: Sequence[Compiled]
    indicators: Sequence[str]
    named: bool
    alone: bool


class Told(msgspec.Struct):
    """What a map tells of each commune by its number, and what of it was read where."""

    properties: dict[int, dict[str, Any]]
    values: list[int]
    evaluations: list[int]


def rulesets_of_communes(rulesets: Iterable[Compiled]) -> list[Compiled]:
    """Return those of the rulesets that judge communes."""
    return [one for one in rulesets if _LEVEL in (one.ruleset.level, *one.ruleset.also_levels)]


def recorded_of_communes(registry: Registry) -> list[str]:
    """Return the indicators of which values of communes can be on record, read by rules or not."""
    return sorted(
        code
        for code, one in registry.indicators.items()
        if one.validity is not None and _LEVEL in registry.levels_recorded(code)
    )


def indicators_of(rulesets: Iterable[Compiled]) -> list[str]:
    """Return the indicators that rulesets read of a commune itself, without what is no value."""
    found = {
        code
        for one in rulesets
        for code in one.unit_codes
        if one.indicators[code].validity is not None
    }
    return sorted(found)


async def told(
    connection: asyncpg.Connection,
    caller: Caller,
    catalogue: Mapping[str, Indicator],
    asked: Asked,
    communes: Sequence[Found],
) -> Told:
    """Return what is on record of communes, of as few at a time as a statement should read."""
    result = Told({}, [], [])
    standing = [one for one in asked.indicators if catalogue[one].validity == "standing"]
    status = await _applicability(connection, asked, [one.id for one in communes])
    for first in range(0, len(communes), _AT_ONCE):
        some = communes[first : first + _AT_ONCE]
        ids = [one.id for one in some]
        sights = caller.sight(VALUES), caller.sight(EVALUATIONS)
        values = await _values(connection, sights[0], asked, standing, ids)
        verdicts = await _verdicts(connection, sights[1], asked, ids)
        for one in some:
            shown = {"values": _values_of(one, sights[0], asked, values)}
            shown |= _verdicts_of(one, sights[1], asked, status, verdicts)
            result.properties[one.id] = shown
        result.values += [value["id"] for of_unit in values.values() for value in of_unit.values()]
        result.evaluations += [verdict["id"] for verdict in verdicts.values()]
        await asyncio.sleep(0)
    return result


def legend(catalogue: Mapping[str, Indicator], asked: Asked, told: Told) -> dict[str, Any]:
    """Return what the indicators and rulesets that a map tells of are called."""
    codes = {code for one in told.properties.values() for code in one["values"] or ()}
    return {
        "indicators": [
            {"code": code, "name": catalogue[code].name.model_dump()} for code in sorted(codes)
        ],
        "rulesets": [
            {"id": one.ruleset.ruleset, "title": one.ruleset.title.model_dump()}
            for one in asked.rulesets
        ],
    }


# Of the values within the period the one for exactly it comes first, otherwise the one that ends
# last; a standing one counts until it is followed. It is the rule by which rulesets judge.
_VALUES: Final = f"""
SELECT DISTINCT ON (c.unit_id, c.indicator) c.unit_id, c.indicator, c.period, v.id, v.truth,
       v.counted, v.numerator, v.denominator, v.percent, v.codes
  FROM current_value c {ITS_VALUE}
 WHERE {{where}}
 ORDER BY c.unit_id, c.indicator, c.period_first >= {{first}} DESC, c.period = {{period}} DESC,
          c.period_last DESC, c.period_first
"""


async def _values(
    connection: asyncpg.Connection,
    sight: Sight,
    asked: Asked,
    standing: Sequence[str],
    ids: Sequence[int],
) -> dict[int, dict[str, dict[str, Any]]]:
    where = Conditions()
    where.add("c.unit_id = ANY({}::int[])", ids)
    where.add("c.indicator = ANY({}::text[])", asked.indicators)
    where.add("c.status <> 'retracted'")
    first, period = where.mark(asked.period.first), where.mark(asked.period.text)
    where.add(f"(c.period_first >= {first} OR c.indicator = ANY({{}}::text[]))", standing)
    where.add("c.period_last <= {}", asked.period.last)
    where.seen(sight, "c")
    statement = _VALUES.format(where=where, first=first, period=period)
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for row in await connection.fetch(statement, *where.parameters):
        shown = {"id": row["id"], "value": fact_of(row), "period": row["period"]}
        found.setdefault(row["unit_id"], {})[row["indicator"]] = shown
    return found


_VERDICTS: Final = """
SELECT w.unit_id, w.ruleset, found.*
  FROM unnest($1::int[], $2::text[]) w(unit_id, ruleset)
 CROSS JOIN LATERAL (
    SELECT e.id, e.leaves, e.verdict FROM evaluation e
     WHERE e.unit_id = w.unit_id AND e.ruleset = w.ruleset AND e.period = $3 AND {where}
     ORDER BY e.id DESC LIMIT 1) found
"""


async def _verdicts(
    connection: asyncpg.Connection, sight: Sight, asked: Asked, ids: Sequence[int]
) -> dict[tuple[int, str], dict[str, Any]]:
    pairs = [(id_, one.ruleset.ruleset) for id_ in ids for one in asked.rulesets]
    where = Conditions()
    for one in ([id_ for id_, _ in pairs], [name for _, name in pairs], asked.period.text):
        where.mark(one)
    where.seen(sight, "e")
    rows = await connection.fetch(_VERDICTS.format(where=where), *where.parameters)
    return {(row["unit_id"], row["ruleset"]): _verdict(row) for row in rows}


def _verdict(row: asyncpg.Record) -> dict[str, Any]:
    """Return a verdict in short; of one that was damaged its number and what is wrong."""
    try:
        with reading.undamaged(row["id"]):
            head = read_head(row["verdict"])
            outcomes = msgspec.json.decode(row["leaves"], type=dict[str, str])
    except Conflict as error:  # one of them must not hide all the others
        return _NOTHING_ON_RECORD | {"id": row["id"], "reason": error.complaint.code}
    return {
        "id": row["id"],
        "as_of": head.as_of,
        "outcome": head.outcome,
        "all_items": head.all_items,
        "counts": counted(list(outcomes.values())),
        "reason": None,
    }


async def _applicability(
    connection: asyncpg.Connection, asked: Asked, ids: Sequence[int]
) -> dict[str, dict[int, str]]:
    """Return by ruleset and commune whether the document speaks of it at the end of the period."""
    as_of = min(asked.today, asked.period.last)
    found = {}
    for one in asked.rulesets:
        status = compile_applicability(one.ruleset)
        scopes = await scope.of(connection, one.ruleset.scope, ids)
        known = {
            known: status(Inputs(as_of=as_of, level=_LEVEL, scope=known))
            for known in set(scopes.values())
        }
        found[one.ruleset.ruleset] = {id_: known[where] for id_, where in scopes.items()}
    return found


def _values_of(
    commune: Found,
    sight: Sight,
    asked: Asked,
    values: Mapping[int, Mapping[str, dict[str, Any]]],
) -> dict[str, Any] | None:
    """Return the values of a commune; None where nothing of it can be seen."""
    if not _sees(sight, commune):
        return None
    known = values.get(commune.id, {})
    shown = asked.indicators if asked.named else sorted(known)
    return {code: known.get(code) for code in shown}


def _verdicts_of(
    commune: Found,
    sight: Sight,
    asked: Asked,
    status: Mapping[str, Mapping[int, str]],
    verdicts: Mapping[tuple[int, str], dict[str, Any]],
) -> dict[str, Any]:
    reason = NO_EVALUATION if _sees(sight, commune) else OUTSIDE
    shown = []
    for one in asked.rulesets:
        name = one.ruleset.ruleset
        speaks = status[name][commune.id]
        verdict = verdicts.get((commune.id, name))
        if speaks == scope.OUT and verdict is None and not asked.alone:
            continue  # many documents speak of other provinces
        told = verdict or _NOTHING_ON_RECORD | {"reason": speaks if speaks in NOT_THERE else reason}
        applies = speaks not in NOT_THERE
        shown.append({"ruleset": name, "applies": applies, "applicability": speaks} | told)
    if asked.alone:
        return {"verdict": shown[0]}
    none = not any(one["applies"] for one in shown)
    return {"rulesets": shown, "no_ruleset_applies": none}


def _sees(sight: Sight, commune: Lying) -> bool:
    """Tell whether anything of a commune can be seen."""
    return sight.own.reaches(commune) or any(one.territory.reaches(commune) for one in sight.grants)
