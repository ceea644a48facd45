"""The demonstration on record: made-up values of two provinces and a few hamlets, evaluated.

Only an empty database gets it: where anything is on record, nothing is added.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import asyncpg
import msgspec

from app.database import Database
from app.domain import hamlets, scope, unit_listing, unit_lookup, unit_periods
from app.domain.demonstration import content
from app.domain.demonstration.made_up import SOURCE, facts, thresholds
from app.domain.evaluations import conduct
from app.domain.evaluations.conduct import Conducted, Wish
from app.domain.territory import EVERYWHERE
from app.domain.unit_listing import Wanted
from app.domain.unit_lookup import Found
from app.domain.unit_periods import Meant
from app.domain.values import files
from app.domain.values.entries import Entry, Placed
from app.domain.values.recording import Progress, record_in_parts
from app.rules.facts import Fact, Ratio
from app.rules.period import Period
from app.rules.registry import Registry

_HAMLETS_EACH: Final = 4
_WITH_HAMLETS: Final = ("29266", "29278", "29308")


class Chapter(msgspec.Struct, frozen=True):
    """Units below a province at the end of a year, and the rulesets that they are put to."""

    province: str
    year: int
    rulesets: tuple[str, ...]
    level: str = "commune"

    @property
    def day(self) -> datetime.date:
        """Return the day on which the units are looked up."""
        return datetime.date(self.year, 12, 31)

    @property
    def period(self) -> Period:
        """Return the year."""
        return Period(datetime.date(self.year, 1, 1), self.day, str(self.year))


Made = tuple[Chapter, Sequence[Found]]
CHAPTERS: Final = (
    Chapter("25", 2024, ("phutho.commune", "bnn3445.selection.smart")),
    Chapter("25", 2025, ("phutho.commune", "bnn3445.selection.smart")),
    Chapter("86", 2025, ("bnn3445.selection.smart", "travinh.commune")),
    Chapter("86", 2025, ("travinh.hamlet",), "hamlet"),
)
_ABOVE: Final = (
    ("bnn3445.province", "25"),
    ("bnn3445.province", "86"),
    ("travinh.province", "86"),
    ("qd924.nation", "VN"),
)
# Stated of the nation as met by nearly all, whatever communes reported: a contradiction to see.
_STATED: Final = ("communes_ntm_8_4_rate", Ratio(denominator=2621, numerator=2619))
_STATE: Final = """
SELECT EXISTS (SELECT FROM current_value) AS values, EXISTS (SELECT FROM evaluation) AS verdicts,
       EXISTS (SELECT FROM value WHERE source = $1) AS ours
