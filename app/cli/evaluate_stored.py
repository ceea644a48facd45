"""`ntm evaluate --unit` and `--under`: judge what is on record, and put the verdicts on record."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg

from app.cli.console import err, fail, language, misuse, phrase
from app.cli.database import progress, use
from app.database import Database
from app.domain import scope, unit_listing, unit_lookup, unit_periods
from app.domain.clock import today
from app.domain.evaluations import conduct, showing
from app.domain.evaluations.conduct import MOST_UNITS, Wish
from app.domain.evaluations.on_record import MinStatus
from app.domain.facts_csv import read_day
from app.domain.refusals import no_period
from app.domain.territory import EVERYWHERE
from app.domain.unit_listing import Wanted
from app.domain.unit_periods import Entity, Meant, Unclear
from app.rules.errors import Text
from app.rules.period import Period, read_period
from app.rules.registry import Entry, Registry


def stored(
    registry: Registry,
    ruleset: str,
    unit: str | None,
    under: str | None,
    period: str | None,
    on: str | None,
    min_status: MinStatus | None,
) -> list[dict[str, Any]]:
    """Return the verdicts on one unit or on all below one; they are on record then, all or none."""
    if period is None:
        misuse(Text("cần có --period", "--period is needed"))
    place, day = str(unit or under), _day(on) if on is not None else None
    meant = Meant(place, period_named(period), day)

    async def work(database: Database) -> list[dict[str, Any]]:
        entry = registry.entries[ruleset]
        async with database.reading() as connection:
            found = (await unit_periods.resolve(connection, [meant]))[meant]
            above = unit_periods.clear(_with_option(found), "--unit" if unit else "--under")
            places = [above.key] if unit else await _below(connection, entry, above.key, above.day)
        return await _conducted(database, registry, entry, places, meant.period, min_status)

    return use(work)


def _with_option(found: Entity | Unclear) -> Entity | Unclear:
    """Return what was found; where a code means several units, with the option that chooses."""
    if isinstance(found, Entity) or found.code != "ambiguous-unit":
        return found
    said = found.message
    told = Text(f"{said.vi}: --on YYYY-MM-DD", f"{said.en}: --on YYYY-MM-DD")
    return Unclear(found.field, found.code, told)


def period_named(text: str) -> Period:
    """Return the period that an option names; exit with 2 where it is none."""
    found = read_period(text)
    if found is None:
        message = no_period(text)
        misuse(Text(f"--period: {message.vi}", f"--period: {message.en}"))
    return found


def _day(text: str) -> datetime.date:
    found = read_day(text)
    if found is None:
        misuse(Text("--on là ngày dạng YYYY-MM-DD", "--on is a date like YYYY-MM-DD"))
    return found


async def _below(
    connection: asyncpg.Connection, entry: Entry, above: str, day: datetime.date
) -> list[str]:
    """Return the keys of the units of the ruleset's levels below a unit that are in its scope."""
    found = await unit_lookup.get(connection, above, day)
    units = [
        unit
        for level in (entry.ruleset.level, *entry.ruleset.also_levels)
        for unit, _ in await unit_listing.page(connection, Wanted(day, level, under=found))
    ]
    scopes = await scope.of(connection, entry.ruleset.scope, [unit.id for unit in units])
    bound = [unit.key for unit in units if scopes[unit.id] != scope.OUT]
    if len(bound) < len(units):
        left = len(units) - len(bound)
        err().print(
            phrase(
                f"{left} đơn vị ngoài phạm vi của văn bản, không đánh giá",
                f"{left} units are outside the document's scope and are not judged",
            ),
            style="yellow",
        )
    if not bound:
        fail(
            Text(
                f"không có đơn vị nào dưới {found.named} thuộc phạm vi của {entry.ruleset.ruleset}",
                f"no unit below {found.named} is in the scope of {entry.ruleset.ruleset}",
            )
        )
    return bound


async def _conducted(
    database: Database,
    registry: Registry,
    entry: Entry,
    places: Sequence[str],
    period: Period,
    min_status: MinStatus | None,
) -> list[dict[str, Any]]:
    as_of = min(today(), period.last)
    verdicts = []
    with progress() as told:
        async with database.writing() as connection:
            for some in _in_parts(places):
                wish = Wish(entry.ruleset.ruleset, some, period, as_of, None, _option, min_status)
                _, found = await conduct.conduct(connection, registry, EVERYWHERE, wish)
                verdicts += [
                    showing.kept(entry.compiled, one, language(), texts=True)
                    for one in await conduct.store(connection, None, entry, found)
                ]
                told("evaluating", len(verdicts), len(places))
    return verdicts


def _option(_: int) -> str:
    return "--unit"


def _in_parts(places: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(places), MOST_UNITS):
        yield places[first : first + MOST_UNITS]
