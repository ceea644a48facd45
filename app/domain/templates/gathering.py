"""What a template is made of: the ruleset's units below a unit, as they were in the period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg

from app.domain import scope, unit_listing, unit_lookup, unit_periods
from app.domain.refusals import Absent, Complaint, Refused
from app.domain.templates import MOST_UNITS, Form
from app.domain.templates.columns import ABOVE, columns_of
from app.domain.territory import Territory
from app.domain.unit_listing import Wanted
from app.domain.unit_lookup import Found
from app.domain.unit_periods import Entity, Meant
from app.rules.errors import Text
from app.rules.facts import printable
from app.rules.registry import Entry, Registry
from app.rules.ruleset import Ruleset
from app.rules.vocabulary import LEVELS

_DEPTH: Final = {level: depth for depth, level in enumerate(LEVELS)}


def ruleset_named(registry: Registry, id_: str) -> Entry:
    """Return a ruleset by its id; raise Absent."""
    entry = registry.entries.get(id_)
    if entry is None:
        shown = printable(id_)
        message = Text(
            f"không có bộ quy tắc “{shown}”; xem danh sách tại /v1/rulesets",
            f"there is no ruleset “{shown}”; see the list at /v1/rulesets",
        )
        raise Absent(Complaint("/ruleset", "ruleset-not-found", message))
    return entry


async def gather(
    connection: asyncpg.Connection, territory: Territory, entry: Entry, meant: Meant
) -> Form:
    """Return the form for the units of a ruleset that are, or lie below, the unit meant.

    Units are those of the day meant, by default the last one of the period. Raises Absent or
    Refused: the unit is not known, not clear, elsewhere; it has no such units, or too many.
    """
    under = await unit_periods.get(connection, meant, "/under")
    territory.require(under, "/under")
    ruleset, day = entry.ruleset, meant.on or under.day
    levels = (ruleset.level, *ruleset.also_levels)
    _check_level(ruleset, under, levels)
    above = await unit_lookup.get(connection, under.key, day, "/under")
    found = [above] if above.level in levels else []
    for level in levels:
        wanted = Wanted(day, level, under=above)
        units = await unit_listing.page(connection, wanted, MOST_UNITS + 1)
        found += [unit for unit, _ in units]
    bound = await _in_scope(connection, ruleset, found)
    _check_number(ruleset, under, bound)
    shown = [level for level in ABOVE if any(_above(unit, level) for unit in bound)]
    return Form(
        ruleset,
        entry.compiled.digest,
        meant.period,
        under,
        day,
        columns_of(ruleset, entry.compiled.indicators, shown),
        tuple(_cells(unit, shown) for unit in bound),
    )


async def _in_scope(
    connection: asyncpg.Connection, ruleset: Ruleset, units: Sequence[Found]
) -> list[Found]:
    scopes = await scope.of(connection, ruleset.scope, [unit.id for unit in units])
    return [unit for unit in units if scopes[unit.id] != scope.OUT]


def _cells(unit: Found, levels: Sequence[str]) -> tuple[str, ...]:
    above = (_above(unit, level) for level in levels)
    return (str(unit.shown["code"]), str(unit.shown["name"]), *above)


def _above(unit: Found, level: str) -> str:
    """Return the name of what lies above a unit at a level; empty where there is nothing."""
    return next((str(one["name"]) for one in unit.shown["path"] if one["level"] == level), "")


def _check_level(ruleset: Ruleset, under: Entity, levels: Sequence[str]) -> None:
    if _DEPTH[under.level] <= max(_DEPTH[level] for level in levels):
        return
    id_, wanted = ruleset.ruleset, LEVELS[ruleset.level]
    message = Text(
        f"{id_} dành cho {wanted.vi}; {under.named} ở cấp thấp hơn, hãy chọn đơn vị cấp trên",
        f"{id_} is for units of the level {wanted.en}; {under.named} is below it, choose a unit "
        "above it",
    )
    raise Refused([Complaint("/under", "wrong-level", message)])


def _check_number(ruleset: Ruleset, under: Entity, units: Sequence[Found]) -> None:
    id_, document = ruleset.ruleset, ruleset.document.short
    if not units:
        message = Text(
            f"{under.named} không có đơn vị nào thuộc phạm vi của {id_} ({document}) trong kỳ; "
            "hãy chọn bộ quy tắc, đơn vị hoặc kỳ khác",
            f"{under.named} has no unit in the scope of {id_} ({document}) in the period; choose "
            "another ruleset, unit or period",
        )
        raise Refused([Complaint("/under", "ruleset-out-of-scope", message)])
    if len(units) > MOST_UNITS:
        message = Text(
            f"{under.named} có hơn {MOST_UNITS} đơn vị; hãy lấy mẫu cho từng đơn vị cấp dưới",
            f"{under.named} has more than {MOST_UNITS} units; get a template for each unit below",
        )
        raise Refused([Complaint("/under", "too-many-units", message)])
