"""What is on record of units, as the inputs of an evaluation: in few statements, however many.

Values count by the rule of the period (`app.rules.period`); members are the units below, as the
register has them on the last day of the unit in the period.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import asyncpg
import msgspec

from app.domain import scope
from app.domain.commune_facts import COMMUNE_COLUMNS
from app.domain.commune_facts import shown as with_register_facts
from app.domain.refusals import Complaint, Refused
from app.domain.unit_listing import BELOW
from app.domain.unit_lookup import found, rows_by_ids
from app.domain.unit_periods import Entity
from app.domain.values import APPROVED, ITS_VALUE, fact_of
from app.rules.errors import Text
from app.rules.evaluate import Compiled
from app.rules.facts import Recorded, still_fits
from app.rules.indicators import Indicator
from app.rules.period import Period, Value, choose
from app.rules.verdict import Designation, Inputs, Member
from app.rules.vocabulary import VALUE_NOT_APPROVED

Facts = Mapping[str, Recorded]
# The least status of values that count: "reported" lets every value count that is on record.
MinStatus = Literal["reported", "approved"]
_PAUSE: Final = 1_000  # values that are looked at before others have their turn
_SHOWN: Final = ("unit", "code", "level", "type", "name", "path", "valid_from", "valid_to", "exact")
_VALUES: Final = f"""
SELECT v.id, v.unit_id, v.indicator, v.period, v.period_first, v.period_last, v.truth,
       v.counted, v.numerator, v.denominator, v.percent, v.codes, v.source, c.status
  FROM current_value c {ITS_VALUE}
 WHERE c.unit_id = ANY($1::int[]) AND c.indicator = ANY($2::text[]) AND c.period_last <= $3
   AND c.status <> 'retracted'
"""
_MEMBERS: Final = """
SELECT o.id AS above, u.id, u.key, u.level, v.type
  FROM unnest($1::int[], $2::date[]) o(id, day)
  JOIN unit_version v ON (v.valid_from IS NULL OR v.valid_from <= o.day)
   AND (v.valid_to IS NULL OR v.valid_to > o.day)
  JOIN unit u ON u.id = v.unit_id AND u.level = ANY($3::text[])
 WHERE {0}
 ORDER BY v.sort_key, v.code