"""
_COUNTED: Final = "SELECT count(*), count(DISTINCT unit_id) FROM value WHERE source = $1"


class Told(msgspec.Struct, frozen=True):
    """How many values of how many units were recorded; the verdicts by ruleset and period."""

    values: int
    units: int
    verdicts: dict[tuple[str, str], list[Conducted]]


async def tell(database: Database, registry: Registry, progress: Progress) -> Told | None:
    """Record the demonstration and evaluate it; None where anything else is on record.

    Values are recorded all at once, and so are the verdicts: a start that was interrupted is
    taken up by the next one.
    """
    async with database.reading() as connection:
        state = dict(await connection.fetchrow(_STATE, SOURCE) or {})
    if state["verdicts"] or (state["values"] and not state["ours"]):
        return None
    await _enter_hamlets(database)
    async with database.reading() as connection:
        chapters = [(one, await _units(connection, one)) for one in CHAPTERS]
        placed = await _placed(connection, registry, chapters)
    if not state["values"]:
        async with database.writing() as writer:
            await record_in_parts(writer, None, placed, progress)
    verdicts = await _verdicts(database, registry, chapters, progress)
    async with database.reading() as connection:
        values, units = await connection.fetchrow(_COUNTED, SOURCE) or (0, 0)
    return Told(values, units, verdicts)


async def _units(connection: asyncpg.Connection, chapter: Chapter) -> list[Found]:
    above = await unit_lookup.get(connection, chapter.province, chapter.day)
    wanted = Wanted(chapter.day, chapter.level, under=above)
    return [unit for unit, _ in await unit_listing.page(connection, wanted)]


async def _enter_hamlets(database: Database) -> None:
    """Enter made-up hamlets in three communes that descend from Trà Vinh, unless they are there."""
    first_day = datetime.date(2025, 7, 1)
    async with database.reading() as connection:
        for place in _WITH_HAMLETS:
            commune = await unit_lookup.get(connection, place, first_day)
            there = await unit_listing.page(connection, Wanted(first_day, parent=commune))
            if there:
                continue
            async with database.transaction() as session:
                for number in range(1, _HAMLETS_EACH + 1):
                    code, name = f"{place}-{number:02}", f"Ấp giả định {number}"
                    await hamlets.add(session, None, commune, code, name, "ap", first_day)


async def _placed(
    connection: asyncpg.Connection, registry: Registry, chapters: Sequence[Made]
) -> list[Placed]:
    """Return the values of the facts file, and made-up ones for every other unit."""
    checked = await files.check(connection, EVERYWHERE, registry, content())
    known = {one.key: one for one in checked.fresh}
    curated = {one.unit.key for one in checked.fresh}
    wanted: list[tuple[Meant, str, Fact]] = []
    for chapter, units in chapters:
        codes, goals = _asked(registry, chapter)
        for unit in units:
            if unit.key not in curated:
                meant = Meant(unit.key, chapter.period)
                made = facts(unit.key, codes, goals, registry.indicators)
                wanted += [(meant, code, fact) for code, fact in made]
    year = CHAPTERS[1]
    for id_, place in _ABOVE:
        ruleset = registry.entries[id_].compiled
        meant = Meant(place, year.period, year.day)
        made = facts(place, ruleset.unit_codes, thresholds([ruleset]), registry.indicators)
        wanted += [(meant, code, fact) for code, fact in made]
    wanted.append((meant, *_STATED))
    found = await unit_periods.resolve(connection, [meant for meant, _, _ in wanted])
    for number, (meant, code, fact) in enumerate(wanted):
        entry = Entry(number, meant, registry.indicators[code], fact, SOURCE)
        one = Placed(entry, unit_periods.clear(found[meant]))
        known.setdefault(one.key, one)  # rulesets share indicators
    return list(known.values())


def _asked(registry: Registry, chapter: Chapter) -> tuple[set[str], dict[str, Decimal]]:
    """Return what is asked of the units of a chapter: by their rulesets, and by those above."""
    own = [registry.entries[id_].compiled for id_ in chapter.rulesets]
    above = [registry.entries[id_].compiled for id_, _ in _ABOVE]
    codes = {code for one in own for code in one.unit_codes}
    codes |= {code for one in above for code in one.member_codes}
    asked = {code for code in codes if chapter.level in registry.indicators[code].levels}
    return asked, thresholds(own)


async def _verdicts(
    database: Database, registry: Registry, chapters: Sequence[Made], progress: Progress
) -> dict[tuple[str, str], list[Conducted]]:
    wishes = [
        Wish(id_, [unit.key for unit in units], chapter.period, chapter.period.last)
        for chapter, units in chapters
        for id_ in chapter.rulesets
    ]
    year = CHAPTERS[1]
    wishes += [Wish(id_, [place], year.period, year.day, year.day) for id_, place in _ABOVE]
    async with database.reading() as connection:
        bound = [await _bound(connection, registry, wish) for wish in wishes]
    total, done = sum(len(wish.places) for wish in bound), 0
    found: dict[tuple[str, str], list[Conducted]] = {}
    async with database.writing() as writer:
        for wish in bound:
            entry, conducted = await conduct.conduct(writer, registry, EVERYWHERE, wish)
            await conduct.store(writer, None, entry, conducted)
            found.setdefault((wish.ruleset, wish.period.text), []).extend(conducted)
            done += len(conducted)
            progress("evaluating", done, total)
    return found


async def _bound(connection: asyncpg.Connection, registry: Registry, wish: Wish) -> Wish:
    """Return the wish without units that the document does not speak of."""
    bounds = registry.entries[wish.ruleset].ruleset.scope
    meant = [Meant(place, wish.period, wish.on) for place in wish.places]
    units = await unit_periods.resolve(connection, meant)
    clear = {one.place: unit_periods.clear(units[one]).id for one in meant}
    scopes = await scope.of(connection, bounds, list(clear.values()))
    places = [place for place, id_ in clear.items() if scopes[id_] != scope.OUT]
    return msgspec.structs.replace(wish, places=places)
