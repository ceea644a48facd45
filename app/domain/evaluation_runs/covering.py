"""The units that a run covers: those of the ruleset's levels in a territory that it binds.

They are the entities of the last day of the period, or of the day that is named; each is judged
as it was on the last of its own days in the period.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from app.domain import scope, unit_periods
from app.domain.refusals import Complaint, Refused
from app.domain.scope import OUT
from app.domain.territory import Territory
from app.domain.unit_listing import BELOW
from app.domain.unit_periods import Entity, Meant
from app.rules.errors import Text
from app.rules.evaluate import Compiled
from app.rules.period import Period

_TOGETHER: Final = 250
# $1 the unit above, $2 the levels, $3 the day. In Vietnamese order.
_COVERED: Final = """
SELECT u.key FROM unit_version v JOIN unit u ON u.id = v.unit_id
 WHERE (u.id = $1 OR {0}) AND u.level = ANY($2::text[])
   AND (v.valid_from IS NULL OR v.valid_from <= $3) AND (v.valid_to IS NULL OR v.valid_to > $3)
 ORDER BY v.sort_key, v.code, u.key
"""


class Covered(msgspec.Struct, frozen=True):
    """The units that a document binds, and how many of those looked at it does not."""

    units: Sequence[Entity]
    out_of_scope: int


async def above(
    connection: asyncpg.Connection,
    territory: Territory,
    place: str,
    period: Period,
    on: datetime.date | None,
) -> Entity:
    """Return the unit of the caller's own territory under which is judged.

    Its `day` is the one on which units are looked for. Raises Absent where it is not known or
    lies elsewhere, Refused where the code means several units or the day is not in the period.
    """
    if on is not None and not period.first <= on <= period.last:
        raise Refused([Complaint("/on", "wrong-value", _not_within(period))])
    found = await unit_periods.get(connection, Meant(place, period, on), "/under")
    territory.require(found, "/under")
    return found if on is None else msgspec.structs.replace(found, day=on)


async def known(
    connection: asyncpg.Connection, key: str, period: Period, day: datetime.date
) -> Entity:
    """Return a unit by its key as `above` returned it; `day` is the one on which is looked."""
    found = await unit_periods.get(connection, Meant(key, period, day), "/under")
    return msgspec.structs.replace(found, day=day)


async def covered(
    connection: asyncpg.Connection, compiled: Compiled, under: Entity, period: Period
) -> Covered:
    """Return the units of a run, in Vietnamese order.

    Raises Refused where there is none of the ruleset's levels, or none that the document binds.
    """
    found = await of_levels(connection, compiled, under, period)
    scopes = await scope.of(connection, compiled.ruleset.scope, [one.id for one in found])
    bound = [one for one in found if scopes[one.id] != OUT]
    if not bound:
        raise Refused([Complaint("/under", "ruleset-out-of-scope", _unbound(compiled, under))])
    return Covered(bound, len(found) - len(bound))


async def of_levels(
    connection: asyncpg.Connection, compiled: Compiled, under: Entity, period: Period
) -> list[Entity]:
    """Return the units of a ruleset's levels that are or lie under a unit, bound by it or not.

    Raises Refused where there is none.
    """
    levels = [compiled.ruleset.level, *compiled.ruleset.also_levels]
    statement = _COVERED.format(BELOW[under.level].format("$1"))
    rows = await connection.fetch(statement, under.id, levels, under.day)
    found: list[Entity] = []
    for first in range(0, len(rows), _TOGETHER):  # others have their turn in between
        keys = (row["key"] for row in rows[first : first + _TOGETHER])
        meant = [Meant(key, period, under.day) for key in keys]
        resolved = await unit_periods.resolve(connection, meant)
        found += (unit_periods.clear(resolved[one], "/under") for one in meant)
    if not found:
        raise Refused([Complaint("/under", "wrong-level", _none(compiled, under, levels))])
    return found


def _not_within(period: Period) -> Text:
    return Text(
        f"on phải là một ngày trong kỳ {period.text}; hãy chọn ngày trong kỳ, hoặc bỏ on",
        f"on must be a day of {period.text}; choose one of its days, or leave on out",
    )


def _none(compiled: Compiled, under: Entity, levels: Sequence[str]) -> Text:
    id_, wanted = compiled.ruleset.ruleset, ", ".join(levels)
    return Text(
        f"ngày {under.day} trong {under.named} không có đơn vị cấp {wanted} mà {id_} dành cho; hãy "
        "chọn đơn vị cấp trên, bộ quy tắc khác hoặc ngày khác (on)",
        f"on {under.day} there is no unit of level {wanted}, which {id_} is for, in "
        f"{under.named}; choose a unit above, another ruleset or another day (on)",
    )


def _unbound(compiled: Compiled, under: Entity) -> Text:
    id_, document = compiled.ruleset.ruleset, compiled.ruleset.document.short
    return Text(
        f"không có đơn vị nào trong {under.named} thuộc phạm vi của {id_} ({document}); hãy chọn "
        "bộ quy tắc khác",
        f"no unit in {under.named} is in the scope of {id_} ({document}); choose another ruleset",
    )