"""


class OnRecord(msgspec.Struct, frozen=True):
    """Everything on record that rulesets read of units in a period.

    Values of a lesser status than `min_status` are shown and do not count.

    `scopes` go by the digest of the ruleset: two may have one id, a candidate and what it amends.
    """

    period: Period
    units: Mapping[int, Mapping[str, Any]]
    facts: Mapping[int, Facts]
    members: Mapping[int, Sequence[asyncpg.Record]]
    scopes: Mapping[str, Mapping[int, str | None]]
    min_status: MinStatus | None = None

    def shown(self, unit: Entity) -> dict[str, Any]:
        """Return the unit as a verdict shows it, with the register facts it was judged by."""
        known = self.units[unit.id]
        return {name: known[name] for name in _SHOWN} | {
            "attributes": {name: one["value"] for name, one in known["attributes"].items()},
            "designations": [
                {name: one[name] for name in ("model", "decision", "date")}
                for one in known["designations"]
            ],
        }

    def inputs(self, compiled: Compiled, unit: Entity, as_of: datetime.date) -> Inputs:
        """Return what a ruleset judges the unit by."""
        shown = self.shown(unit)
        return Inputs(
            as_of=as_of,
            level=unit.level,
            attributes=shown["attributes"],
            designations=tuple(
                Designation(_day(one["date"]), one["decision"], one["model"])
                for one in shown["designations"]
            ),
            facts=self._facts(unit.id, compiled.unit_codes),
            members=self._members(compiled, unit) if compiled.member_codes else None,
            period=self.period.text,
            period_end=unit.day,
            scope=self.scopes[compiled.digest][unit.id],
        )

    def _facts(self, unit: int, codes: Iterable[str]) -> dict[str, Recorded]:
        known = self.facts.get(unit, {})
        return {code: self._weighed(known[code]) for code in sorted(codes) if code in known}

    def _weighed(self, one: Recorded) -> Recorded:
        """Return a value as it counts: one that is not approved does not where that is asked."""
        lesser = self.min_status == APPROVED and one.status != APPROVED
        if not lesser or one.discounted:
            return one
        return msgspec.structs.replace(one, discounted=VALUE_NOT_APPROVED)

    def _members(self, compiled: Compiled, unit: Entity) -> tuple[Member, ...]:
        return tuple(
            Member(
                self._facts(row["id"], compiled.member_codes), row["level"], row["type"], row["key"]
            )
            for row in self.members.get(unit.id, ())
            if any(group.covers(row["level"], row["type"]) for group in compiled.member_groups)
        )


async def load(
    connection: asyncpg.Connection,
    rulesets: Sequence[Compiled],
    units: Sequence[Entity],
    period: Period,
    as_of: datetime.date,
    min_status: MinStatus | None = None,
) -> OnRecord:
    """Read what the rulesets need of the units; the number of statements does not grow with them.

    Area classes, designations and members are those of the unit's last day in the period, or of
    the day as of which is judged where that is an earlier one of its days in the period.

    Per day on which units are read (most have the last day of the period), per level of the units
    and per document with a scope there is one statement, and two for the values.
    """
    ids = [unit.id for unit in units]
    days = {unit.id: _day_of(unit, period, as_of) for unit in units}
    shown = await _units(connection, days)
    members = await _below(connection, rulesets, units, days)
    catalogue = {code: one for ruleset in rulesets for code, one in ruleset.indicators.items()}
    own = {code for ruleset in rulesets for code in ruleset.unit_codes}
    theirs = {code for ruleset in rulesets for code in ruleset.member_codes}
    below = {row["id"] for rows in members.values() for row in rows}
    facts = await values(connection, ids, own, catalogue, period)
    if below:
        facts = facts | await values(connection, sorted(below), theirs, catalogue, period)
    scopes = {one.digest: await scope.of(connection, one.ruleset.scope, ids) for one in rulesets}
    return OnRecord(period, shown, facts, members, scopes, min_status)


async def values(
    connection: asyncpg.Connection,
    units: Sequence[int],
    codes: Iterable[str],
    catalogue: Mapping[str, Indicator],
    period: Period,
) -> dict[int, Facts]:
    """Return for each unit the value of each indicator that counts in the period."""
    rows = await connection.fetch(_VALUES, units, sorted(codes), period.last)
    candidates: dict[tuple[int, str], list[Value]] = {}
    periods: dict[str, Period] = {}
    for number, row in enumerate(rows, 1):
        if number % _PAUSE == 0:
            await asyncio.sleep(0)
        spoken_of = periods.get(row["period"]) or periods.setdefault(row["period"], _period(row))
        found = _value(row, catalogue, spoken_of)
        candidates.setdefault((row["unit_id"], row["indicator"]), []).append(found)
    facts: dict[int, dict[str, Recorded]] = {}
    for number, ((unit, code), group) in enumerate(candidates.items(), 1):
        if number % _PAUSE == 0:
            await asyncio.sleep(0)
        chosen = choose(group, period, catalogue[code].validity == "standing")
        if chosen is not None:
            facts.setdefault(unit, {})[code] = chosen
    return dict(facts)


def _period(row: asyncpg.Record) -> Period:
    return Period(row["period_first"], row["period_last"], row["period"])


def _value(row: asyncpg.Record, catalogue: Mapping[str, Indicator], period: Period) -> Value:
    fact, code = fact_of(row), row["indicator"]
    if not still_fits(catalogue[code], fact):
        message = Text(
            f"số liệu số {row['id']} không còn hợp với chỉ số {code} (khai báo của chỉ số đã thay "
            "đổi); hãy ghi lại hoặc rút số liệu đó",
            f"value {row['id']} does not fit the indicator {code} any more (its declaration has "
            "changed); record it anew or retract it",
        )
        raise Refused([Complaint("/period", "wrong-kind", message)])
    return Value(fact, period, row["source"], row["status"], row["id"])


def _day_of(unit: Entity, period: Period, as_of: datetime.date) -> datetime.date:
    return max(min(unit.day, as_of), period.first, unit.since or period.first)


async def _units(
    connection: asyncpg.Connection, days: Mapping[int, datetime.date]
) -> dict[int, Mapping[str, Any]]:
    by_day: dict[datetime.date, list[int]] = {}
    for unit, day in days.items():
        by_day.setdefault(day, []).append(unit)
    return {
        row["id"]: with_register_facts(found(row, day), row)
        for day, ids in by_day.items()
        for row in await rows_by_ids(connection, ids, day, COMMUNE_COLUMNS)
    }


async def _below(
    connection: asyncpg.Connection,
    rulesets: Sequence[Compiled],
    units: Sequence[Entity],
    days: Mapping[int, datetime.date],
) -> dict[int, list[asyncpg.Record]]:
    levels = sorted({group.level for one in rulesets for group in one.member_groups})
    by_level: dict[str, list[Entity]] = {}
    for unit in units if levels else ():
        by_level.setdefault(unit.level, []).append(unit)
    members: dict[int, list[asyncpg.Record]] = {}
    for level, above in by_level.items():
        statement = _MEMBERS.format(BELOW[level].format("o.id"))
        ids = [unit.id for unit in above]
        on = [days[unit] for unit in ids]
        for row in await connection.fetch(statement, ids, on, levels):
            members.setdefault(row["above"], []).append(row)
    return members


def _day(text: str | None) -> datetime.date | None:
    return datetime.date.fromisoformat(text) if text else None
