"""The rulesets that statistics count by, and the units that their documents bind."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

import asyncpg

from app.domain import scope
from app.domain.previews import check_level, known_ruleset
from app.domain.refusals import Complaint, Refused
from app.domain.scope import OUT
from app.domain.statistics import Cell, Group
from app.domain.statistics.units import LEVELS, check_grouping
from app.rules.errors import Text
from app.rules.facts import printable
from app.rules.registry import Entry, Registry

# The units that documents bind, by the provinces they name, the day, and the units asked for.
Scoped = dict[tuple[tuple[str, ...], datetime.date | None, tuple[int, ...]], frozenset[int]]


def by_ruleset(
    registry: Registry, ruleset: str | None, level: str | None, by: str, criterion: str | None
) -> list[tuple[Entry, str]]:
    """Return the rulesets meant, each with a level; raise Refused where there is none.

    Without a ruleset all that speak of the level, or of a level that can be counted so.
    """
    if criterion is not None:
        ruleset = _with_criterion(registry, ruleset, criterion).ruleset.ruleset
    if ruleset is None:
        return [
            (entry, one)
            for entry in registry.entries.values()
            for one in levels_of(entry)
            if level in (None, one) and (by == "none" or LEVELS.index(by) <= LEVELS.index(one))
        ]
    complaints: list[Complaint] = []
    entry = known_ruleset(registry, ruleset, complaints)
    if entry is not None and level is not None:
        check_level(entry.compiled, level, "/level", complaints)
    if entry is None or complaints:
        raise Refused(complaints)
    meant = [level] if level is not None else list(levels_of(entry))
    check_grouping(by, max(meant, key=LEVELS.index))
    return [(entry, one) for one in meant if by == "none" or LEVELS.index(by) <= LEVELS.index(one)]


def levels_of(entry: Entry) -> tuple[str, ...]:
    """Return the levels of the units that a ruleset is for."""
    return (entry.ruleset.level, *entry.ruleset.also_levels)


def _with_criterion(registry: Registry, ruleset: str | None, criterion: str) -> Entry:
    """Return the ruleset of a criterion without children; raise Refused where there is none."""
    found = registry.criterion(criterion)
    entry = found[0] if found and not found[1].criteria else None
    if entry is None or ruleset not in (None, entry.ruleset.ruleset):
        shown = printable(criterion)
        message = Text(
            f"không có tiêu chí “{shown}” (không kể nhóm tiêu chí) trong bộ quy tắc này; xem "
            "/v1/rulesets/{id}",
            f"there is no criterion “{shown}” (groups do not count) in this ruleset; see "
            "/v1/rulesets/{id}",
        )
        raise Refused([Complaint("/criterion", "unknown-criterion", message)])
    return entry


def by_entry(cells: Iterable[Cell]) -> list[tuple[Entry, str, list[Group]]]:
    """Return the groups of cells that one statement can count, in the order of the cells."""
    found: list[tuple[Entry, str, list[Group]]] = []
    for cell in cells:
        if not found or (found[-1][0] is not cell.entry or found[-1][1] != cell.level):
            found.append((cell.entry, cell.level, []))
        found[-1][2].append(cell.group)
    return found


async def in_scope(
    connection: asyncpg.Connection,
    entry: Entry,
    together: Iterable[Group],
    known: Scoped | None = None,
) -> frozenset[int]:
    """Return the units that the document of a ruleset binds, or a part of them.

    `known` remembers them: documents of one province bind the same units.
    """
    ids = tuple(sorted({unit.id for group in together for unit in group.units}))
    known, meant = {} if known is None else known, entry.ruleset.scope
    key = (meant.provinces, meant.on, ids)
    if key not in known:
        status = await scope.of(connection, meant, ids)
        known[key] = frozenset(id_ for id_ in ids if status[id_] != OUT)
    return known[key]
