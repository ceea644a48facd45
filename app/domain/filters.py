"""The units that a list is narrowed to: one unit, or everything under one."""

from __future__ import annotations

import datetime
from typing import Protocol

import asyncpg
import msgspec

from app.domain import territory, unit_lookup, unit_periods
from app.domain.territory import Lying, Sight, Territory
from app.domain.unit_lookup import is_key
from app.domain.unit_periods import EVER, Meant
from app.rules.period import Period


class Narrowing(msgspec.Struct, frozen=True):
    """Units as a list's parameters name them; `today` is the day when none is given."""

    today: datetime.date
    unit: str | None = None
    under: str | None = None
    on: datetime.date | None = None
    period: Period | None = None


class Narrowed(msgspec.Struct, frozen=True):
    """The unit and the territory meant; None where the list is not narrowed so."""

    unit: int | None = None
    under: Territory | None = None

    @property
    def units(self) -> tuple[int, ...] | None:
        """Return the unit as a list's filter."""
        return None if self.unit is None else (self.unit,)


async def narrow(connection: asyncpg.Connection, visible: Sight, wanted: Narrowing) -> Narrowed:
    """Return the units meant; raise Absent or Refused where a code means none or several.

    Something of a single unit must be visible; `under` reaches what the unit descends from.
    """
    unit = under = None
    if wanted.unit is not None:
        meant = await _meant(connection, wanted, wanted.unit, "/unit")
        visible.require(meant, "/unit")
        unit = meant.id
    if wanted.under is not None:
        above = await _meant(connection, wanted, wanted.under, "/under")
        under = await territory.resolve(connection, above.id, above.level)
    return Narrowed(unit, under)


async def _meant(
    connection: asyncpg.Connection, wanted: Narrowing, place: str, pointer: str
) -> _Levelled:
    if wanted.period is None and wanted.on is None and is_key(place):
        return await unit_periods.get(connection, Meant(place, EVER), pointer)  # whenever it was
    if wanted.period is None:
        return await unit_lookup.get(connection, place, wanted.on or wanted.today, pointer)
    meant = Meant(place, wanted.period, wanted.on)
    return await unit_periods.get(connection, meant, pointer)


class _Levelled(Lying, Protocol):
    """A unit that was found, with its level."""

    @property
    def level(self) -> str:
        """Its level."""
        ...
